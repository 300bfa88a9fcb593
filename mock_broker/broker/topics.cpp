// Topics made by request or on demand. TopicConfigManager.java, AdminBrokerProcessor.java
#include <algorithm>
#include <array>
#include <utility>

#include "mock_broker/broker/core.h"
#include "protocol/names.h"

namespace mqclient::broker {
namespace {

/// How long an answer waits for the nameservers to have heard of a new topic.
constexpr base::Millis kAnnounceWait{2'000};

/// Values an attribute may have here; none listed: any. TopicAttributes.java, without what this broker does not offer
/// (BatchCQ, COMPACTION) or offers only by a switch it does not have (MIXED).
struct Attribute {
  std::string_view name;
  std::array<std::string_view, 5> values;
};
constexpr Attribute kAttributes[] = {
    {"queue.type", {"SimpleCQ"}},
    {"cleanup.policy", {"DELETE"}},
    {"message.type", {"NORMAL", "FIFO", "DELAY", "TRANSACTION", "UNSPECIFIED"}},
    {"reserve.time", {}},
};

/// Applies "+key=value,-key" to `attributes`. Nothing: done; else what is wrong.
std::optional<std::string> changeAttributes(std::map<std::string, std::string>& attributes, std::string_view text) {
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const std::string_view key = part.empty() ? part : part.substr(1, part.find('=') - 1);
    const auto known = std::find_if(std::begin(kAttributes), std::end(kAttributes),
                                    [key](const Attribute& a) { return a.name == key; });
    if (known == std::end(kAttributes)) return "unsupported key: " + std::string(key);
    if (part.front() == '-') {
      attributes.erase(std::string(key));
      continue;
    }
    const std::size_t equals = part.find('=');
    if (part.front() != '+' || equals == std::string_view::npos || equals + 1 == part.size()) {
      return "kv string format wrong: " + std::string(part);
    }
    const std::string_view value = part.substr(equals + 1);
    if (!known->values.front().empty() && std::count(known->values.begin(), known->values.end(), value) == 0) {
      return "value is not in set: " + std::string(part);
    }
    attributes.insert_or_assign(std::string(key), std::string(value));
  }
  return std::nullopt;
}

}  // namespace

std::optional<BrokerCore::Refusal> BrokerCore::putTopic(TopicConfig config) {
  const std::string name = config.topicName;
  switch (topics_.put(std::move(config), wallMillis())) {
    case TopicTable::Change::kFull:
      return Refusal{ResponseCode::SYSTEM_ERROR,
                     "this broker has " + std::to_string(options_.topics_max) + " topics and takes no more"};
    case TopicTable::Change::kMade:
      config_files_.write(topics_);
      registration_->announce(name);
      break;
    case TopicTable::Change::kNone:
      break;
  }
  return std::nullopt;
}

base::Ref<const Topic> BrokerCore::makeRetryTopic(const protocol::SubscriptionGroupConfig& group, bool order) {
  TopicConfig config;
  config.topicName = protocol::retryTopic(group.groupName);
  if (auto existing = topics_.find(config.topicName)) return existing;
  config.readQueueNums = config.writeQueueNums = group.retryQueueNums;
  config.order = order;
  const std::string name = config.topicName;
  if (putTopic(std::move(config))) return {};
  return topics_.find(name);
}

void BrokerCore::updateAndCreateTopic(protocol::CreateTopicRequestHeader header, remoting::Request&&,
                                      remoting::Responder&& responder) {
  const auto refuse = [&responder](ResponseCode code, std::string_view remark) {
    std::move(responder).answer(code, remark);
  };
  if (const auto complaint = protocol::complaintAboutTopic(header.topic)) {
    return refuse(ResponseCode::INVALID_PARAMETER, *complaint);
  }
  if (protocol::isSystemTopic(header.topic) || header.topic == options_.brokerClusterName ||
      header.topic == options_.brokerName) {
    return refuse(ResponseCode::INVALID_PARAMETER, "The topic[" + header.topic + "] is conflict with system topic.");
  }
  if (std::max(header.readQueueNums, header.writeQueueNums) > options_.queues_per_topic_max) {
    return refuse(ResponseCode::INVALID_PARAMETER,
                  "a topic has at most " + std::to_string(options_.queues_per_topic_max) + " queues here");
  }
  inTables([this, header = std::move(header), responder = std::move(responder)]() mutable {
    TopicConfig config;
    if (const auto existing = topics_.find(header.topic)) config.attributes = existing->config.attributes;
    config.topicName = header.topic;
    config.readQueueNums = header.readQueueNums;
    config.writeQueueNums = header.writeQueueNums;
    config.perm = header.perm;
    config.multiTag = header.topicFilterType == "MULTI_TAG";
    config.topicSysFlag = header.topicSysFlag.value_or(0);
    config.order = header.order;
    if (const auto wrong = changeAttributes(config.attributes, header.attributes)) {
      return std::move(responder).answer(ResponseCode::SYSTEM_ERROR, *wrong);
    }
    if (const auto refusal = putTopic(std::move(config))) {
      return std::move(responder).answer(refusal->code, refusal->remark);
    }
    // As in Java the answer comes when the route is there to be found.
    registration_->whenAnnounced(kAnnounceWait,
                                 base::Completion<void>::of([responder = std::move(responder)](Result<void>&&) mutable {
                                   std::move(responder).answer(ResponseCode::SUCCESS);
                                 }));
  });
}

void BrokerCore::updateTopic(TopicConfig config, base::Completion<void> done) {
  if (const auto complaint = protocol::complaintAboutTopic(config.topicName)) {
    return std::move(done)(Error(ErrorCode::kInvalidArgument, *complaint));
  }
  if (protocol::isSystemTopic(config.topicName)) {
    return std::move(done)(Error(ErrorCode::kInvalidArgument, config.topicName + " is a topic of the broker's own"));
  }
  inTables([this, config = std::move(config), done = std::move(done)]() mutable {
    if (stopping_) return std::move(done)(Error(ErrorCode::kClosed, "the broker is stopping"));
    if (auto refusal = putTopic(std::move(config))) {
      return std::move(done)(Error(ErrorCode::kQueueFull, std::move(refusal->remark)));
    }
    registration_->whenAnnounced(kAnnounceWait, std::move(done));
  });
}

}  // namespace mqclient::broker
