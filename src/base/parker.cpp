#include "base/parker.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "base/poller.h"

namespace mqclient::base {

namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

}  // namespace

std::int64_t clockNanos(clockid_t clock) noexcept {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<std::int64_t>(t.tv_sec) * kNanosPerSecond + t.tv_nsec;
}

timespec timespecOf(std::int64_t nanos) noexcept {
  return {static_cast<time_t>(nanos / kNanosPerSecond), static_cast<long>(nanos % kNanosPerSecond)};
}

std::int64_t steadyNanos() noexcept {
  return clockNanos(CLOCK_MONOTONIC);
}

bool sleepWhile(const std::atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t deadline,
                std::uint32_t bits) noexcept {
  static_assert(sizeof word == sizeof(std::uint32_t));
  timespec until{};
  if (deadline != kNoDeadline) {
    if (deadline <= 0) return false;
    until = timespecOf(deadline);
  }
  // FUTEX_WAIT_BITSET: the deadline is absolute on CLOCK_MONOTONIC.
  const long r = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected,
                         deadline == kNoDeadline ? nullptr : &until, nullptr, bits);
  return !(r == -1 && errno == ETIMEDOUT);
}

void wakeSleeper(const std::atomic<std::uint32_t>& word) noexcept {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void wakeSleepers(const std::atomic<std::uint32_t>& word, std::uint32_t bits) noexcept {
  syscall(SYS_futex, &word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, nullptr, nullptr, bits);
}

bool Parker::park(std::int64_t deadline) noexcept {
  std::uint32_t seen = kEmpty;
  const std::uint32_t asleep = poller_ ? kPolling : kParked;
  if (state_.compare_exchange_strong(seen, asleep, std::memory_order_acq_rel, std::memory_order_acquire)) {
    if (poller_) {
      poller_->fetch(deadline);
    } else {
      while (state_.load(std::memory_order_acquire) == kParked) {
        if (!sleepWhile(state_, kParked, deadline)) break;
      }
    }
  }
  return state_.exchange(kEmpty, std::memory_order_acq_rel) == kToken;
}

void Parker::wake() noexcept {
  switch (state_.exchange(kToken, std::memory_order_acq_rel)) {
    case kParked:
      return wakeSleeper(state_);
    case kPolling:
      return poller_->wake();
    default:
      return;
  }
}

}  // namespace mqclient::base
