#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/completion.h"
#include "base/engine.h"
#include "client/mq_client_instance.h"
#include "mqclient/message.h"

namespace mqclient::consumer {

/// Requests about offsets of one queue, to its master, or to any broker of its name when the master is in no route.
/// An error is never "not found": a group that took one for the other would skip everything (or start again).
///
/// Threads  any; completions run in a connection's strand, or at once.
/// Source   RemoteBrokerOffsetStore.java, MQAdminImpl.java

/// What the broker has for the group; nothing: it has none, for certain (QUERY_NOT_FOUND).
void queryOffset(client::MQClientInstance& instance, const std::string& group, const MessageQueue& queue,
                 base::SteadyTime deadline, base::Completion<std::optional<std::int64_t>> done);
/// Answered, unlike Java's one-way: what was confirmed need not be sent again.
void commitOffset(client::MQClientInstance& instance, const std::string& group, const MessageQueue& queue,
                  std::int64_t offset, base::SteadyTime deadline, base::Completion<void> done);
void queryMaxOffset(client::MQClientInstance& instance, const MessageQueue& queue, base::SteadyTime deadline,
                    base::Completion<std::int64_t> done);
void queryMinOffset(client::MQClientInstance& instance, const MessageQueue& queue, base::SteadyTime deadline,
                    base::Completion<std::int64_t> done);
/// The first message stored at or after `time`.
void searchOffset(client::MQClientInstance& instance, const MessageQueue& queue, WallTime time,
                  base::SteadyTime deadline, base::Completion<std::int64_t> done);

}  // namespace mqclient::consumer
