#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "protocol/field.h"

namespace mqclient::protocol {

/// QUERY_MESSAGE (12). Clients always send _UNIQUE_KEY_QUERY.
struct QueryMessageRequestHeader {
  std::string topic{};
  std::string key{};  ///< bare key; the broker puts "topic#" before it
  std::int32_t maxNum{};
  std::int64_t beginTimestamp{};  ///< ms
  std::int64_t endTimestamp{};    ///< ms
  std::string uniqueKeyQuery{};   ///< "true": by UNIQ_KEY
  std::string bname{};            ///< 5.x: target broker name

  static constexpr std::string_view kName = "QueryMessageRequestHeader";
  static constexpr auto fields() {
    using H = QueryMessageRequestHeader;
    return std::tuple{must("topic", &H::topic),
                      must("key", &H::key),
                      must("maxNum", &H::maxNum),
                      must("beginTimestamp", &H::beginTimestamp),
                      must("endTimestamp", &H::endTimestamp),
                      may("_UNIQUE_KEY_QUERY", &H::uniqueKeyQuery),
                      may("bname", &H::bname)};
  }
  bool operator==(const QueryMessageRequestHeader&) const = default;
};

struct QueryMessageResponseHeader {
  std::int64_t indexLastUpdateTimestamp{};
  std::int64_t indexLastUpdatePhyoffset{};

  static constexpr std::string_view kName = "QueryMessageResponseHeader";
  static constexpr auto fields() {
    using H = QueryMessageResponseHeader;
    return std::tuple{must("indexLastUpdateTimestamp", &H::indexLastUpdateTimestamp),
                      must("indexLastUpdatePhyoffset", &H::indexLastUpdatePhyoffset)};
  }
  bool operator==(const QueryMessageResponseHeader&) const = default;
};

/// VIEW_MESSAGE_BY_ID (33)
struct ViewMessageRequestHeader {
  std::int64_t offset{};  ///< commit-log offset
  std::string topic{};    ///< 5.x

  static constexpr std::string_view kName = "ViewMessageRequestHeader";
  static constexpr auto fields() {
    using H = ViewMessageRequestHeader;
    return std::tuple{must("offset", &H::offset), may("topic", &H::topic)};
  }
  bool operator==(const ViewMessageRequestHeader&) const = default;
};

}  // namespace mqclient::protocol
