#pragma once

namespace mqclient::protocol {

/// What one hexadecimal digit of either case is worth; -1: it is none.
constexpr int hexValue(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace mqclient::protocol
