#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "protocol/message_record.h"

namespace mqclient::protocol {

/// The eight hexadecimal digits of `value`, upper case, at `to`. Answers where they end.
inline char* putHex32(char* to, std::uint32_t value) noexcept {
  std::uint64_t digits = value;  // spread out, a byte each
  digits = (digits | digits << 16) & 0x0000FFFF0000FFFF;
  digits = (digits | digits << 8) & 0x00FF00FF00FF00FF;
  digits = (digits | digits << 4) & 0x0F0F0F0F0F0F0F0F;
  const std::uint64_t letters = (digits + 0x0606060606060606) >> 4 & 0x0101010101010101;
  base::putBe64(to, digits + 0x3030303030303030 + letters * ('A' - '9' - 1));
  return to + 8;
}

/// Where a message lies: upper-case hex of the store's address, port i32 and commit-log offset i64, 32 digits or, with
/// IPv6, 56. MessageDecoder.createMessageId
struct OffsetMsgId {
  RecordHost storeHost;
  std::int64_t commitLogOffset = 0;
};
std::string createOffsetMsgId(const RecordHost& store_host, std::int64_t commit_log_offset);
/// Digits of either case; nothing when `id` is not one.
std::optional<OffsetMsgId> parseOffsetMsgId(std::string_view id);

/// Milliseconds since the epoch at which the month of `wall_ms` began, where clocks are `utc_offset_seconds` east of
/// UTC.
std::int64_t monthStartMillis(std::int64_t wall_ms, std::int32_t utc_offset_seconds) noexcept;

/// Makes UNIQ_KEYs: upper-case hex of address (4 or 16 bytes), pid (low 16 bits), 4 bytes that tell processes of one
/// pid apart, ms since the month began i32, counter u16. MessageClientIDSetter.java
///
/// Threads  any; two ids of one generator differ as long as fewer than 65,536 are made in one millisecond.
class UniqIdGenerator {
 public:
  /// `address`: only the IP counts. `counter`: where to start.
  UniqIdGenerator(const RecordHost& address, std::uint32_t pid, std::uint32_t salt, std::int32_t utc_offset_seconds = 0,
                  std::uint16_t counter = 0);

  std::string next(std::int64_t wall_ms);
  /// Writes size() characters.
  void nextTo(char* to, std::int64_t wall_ms) noexcept;
  std::size_t size() const noexcept { return prefix_.size() + kVaryingDigits; }

  static constexpr std::size_t kSizeMax = 56;

 private:
  static constexpr std::size_t kVaryingDigits = 12;

  std::string prefix_;
  std::int32_t utc_offset_seconds_;
  std::atomic<std::uint32_t> counter_;
};

}  // namespace mqclient::protocol
