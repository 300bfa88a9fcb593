#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "mqclient/export.h"
#include "mqclient/message.h"

namespace mqclient {
inline namespace v1 {

/// Builds a MessageExt as a listener would get it, without a broker: a record of RocketMQ's own format is encoded and
/// read again. Everything has a value from the start; what is not set is the same in every run.
///
///   MessageExt paid =
///   MessageExtBuilder("orders").setBody("{}").setTags("paid").setKeys("42").setQueueOffset(7).build();
///   EXPECT_EQ(listener->consumeMessage({&paid, 1}, context), ConsumeConcurrentlyStatus::CONSUME_SUCCESS);
///
/// Threads  as any value.
class MQCLIENT_EXPORT MessageExtBuilder {
 public:
  explicit MessageExtBuilder(std::string topic);
  /// What a consumer gets of a message that was sent: topic, body, keys, tags, properties, unique id.
  explicit MessageExtBuilder(Message message);

  MessageExtBuilder& setBody(Body body);
  MessageExtBuilder& setTags(std::string tags);
  template <std::convertible_to<std::string_view>... K>
  MessageExtBuilder& setKeys(const K&... keys) {
    message_.setKeys(keys...);
    return *this;
  }
  /// Any property, those of RocketMQ too ("MSG_REGION"). An empty value removes it.
  MessageExtBuilder& putProperty(std::string_view name, std::string_view value);
  /// Unset: 32 hex digits that follow from topic, broker, queue and offset, so one per place.
  MessageExtBuilder& setMsgId(std::string id);
  MessageExtBuilder& setBrokerName(std::string name);  ///< unset: broker-a
  MessageExtBuilder& setQueueId(int id);
  MessageExtBuilder& setQueueOffset(std::int64_t offset);
  MessageExtBuilder& setCommitLogOffset(std::int64_t offset);  ///< unset: the queue offset
  /// "127.0.0.1:10911". Unset: that, and port 40000 for the producer.
  MessageExtBuilder& setStoreHost(std::string host);
  MessageExtBuilder& setBornHost(std::string host);
  /// Milliseconds count. Unset: 2024-01-01 00:00:00 UTC, stored a millisecond later.
  MessageExtBuilder& setBornTime(WallTime time);
  MessageExtBuilder& setStoreTime(WallTime time);
  MessageExtBuilder& setReconsumeTimes(int times);

  /// The message; the builder may go on and build the next one. Throws MQClientException (kInvalidArgument) with every
  /// reason why no broker could hold it: topic name, sizes, negative numbers, hosts that are none.
  MessageExt build() const;

 private:
  Message message_;  // topic and properties
  Body body_;
  std::string broker_name_{"broker-a"};
  int queue_id_{0};
  std::int64_t queue_offset_{0};
  std::int64_t commit_log_offset_{-1};
  std::string store_host_{"127.0.0.1:10911"};
  std::string born_host_{"127.0.0.1:40000"};
  WallTime born_time_;
  WallTime store_time_;
  int reconsume_times_{0};
};

}  // namespace v1
}  // namespace mqclient
