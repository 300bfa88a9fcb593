#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "mqclient/function.h"

namespace mqclient::consumer {

/// Counts the invocations of a listener that run now and, once closed, lets no more begin. When it is closed and empty,
/// the listener may die: `on_drained` runs exactly once, on the thread that made it so.
/// Any thread.
class InvocationGate {
 public:
  explicit InvocationGate(UniqueFunction<void()> on_drained) noexcept : on_drained_(std::move(on_drained)) {}

  /// True: the invocation may begin and ends with leave().
  bool enter() noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    do {
      if ((seen & kClosed) != 0) return false;
    } while (!state_.compare_exchange_weak(seen, seen + kOne, std::memory_order_acq_rel, std::memory_order_relaxed));
    return true;
  }
  void leave() noexcept {
    if (state_.fetch_sub(kOne, std::memory_order_acq_rel) == kOne + kClosed) on_drained_();
  }
  /// Idempotent.
  void close() noexcept {
    if (state_.fetch_or(kClosed, std::memory_order_acq_rel) == 0) on_drained_();
  }
  std::size_t running() const noexcept {
    return static_cast<std::size_t>(state_.load(std::memory_order_acquire) / kOne);
  }

 private:
  static constexpr std::uint64_t kClosed = 1;
  static constexpr std::uint64_t kOne = 2;

  std::atomic<std::uint64_t> state_{0};
  UniqueFunction<void()> on_drained_;
};

}  // namespace mqclient::consumer
