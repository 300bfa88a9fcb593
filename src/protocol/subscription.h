#pragma once

#include <cstdint>
#include <string_view>

#include "mqclient/error.h"
#include "protocol/body/subscription_data.h"

namespace mqclient::protocol {

inline constexpr std::string_view kSubAll = "*";
inline constexpr std::string_view kExpressionTag = "TAG";
inline constexpr std::string_view kExpressionSql92 = "SQL92";

/// A tag expression ("*", "TagA || TagB") as the wire has it; empty means "*". Tags keep their order, each once.
/// Errors   kInvalidArgument: an expression of separators only.
/// Source   FilterAPI.buildSubscriptionData
Result<SubscriptionData> buildSubscriptionData(std::string_view topic, std::string_view expression,
                                               std::int64_t sub_version);

bool isTagType(const SubscriptionData& subscription) noexcept;

/// The broker's test: by hash, so it may let a stranger through. Without tags everything matches.
bool matchesTagsCode(const SubscriptionData& subscription, std::int64_t tags_code) noexcept;
/// The consumer's test afterwards: by text. `tags` empty: the message has none.
bool matchesTag(const SubscriptionData& subscription, std::string_view tags) noexcept;

}  // namespace mqclient::protocol
