#include "protocol/message_id.h"

#include <algorithm>
#include <chrono>

#include "base/buffer.h"
#include "protocol/hex.h"

namespace mqclient::protocol {

namespace {

constexpr std::size_t kTailBytes = 12;  // port i32, offset i64

char* putHex(char* to, const void* from, std::size_t bytes) noexcept {
  constexpr char kHex[] = "0123456789ABCDEF";
  const auto* in = static_cast<const unsigned char*>(from);
  for (std::size_t i = 0; i < bytes; ++i) {
    *to++ = kHex[in[i] >> 4];
    *to++ = kHex[in[i] & 15];
  }
  return to;
}

bool takeHex(std::string_view& from, std::byte* to, std::size_t bytes) noexcept {
  for (std::size_t i = 0; i < bytes; ++i) {
    const int high = hexValue(from[2 * i]);
    const int low = hexValue(from[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    to[i] = static_cast<std::byte>(high << 4 | low);
  }
  from.remove_prefix(2 * bytes);
  return true;
}

}  // namespace

std::string createOffsetMsgId(const RecordHost& host, std::int64_t commit_log_offset) {
  std::string id(2 * (host.ipSize() + kTailBytes), '\0');
  char tail[kTailBytes];
  base::putBe32(tail, static_cast<std::uint32_t>(host.port));
  base::putBe64(tail + 4, static_cast<std::uint64_t>(commit_log_offset));
  putHex(putHex(id.data(), host.ip.data(), host.ipSize()), tail, sizeof tail);
  return id;
}

std::optional<OffsetMsgId> parseOffsetMsgId(std::string_view id) {
  OffsetMsgId out;
  if (id.size() == 2 * (16 + kTailBytes)) {
    out.storeHost.v6 = true;
  } else if (id.size() != 2 * (4 + kTailBytes)) {
    return std::nullopt;
  }
  std::byte tail[kTailBytes];
  if (!takeHex(id, out.storeHost.ip.data(), out.storeHost.ipSize()) || !takeHex(id, tail, sizeof tail)) {
    return std::nullopt;
  }
  out.storeHost.port = static_cast<std::int32_t>(base::getBe32(tail));
  out.commitLogOffset = static_cast<std::int64_t>(base::getBe64(tail + 4));
  return out;
}

std::int64_t monthStartMillis(std::int64_t wall_ms, std::int32_t utc_offset_seconds) noexcept {
  using namespace std::chrono;
  const milliseconds offset = seconds(utc_offset_seconds);
  const sys_days day = floor<days>(sys_time<milliseconds>(milliseconds(wall_ms) + offset));
  const year_month_day date(day);
  const sys_days first(year_month_day(date.year(), date.month(), std::chrono::day(1)));
  return (duration_cast<milliseconds>(first.time_since_epoch()) - offset).count();
}

UniqIdGenerator::UniqIdGenerator(const RecordHost& address, std::uint32_t pid, std::uint32_t salt,
                                 std::int32_t utc_offset_seconds, std::uint16_t counter)
    : utc_offset_seconds_(utc_offset_seconds), counter_(counter) {
  char fixed[6];
  base::putBe16(fixed, static_cast<std::uint16_t>(pid));
  base::putBe32(fixed + 2, salt);
  prefix_.resize(2 * (address.ipSize() + sizeof fixed));
  putHex(putHex(prefix_.data(), address.ip.data(), address.ipSize()), fixed, sizeof fixed);
}

void UniqIdGenerator::nextTo(char* to, std::int64_t wall_ms) noexcept {
  const std::int64_t start = monthStartMillis(wall_ms, utc_offset_seconds_);
  char counter[2];
  base::putBe16(counter, static_cast<std::uint16_t>(counter_.fetch_add(1, std::memory_order_relaxed)));
  to = std::copy(prefix_.begin(), prefix_.end(), to);
  putHex(putHex32(to, static_cast<std::uint32_t>(wall_ms - start)), counter, sizeof counter);
}

std::string UniqIdGenerator::next(std::int64_t wall_ms) {
  std::string id(size(), '\0');
  nextTo(id.data(), wall_ms);
  return id;
}

}  // namespace mqclient::protocol
