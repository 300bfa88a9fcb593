#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace mqclient::base {

/// Steele and Vigna's splitmix64: one seed into any number of well mixed words.
inline std::uint64_t splitMix64(std::uint64_t& state) noexcept {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/// xoshiro256** 1.0 (Blackman, Vigna; prng.di.unimi.it): 64 uniform bits a call, period 2^256 - 1. Not for secrets.
/// Threads: one owner.
class Xoshiro256 {
 public:
  explicit Xoshiro256(std::uint64_t seed) noexcept {
    for (std::uint64_t& w : s_) w = splitMix64(seed);
  }
  explicit Xoshiro256(const std::array<std::uint64_t, 4>& state) noexcept : s_(state) {}

  std::uint64_t next() noexcept {
    const std::uint64_t result = std::rotl(s_[1] * 5, 7) * 9;
    const std::uint64_t t = s_[1] << 17;
    s_[2] ^= s_[0];
    s_[3] ^= s_[1];
    s_[1] ^= s_[2];
    s_[0] ^= s_[3];
    s_[2] ^= t;
    s_[3] = std::rotl(s_[3], 45);
    return result;
  }
  /// Uniform in [0, bound), bound >= 1.
  std::uint64_t below(std::uint64_t bound) noexcept { return boundedBy(next(), bound); }

  /// 64 uniform bits onto [0, bound): the high half of the product (Lemire); the bias is at most bound / 2^64.
  static std::uint64_t boundedBy(std::uint64_t bits, std::uint64_t bound) noexcept {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(bits) * bound) >> 64);
  }

 private:
  std::array<std::uint64_t, 4> s_{};
};

}  // namespace mqclient::base
