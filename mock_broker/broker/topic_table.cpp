#include "mock_broker/broker/topic_table.h"

#include <algorithm>
#include <set>
#include <utility>

#include "protocol/names.h"

namespace mqclient::broker {
namespace {

constexpr std::int32_t kReadWrite = protocol::kPermRead | protocol::kPermWrite;
constexpr std::int32_t kBenchmarkQueues = 1024;  // TopicConfigManager.java
constexpr std::int32_t kClusterQueues = 16;
constexpr std::int32_t kScheduleQueues = 18;  // one per delay level
constexpr std::int32_t kReviveQueues = 8;     // reviveQueueNum

TopicConfig topicOf(std::string name, std::int32_t queues, std::int32_t perm) {
  TopicConfig config;
  config.topicName = std::move(name);
  config.readQueueNums = config.writeQueueNums = queues;
  config.perm = perm;
  return config;
}

constexpr std::int32_t kQueuesKept = 256;

}  // namespace

Topic::Topic(TopicConfig c)
    : config(std::move(c)),
      send_forbidden(protocol::isNotAllowedSendTopic(config.topicName)),
      retry(protocol::isRetryTopic(config.topicName)),
      queue_count_(
          static_cast<std::size_t>(std::clamp(std::max(config.readQueueNums, config.writeQueueNums), 0, kQueuesKept))),
      queues_(std::make_unique<std::atomic<store::ConsumeQueue*>[]>(queue_count_)) {}

store::ConsumeQueue& Topic::queue(store::MessageStore& store, std::int32_t id) const {
  const auto i = static_cast<std::size_t>(id);
  if (id < 0 || i >= queue_count_) return *store.queueOf(config.topicName, id);
  if (store::ConsumeQueue* known = queues_[i].load(std::memory_order_acquire)) return *known;
  store::ConsumeQueue& asked = *store.queueOf(config.topicName, id);
  queues_[i].store(&asked, std::memory_order_release);
  return asked;
}

std::vector<TopicConfig> TopicTable::systemTopics(const BrokerOptions& o) {
  const auto named = [](std::string_view text) { return std::string(text); };
  std::vector<TopicConfig> topics{
      topicOf(named(protocol::kSelfTestTopic), 1, kReadWrite),
      topicOf(named(protocol::kBenchmarkTopic), kBenchmarkQueues, kReadWrite),
      topicOf(o.brokerClusterName, kClusterQueues, protocol::kPermInherit | (o.clusterTopicEnable ? kReadWrite : 0)),
      topicOf(o.brokerName, 1, protocol::kPermInherit | (o.brokerTopicEnable ? kReadWrite : 0)),
      topicOf(named(protocol::kOffsetMovedEvent), 1, kReadWrite),
      topicOf(named(protocol::kScheduleTopic), kScheduleQueues, kReadWrite),
      topicOf(o.brokerClusterName + "_REPLY_TOPIC", 1, kReadWrite),
      topicOf("rmq_sys_REVIVE_LOG_" + o.brokerClusterName, kReviveQueues, kReadWrite),
      topicOf("rmq_sys_SYNC_BROKER_MEMBER_" + o.brokerName, 1, protocol::kPermInherit),
      topicOf(named(protocol::kTransHalfTopic), 1, kReadWrite),
      topicOf(named(protocol::kTransOpHalfTopic), 1, kReadWrite),
      topicOf("rmq_sys_wheel_timer", 1, kReadWrite)};
  if (o.autoCreateTopicEnable) {
    topics.push_back(topicOf(named(protocol::kAutoCreateTopicKeyTopic), o.defaultTopicQueueNums,
                             kReadWrite | protocol::kPermInherit));
  }
  return topics;
}

TopicTable::TopicTable(const BrokerOptions& options, std::int64_t wall_ms) : topics_max_(options.topics_max) {
  version_.timestamp = wall_ms;
  for (TopicConfig& config : systemTopics(options)) {
    std::string name = config.topicName;
    topics_.insert_or_assign(std::move(name), base::makeRef<Topic>(std::move(config)));
  }
}

base::Ref<const Topic> TopicTable::find(std::string_view topic) const {
  base::MutexLock lock(mutex_);
  const auto found = topics_.find(topic);
  return found == topics_.end() ? base::Ref<const Topic>() : found->second;
}

std::vector<base::Ref<const Topic>> TopicTable::all() const {
  std::vector<base::Ref<const Topic>> topics;
  {
    base::MutexLock lock(mutex_);
    topics.reserve(topics_.size());
    for (const auto& [name, topic] : topics_) topics.push_back(topic);
  }
  std::sort(topics.begin(), topics.end(),
            [](const auto& a, const auto& b) { return a->config.topicName < b->config.topicName; });
  return topics;
}

TopicTable::Change TopicTable::put(TopicConfig config, std::int64_t wall_ms) {
  base::Ref<const Topic> made = base::makeRef<Topic>(std::move(config));
  base::MutexLock lock(mutex_);
  const auto found = topics_.find(made->config.topicName);
  if (found == topics_.end()) {
    if (topics_.size() >= topics_max_) return Change::kFull;
    topics_.emplace(made->config.topicName, made);
  } else {
    if (found->second->config == made->config) return Change::kNone;
    std::swap(found->second, made);
  }
  ++version_.counter;
  version_.timestamp = wall_ms;
  changes_.fetch_add(1, std::memory_order_release);
  return Change::kMade;
}

void TopicTable::restore(const protocol::TopicConfigSerializeWrapper& table, const BrokerOptions& options) {
  std::set<std::string, std::less<>> of_system;
  for (const TopicConfig& config : systemTopics(options)) of_system.insert(config.topicName);
  base::MutexLock lock(mutex_);
  for (const auto& [name, wire] : table.topicConfigTable) {
    if (of_system.contains(name) || protocol::complaintAboutTopic(name)) continue;
    TopicConfig config = fromWire(wire);
    config.topicName = name;
    topics_.insert_or_assign(name, base::makeRef<Topic>(std::move(config)));
  }
  version_ = table.dataVersion;
}

protocol::DataVersion TopicTable::version() const {
  base::MutexLock lock(mutex_);
  return version_;
}

protocol::TopicConfig toWire(const TopicConfig& config, std::int32_t broker_permission) {
  protocol::TopicConfig wire;
  wire.topicName = config.topicName;
  wire.readQueueNums = config.readQueueNums;
  wire.writeQueueNums = config.writeQueueNums;
  wire.perm = broker_permission == kReadWrite ? config.perm : config.perm & broker_permission;
  wire.topicFilterType = config.multiTag ? "MULTI_TAG" : "SINGLE_TAG";
  wire.topicSysFlag = config.topicSysFlag;
  wire.order = config.order;
  wire.attributes = config.attributes;
  return wire;
}

protocol::TopicConfig toWire(const TopicConfig& config) {
  return toWire(config, kReadWrite);
}

TopicConfig fromWire(const protocol::TopicConfig& wire) {
  TopicConfig config;
  config.topicName = wire.topicName;
  config.readQueueNums = wire.readQueueNums;
  config.writeQueueNums = wire.writeQueueNums;
  config.perm = wire.perm;
  config.multiTag = wire.topicFilterType == "MULTI_TAG";
  config.topicSysFlag = wire.topicSysFlag;
  config.order = wire.order;
  config.attributes = wire.attributes;
  return config;
}

}  // namespace mqclient::broker
