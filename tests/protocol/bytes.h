#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/buffer.h"

namespace mqclient::protocol::test {

/// The bytes that hex digits name; everything else between them is skipped.
inline std::string bytesOf(std::string_view hex) {
  std::string out;
  int high = -1;
  for (const char c : hex) {
    int v = -1;
    if (c >= '0' && c <= '9') v = c - '0';
    if (c >= 'a' && c <= 'f') v = c - 'a' + 10;
    if (c >= 'A' && c <= 'F') v = c - 'A' + 10;
    if (v < 0) continue;
    if (high < 0) {
      high = v;
    } else {
      out.push_back(static_cast<char>(high << 4 | v));
      high = -1;
    }
  }
  return out;
}

inline std::string hexOf(std::string_view bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
    out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
  }
  return out;
}

inline std::span<const std::byte> asBytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// A frame: length, type and header length before `header`, `body` behind it.
inline std::string frameOf(int type, std::string_view header, std::string_view body = {}) {
  std::string out(8, '\0');
  base::putBe32(out.data(), static_cast<std::uint32_t>(4 + header.size() + body.size()));
  base::putBe32(out.data() + 4, static_cast<std::uint32_t>(type) << 24 | static_cast<std::uint32_t>(header.size()));
  return out.append(header).append(body);
}

/// `text` cut into slices of `piece` bytes, each with memory of its own, so that reading past one is seen.
inline base::Chain chainOf(std::string_view text, std::size_t piece) {
  base::Chain out;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    out.append(base::Slice::copyOf(text.substr(0, piece)));
  }
  return out;
}

}  // namespace mqclient::protocol::test
