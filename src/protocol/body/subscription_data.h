#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "mqclient/error.h"
#include "protocol/field.h"

namespace mqclient::protocol {

/// What a group wants of a topic. Built by buildSubscriptionData (subscription.h).
struct SubscriptionData {
  std::string topic{};
  std::string subString{"*"};
  std::vector<std::string> tagsSet{};   ///< no duplicates
  std::vector<std::int32_t> codeSet{};  ///< hashCode of each tag
  std::int64_t subVersion{};            ///< ms clock of the subscription; the broker keeps the newest
  std::string expressionType{"TAG"};    ///< TAG or SQL92
  bool classFilterMode{};

  static constexpr auto fields() {
    using H = SubscriptionData;
    return std::tuple{may("classFilterMode", &H::classFilterMode),
                      may("codeSet", &H::codeSet),
                      may("expressionType", &H::expressionType),
                      may("subString", &H::subString),
                      may("subVersion", &H::subVersion),
                      may("tagsSet", &H::tagsSet),
                      may("topic", &H::topic)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<SubscriptionData> decode(std::string_view json);
  bool operator==(const SubscriptionData&) const = default;
};

}  // namespace mqclient::protocol
