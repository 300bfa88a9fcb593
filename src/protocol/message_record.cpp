#include "protocol/message_record.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstring>

#include "base/buffer.h"
#include "protocol/hash.h"
#include "protocol/limits.h"
#include "protocol/names.h"

namespace mqclient::protocol {

namespace {

using base::getBe16;
using base::getBe32;
using base::getBe64;
using base::putBe16;
using base::putBe32;
using base::putBe64;

constexpr std::size_t kV1TopicMax = 127;
constexpr std::size_t kHeadSize = 8;  // totalSize and magic
constexpr std::size_t kPropertiesLength = 2;
constexpr std::size_t kHeadSizeV4 = kRecordOverhead - 1 - kPropertiesLength;  // up to the body, two IPv4 hosts

Error corruptRecord(std::string what) {
  return Error(ErrorCode::kCorrupt, "message record: " + std::move(what));
}

bool isV2(const RecordFields& f) noexcept {
  return f.topic.size() > kV1TopicMax;
}

std::byte* putHost(std::byte* to, const RecordHost& host) noexcept {
  std::memcpy(to, host.ip.data(), host.ipSize());
  putBe32(to + host.ipSize(), static_cast<std::uint32_t>(host.port));
  return to + host.size();
}

RecordHost getHost(const std::byte* from, bool v6) noexcept {
  RecordHost host;
  host.v6 = v6;
  std::memcpy(host.ip.data(), from, host.ipSize());
  host.port = static_cast<std::int32_t>(getBe32(from + host.ipSize()));
  return host;
}

std::int32_t getI32(const std::byte* p) noexcept {
  return static_cast<std::int32_t>(getBe32(p));
}
std::int64_t getI64(const std::byte* p) noexcept {
  return static_cast<std::int64_t>(getBe64(p));
}

std::size_t storeTimestampAt(const std::byte* record) noexcept {
  const bool v6 = (getI32(record + record_offset::kSysFlag) & kBornHostV6Flag) != 0;
  return record_offset::kBornHost + (v6 ? RecordHost::kV6Size : RecordHost::kV4Size);
}

}  // namespace

std::size_t recordSize(const RecordFields& f) noexcept {
  return recordHeadSize(f) + f.body.size() + recordTailSize(f, f.properties.size());
}

std::size_t recordHeadSize(const RecordFields& f) noexcept {
  return kHeadSizeV4 + (f.bornHost.size() - RecordHost::kV4Size) + (f.storeHost.size() - RecordHost::kV4Size);
}

std::size_t recordTailSize(const RecordFields& f, std::size_t properties_size) noexcept {
  return (isV2(f) ? 2 : 1) + f.topic.size() + kPropertiesLength + properties_size;
}

void encodeRecordHead(std::byte* to, const RecordFields& f, std::size_t properties_size) noexcept {
  std::int32_t sys_flag = f.sysFlag & ~(kBornHostV6Flag | kStoreHostV6Flag);
  if (f.bornHost.v6) sys_flag |= kBornHostV6Flag;
  if (f.storeHost.v6) sys_flag |= kStoreHostV6Flag;
  const std::size_t size = recordHeadSize(f) + f.body.size() + recordTailSize(f, properties_size);
  putBe32(to, static_cast<std::uint32_t>(size));
  putBe32(to + record_offset::kMagic, isV2(f) ? kMessageMagicV2 : kMessageMagicV1);
  putBe32(to + record_offset::kBodyCrc, f.bodyCRC);
  putBe32(to + record_offset::kQueueId, static_cast<std::uint32_t>(f.queueId));
  putBe32(to + record_offset::kFlag, static_cast<std::uint32_t>(f.flag));
  putBe64(to + record_offset::kQueueOffset, static_cast<std::uint64_t>(f.queueOffset));
  putBe64(to + record_offset::kPhysicalOffset, static_cast<std::uint64_t>(f.physicalOffset));
  putBe32(to + record_offset::kSysFlag, static_cast<std::uint32_t>(sys_flag));
  putBe64(to + record_offset::kBornTimestamp, static_cast<std::uint64_t>(f.bornTimestamp));
  to = putHost(to + record_offset::kBornHost, f.bornHost);
  putBe64(to, static_cast<std::uint64_t>(f.storeTimestamp));
  to = putHost(to + 8, f.storeHost);
  putBe32(to, static_cast<std::uint32_t>(f.reconsumeTimes));
  putBe64(to + 4, static_cast<std::uint64_t>(f.preparedTransactionOffset));
  putBe32(to + 12, static_cast<std::uint32_t>(f.body.size()));
}

std::byte* encodeRecordTail(std::byte* to, const RecordFields& f, std::size_t properties_size) noexcept {
  assert(f.topic.size() <= kMaxPropertiesSize && properties_size <= kMaxPropertiesSize);
  if (isV2(f)) {
    putBe16(to, static_cast<std::uint16_t>(f.topic.size()));
    to += 2;
  } else {
    *to++ = static_cast<std::byte>(f.topic.size());
  }
  if (!f.topic.empty()) std::memcpy(to, f.topic.data(), f.topic.size());
  to += f.topic.size();
  putBe16(to, static_cast<std::uint16_t>(properties_size));
  return to + kPropertiesLength;
}

void encodeRecord(std::byte* to, const RecordFields& f) noexcept {
  [[maybe_unused]] const std::byte* const start = to;
  encodeRecordHead(to, f, f.properties.size());
  to += recordHeadSize(f);
  if (!f.body.empty()) std::memcpy(to, f.body.data(), f.body.size());
  to = encodeRecordTail(to + f.body.size(), f, f.properties.size());
  if (!f.properties.empty()) std::memcpy(to, f.properties.data(), f.properties.size());
  assert(static_cast<std::size_t>(to + f.properties.size() - start) == recordSize(f));
}

void setQueueOffset(std::byte* record, std::int64_t v) noexcept {
  putBe64(record + record_offset::kQueueOffset, static_cast<std::uint64_t>(v));
}
void setPhysicalOffset(std::byte* record, std::int64_t v) noexcept {
  putBe64(record + record_offset::kPhysicalOffset, static_cast<std::uint64_t>(v));
}
void setStoreTimestamp(std::byte* record, std::int64_t ms) noexcept {
  putBe64(record + storeTimestampAt(record), static_cast<std::uint64_t>(ms));
}
std::int64_t getQueueOffset(const std::byte* record) noexcept {
  return getI64(record + record_offset::kQueueOffset);
}
std::int64_t getPhysicalOffset(const std::byte* record) noexcept {
  return getI64(record + record_offset::kPhysicalOffset);
}
std::int64_t getStoreTimestamp(const std::byte* record) noexcept {
  return getI64(record + storeTimestampAt(record));
}

Result<RecordFields> decodeRecord(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeadSize) return corruptRecord("cut after " + std::to_string(bytes.size()) + " bytes");
  const std::int32_t total = getI32(bytes.data());
  RecordFields f;
  f.magic = getBe32(bytes.data() + record_offset::kMagic);
  if (f.magic == kBlankMagic) return corruptRecord("the filler at the end of a log file");
  if (f.magic != kMessageMagicV1 && f.magic != kMessageMagicV2) {
    return corruptRecord("unknown magic " + std::to_string(f.magic));
  }
  if (total < static_cast<std::int32_t>(kRecordOverhead) || static_cast<std::size_t>(total) > bytes.size()) {
    return corruptRecord("it claims " + std::to_string(total) + " bytes, " + std::to_string(bytes.size()) +
                         " are there");
  }
  f.totalSize = static_cast<std::uint32_t>(total);
  const std::byte* at = bytes.data();
  f.bodyCRC = getBe32(at + record_offset::kBodyCrc);
  f.queueId = getI32(at + record_offset::kQueueId);
  f.flag = getI32(at + record_offset::kFlag);
  f.queueOffset = getI64(at + record_offset::kQueueOffset);
  f.physicalOffset = getI64(at + record_offset::kPhysicalOffset);
  f.sysFlag = getI32(at + record_offset::kSysFlag);
  f.bornTimestamp = getI64(at + record_offset::kBornTimestamp);

  const bool born_v6 = (f.sysFlag & kBornHostV6Flag) != 0;
  const bool store_v6 = (f.sysFlag & kStoreHostV6Flag) != 0;
  const bool v2 = f.magic == kMessageMagicV2;
  constexpr std::size_t kV6More = RecordHost::kV6Size - RecordHost::kV4Size;
  const std::size_t overhead =
      kRecordOverhead + (born_v6 ? kV6More : 0) + (store_v6 ? kV6More : 0) + (v2 ? std::size_t{1} : 0);
  if (f.totalSize < overhead)
    return corruptRecord("shorter than its fixed fields: " + std::to_string(total) + " bytes");
  std::size_t variable = f.totalSize - overhead;  // what body, topic and properties have together

  at += record_offset::kBornHost;
  f.bornHost = getHost(at, born_v6);
  at += f.bornHost.size();
  f.storeTimestamp = getI64(at);
  at += 8;
  f.storeHost = getHost(at, store_v6);
  at += f.storeHost.size();
  f.reconsumeTimes = getI32(at);
  f.preparedTransactionOffset = getI64(at + 4);
  const std::int32_t body_size = getI32(at + 12);
  at += 16;
  if (body_size < 0 || static_cast<std::size_t>(body_size) > variable) {
    return corruptRecord("a body length of " + std::to_string(body_size) + ", room for " + std::to_string(variable));
  }
  f.body = {at, static_cast<std::size_t>(body_size)};
  at += f.body.size();
  variable -= f.body.size();

  // One byte is read unsigned: Java's signed reading breaks at 128, where nobody writes v1 on purpose.
  const std::size_t topic_size = v2 ? getBe16(at) : std::to_integer<std::size_t>(*at);
  at += v2 ? 2 : 1;
  if (topic_size > variable) {
    return corruptRecord("a topic length of " + std::to_string(topic_size) + ", room for " + std::to_string(variable));
  }
  f.topic = {reinterpret_cast<const char*>(at), topic_size};
  at += topic_size;
  variable -= topic_size;

  const auto signed_size = static_cast<std::int16_t>(getBe16(at));
  at += 2;
  const std::size_t properties_size = signed_size > 0 ? static_cast<std::size_t>(signed_size) : 0;
  if (properties_size != variable) {
    return corruptRecord("a properties length of " + std::to_string(signed_size) + " where totalSize leaves " +
                         std::to_string(variable));
  }
  f.properties = {reinterpret_cast<const char*>(at), properties_size};
  return f;
}

bool bodyCrcMatches(const RecordFields& f) noexcept {
  return crc32Masked(f.body) == f.bodyCRC;
}

std::optional<Result<RecordFields>> RecordIterator::next() {
  if (rest_.empty()) return std::nullopt;
  auto decoded = decodeRecord(rest_);
  std::size_t size = rest_.size();
  if (decoded) {
    size = decoded->totalSize;
  } else if (rest_.size() >= kHeadSize) {
    const std::int32_t claimed = getI32(rest_.data());
    const std::uint32_t magic = getBe32(rest_.data() + record_offset::kMagic);
    const bool credible = (magic == kMessageMagicV1 || magic == kMessageMagicV2 || magic == kBlankMagic) &&
                          claimed >= static_cast<std::int32_t>(kHeadSize) &&
                          static_cast<std::size_t>(claimed) <= rest_.size();
    if (credible) size = static_cast<std::size_t>(claimed);
  }
  current_ = rest_.first(size);
  rest_ = rest_.subspan(size);
  return decoded;
}

}  // namespace mqclient::protocol
