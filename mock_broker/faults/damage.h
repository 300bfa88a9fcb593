#pragma once

#include <optional>

#include "base/buffer.h"
#include "base/engine.h"
#include "mock_broker/faults/rule.h"

namespace mqclient::faults {

/// `frame` as a damaging verb of `rule` leaves it (flipBits, garbage, oversize, wrongOpaque, wrongCrc,
/// decompressionBomb); nothing if there is nothing in it to damage so, or if the verb damages no bytes. Draws from
/// `engine`, else pure.
std::optional<base::Chain> damaged(const Rule& rule, const base::Chain& frame, base::Engine& engine);

/// Whether the verb is one of those.
bool damages(FaultVerb verb) noexcept;

}  // namespace mqclient::faults
