#include "mock_broker/broker/group_table.h"

#include <algorithm>
#include <utility>

#include "protocol/names.h"

namespace mqclient::broker {
namespace {

// SubscriptionGroupManager.java
constexpr std::string_view kSystemGroups[] = {
    protocol::kToolsConsumerGroup, "FILTERSRV_CONSUMER", "SELF_TEST_C_GROUP", "CID_ONS-HTTP-PROXY", "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",       "CID_ONSAPI_OWNER",   "CID_RMQ_SYS_TRANS",
};

protocol::SubscriptionGroupConfig groupOf(std::string_view name) {
  protocol::SubscriptionGroupConfig config;
  config.groupName = name;
  return config;
}

}  // namespace

GroupTable::GroupTable(const BrokerOptions& options, UniqueFunction<void()> on_made)
    : auto_create_(options.autoCreateSubscriptionGroup), groups_max_(options.groups_max), on_made_(std::move(on_made)) {
  for (const std::string_view group : kSystemGroups) groups_.emplace(group, groupOf(group));
}

const protocol::SubscriptionGroupConfig* GroupTable::find(std::string_view group) {
  if (const auto* existing = findExisting(group)) return existing;
  if (!auto_create_ && !protocol::isSystemGroup(group)) return nullptr;
  if (groups_.size() >= groups_max_ || protocol::complaintAboutGroup(group)) return nullptr;
  const protocol::SubscriptionGroupConfig& made = groups_.emplace(group, groupOf(group)).first->second;
  on_made_();
  return &made;
}

const protocol::SubscriptionGroupConfig* GroupTable::findExisting(std::string_view group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : &found->second;
}

protocol::SubscriptionGroupWrapper GroupTable::toWire() const {
  protocol::SubscriptionGroupWrapper table;
  for (const auto& [name, config] : groups_) table.subscriptionGroupTable.emplace(name, config);
  return table;
}

void GroupTable::restore(const protocol::SubscriptionGroupWrapper& table) {
  for (const auto& [name, config] : table.subscriptionGroupTable) {
    if (!protocol::complaintAboutGroup(name)) groups_.insert_or_assign(name, config);
  }
}

std::vector<std::string> GroupTable::names() const {
  std::vector<std::string> names;
  names.reserve(groups_.size());
  for (const auto& [name, config] : groups_) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace mqclient::broker
