#include "client/response_error.h"

#include <array>
#include <string>

#include "mqclient/codes.h"

namespace mqclient::client {
namespace {

struct Row {
  ResponseCode response;
  ErrorCode error;
};
constexpr std::array kTable{
    Row{ResponseCode::SYSTEM_BUSY, ErrorCode::kFlowControl},
    Row{ResponseCode::FLOW_CONTROL, ErrorCode::kFlowControl},
    Row{ResponseCode::POLLING_FULL, ErrorCode::kFlowControl},
    Row{ResponseCode::REQUEST_CODE_NOT_SUPPORTED, ErrorCode::kUnsupported},
    Row{ResponseCode::VERSION_NOT_SUPPORTED, ErrorCode::kUnsupported},
    Row{ResponseCode::MESSAGE_ILLEGAL, ErrorCode::kMessageIllegal},
    Row{ResponseCode::INVALID_PARAMETER, ErrorCode::kInvalidArgument},
    Row{ResponseCode::NO_PERMISSION, ErrorCode::kNoPermission},
    Row{ResponseCode::TOPIC_NOT_EXIST, ErrorCode::kTopicNotExist},
    Row{ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, ErrorCode::kGroupNotExist},
    Row{ResponseCode::PULL_OFFSET_MOVED, ErrorCode::kOffsetIllegal},
};

}  // namespace

ErrorCode errorCodeOf(int response_code) noexcept {
  for (const Row& row : kTable) {
    if (static_cast<int>(row.response) == response_code) return row.error;
  }
  return ErrorCode::kBroker;
}

Error responseError(const protocol::RemotingCommand& response, std::string_view what) {
  const auto code = static_cast<ResponseCode>(response.code);
  std::string text(what);
  text += " was refused: ";
  text += toString(code);
  text += "(" + std::to_string(response.code) + ")";
  if (!response.remark().empty()) {
    text += " ";
    text += response.remark();
  }
  return Error(errorCodeOf(response.code), std::move(text), response.code,
               code == ResponseCode::SYSTEM_ERROR ? Applied::kUnknown : Applied::kNo);
}

}  // namespace mqclient::client
