#pragma once

#include <cstddef>

namespace mqclient::base {

/// Bytes of memory that go from core to core together: what two threads write by turns, and what others read beside
/// it, stand that far apart.
inline constexpr std::size_t kCacheLine = 64;

/// Asks for memory that will be written in a moment, so that nobody waits for it line by line.
inline void fetchForWriting(const void* from, std::size_t bytes) noexcept {
  for (std::size_t at = 0; at < bytes; at += kCacheLine) __builtin_prefetch(static_cast<const char*>(from) + at, 1);
}

}  // namespace mqclient::base
