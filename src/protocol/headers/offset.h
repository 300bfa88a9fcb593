#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "protocol/field.h"

namespace mqclient::protocol {

/// QUERY_CONSUMER_OFFSET (14)
struct QueryConsumerOffsetRequestHeader {
  std::string consumerGroup{};
  std::string topic{};
  std::int32_t queueId{};
  std::optional<bool> setZeroIfNotFound{};  ///< 5.x; false: never answer 0 for "nothing committed"
  std::string bname{};                      ///< 5.x: target broker name

  static constexpr std::string_view kName = "QueryConsumerOffsetRequestHeader";
  static constexpr auto fields() {
    using H = QueryConsumerOffsetRequestHeader;
    return std::tuple{must("consumerGroup", &H::consumerGroup), must("topic", &H::topic), must("queueId", &H::queueId),
                      may("setZeroIfNotFound", &H::setZeroIfNotFound), may("bname", &H::bname)};
  }
  bool operator==(const QueryConsumerOffsetRequestHeader&) const = default;
};

struct QueryConsumerOffsetResponseHeader {
  std::int64_t offset{};

  static constexpr std::string_view kName = "QueryConsumerOffsetResponseHeader";
  static constexpr auto fields() {
    using H = QueryConsumerOffsetResponseHeader;
    return std::tuple{must("offset", &H::offset)};
  }
  bool operator==(const QueryConsumerOffsetResponseHeader&) const = default;
};

/// UPDATE_CONSUMER_OFFSET (15); clients send it one-way
struct UpdateConsumerOffsetRequestHeader {
  std::string consumerGroup{};
  std::string topic{};
  std::int32_t queueId{};
  std::int64_t commitOffset{};
  std::string bname{};  ///< 5.x: target broker name

  static constexpr std::string_view kName = "UpdateConsumerOffsetRequestHeader";
  static constexpr auto fields() {
    using H = UpdateConsumerOffsetRequestHeader;
    return std::tuple{must("consumerGroup", &H::consumerGroup), must("topic", &H::topic), must("queueId", &H::queueId),
                      must("commitOffset", &H::commitOffset), may("bname", &H::bname)};
  }
  bool operator==(const UpdateConsumerOffsetRequestHeader&) const = default;
};

/// SEARCH_OFFSET_BY_TIMESTAMP (29)
struct SearchOffsetRequestHeader {
  std::string topic{};
  std::int32_t queueId{};
  std::int64_t timestamp{};    ///< ms
  std::string boundaryType{};  ///< LOWER (default) or UPPER, any case; 5.x
  std::string bname{};         ///< 5.x: target broker name

  static constexpr std::string_view kName = "SearchOffsetRequestHeader";
  static constexpr auto fields() {
    using H = SearchOffsetRequestHeader;
    return std::tuple{must("topic", &H::topic), must("queueId", &H::queueId), must("timestamp", &H::timestamp),
                      may("boundaryType", &H::boundaryType), may("bname", &H::bname)};
  }
  bool operator==(const SearchOffsetRequestHeader&) const = default;
};

struct SearchOffsetResponseHeader {
  std::int64_t offset{};

  static constexpr std::string_view kName = "SearchOffsetResponseHeader";
  static constexpr auto fields() {
    using H = SearchOffsetResponseHeader;
    return std::tuple{must("offset", &H::offset)};
  }
  bool operator==(const SearchOffsetResponseHeader&) const = default;
};

/// GET_MAX_OFFSET (30)
struct GetMaxOffsetRequestHeader {
  std::string topic{};
  std::int32_t queueId{};
  std::optional<bool> committed{};  ///< 5.x; absent: true
  std::string bname{};              ///< 5.x: target broker name

  static constexpr std::string_view kName = "GetMaxOffsetRequestHeader";
  static constexpr auto fields() {
    using H = GetMaxOffsetRequestHeader;
    return std::tuple{must("topic", &H::topic), must("queueId", &H::queueId), may("committed", &H::committed),
                      may("bname", &H::bname)};
  }
  bool operator==(const GetMaxOffsetRequestHeader&) const = default;
};

struct GetMaxOffsetResponseHeader {
  std::int64_t offset{};  ///< next offset to be written

  static constexpr std::string_view kName = "GetMaxOffsetResponseHeader";
  static constexpr auto fields() {
    using H = GetMaxOffsetResponseHeader;
    return std::tuple{must("offset", &H::offset)};
  }
  bool operator==(const GetMaxOffsetResponseHeader&) const = default;
};

/// GET_MIN_OFFSET (31)
struct GetMinOffsetRequestHeader {
  std::string topic{};
  std::int32_t queueId{};
  std::string bname{};  ///< 5.x: target broker name

  static constexpr std::string_view kName = "GetMinOffsetRequestHeader";
  static constexpr auto fields() {
    using H = GetMinOffsetRequestHeader;
    return std::tuple{must("topic", &H::topic), must("queueId", &H::queueId), may("bname", &H::bname)};
  }
  bool operator==(const GetMinOffsetRequestHeader&) const = default;
};

struct GetMinOffsetResponseHeader {
  std::int64_t offset{};

  static constexpr std::string_view kName = "GetMinOffsetResponseHeader";
  static constexpr auto fields() {
    using H = GetMinOffsetResponseHeader;
    return std::tuple{must("offset", &H::offset)};
  }
  bool operator==(const GetMinOffsetResponseHeader&) const = default;
};

/// GET_EARLIEST_MSG_STORETIME (32)
struct GetEarliestMsgStoretimeRequestHeader {
  std::string topic{};
  std::int32_t queueId{};
  std::string bname{};  ///< 5.x: target broker name

  static constexpr std::string_view kName = "GetEarliestMsgStoretimeRequestHeader";
  static constexpr auto fields() {
    using H = GetEarliestMsgStoretimeRequestHeader;
    return std::tuple{must("topic", &H::topic), must("queueId", &H::queueId), may("bname", &H::bname)};
  }
  bool operator==(const GetEarliestMsgStoretimeRequestHeader&) const = default;
};

struct GetEarliestMsgStoretimeResponseHeader {
  std::int64_t timestamp{};  ///< ms; -1: none

  static constexpr std::string_view kName = "GetEarliestMsgStoretimeResponseHeader";
  static constexpr auto fields() {
    using H = GetEarliestMsgStoretimeResponseHeader;
    return std::tuple{must("timestamp", &H::timestamp)};
  }
  bool operator==(const GetEarliestMsgStoretimeResponseHeader&) const = default;
};

}  // namespace mqclient::protocol
