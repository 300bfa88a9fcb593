#include "mqclient/error.h"

#include <ostream>

namespace mqclient {
inline namespace v1 {

namespace {

struct CodeRow {
  ErrorCode code;
  const char* name;
  bool retriable;
};

// One row a code, in the enum's order.
constexpr CodeRow kCodes[] = {
    {ErrorCode::kInvalidArgument, "InvalidArgument", false},
    {ErrorCode::kClosed, "Closed", false},
    {ErrorCode::kTimeout, "Timeout", true},
    {ErrorCode::kNoNameServer, "NoNameServer", true},
    {ErrorCode::kNoRoute, "NoRoute", true},
    {ErrorCode::kUnreachable, "Unreachable", true},
    {ErrorCode::kConnectionLost, "ConnectionLost", true},
    {ErrorCode::kMessageIllegal, "MessageIllegal", false},
    {ErrorCode::kTopicNotExist, "TopicNotExist", true},
    {ErrorCode::kGroupNotExist, "GroupNotExist", true},
    {ErrorCode::kNoPermission, "NoPermission", false},
    {ErrorCode::kOffsetIllegal, "OffsetIllegal", false},
    {ErrorCode::kFlowControl, "FlowControl", true},
    {ErrorCode::kQueueFull, "QueueFull", true},
    {ErrorCode::kBroker, "Broker", true},
    {ErrorCode::kCorrupt, "Corrupt", false},
    {ErrorCode::kNoReply, "NoReply", true},
    {ErrorCode::kUnsupported, "Unsupported", false},
    {ErrorCode::kWouldBlock, "WouldBlock", false},
    {ErrorCode::kForked, "Forked", false},
    {ErrorCode::kCancelled, "Cancelled", false},
    {ErrorCode::kAbandoned, "Abandoned", false},
    {ErrorCode::kUserCode, "UserCode", false},
    {ErrorCode::kInternal, "Internal", false},
};

const CodeRow& rowOf(ErrorCode code) noexcept {
  for (const CodeRow& row : kCodes) {
    if (row.code == code) return row;
  }
  return kCodes[std::size(kCodes) - 1];
}

}  // namespace

const char* toString(ErrorCode code) noexcept {
  return rowOf(code).name;
}

Error::Error(ErrorCode code, std::string message, int responseCode, Applied applied)
    : code_(code), applied_(applied), response_code_(responseCode), message_(std::move(message)) {}

Error Error::withMsgId(std::string msg_id) && {
  msg_id_ = std::move(msg_id);
  return std::move(*this);
}

std::ostream& operator<<(std::ostream& out, ErrorCode code) {
  return out << toString(code);
}

std::ostream& operator<<(std::ostream& out, const Error& e) {
  out << toString(e.code());
  if (e.responseCode() != 0) out << " (response code " << e.responseCode() << ')';
  out << ": " << e.message();
  if (e.applied() == Applied::kUnknown) out << " [the broker may have acted]";
  if (!e.msgId().empty()) out << " [msgId " << e.msgId() << ']';
  return out;
}

bool isRetriable(const Error& e) noexcept {
  return rowOf(e.code()).retriable;
}

MQClientException::MQClientException(Error e)
    : std::runtime_error(std::string(toString(e.code())) + ": " + e.message()), error_(std::move(e)) {}

namespace detail {
void throwError(const Error& e) {
  throw MQClientException(e);
}
}  // namespace detail

}  // namespace v1
}  // namespace mqclient
