#include "protocol/body/heartbeat.h"

#include "protocol/body/json_fields.h"
#include "protocol/hash.h"

namespace mqclient::protocol {

namespace json {
template <>
struct EnumNames<ConsumeType> {
  static constexpr std::array<std::string_view, 3> kNames{"CONSUME_ACTIVELY", "CONSUME_PASSIVELY", "CONSUME_POP"};
};
template <>
struct EnumNames<MessageModel> {
  static constexpr std::array<std::string_view, 2> kNames{"BROADCASTING", "CLUSTERING"};
};
template <>
struct EnumNames<ConsumeFromWhere> {
  static constexpr std::array<std::string_view, 6> kNames{
      "CONSUME_FROM_LAST_OFFSET",  "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
      "CONSUME_FROM_MIN_OFFSET",   "CONSUME_FROM_MAX_OFFSET",
      "CONSUME_FROM_FIRST_OFFSET", "CONSUME_FROM_TIMESTAMP"};
};
}  // namespace json

std::string_view toString(ConsumeType v) noexcept {
  return json::EnumNames<ConsumeType>::kNames[static_cast<std::size_t>(v)];
}
std::string_view toString(MessageModel v) noexcept {
  return json::EnumNames<MessageModel>::kNames[static_cast<std::size_t>(v)];
}
std::string_view toString(ConsumeFromWhere v) noexcept {
  return json::EnumNames<ConsumeFromWhere>::kNames[static_cast<std::size_t>(v)];
}

std::string SubscriptionData::encode() const {
  return json::encode(*this);
}
Result<SubscriptionData> SubscriptionData::decode(std::string_view text) {
  return json::decode<SubscriptionData>(text, "SubscriptionData");
}

std::string HeartbeatData::encode() const {
  return json::encode(*this);
}
Result<HeartbeatData> HeartbeatData::decode(std::string_view text) {
  return json::decode<HeartbeatData>(text, "HeartbeatData");
}

std::int32_t HeartbeatData::computeFingerprint() const {
  HeartbeatData bare = *this;
  bare.clientID.clear();
  bare.heartbeatFingerprint = 0;
  bare.withoutSub = false;
  for (ConsumerData& consumer : bare.consumerDataSet) {
    for (SubscriptionData& subscription : consumer.subscriptionDataSet) subscription.subVersion = 0;
  }
  return hashCode(bare.encode());
}

}  // namespace mqclient::protocol
