#include "mqclient/testing/message_ext_builder.h"

#include <array>
#include <cstdio>
#include <optional>
#include <utility>

#include "protocol/hash.h"
#include "protocol/limits.h"
#include "protocol/message_access.h"
#include "protocol/message_record.h"
#include "protocol/names.h"
#include "protocol/properties.h"

namespace mqclient {
inline namespace v1 {
namespace {

using detail::MessageAccess;

/// 2024-01-01 00:00:00 UTC
constexpr Millis kBornAt{1'704'067'200'000};

std::int64_t millisOf(WallTime time) {
  return std::chrono::duration_cast<Millis>(time.time_since_epoch()).count();
}

/// As long as RocketMQ's, and another one for every place.
std::string idOfPlace(const MessageQueue& queue, std::int64_t offset) {
  std::array<char, 33> digits{};
  (void)std::snprintf(digits.data(), digits.size(), "%08X%08X%016llX",
                      protocol::crc32Masked(queue.topic() + '@' + queue.brokerName()),
                      static_cast<unsigned>(queue.queueId()), static_cast<unsigned long long>(offset));
  return digits.data();
}

class Complaints {
 public:
  void add(const std::string& what) { text_ += (text_.empty() ? "" : "; ") + what; }
  void addIf(bool wrong, const std::string& what) {
    if (wrong) add(what);
  }
  void throwIfAny() const {
    if (!text_.empty()) detail::throwError(Error(ErrorCode::kInvalidArgument, "no broker could hold this: " + text_));
  }

 private:
  std::string text_;
};

}  // namespace

MessageExtBuilder::MessageExtBuilder(std::string topic) : MessageExtBuilder(Message(std::move(topic), Body(""))) {}

MessageExtBuilder::MessageExtBuilder(Message message)
    : message_(std::move(message)), body_(message_.body()), born_time_(kBornAt), store_time_(kBornAt + Millis{1}) {}

MessageExtBuilder& MessageExtBuilder::setBody(Body body) {
  body_ = std::move(body);
  return *this;
}
MessageExtBuilder& MessageExtBuilder::setTags(std::string tags) {
  message_.setTags(std::move(tags));
  return *this;
}
MessageExtBuilder& MessageExtBuilder::putProperty(std::string_view name, std::string_view value) {
  MessageAccess::setProperty(message_, name, value);
  return *this;
}
MessageExtBuilder& MessageExtBuilder::setMsgId(std::string id) {
  message_.setMsgId(std::move(id));
  return *this;
}
MessageExtBuilder& MessageExtBuilder::setBrokerName(std::string name) {
  broker_name_ = std::move(name);
  return *this;
}
MessageExtBuilder& MessageExtBuilder::setQueueId(int id) {
  queue_id_ = id;
  return *this;
}
MessageExtBuilder& MessageExtBuilder::setQueueOffset(std::int64_t offset) {
  queue_offset_ = offset;
  return *this;
}
MessageExtBuilder& MessageExtBuilder::setCommitLogOffset(std::int64_t offset) {
  commit_log_offset_ = offset;
  return *this;
}
MessageExtBuilder& MessageExtBuilder::setStoreHost(std::string host) {
  store_host_ = std::move(host);
  return *this;
}
MessageExtBuilder& MessageExtBuilder::setBornHost(std::string host) {
  born_host_ = std::move(host);
  return *this;
}
MessageExtBuilder& MessageExtBuilder::setBornTime(WallTime time) {
  born_time_ = time;
  return *this;
}
MessageExtBuilder& MessageExtBuilder::setStoreTime(WallTime time) {
  store_time_ = time;
  return *this;
}
MessageExtBuilder& MessageExtBuilder::setReconsumeTimes(int times) {
  reconsume_times_ = times;
  return *this;
}

MessageExt MessageExtBuilder::build() const {
  const std::optional<protocol::RecordHost> store_host = protocol::RecordHost::parse(store_host_);
  const std::optional<protocol::RecordHost> born_host = protocol::RecordHost::parse(born_host_);
  MessageQueue queue(message_.topic(), broker_name_, queue_id_);
  std::string properties = MessageAccess::properties(message_);
  if (message_.property(protocol::kPropertyUniqClientMessageIdKeyIdx).empty()) {
    protocol::appendProperty(properties, protocol::kPropertyUniqClientMessageIdKeyIdx, idOfPlace(queue, queue_offset_));
  }

  Complaints complaints;
  if (const auto about_topic = protocol::complaintAboutTopic(message_.topic())) complaints.add(*about_topic);
  const std::string& about_setters = MessageAccess::complaints(message_);
  complaints.addIf(!about_setters.empty(), about_setters);
  complaints.addIf(body_.size() > protocol::kMaxMessageSize,
                   "the body takes " + std::to_string(body_.size()) + " bytes");
  complaints.addIf(properties.size() > protocol::kMaxPropertiesSize,
                   "the properties take " + std::to_string(properties.size()) + " bytes");
  complaints.addIf(queue_id_ < 0, "the queue id is " + std::to_string(queue_id_));
  complaints.addIf(queue_offset_ < 0, "the queue offset is " + std::to_string(queue_offset_));
  complaints.addIf(reconsume_times_ < 0, "the reconsume times are " + std::to_string(reconsume_times_));
  complaints.addIf(!store_host, "the store host '" + store_host_ + "' is no address and port");
  complaints.addIf(!born_host, "the born host '" + born_host_ + "' is no address and port");
  complaints.throwIfAny();

  protocol::RecordFields fields;
  fields.queueId = queue_id_;
  fields.queueOffset = queue_offset_;
  fields.physicalOffset = commit_log_offset_ < 0 ? queue_offset_ : commit_log_offset_;
  fields.bornTimestamp = millisOf(born_time_);
  fields.bornHost = *born_host;
  fields.storeTimestamp = millisOf(store_time_);
  fields.storeHost = *store_host;
  fields.reconsumeTimes = reconsume_times_;
  fields.body = body_.bytes();
  fields.bodyCRC = protocol::crc32Masked(fields.body);
  fields.topic = message_.topic();
  fields.properties = properties;
  return MessageAccess::ofFields(fields, std::move(queue));
}

}  // namespace v1
}  // namespace mqclient
