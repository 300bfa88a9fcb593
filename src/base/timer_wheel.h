#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/mutex.h"
#include "base/timer.h"

namespace mqclient::base {

/// The timers of one reactor (W1): a hierarchical wheel of 1 ms ticks over intrusive nodes. Arming and cancelling are
/// O(1) under the wheel's own lock; a node moves down at most kLevels - 1 times.
///
/// Shape    a node with tick T lies on the level of the highest 6-bit group in which T differs from current_, in the
///          slot named by T's group there. So the lowest level that holds anything holds the earliest node, in its
///          first occupied slot, and 8 levels hold every int64 of nanoseconds.
/// Invariant  no node lies in a slot that begins at or before current_, but for level 0's slot of current_ itself.
/// Threads  every member from any thread, but expire(), planWake() and dropPlan(): the reactor.
class TimerWheel {
 public:
  static constexpr std::int64_t kTickNanos = 1'000'000;

  explicit TimerWheel(std::int64_t now) noexcept : current_(now / kTickNanos) {}

  /// True: due before the reactor's planned wake, which is lowered to it; the caller wakes the reactor.
  bool arm(Timer& timer, std::int64_t due) noexcept MQ_EXCLUDES(mutex_);
  /// True: it was linked and will not be posted.
  bool cancel(Timer& timer) noexcept MQ_EXCLUDES(mutex_);
  /// Unlinks up to out.size() timers due at `now`, in the order of their ticks; the caller posts them.
  std::size_t expire(std::int64_t now, std::span<Timer*> out) noexcept MQ_EXCLUDES(mutex_);
  /// When the reactor must wake (kNoDeadline: never); from now on arm() answers true to anything earlier.
  std::int64_t planWake() noexcept MQ_EXCLUDES(mutex_);
  /// The reactor is awake: nobody needs to wake it.
  void dropPlan() noexcept MQ_EXCLUDES(mutex_);
  bool empty() const noexcept MQ_EXCLUDES(mutex_);

 private:
  static constexpr unsigned kBits = 6;
  static constexpr unsigned kSlots = 1u << kBits;
  static constexpr unsigned kLevels = 8;
  static constexpr int kScanned = 64;  // nodes of a far slot looked at for the exact wake; beyond, the slot's begin

  void link(Timer& timer) noexcept MQ_REQUIRES(mutex_);
  void unlink(Timer& timer) noexcept MQ_REQUIRES(mutex_);
  std::int64_t slotBegin(unsigned level, unsigned index) const noexcept MQ_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::int64_t current_ MQ_GUARDED_BY(mutex_);
  std::int64_t planned_ MQ_GUARDED_BY(mutex_) = 0;  // 0: the reactor is awake
  unsigned levels_ MQ_GUARDED_BY(mutex_) = 0;       // bit per level that holds anything
  std::array<std::uint64_t, kLevels> occupied_ MQ_GUARDED_BY(mutex_){};
  std::array<Timer*, std::size_t{kLevels} * kSlots> slots_ MQ_GUARDED_BY(mutex_){};
};

}  // namespace mqclient::base
