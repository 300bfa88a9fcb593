#include "protocol/hash.h"

#include <libdeflate.h>

#include "protocol/utf8.h"

namespace mqclient::protocol {

namespace {

/// One code point from the front of `text`; a byte that starts none is one U+FFFD.
std::uint32_t takeCodePoint(std::string_view& text) noexcept {
  const auto lead = static_cast<unsigned char>(text.front());
  std::size_t more = 0;
  std::uint32_t cp = 0;
  std::uint32_t least = 0;
  if (lead >= 0xC2 && lead < 0xE0) {
    more = 1;
    cp = lead & 0x1Fu;
    least = 0x80;
  } else if (lead >= 0xE0 && lead < 0xF0) {
    more = 2;
    cp = lead & 0x0Fu;
    least = 0x800;
  } else if (lead >= 0xF0 && lead < 0xF5) {
    more = 3;
    cp = lead & 0x07u;
    least = 0x10000;
  } else {
    text.remove_prefix(1);
    return lead < 0x80 ? lead : kReplacementChar;
  }
  std::size_t have = 1;
  for (; have <= more && have < text.size(); ++have) {
    const auto next = static_cast<unsigned char>(text[have]);
    if ((next & 0xC0u) != 0x80) break;
    cp = cp << 6 | (next & 0x3Fu);
  }
  const bool whole = have == more + 1 && cp >= least && cp <= 0x10FFFF && !(cp >= 0xD800 && cp < 0xE000);
  text.remove_prefix(whole ? have : 1);
  return whole ? cp : kReplacementChar;
}

}  // namespace

std::int32_t hashCode(std::string_view text) noexcept {
  std::uint32_t h = 0;
  while (!text.empty()) {
    const std::uint32_t cp = takeCodePoint(text);
    if (cp < 0x10000) {
      h = h * 31 + cp;
    } else {
      h = h * 31 + (0xD800 + ((cp - 0x10000) >> 10));
      h = h * 31 + (0xDC00 + ((cp - 0x10000) & 0x3FF));
    }
  }
  return static_cast<std::int32_t>(h);
}

std::int64_t tagsCode(std::string_view tags) noexcept {
  return hashCode(tags);
}

std::int32_t indexKeyHash(std::string_view key) noexcept {
  const std::int32_t h = hashCode(key);
  if (h >= 0) return h;
  const std::uint32_t positive = 0u - static_cast<std::uint32_t>(h);
  return positive > 0x7FFFFFFFu ? 0 : static_cast<std::int32_t>(positive);
}

std::uint32_t crc32Masked(std::span<const std::byte> bytes) noexcept {
  if (bytes.empty()) return 0;
  return libdeflate_crc32(0, bytes.data(), bytes.size()) & 0x7FFFFFFFu;
}

std::uint32_t crc32Masked(std::string_view text) noexcept {
  return crc32Masked(std::as_bytes(std::span(text)));
}

}  // namespace mqclient::protocol
