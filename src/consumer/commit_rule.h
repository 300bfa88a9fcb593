#pragma once

#include <cstdint>

#include "consumer/message_cache.h"

namespace mqclient::consumer {

/// The offset that may be committed for a queue: every message below it is finished. `next_offset` is where the next
/// pull begins, which lies above everything cached (I4); with nothing unfinished it is the answer, so that a group also
/// moves past messages that its filter left out.
///
/// The one place that decides it. Built with MQCLIENT_MUTANT_COMMIT_RULE it ignores unfinished messages: the planted
/// loss that the simulation must find.
std::int64_t committableOffset(const MessageCache& cache, std::int64_t next_offset) noexcept;

}  // namespace mqclient::consumer
