#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "mock_broker/broker/topic_table.h"
#include "protocol/body/topic_config.h"

namespace mqclient::broker {

/// Configurations of consumer groups. *tables* strand. SubscriptionGroupManager.java
class GroupTable {
 public:
  /// `on_made` hears of each group that find() makes.
  GroupTable(const BrokerOptions& options, UniqueFunction<void()> on_made);

  /// The group's configuration, made with defaults when autoCreateSubscriptionGroup allows it or the name is a system
  /// group's. Null: unknown, an illegal name, or groups_max is reached.
  const protocol::SubscriptionGroupConfig* find(std::string_view group);
  const protocol::SubscriptionGroupConfig* findExisting(std::string_view group) const;
  /// Names, ascending.
  std::vector<std::string> names() const;

  /// config/subscriptionGroup.json
  protocol::SubscriptionGroupWrapper toWire() const;
  void restore(const protocol::SubscriptionGroupWrapper& table);

 private:
  const bool auto_create_;
  const std::size_t groups_max_;
  UniqueFunction<void()> on_made_;
  TextMap<protocol::SubscriptionGroupConfig> groups_;
};

}  // namespace mqclient::broker
