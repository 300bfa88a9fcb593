#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>

namespace mqclient::base {

/// Nanoseconds of a clock of the OS (clock_gettime).
std::int64_t clockNanos(clockid_t clock) noexcept;
/// The same, the other way round.
timespec timespecOf(std::int64_t nanos) noexcept;
/// Nanoseconds of the OS steady clock (CLOCK_MONOTONIC): the time base of every wait here.
std::int64_t steadyNanos() noexcept;
inline constexpr std::int64_t kNoDeadline = INT64_MAX;

/// Sleeps while `word` holds `expected`, until woken with one of `bits` or until `deadline` (steadyNanos). May return
/// early for no reason. False: the deadline has passed.
bool sleepWhile(const std::atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t deadline,
                std::uint32_t bits = UINT32_MAX) noexcept;
/// Wakes one sleeper of `word`, whose value the caller has changed before.
void wakeSleeper(const std::atomic<std::uint32_t>& word) noexcept;
/// Wakes all that sleep with any of these bits.
void wakeSleepers(const std::atomic<std::uint32_t>& word, std::uint32_t bits) noexcept;

class Poller;

/// Where one thread of ours sleeps when it has nothing to do. A wake before the sleep is kept: none is lost.
///
/// Threads  park(), sleepIn(): the owner only. wake(): any. One system call each at most, none if the owner is awake.
/// Memory   what was done before wake() is seen after the park() that took it.
class Parker {
 public:
  /// True: woken; false: the deadline passed, or the poller has something to deliver.
  bool park(std::int64_t deadline) noexcept;
  void wake() noexcept;
  /// From now on park() sleeps in `poller`, which outlives every wake().
  void sleepIn(Poller& poller) noexcept { poller_ = &poller; }

 private:
  static constexpr std::uint32_t kEmpty = 0;    // awake, no wake pending
  static constexpr std::uint32_t kToken = 1;    // a wake that the next park() takes
  static constexpr std::uint32_t kParked = 2;   // asleep on the word, or about to be
  static constexpr std::uint32_t kPolling = 3;  // asleep in the poller, or about to be

  std::atomic<std::uint32_t> state_{kEmpty};
  Poller* poller_ = nullptr;  // written by the owner; others read it after they saw kPolling
};

}  // namespace mqclient::base
