#include "mock_broker/faults/captured_frame.h"

#include <array>
#include <charconv>
#include <string_view>

#include "protocol/body/heartbeat.h"

namespace mqclient::faults {

namespace {

/// Under which names requests carry what matches ask for. SEND_MESSAGE_V2 and its kin have one-letter names, which no
/// other request may be asked for.
constexpr std::array kGroupNames{"consumerGroup", "producerGroup", "group"};
constexpr const char* kShortGroup = "a";
constexpr const char* kShortTopic = "b";
constexpr const char* kShortQueueId = "e";

bool hasShortNames(RequestCode code) {
  return code == RequestCode::SEND_MESSAGE_V2 || code == RequestCode::SEND_BATCH_MESSAGE ||
         code == RequestCode::SEND_REPLY_MESSAGE_V2;
}

std::string field(const Captured& seen, const char* name) {
  const auto found = seen.extFields.find(name);
  return found == seen.extFields.end() ? std::string() : found->second;
}

void readHeartbeat(Captured& seen) {
  const auto heartbeat = protocol::HeartbeatData::decode(seen.body);
  if (!heartbeat) return;
  seen.clientId = heartbeat->clientID;
  if (!heartbeat->consumerDataSet.empty()) {
    seen.group = heartbeat->consumerDataSet.front().groupName;
  } else if (!heartbeat->producerDataSet.empty()) {
    seen.group = heartbeat->producerDataSet.front().groupName;
  }
}

void readRequest(Captured& seen) {
  if (seen.code == RequestCode::HEART_BEAT) return readHeartbeat(seen);
  const bool with_short_names = hasShortNames(seen.code);
  seen.topic = field(seen, with_short_names ? kShortTopic : "topic");
  if (with_short_names) seen.group = field(seen, kShortGroup);
  for (const char* name : kGroupNames) {
    if (seen.group.empty()) seen.group = field(seen, name);
  }
  const std::string queue = field(seen, with_short_names ? kShortQueueId : "queueId");
  std::from_chars(queue.data(), queue.data() + queue.size(), seen.queueId);
}

bool fitsText(const std::string& wanted, const std::string& has) {
  return wanted.empty() || wanted == has;
}

template <class T>
bool fitsValue(const std::optional<T>& wanted, const T& has) {
  return !wanted || *wanted == has;
}

}  // namespace

ReadFrame readFrame(const base::Chain& frame) {
  ReadFrame read;
  read.seen.raw = frame.toString();
  const Result<protocol::RemotingCommand> command = protocol::decodeFrame(frame);
  if (!command) return read;
  read.kind = command->isResponse() ? FrameKind::kReply : FrameKind::kRequest;
  read.type = command->serializeType;
  read.seen.opaque = command->opaque;
  read.seen.oneway = command->isOneway();
  read.seen.remark = command->remark();
  read.seen.body = command->body.toString();
  for (const auto& [key, value] : command->ext) read.seen.extFields[std::string(key)] = value;
  if (read.kind == FrameKind::kReply) {
    read.seen.responseCode = command->code;
  } else {
    read.seen.code = command->requestCode();
    readRequest(read.seen);
  }
  return read;
}

bool fits(const Match& match, const Captured& seen, std::optional<FrameDirection> by_default) {
  const std::optional<FrameDirection> direction = match.direction ? match.direction : by_default;
  return fitsValue(direction, seen.direction) && fitsValue(match.code, seen.code) &&
         fitsText(match.topic, seen.topic) && fitsText(match.group, seen.group) && fitsText(match.node, seen.node) &&
         fitsText(match.clientId, seen.clientId) && fitsValue(match.queueId, seen.queueId) &&
         fitsValue(match.role, seen.role) && fitsValue(match.connection, seen.connection) &&
         (!match.where || match.where(seen));
}

}  // namespace mqclient::faults
