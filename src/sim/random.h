#pragma once

#include <cstdint>

#include "base/random.h"

namespace mqclient::sim {

/// A stream of chance that depends on its seed and on nothing else. Not for secrets. One thread at a time.
class SeededRandom {
 public:
  /// `stream` separates the uses of one seed: what one of them draws does not shift the others.
  explicit SeededRandom(std::uint64_t seed, std::uint64_t stream = 0) noexcept : words_(mixed(seed, stream)) {}

  std::uint64_t next() noexcept { return words_.next(); }
  /// 0 to n - 1; n > 0.
  std::uint64_t below(std::uint64_t n) noexcept { return words_.below(n); }
  /// low to high, both included; low <= high.
  std::int64_t between(std::int64_t low, std::int64_t high) noexcept {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  bool coin() noexcept { return (next() >> 63) != 0; }
  /// True `n` times in a million.
  bool perMillion(std::uint64_t n) noexcept { return n != 0 && below(1'000'000) < n; }

 private:
  /// Neighbouring seeds and streams end up far apart.
  static std::uint64_t mixed(std::uint64_t seed, std::uint64_t stream) noexcept {
    std::uint64_t state = seed;
    state = base::splitMix64(state) + stream;
    return base::splitMix64(state);
  }

  base::Xoshiro256 words_;
};

}  // namespace mqclient::sim
