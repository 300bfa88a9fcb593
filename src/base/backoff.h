#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/random.h"

namespace mqclient::base {

/// How long to wait between tries that fail.
struct Backoff {
  std::chrono::milliseconds first{100};
  std::chrono::milliseconds limit{30'000};
  int jitter_percent{20};  ///< the answer lies within this many percent around the exponential value
};

/// The pause before try `failures` + 1, after `failures` >= 1 failures in a row: first × 2^(failures - 1), at most
/// limit, spread by the jitter so that many clients do not come back in step. Pure; `bits` are 64 uniform ones.
inline std::chrono::nanoseconds backoffDelay(const Backoff& b, int failures, std::uint64_t bits) noexcept {
  constexpr int kMaxDoublings = 30;
  const std::int64_t limit = std::chrono::nanoseconds(b.limit).count();
  std::int64_t delay = std::min(std::chrono::nanoseconds(b.first).count(), limit);
  for (int i = std::min(failures - 1, kMaxDoublings); i > 0 && delay < limit; --i) {
    delay = delay > limit / 2 ? limit : delay * 2;
  }
  const std::int64_t spread = delay / 100 * std::clamp(b.jitter_percent, 0, 100);
  if (spread == 0) return std::chrono::nanoseconds(delay);
  const std::uint64_t drawn = Xoshiro256::boundedBy(bits, 2 * static_cast<std::uint64_t>(spread) + 1);
  return std::chrono::nanoseconds(delay - spread + static_cast<std::int64_t>(drawn));
}

}  // namespace mqclient::base
