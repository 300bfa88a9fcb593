#include <map>

#include "base/mutex.h"
#include "protocol/compression.h"
#include "protocol/limits.h"
#include "protocol/message_access.h"
#include "protocol/message_check.h"
#include "protocol/message_id.h"
#include "protocol/message_record.h"
#include "protocol/names.h"
#include "protocol/properties.h"

namespace mqclient {
inline namespace v1 {
namespace {

namespace at = protocol::record_offset;

std::int32_t sysFlagOf(const std::byte* record) noexcept {
  return static_cast<std::int32_t>(base::getBe32(record + at::kSysFlag));
}
std::size_t hostSize(std::int32_t sys_flag, std::int32_t v6_flag) noexcept {
  return (sys_flag & v6_flag) != 0 ? protocol::RecordHost::kV6Size : protocol::RecordHost::kV4Size;
}
std::size_t reconsumeTimesAt(std::int32_t sys_flag) noexcept {
  return at::kBornHost + hostSize(sys_flag, protocol::kBornHostV6Flag) + sizeof(std::int64_t) +
         hostSize(sys_flag, protocol::kStoreHostV6Flag);
}
WallTime wallTime(std::int64_t ms) noexcept {
  return WallTime(std::chrono::milliseconds(ms));
}

std::span<const std::byte> wholeRecord(const std::byte* record) noexcept {
  return {record, base::getBe32(record + at::kTotalSize)};
}
std::string_view storedBody(const std::byte* record) noexcept {
  const std::byte* size = record + reconsumeTimesAt(sysFlagOf(record)) + sizeof(std::int32_t) + sizeof(std::int64_t);
  return {reinterpret_cast<const char*>(size + sizeof(std::int32_t)), base::getBe32(size)};
}

}  // namespace

namespace detail {

struct MessageFrame::Ids {
  base::Mutex mutex;
  std::map<const std::byte*, std::string> by_record MQ_GUARDED_BY(mutex);
};

MessageFrame::MessageFrame(base::Chain bytes, MessageQueue queue)
    : bytes_(std::move(bytes)), queue_(std::move(queue)), ids_(std::make_unique<Ids>()) {}
MessageFrame::~MessageFrame() = default;

std::string_view MessageFrame::offsetMsgId(const std::byte* record) const {
  base::MutexLock lock(ids_->mutex);
  std::string& id = ids_->by_record[record];
  if (id.empty()) {
    if (const Result<protocol::RecordFields> fields = protocol::decodeRecord(wholeRecord(record))) {
      id = protocol::createOffsetMsgId(fields->storeHost, fields->physicalOffset);
    }
  }
  return id;
}

namespace {

std::uint32_t distance(const std::byte* from, std::string_view to) noexcept {
  return static_cast<std::uint32_t>(reinterpret_cast<const std::byte*>(to.data()) - from);
}

}  // namespace

Result<MessageExt> MessageAccess::decodeOne(std::shared_ptr<const MessageFrame> frame,
                                            std::span<const std::byte> record) {
  Result<protocol::RecordFields> fields = protocol::decodeRecord(record);
  if (!fields) return std::move(fields).error();
  MessageExt m = view(std::move(frame), record.data(), *fields);
  static_cast<void>(inflate(m));  // as stored will do
  return m;
}

MessageExt MessageAccess::ofFields(const protocol::RecordFields& fields, MessageQueue queue) {
  base::BlockWriter block(protocol::recordSize(fields));
  protocol::encodeRecord(block.data(), fields);
  const std::size_t size = block.capacity();
  auto frame = std::make_shared<const MessageFrame>(base::Chain(std::move(block).freeze(size)), std::move(queue));
  const std::span<const std::byte> record = frame->bytes()[0].bytes();
  return decodeOne(std::move(frame), record).value();
}

MessageExt MessageAccess::view(std::shared_ptr<const MessageFrame> frame, const std::byte* record,
                               const protocol::RecordFields& fields) {
  MessageExt m;
  m.frame_ = std::move(frame);
  m.record_ = record;
  m.body_ = {reinterpret_cast<const char*>(fields.body.data()), fields.body.size()};
  if (!fields.topic.empty()) m.topic_at_ = distance(record, fields.topic);
  m.topic_size_ = static_cast<std::uint32_t>(fields.topic.size());
  if (!fields.properties.empty()) m.properties_at_ = distance(record, fields.properties);
  m.properties_size_ = static_cast<std::uint32_t>(fields.properties.size());
  return m;
}

Result<void> MessageAccess::inflate(MessageExt& m) {
  if ((m.sysFlag() & protocol::kCompressedFlag) == 0) return {};
  Result<base::Slice> plain = protocol::decompressBody(
      m.sysFlag(), std::as_bytes(std::span(m.body_.data(), m.body_.size())), protocol::kMaxInflatedBodySize);
  if (!plain) return std::move(plain).error();
  m.body_ = plain->text();
  m.inflated_ = plain->owner();
  return {};
}

void MessageAccess::dropInflated(MessageExt& m) noexcept {
  if (!m.inflated_) return;
  m.body_ = storedBody(m.record_);
  m.inflated_.reset();
}

std::vector<MessageExt> MessageAccess::decode(const std::shared_ptr<const MessageFrame>& frame, std::size_t* skipped) {
  std::vector<MessageExt> messages;
  std::size_t bad = 0;
  const base::Chain& bytes = frame->bytes();
  for (std::size_t i = 0; i < bytes.count(); ++i) {
    protocol::RecordIterator records(bytes[i].bytes());
    while (std::optional<Result<protocol::RecordFields>> record = records.next()) {
      if (*record) {
        messages.push_back(view(frame, records.current().data(), **record));
      } else {
        ++bad;
      }
    }
  }
  if (skipped != nullptr) *skipped = bad;
  return messages;
}

std::string_view MessageAccess::properties(const MessageExt& m) noexcept {
  return {reinterpret_cast<const char*>(m.record_ + m.properties_at_), m.properties_size_};
}

}  // namespace detail

std::string_view MessageExt::topic() const noexcept {
  const std::string_view stored{reinterpret_cast<const char*>(record_ + topic_at_), topic_size_};
  if (!protocol::isRetryTopic(stored)) return stored;
  return property(protocol::kPropertyRetryTopic).value_or(stored);
}
std::string_view MessageExt::tags() const noexcept {
  return property(protocol::kPropertyTags).value_or("");
}
std::string_view MessageExt::keys() const noexcept {
  return property(protocol::kPropertyKeys).value_or("");
}

std::string_view MessageExt::msgId() const {
  if (const auto unique = property(protocol::kPropertyUniqClientMessageIdKeyIdx)) return *unique;
  return offsetMsgId();
}
std::string_view MessageExt::offsetMsgId() const {
  return frame_->offsetMsgId(record_);
}

std::optional<std::string_view> MessageExt::property(std::string_view name) const noexcept {
  return protocol::PropertiesView(detail::MessageAccess::properties(*this)).find(name);
}

std::vector<std::pair<std::string_view, std::string_view>> MessageExt::properties() const {
  std::vector<std::pair<std::string_view, std::string_view>> all;
  for (const auto& [name, value] : protocol::PropertiesView(detail::MessageAccess::properties(*this))) {
    bool known = false;  // of two equal names the last one counts
    for (auto& entry : all) {
      if (entry.first == name) {
        entry.second = value;
        known = true;
      }
    }
    if (!known) all.emplace_back(name, value);
  }
  return all;
}

std::string MessageExt::bornHost() const {
  const Result<protocol::RecordFields> fields = protocol::decodeRecord(wholeRecord(record_));
  return fields ? fields->bornHost.toString() : std::string();
}
std::string MessageExt::storeHost() const {
  const Result<protocol::RecordFields> fields = protocol::decodeRecord(wholeRecord(record_));
  return fields ? fields->storeHost.toString() : std::string();
}
MessageQueue MessageExt::messageQueue() const {
  return frame_->queue();
}
std::int64_t MessageExt::queueOffset() const noexcept {
  return protocol::getQueueOffset(record_);
}
std::int64_t MessageExt::commitLogOffset() const noexcept {
  return protocol::getPhysicalOffset(record_);
}
int MessageExt::reconsumeTimes() const noexcept {
  const std::uint32_t stored = base::getBe32(record_ + reconsumeTimesAt(sysFlagOf(record_)));
  return static_cast<int>(stored) + redeliveries_;
}
int MessageExt::sysFlag() const noexcept {
  const std::int32_t stored = sysFlagOf(record_);
  return inflated_ ? stored & ~protocol::kCompressedFlag : stored;
}
WallTime MessageExt::bornTime() const noexcept {
  return wallTime(static_cast<std::int64_t>(base::getBe64(record_ + at::kBornTimestamp)));
}
WallTime MessageExt::storeTime() const noexcept {
  return wallTime(protocol::getStoreTimestamp(record_));
}

Message MessageExt::toMessage() const {
  std::string kept;
  for (const auto& [name, value] : properties()) {
    if (!protocol::isReservedProperty(name) || protocol::isUsersReservedProperty(name)) {
      protocol::appendProperty(kept, name, value);
    }
  }
  std::shared_ptr<const void> owner = inflated_ ? inflated_ : std::shared_ptr<const void>(frame_);
  return detail::MessageAccess::make(
      std::string(topic()), Body::share(std::move(owner), std::as_bytes(std::span(body_.data(), body_.size()))),
      std::move(kept));
}

MessageExt MessageExt::detached() const {
  base::Slice copy = base::Slice::copyOf(wholeRecord(record_));
  MessageExt m = *this;
  m.record_ = copy.data();
  if (!m.inflated_) m.body_ = storedBody(m.record_);
  m.frame_ = std::make_shared<const detail::MessageFrame>(base::Chain(std::move(copy)), frame_->queue());
  return m;
}

}  // namespace v1
}  // namespace mqclient
