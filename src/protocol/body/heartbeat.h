#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "mqclient/error.h"
#include "protocol/body/subscription_data.h"
#include "protocol/field.h"

namespace mqclient::protocol {

enum class ConsumeType : std::uint8_t { CONSUME_ACTIVELY = 0, CONSUME_PASSIVELY = 1, CONSUME_POP = 2 };
enum class MessageModel : std::uint8_t { BROADCASTING = 0, CLUSTERING = 1 };
enum class ConsumeFromWhere : std::uint8_t {
  CONSUME_FROM_LAST_OFFSET = 0,
  CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST = 1,
  CONSUME_FROM_MIN_OFFSET = 2,
  CONSUME_FROM_MAX_OFFSET = 3,
  CONSUME_FROM_FIRST_OFFSET = 4,
  CONSUME_FROM_TIMESTAMP = 5,
};
std::string_view toString(ConsumeType) noexcept;
std::string_view toString(MessageModel) noexcept;
std::string_view toString(ConsumeFromWhere) noexcept;

struct ProducerData {
  std::string groupName{};

  static constexpr auto fields() {
    using H = ProducerData;
    return std::tuple{may("groupName", &H::groupName)};
  }
  bool operator==(const ProducerData&) const = default;
};

struct ConsumerData {
  std::string groupName{};
  ConsumeType consumeType{ConsumeType::CONSUME_PASSIVELY};
  MessageModel messageModel{MessageModel::CLUSTERING};
  ConsumeFromWhere consumeFromWhere{ConsumeFromWhere::CONSUME_FROM_LAST_OFFSET};
  std::vector<SubscriptionData> subscriptionDataSet{};
  bool unitMode{};

  static constexpr auto fields() {
    using H = ConsumerData;
    return std::tuple{may("consumeFromWhere", &H::consumeFromWhere),
                      may("consumeType", &H::consumeType),
                      may("groupName", &H::groupName),
                      may("messageModel", &H::messageModel),
                      may("subscriptionDataSet", &H::subscriptionDataSet),
                      may("unitMode", &H::unitMode)};
  }
  bool operator==(const ConsumerData&) const = default;
};

/// Body of HEART_BEAT. What a peer leaves out reads as empty; enums come as names or as ordinals.
struct HeartbeatData {
  std::string clientID{};
  std::vector<ProducerData> producerDataSet{};
  std::vector<ConsumerData> consumerDataSet{};
  std::int32_t heartbeatFingerprint{};  ///< 5.1.3+; 0: none
  bool withoutSub{};                    ///< 5.1.3+

  static constexpr auto fields() {
    using H = HeartbeatData;
    return std::tuple{may("clientID", &H::clientID), may("consumerDataSet", &H::consumerDataSet),
                      may("heartbeatFingerprint", &H::heartbeatFingerprint),
                      may("producerDataSet", &H::producerDataSet), may("withoutSub", &H::withoutSub)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<HeartbeatData> decode(std::string_view json);
  /// What a client compares to know whether its subscriptions changed: hashCode of the text without id and versions.
  std::int32_t computeFingerprint() const;
  bool operator==(const HeartbeatData&) const = default;
};

}  // namespace mqclient::protocol
