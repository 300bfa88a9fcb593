#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mqclient::protocol {

/// Java's String.hashCode of UTF-8 text: h = 31 h + unit over its UTF-16 code units, mod 2^32. Bytes that are not UTF-8
/// count as U+FFFD, as Java decodes them.
std::int32_t hashCode(std::string_view utf8) noexcept;

/// hashCode sign-extended, 0 for no tags: what ConsumeQueue holds and pull filters compare.
std::int64_t tagsCode(std::string_view tags) noexcept;

/// |hashCode|, 0 when there is no such number: the hash of index keys ("topic#key"). IndexFile.java
std::int32_t indexKeyHash(std::string_view key) noexcept;
/// Slots of one index file.
inline constexpr std::int32_t kIndexHashSlots = 5'000'000;

/// CRC-32 (java.util.zip.CRC32) with bit 31 cleared, as RocketMQ writes it everywhere.
std::uint32_t crc32Masked(std::span<const std::byte> bytes) noexcept;
std::uint32_t crc32Masked(std::string_view text) noexcept;

}  // namespace mqclient::protocol
