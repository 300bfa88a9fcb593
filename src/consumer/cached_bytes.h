#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

namespace mqclient::consumer {

/// The bytes that all queues of a consumer hold (unfinished messages), and those that pulls under way will bring.
///
/// Bound    `max`. Whoever takes anything leaves room for the largest answer that ever came, so who needs much is not
///          kept out by those who need little. Answers of more than half of `max` may exceed it, one at a time.
/// Threads  any.
class CachedBytes {
 public:
  explicit CachedBytes(std::size_t max) noexcept : max_(max) {}

  /// Takes room for `bytes` instead of the `expected` that were taken before. False: there is none, and `expected` is
  /// given back.
  bool take(std::size_t bytes, std::size_t expected = 0) noexcept {
    std::size_t largest = largest_.load(std::memory_order_relaxed);
    while (bytes > largest && !largest_.compare_exchange_weak(largest, bytes, std::memory_order_relaxed)) {
    }
    const std::size_t others_max = max_ - std::min(std::max(bytes, largest), max_ / 2);
    std::size_t now = now_.load(std::memory_order_relaxed);
    for (;;) {
      const std::size_t others = now - expected;
      const bool kept = expected != 0 && bytes <= expected;  // its room was taken, whoever came since
      const bool fits = kept || others == 0 || others <= others_max;
      if (now_.compare_exchange_weak(now, fits ? others + bytes : others, std::memory_order_relaxed)) return fits;
    }
  }
  void giveBack(std::size_t bytes) noexcept {
    if (bytes != 0) now_.fetch_sub(bytes, std::memory_order_relaxed);
  }
  std::size_t now() const noexcept { return now_.load(std::memory_order_relaxed); }

 private:
  const std::size_t max_;
  std::atomic<std::size_t> largest_{0};
  std::atomic<std::size_t> now_{0};
};

}  // namespace mqclient::consumer
