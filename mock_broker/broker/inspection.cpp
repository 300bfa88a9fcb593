// What the broker shows of itself: to tests through inspect(), to tools through GET_BROKER_CONFIG and
// GET_BROKER_RUNTIME_INFO.
#include <algorithm>
#include <utility>

#include "mock_broker/broker/core.h"
#include "protocol/body/register_broker.h"
#include "protocol/body/topic_config.h"

namespace mqclient::broker {
namespace {

StoredMessage copyOf(const protocol::RecordFields& record) {
  StoredMessage m;
  m.topic = record.topic;
  m.queueId = record.queueId;
  m.queueOffset = record.queueOffset;
  m.physicalOffset = record.physicalOffset;
  m.bornTimestamp = record.bornTimestamp;
  m.storeTimestamp = record.storeTimestamp;
  m.bornHost = record.bornHost.toString();
  m.storeHost = record.storeHost.toString();
  m.flag = record.flag;
  m.sysFlag = record.sysFlag;
  m.reconsumeTimes = record.reconsumeTimes;
  m.body.assign(reinterpret_cast<const char*>(record.body.data()), record.body.size());
  m.properties = record.properties;
  return m;
}

ClientInfo copyOf(const ClientChannel& channel) {
  return {channel.clientId, channel.peer->address(), std::string(protocol::toString(channel.language)),
          channel.version};
}

}  // namespace

class InspectionView final : public Inspection {
 public:
  explicit InspectionView(const BrokerCore& core) : core_(core) {}

  std::vector<StoredMessage> messages(std::string_view topic) const override {
    std::vector<StoredMessage> all;
    for (const auto& queue : core_.store_.queuesOf(topic)) {
      const std::int64_t end = queue->maxOffset();
      for (std::int64_t offset = core_.store_.minOffset(*queue); offset < end; ++offset) {
        const base::Slice bytes = core_.store_.record(*queue, offset);
        if (const auto record = protocol::decodeRecord(bytes.bytes())) all.push_back(copyOf(*record));
      }
    }
    return all;
  }
  std::int64_t minOffset(std::string_view topic, std::int32_t queue_id) const override {
    const auto queue = core_.store_.findQueue(topic, queue_id);
    return queue ? core_.store_.minOffset(*queue) : 0;
  }
  std::int64_t maxOffset(std::string_view topic, std::int32_t queue_id) const override {
    const auto queue = core_.store_.findQueue(topic, queue_id);
    return queue ? queue->maxOffset() : 0;
  }
  std::optional<std::int64_t> committedOffset(std::string_view group, std::string_view topic,
                                              std::int32_t queue_id) const override {
    return core_.offsets_.find(group, topic, queue_id);
  }
  std::vector<std::string> members(std::string_view group) const override {
    std::vector<std::string> ids;
    for (const ClientInfo& client : consumers(group)) ids.push_back(client.clientId);
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  std::vector<ClientInfo> consumers(std::string_view group) const override {
    std::vector<ClientInfo> clients;
    if (const ConsumerGroup* found = core_.clients_.findConsumers(group)) {
      for (const auto& [id, channel] : found->channels) clients.push_back(copyOf(channel));
    }
    return clients;
  }
  std::vector<ClientInfo> producers(std::string_view group) const override {
    std::vector<ClientInfo> clients;
    if (const auto* found = core_.clients_.findProducers(group)) {
      for (const auto& [id, channel] : *found) clients.push_back(copyOf(channel));
    }
    return clients;
  }
  std::vector<ClientInfo> clients() const override {
    std::vector<ClientInfo> clients;
    for (const ClientChannel* channel : core_.clients_.channels()) clients.push_back(copyOf(*channel));
    return clients;
  }
  std::vector<TopicConfig> topicConfigs() const override {
    std::vector<TopicConfig> configs;
    for (const auto& topic : core_.topics_.all()) configs.push_back(topic->config);
    return configs;
  }
  std::optional<TopicConfig> topicConfig(std::string_view topic) const override {
    const auto found = core_.topics_.find(topic);
    return found ? std::optional(found->config) : std::nullopt;
  }
  std::vector<std::string> subscriptionGroups() const override { return core_.groups_.names(); }
  std::size_t heldPulls() const override { return core_.holds_.size(); }
  BrokerCounters counters() const override {
    BrokerCounters counters;
    counters.messages_stored = core_.messages_stored_.load(std::memory_order_relaxed);
    counters.messages_pulled = core_.messages_pulled_.load(std::memory_order_relaxed);
    counters.pulls_held = core_.pulls_held_.load(std::memory_order_relaxed);
    counters.responders_dropped = core_.server_->counters().responders_dropped.load(std::memory_order_relaxed);
    counters.segments_dropped = core_.store_.log().segmentsDropped();
    counters.requests = core_.server_->requests();
    return counters;
  }

 private:
  const BrokerCore& core_;
};

void BrokerCore::inspect(UniqueFunction<void(const Inspection&)> f) {
  log_.post(self(), [this, f = std::move(f)]() mutable {
    inTables([this, f = std::move(f)]() mutable { f(InspectionView(*this)); });
  });
}

void BrokerCore::getBrokerConfig(remoting::Request&&, remoting::Responder&& responder) {
  std::string text;
  const auto line = [&text](std::string_view key, const std::string& value) {
    text.append(key).append("=").append(value).append("\n");
  };
  const auto yes = [](bool b) { return std::string(b ? "true" : "false"); };
  line("autoCreateSubscriptionGroup", yes(options_.autoCreateSubscriptionGroup));
  line("autoCreateTopicEnable", yes(options_.autoCreateTopicEnable));
  line("brokerClusterName", options_.brokerClusterName);
  line("brokerId", std::to_string(options_.brokerId));
  line("brokerName", options_.brokerName);
  line("brokerPermission", std::to_string(options_.brokerPermission));
  line("defaultTopicQueueNums", std::to_string(options_.defaultTopicQueueNums));
  line("longPollingEnable", yes(options_.longPollingEnable));
  line("mappedFileSizeCommitLog", std::to_string(options_.mappedFileSizeCommitLog));
  line("maxMessageSize", std::to_string(options_.maxMessageSize));
  line("memoryLogBytesMax", std::to_string(options_.memoryLogBytesMax));
  line("notifyConsumerIdsChangedEnable", yes(options_.notifyConsumerIdsChangedEnable));
  line("registerNameServerPeriod", std::to_string(options_.registerNameServerPeriod.count()));
  line("rejectTransactionMessage", yes(true));
  std::move(responder).answer(ResponseCode::SUCCESS, {}, protocol::NoHeader{}, base::Slice::of(std::move(text)));
}

void BrokerCore::getBrokerRuntimeInfo(remoting::Request&&, remoting::Responder&& responder) {
  protocol::KVTable body;
  const auto ms = std::chrono::duration_cast<base::Millis>(engine_->now() - started_).count();
  body.table = {
      {"bootTimestamp", std::to_string(boot_ms_)},
      {"brokerActive", "true"},
      {"commitLogMaxOffset", std::to_string(store_.log().maxOffset())},
      {"commitLogMinOffset", std::to_string(store_.log().minOffset())},
      {"dispatchBehindBytes", "0"},
      {"msgGetTotalTodayNow", std::to_string(messages_pulled_.load(std::memory_order_relaxed))},
      {"msgPutTotalTodayNow", std::to_string(messages_stored_.load(std::memory_order_relaxed))},
      {"runtime", "[ " + std::to_string(ms / 1000) + " seconds ]"},
  };
  std::move(responder).answer(ResponseCode::SUCCESS, {}, protocol::NoHeader{}, base::Slice::of(body.encode()));
}

}  // namespace mqclient::broker
