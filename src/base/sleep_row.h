#pragma once

#include <atomic>
#include <cstdint>

#include "base/cache_line.h"

namespace mqclient::base {

/// A word that up to 32 threads sleep on, each with a bit of its own: one system call wakes any of them. Woken one by
/// one, each would take the core from the thread that has others to wake (docs/decisions/0016-threads-that-wait.md).
///
/// Life     rows are never freed: who wakes may come after the thread has ended, and wakes nobody then, or for no
///          reason the thread that has its bit now.
/// Memory   what was done before wake() is seen by who reads a new `turn`, and after a park() that it ended.
struct SleepRow {
  /// The threads that have these bits. Any thread, whether they sleep or not.
  void wake(std::uint32_t bits) noexcept;

  alignas(kCacheLine) std::atomic<std::uint32_t> turn{0};  // other after each wake
  std::atomic<std::uint32_t> taken{0};                     // bits that threads have: the registry's
  SleepRow* next = nullptr;                                // the registry's
};

/// A thread's bit in a row.
struct SleepPlace {
  /// The calling thread's, until it ends.
  static SleepPlace ofThisThread() noexcept;
  /// Sleeps while the row's turn is `seen`, until woken or `deadline` (steadyNanos). May return early for no reason.
  /// False: the deadline has passed.
  bool park(std::uint32_t seen, std::int64_t deadline) const noexcept;

  SleepRow* row = nullptr;
  std::uint32_t bit = 0;
};

}  // namespace mqclient::base
