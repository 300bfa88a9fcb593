#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "mqclient/error.h"
#include "mqclient/message.h"

namespace mqclient::protocol {

struct MessageLimits {
  std::size_t body_max{4u << 20};  ///< maxMessageSize of the producer
};
constexpr std::size_t kPropertiesMax = 32'767;  ///< bytes on the wire: a signed 16-bit length
/// What send itself adds to the block at most: UNIQ_KEY (up to 56 digits) and WAIT.
constexpr std::size_t kPropertiesAddedBySend = 96;

/// Everything that is wrong with a message about to be sent, in one error: topic name, forbidden topics, empty or
/// oversized body, refused properties. Nothing: it may go.
///
/// Errors  kMessageIllegal, with Java's response code 13.
/// Cost    no allocation for a message in order.
/// Source  Validators.java, MessageConst.java
std::optional<Error> checkMessage(const Message& message, const MessageLimits& limits);

/// A group that may start a client; every complaint, or "". `what` is "producer group" or "consumer group".
std::string complainAboutGroup(std::string_view what, std::string_view group);
/// A topic name; every complaint, or "". Letters, digits, %, |, _ and -, at most 127 bytes.
std::string complainAboutTopic(std::string_view topic);

/// Whether users may not set a property of this name: MessageConst.java's set.
bool isReservedProperty(std::string_view name) noexcept;
/// Reserved, but the user's own word all the same (KEYS, TAGS, ...): kept when a received message is sent on.
bool isUserWritable(std::string_view name) noexcept;

}  // namespace mqclient::protocol
