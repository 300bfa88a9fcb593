#pragma once

#include <optional>

#include "mock_broker/control/fields.h"
#include "mqclient/mock_faults.h"

namespace mqclient::control {

/// {"code": "SEND_MESSAGE_V2" or 310, "topic", "group", "node", "clientId", "queueId", "role": "nameserver" or
/// "broker",
///  "connection", "direction": "toNode" or "fromNode", "nth", "probability", "fromMs", "untilMs"}: Match, without
///  where.
Field matchField(std::string_view name, Match& to, Need need = Need::kOptional);

/// {"verb": "reply", "code": "SYSTEM_BUSY" or 2, "remark": "busy"}; the others take what they count: "ms" (delayBefore,
/// delayAfter), "bytes" (cutAfter, slices), "bytesPerSecond" (throttle), "bits" (flipBits).
Field actionField(std::string_view name, std::optional<FaultAction>& to, Need need = Need::kOptional);

}  // namespace mqclient::control
