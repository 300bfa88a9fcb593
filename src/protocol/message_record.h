#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mqclient/error.h"

namespace mqclient::protocol {

/// IP address and port of a message's sender or store.
struct RecordHost {
  std::array<std::byte, 16> ip{};  ///< network order; an IPv4 address fills the first 4
  bool v6 = false;
  std::int32_t port = 0;

  static constexpr std::size_t kV4Size = 8;
  static constexpr std::size_t kV6Size = 20;
  std::size_t ipSize() const noexcept { return v6 ? 16 : 4; }
  /// Bytes in a record: address and port i32.
  std::size_t size() const noexcept { return v6 ? kV6Size : kV4Size; }
  static RecordHost v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::int32_t port) noexcept;
  /// "127.0.0.1:10911" or "[::1]:80"; nothing when it is neither. Names are not looked up.
  static std::optional<RecordHost> parse(std::string_view text);
  std::string toString() const;
  /// The address alone: "127.0.0.1", "2001:db8::1".
  std::string ipToString() const;
  bool operator==(const RecordHost&) const = default;
};

/// "ip:port", an IPv6 address (without brackets) in brackets.
std::string hostAndPort(const std::string& ip, std::int32_t port);

inline constexpr std::uint32_t kMessageMagicV1 = 0xDAA320A7u;
inline constexpr std::uint32_t kMessageMagicV2 = 0xDAA320ABu;  ///< two bytes of topic length
inline constexpr std::uint32_t kBlankMagic = 0xCBD43194u;      ///< filler at the end of a commit-log file

/// Places of the fields that stand before any variable part.
namespace record_offset {
inline constexpr std::size_t kTotalSize = 0;
inline constexpr std::size_t kMagic = 4;
inline constexpr std::size_t kBodyCrc = 8;
inline constexpr std::size_t kQueueId = 12;
inline constexpr std::size_t kFlag = 16;
inline constexpr std::size_t kQueueOffset = 20;
inline constexpr std::size_t kPhysicalOffset = 28;
inline constexpr std::size_t kSysFlag = 36;
inline constexpr std::size_t kBornTimestamp = 40;
inline constexpr std::size_t kBornHost = 48;
}  // namespace record_offset

/// A v1 record of two IPv4 hosts and nothing variable.
inline constexpr std::size_t kRecordOverhead = 91;

/// One stored message: what CommitLog holds and pull answers carry, byte for byte.
///
/// Layout   totalSize i32 | magic i32 | bodyCRC i32 | queueId i32 | flag i32 | queueOffset i64 | physicalOffset i64 |
///          sysFlag i32 | bornTimestamp i64 | bornHost 8 or 20 | storeTimestamp i64 | storeHost 8 or 20 |
///          reconsumeTimes i32 | preparedTransactionOffset i64 | bodyLen i32, body | topicLen u8 (v1) or i16 (v2),
///          topic | propertiesLen i16, properties; all big-endian, no padding
/// Lifetime body, topic and properties are views: of the sender's bytes when encoding, of the record when decoded.
/// Source   MessageDecoder.java, MessageExtEncoder.java
struct RecordFields {
  std::uint32_t magic = kMessageMagicV1;  ///< decoded; encodeRecord chooses by the topic's length
  std::uint32_t totalSize = 0;            ///< decoded; encodeRecord computes it
  std::uint32_t bodyCRC = 0;  ///< CRC-32 of the body as stored, bit 31 cleared; encodeRecord writes what stands here
  std::int32_t queueId = 0;
  std::int32_t flag = 0;
  std::int64_t queueOffset = 0;
  std::int64_t physicalOffset = 0;
  std::int32_t sysFlag = 0;  ///< encodeRecord sets the IPv6 bits from the hosts
  std::int64_t bornTimestamp = 0;
  RecordHost bornHost;
  std::int64_t storeTimestamp = 0;
  RecordHost storeHost;
  std::int32_t reconsumeTimes = 0;
  std::int64_t preparedTransactionOffset = 0;
  std::span<const std::byte> body;
  std::string_view topic;
  std::string_view properties;
};

/// Bytes encodeRecord writes.
std::size_t recordSize(const RecordFields& fields) noexcept;

/// A record in its parts, for who has the body elsewhere: encodeRecordHead writes everything before the body
/// (recordHeadSize bytes), encodeRecordTail topic and the properties' length behind the body and answers where the
/// `properties_size` bytes of the properties belong. `fields.properties` is not looked at.
std::size_t recordHeadSize(const RecordFields& fields) noexcept;
std::size_t recordTailSize(const RecordFields& fields, std::size_t properties_size) noexcept;
void encodeRecordHead(std::byte* to, const RecordFields& fields, std::size_t properties_size) noexcept;
std::byte* encodeRecordTail(std::byte* to, const RecordFields& fields, std::size_t properties_size) noexcept;

/// Writes the record to `to`, which has recordSize(fields) bytes. A topic of more than 127 bytes makes it v2. The topic
/// has at most 32,767 bytes, the properties too: the caller has checked.
void encodeRecord(std::byte* to, const RecordFields& fields) noexcept;

/// What the log fills in when the record has its place.
void setQueueOffset(std::byte* record, std::int64_t queue_offset) noexcept;
void setPhysicalOffset(std::byte* record, std::int64_t physical_offset) noexcept;
void setStoreTimestamp(std::byte* record, std::int64_t ms) noexcept;
std::int64_t getQueueOffset(const std::byte* record) noexcept;
std::int64_t getPhysicalOffset(const std::byte* record) noexcept;
std::int64_t getStoreTimestamp(const std::byte* record) noexcept;

/// The record that `bytes` starts with; more may follow it. Reads nothing outside `bytes`, whatever they say.
///
/// Errors   kCorrupt: cut short, unknown magic (the blank one too), a length that is negative or leaves the record, a
///          totalSize that is not the sum of its parts.
Result<RecordFields> decodeRecord(std::span<const std::byte> bytes);

/// Whether the body is the one the broker stored.
bool bodyCrcMatches(const RecordFields& fields) noexcept;

/// Walks the records of a pull answer. A record that cannot be read costs only itself as long as its totalSize can be
/// believed; Java drops the rest of the answer with it.
class RecordIterator {
 public:
  explicit RecordIterator(std::span<const std::byte> bytes) noexcept : rest_(bytes) {}
  /// Nothing: the end. An Error: this record (or, when done() is true then, the rest) cannot be read; go on.
  std::optional<Result<RecordFields>> next();
  bool done() const noexcept { return rest_.empty(); }
  /// Bytes of the record that next() answered last.
  std::span<const std::byte> current() const noexcept { return current_; }

 private:
  std::span<const std::byte> rest_;
  std::span<const std::byte> current_;
};

}  // namespace mqclient::protocol
