#include "client/response_error.h"

#include <string>

#include "mqclient/codes.h"

namespace mqclient::client {

namespace {

struct Row {
  ResponseCode response;
  ErrorCode error;
};
constexpr Row kTable[] = {
    {ResponseCode::SYSTEM_BUSY, ErrorCode::kFlowControl},
    {ResponseCode::FLOW_CONTROL, ErrorCode::kFlowControl},
    {ResponseCode::REQUEST_CODE_NOT_SUPPORTED, ErrorCode::kUnsupported},
    {ResponseCode::VERSION_NOT_SUPPORTED, ErrorCode::kUnsupported},
    {ResponseCode::MESSAGE_ILLEGAL, ErrorCode::kMessageIllegal},
    {ResponseCode::INVALID_PARAMETER, ErrorCode::kInvalidArgument},
    {ResponseCode::NO_PERMISSION, ErrorCode::kNoPermission},
    {ResponseCode::TOPIC_NOT_EXIST, ErrorCode::kTopicNotExist},
    {ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, ErrorCode::kGroupNotExist},
    {ResponseCode::PULL_OFFSET_MOVED, ErrorCode::kOffsetIllegal},
};

}  // namespace

ErrorCode errorCodeOf(int response_code) noexcept {
  for (const Row& row : kTable) {
    if (static_cast<int>(row.response) == response_code) return row.error;
  }
  return ErrorCode::kBroker;
}

Error responseError(const protocol::RemotingCommand& response, std::string_view what) {
  std::string text(what);
  text += ": code " + std::to_string(response.code);
  if (!response.remark().empty()) text.append(", ").append(response.remark());
  const bool may_have_acted = response.responseCode() == ResponseCode::SYSTEM_ERROR;
  return Error(errorCodeOf(response.code), std::move(text), response.code,
               may_have_acted ? Applied::kUnknown : Applied::kNo);
}

}  // namespace mqclient::client
