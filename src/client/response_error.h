#pragma once

#include <string_view>

#include "mqclient/error.h"
#include "protocol/remoting_command.h"

namespace mqclient::client {

/// A broker's or nameserver's refusal as an Error: one table from response code to what the caller can do.
/// `what` names the request, topic and peer ("send to orders on broker-a (127.0.0.1:10911)"); the remark follows it.
/// Applied::kUnknown only for SYSTEM_ERROR, which brokers also answer after they began to act.
Error responseError(const protocol::RemotingCommand& response, std::string_view what);

/// The table itself, for who has only the number.
ErrorCode errorCodeOf(int response_code) noexcept;

}  // namespace mqclient::client
