#include "protocol/message_check.h"

#include <array>

#include "mqclient/codes.h"
#include "protocol/message_access.h"
#include "protocol/names.h"

namespace mqclient::protocol {
namespace {

void complain(std::string& all, std::string_view one) {
  if (!all.empty()) all += "; ";
  all += one;
}

/// All that is wrong with the name, in `all`. Most messages of a thread go to the topic of the one before it, and a
/// name that was right stays right.
void checkTopic(const std::string& topic, std::string& all) {
  thread_local std::string right;
  if (topic == right && !topic.empty()) return;
  if (const std::optional<std::string> complaint = complaintAboutTopic(topic)) {
    complain(all, *complaint);
  } else if (isNotAllowedSendTopic(topic)) {
    complain(all, "topic '" + topic + "' belongs to the broker: choose another name");
  } else {
    right = topic;
  }
}

}  // namespace

std::optional<Error> checkMessage(const Message& message, const MessageLimits& limits) {
  std::string all;
  checkTopic(message.topic(), all);
  const std::size_t size = message.body().size();
  if (size == 0) complain(all, "the body is empty: a message has at least one byte");
  if (size > limits.body_max) {
    complain(all, "the body has " + std::to_string(size) + " bytes, maxMessageSize is " +
                      std::to_string(limits.body_max) + ": send less, or raise it here and at the broker");
  }
  if (const std::string& about_setters = mqclient::detail::MessageAccess::complaints(message); !about_setters.empty()) {
    complain(all, about_setters);
  }
  if (const std::size_t properties = mqclient::detail::MessageAccess::properties(message).size();
      properties > kMaxPropertiesSize - kPropertiesAddedBySend) {
    complain(all, "keys, tags and properties have " + std::to_string(properties) + " bytes together, at most " +
                      std::to_string(kMaxPropertiesSize - kPropertiesAddedBySend) + " are possible");
  }
  if (all.empty()) return std::nullopt;
  return Error(ErrorCode::kMessageIllegal, "message not sent: " + all, static_cast<int>(ResponseCode::MESSAGE_ILLEGAL));
}

std::optional<std::string> complaintAboutClientGroup(std::string_view what, std::string_view group) {
  if (std::optional<std::string> complaint = complaintAboutGroup(group)) {
    return std::string(what) + ": " + *complaint;
  }
  if (isDefaultGroup(group)) {
    return std::string(what) + " '" + std::string(group) + "' is everybody's default: choose a name of your own";
  }
  return std::nullopt;
}

bool isUsersReservedProperty(std::string_view name) noexcept {
  static constexpr std::array kUsers{kPropertyKeys, kPropertyTags, kPropertyShardingKey, kPropertyBuyerId};
  for (const std::string_view mine : kUsers) {
    if (name == mine) return true;
  }
  return false;
}

}  // namespace mqclient::protocol
