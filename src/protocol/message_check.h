#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "mqclient/error.h"
#include "mqclient/message.h"
#include "protocol/limits.h"

namespace mqclient::protocol {

struct MessageLimits {
  std::size_t body_max{kMaxMessageSize};  ///< maxMessageSize of the producer
};
/// What send itself adds to the property block at most: UNIQ_KEY (up to 56 digits) and WAIT.
inline constexpr std::size_t kPropertiesAddedBySend = 96;

/// Everything that is wrong with a message about to be sent, in one error: topic name, topics of the broker's own, an
/// empty or oversized body, refused properties, too many of them. Nothing: it may go.
///
/// Errors  kMessageIllegal, with RocketMQ's response code 13.
/// Cost    no allocation for a message in order.
/// Source  Validators.java, MessageConst.java
std::optional<Error> checkMessage(const Message& message, const MessageLimits& limits);

/// Why a client must not start with this group: each complaint, joined by "; ". Nothing: it may. `what` is "producer
/// group" or "consumer group".
std::optional<std::string> complaintAboutClientGroup(std::string_view what, std::string_view group);

/// Reserved, but the user's own word all the same (KEYS, TAGS, ...): stays when a received message is sent on.
bool isUsersReservedProperty(std::string_view name) noexcept;

}  // namespace mqclient::protocol
