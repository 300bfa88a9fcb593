#pragma once

#include "base/buffer.h"
#include "mqclient/mock_faults.h"
#include "protocol/remoting_command.h"

namespace mqclient::faults {

enum class FrameKind { kRequest, kReply, kUnreadable };

/// A frame read as far as a match or a person may want it.
struct ReadFrame {
  FrameKind kind{FrameKind::kUnreadable};
  protocol::SerializeType type{};
  Captured seen{};  ///< code, topic, group, queueId of a reply: not known here
};

/// Reads a whole frame. What is no frame comes back unreadable, with its bytes. Pure.
ReadFrame readFrame(const base::Chain& frame);

/// Whether `seen` is one of those that `match` names, n-th and probability apart; `by_default` is the direction of a
/// match that names none, nothing: both. Calls match.where last.
bool fits(const Match& match, const Captured& seen, std::optional<FrameDirection> by_default);

}  // namespace mqclient::faults
