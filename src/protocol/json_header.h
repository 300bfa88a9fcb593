#pragma once

#include <optional>
#include <string_view>

#include "mqclient/error.h"
#include "protocol/limits.h"

namespace mqclient::protocol {

class RemotingCommand;

/// Fills code, language, version, opaque, flag, remark and ext from a JSON header. Scalars among the ext values become
/// their text (the C++ client writes numbers), null ones are dropped, unknown members ignored.
std::optional<Error> decodeJsonHeader(std::string_view text, const FrameLimits& limits, RemotingCommand& to);

}  // namespace mqclient::protocol
