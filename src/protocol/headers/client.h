#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "protocol/field.h"

namespace mqclient::protocol {

/// Reply to HEART_BEAT (34), whose request has no header. Names as on the wire.
struct HeartbeatResponseHeader {
  std::optional<bool> IS_SUPPORT_HEART_BEAT_V2{};  ///< 5.1.3+
  std::optional<bool> IS_SUB_CHANGE{};             ///< 5.1.3+

  static constexpr std::string_view kName = "HeartbeatResponseHeader";
  static constexpr auto fields() {
    using H = HeartbeatResponseHeader;
    return std::tuple{may("IS_SUPPORT_HEART_BEAT_V2", &H::IS_SUPPORT_HEART_BEAT_V2),
                      may("IS_SUB_CHANGE", &H::IS_SUB_CHANGE)};
  }
  bool operator==(const HeartbeatResponseHeader&) const = default;
};

/// UNREGISTER_CLIENT (35)
struct UnregisterClientRequestHeader {
  std::string clientID{};
  std::string producerGroup{};
  std::string consumerGroup{};
  std::string bname{};  ///< 5.x: target broker name

  static constexpr std::string_view kName = "UnregisterClientRequestHeader";
  static constexpr auto fields() {
    using H = UnregisterClientRequestHeader;
    return std::tuple{must("clientID", &H::clientID), may("producerGroup", &H::producerGroup),
                      may("consumerGroup", &H::consumerGroup), may("bname", &H::bname)};
  }
  bool operator==(const UnregisterClientRequestHeader&) const = default;
};

/// GET_CONSUMER_LIST_BY_GROUP (38)
struct GetConsumerListByGroupRequestHeader {
  std::string consumerGroup{};
  std::string bname{};  ///< 5.x: target broker name

  static constexpr std::string_view kName = "GetConsumerListByGroupRequestHeader";
  static constexpr auto fields() {
    using H = GetConsumerListByGroupRequestHeader;
    return std::tuple{must("consumerGroup", &H::consumerGroup), may("bname", &H::bname)};
  }
  bool operator==(const GetConsumerListByGroupRequestHeader&) const = default;
};

/// NOTIFY_CONSUMER_IDS_CHANGED (40), broker to consumer, one-way
struct NotifyConsumerIdsChangedRequestHeader {
  std::string consumerGroup{};

  static constexpr std::string_view kName = "NotifyConsumerIdsChangedRequestHeader";
  static constexpr auto fields() {
    using H = NotifyConsumerIdsChangedRequestHeader;
    return std::tuple{must("consumerGroup", &H::consumerGroup)};
  }
  bool operator==(const NotifyConsumerIdsChangedRequestHeader&) const = default;
};

/// LOCK_BATCH_MQ (41); what is locked stands in the body
struct LockBatchMqRequestHeader {
  std::string bname{};  ///< 5.x: target broker name

  static constexpr std::string_view kName = "LockBatchMqRequestHeader";
  static constexpr auto fields() {
    using H = LockBatchMqRequestHeader;
    return std::tuple{may("bname", &H::bname)};
  }
  bool operator==(const LockBatchMqRequestHeader&) const = default;
};

/// UNLOCK_BATCH_MQ (42)
struct UnlockBatchMqRequestHeader {
  std::string bname{};  ///< 5.x: target broker name

  static constexpr std::string_view kName = "UnlockBatchMqRequestHeader";
  static constexpr auto fields() {
    using H = UnlockBatchMqRequestHeader;
    return std::tuple{may("bname", &H::bname)};
  }
  bool operator==(const UnlockBatchMqRequestHeader&) const = default;
};

}  // namespace mqclient::protocol
