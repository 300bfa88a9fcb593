#include "protocol/body/client.h"

#include "protocol/body/json_fields.h"
#include "protocol/body/running_info.h"

namespace mqclient::protocol {

std::string GetConsumerListByGroupResponseBody::encode() const {
  return json::encode(*this);
}
Result<GetConsumerListByGroupResponseBody> GetConsumerListByGroupResponseBody::decode(std::string_view text) {
  return json::decode<GetConsumerListByGroupResponseBody>(text, "GetConsumerListByGroupResponseBody");
}

std::string LockBatchRequestBody::encode() const {
  return json::encode(*this);
}
Result<LockBatchRequestBody> LockBatchRequestBody::decode(std::string_view text) {
  return json::decode<LockBatchRequestBody>(text, "LockBatchRequestBody");
}

std::string LockBatchResponseBody::encode() const {
  return json::encode(*this);
}
Result<LockBatchResponseBody> LockBatchResponseBody::decode(std::string_view text) {
  return json::decode<LockBatchResponseBody>(text, "LockBatchResponseBody");
}

std::string UnlockBatchRequestBody::encode() const {
  return json::encode(*this);
}
Result<UnlockBatchRequestBody> UnlockBatchRequestBody::decode(std::string_view text) {
  return json::decode<UnlockBatchRequestBody>(text, "UnlockBatchRequestBody");
}

std::string CheckClientRequestBody::encode() const {
  return json::encode(*this);
}
Result<CheckClientRequestBody> CheckClientRequestBody::decode(std::string_view text) {
  return json::decode<CheckClientRequestBody>(text, "CheckClientRequestBody");
}

std::string ConsumerRunningInfo::encode() const {
  return json::encode(*this);
}
Result<ConsumerRunningInfo> ConsumerRunningInfo::decode(std::string_view text) {
  return json::decode<ConsumerRunningInfo>(text, "ConsumerRunningInfo");
}

std::string ConsumeMessageDirectlyResult::encode() const {
  return json::encode(*this);
}
Result<ConsumeMessageDirectlyResult> ConsumeMessageDirectlyResult::decode(std::string_view text) {
  return json::decode<ConsumeMessageDirectlyResult>(text, "ConsumeMessageDirectlyResult");
}

}  // namespace mqclient::protocol
