#pragma once

#include <cstdint>
#include <string>

namespace mqclient::protocol {

/// U+FFFD, which stands for what is no character, as in Java.
inline constexpr std::uint32_t kReplacementChar = 0xFFFD;

/// Adds one code point in UTF-8.
void appendUtf8(std::string& to, std::uint32_t cp);

}  // namespace mqclient::protocol
