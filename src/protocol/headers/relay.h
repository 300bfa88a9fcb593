#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "protocol/field.h"

namespace mqclient::protocol {

/// RESET_CONSUMER_CLIENT_OFFSET (220), broker to consumer, one-way
struct ResetOffsetRequestHeader {
  std::string topic{};
  std::string group{};
  std::int64_t timestamp{};  ///< ms
  bool isForce{};
  std::optional<std::int32_t> queueId{};  ///< 5.x; -1: every queue

  static constexpr std::string_view kName = "ResetOffsetRequestHeader";
  static constexpr auto fields() {
    using H = ResetOffsetRequestHeader;
    return std::tuple{must("topic", &H::topic), must("group", &H::group), must("timestamp", &H::timestamp),
                      must("isForce", &H::isForce), may("queueId", &H::queueId)};
  }
  bool operator==(const ResetOffsetRequestHeader&) const = default;
};

/// GET_CONSUMER_STATUS_FROM_CLIENT (221)
struct GetConsumerStatusRequestHeader {
  std::string topic{};
  std::string group{};
  std::string clientAddr{};

  static constexpr std::string_view kName = "GetConsumerStatusRequestHeader";
  static constexpr auto fields() {
    using H = GetConsumerStatusRequestHeader;
    return std::tuple{must("topic", &H::topic), must("group", &H::group), may("clientAddr", &H::clientAddr)};
  }
  bool operator==(const GetConsumerStatusRequestHeader&) const = default;
};

/// GET_CONSUMER_RUNNING_INFO (307)
struct GetConsumerRunningInfoRequestHeader {
  std::string consumerGroup{};
  std::string clientId{};
  bool jstackEnable{};

  static constexpr std::string_view kName = "GetConsumerRunningInfoRequestHeader";
  static constexpr auto fields() {
    using H = GetConsumerRunningInfoRequestHeader;
    return std::tuple{must("consumerGroup", &H::consumerGroup), must("clientId", &H::clientId),
                      may("jstackEnable", &H::jstackEnable)};
  }
  bool operator==(const GetConsumerRunningInfoRequestHeader&) const = default;
};

/// CONSUME_MESSAGE_DIRECTLY (309); the body is one record
struct ConsumeMessageDirectlyResultRequestHeader {
  std::string consumerGroup{};
  std::string clientId{};
  std::string msgId{};
  std::string brokerName{};
  std::string topic{};                         ///< 5.x
  std::optional<std::int32_t> topicSysFlag{};  ///< 5.x
  std::optional<std::int32_t> groupSysFlag{};  ///< 5.x

  static constexpr std::string_view kName = "ConsumeMessageDirectlyResultRequestHeader";
  static constexpr auto fields() {
    using H = ConsumeMessageDirectlyResultRequestHeader;
    return std::tuple{
        must("consumerGroup", &H::consumerGroup), may("clientId", &H::clientId), may("msgId", &H::msgId),
        may("brokerName", &H::brokerName),        may("topic", &H::topic),       may("topicSysFlag", &H::topicSysFlag),
        may("groupSysFlag", &H::groupSysFlag)};
  }
  bool operator==(const ConsumeMessageDirectlyResultRequestHeader&) const = default;
};

}  // namespace mqclient::protocol
