#include "protocol/subscription.h"

#include <algorithm>
#include <set>

#include "protocol/hash.h"

namespace mqclient::protocol {

namespace {
/// Java's String.trim: everything up to the blank.
std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}
}  // namespace

Result<SubscriptionData> buildSubscriptionData(std::string_view topic, std::string_view expression,
                                               std::int64_t sub_version) {
  SubscriptionData out;
  out.topic = topic;
  out.subVersion = sub_version;
  if (expression.empty() || expression == kSubAll) return out;

  out.subString = expression;
  constexpr std::string_view kOr = "||";
  bool something = false;
  // Sets, not searches of the lists: a pull may bring an expression of 20,000 tags.
  std::set<std::string_view> tags;
  std::set<std::int32_t> codes;
  for (std::string_view rest = expression; !rest.empty();) {
    const std::size_t stop = rest.find(kOr);
    const std::string_view piece = rest.substr(0, stop);
    rest = stop == std::string_view::npos ? std::string_view() : rest.substr(stop + kOr.size());
    something = something || !piece.empty();
    const std::string_view tag = trim(piece);
    if (tag.empty() || !tags.insert(tag).second) continue;
    out.tagsSet.emplace_back(tag);
    const std::int32_t code = hashCode(tag);
    if (codes.insert(code).second) out.codeSet.push_back(code);
  }
  if (!something) {
    return Error(ErrorCode::kInvalidArgument,
                 "the tag expression '" + std::string(expression) + "' names no tag; write \"*\" or \"TagA || TagB\"");
  }
  return out;
}

bool isTagType(const SubscriptionData& subscription) noexcept {
  return subscription.expressionType.empty() || subscription.expressionType == kExpressionTag;
}

bool matchesTagsCode(const SubscriptionData& subscription, std::int64_t tags_code) noexcept {
  if (subscription.codeSet.empty()) return true;
  return std::any_of(subscription.codeSet.begin(), subscription.codeSet.end(),
                     [&](std::int32_t code) { return std::int64_t{code} == tags_code; });
}

bool matchesTag(const SubscriptionData& subscription, std::string_view tags) noexcept {
  if (subscription.tagsSet.empty()) return true;
  return std::find(subscription.tagsSet.begin(), subscription.tagsSet.end(), tags) != subscription.tagsSet.end();
}

}  // namespace mqclient::protocol
