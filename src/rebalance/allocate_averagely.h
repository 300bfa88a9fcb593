#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mqclient/message.h"

namespace mqclient::rebalance {

/// Splits `queues` among the members of a consumer group; every member computes the same split.
///
/// Shape    `queues` and `members` ascending, no duplicates. The answer is one contiguous run of `queues`: with q
///          queues and m members the first q % m members get one more than the rest; members beyond q get none.
/// Errors   none; an unknown `self` answers an empty list.
/// Threads  pure, any thread.
/// Source   AllocateMessageQueueAveragely.java
std::vector<MessageQueue> allocateAveragely(std::span<const MessageQueue> queues, std::span<const std::string> members,
                                            std::string_view self);

/// FNV-1a of a list, so that two members can compare in one number what they computed from. Order counts: the inputs
/// are sorted. Pure.
std::uint64_t hashOf(std::span<const std::string> members) noexcept;
std::uint64_t hashOf(std::span<const MessageQueue> queues) noexcept;

}  // namespace mqclient::rebalance
