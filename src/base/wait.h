#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/engine.h"
#include "base/mutex.h"
#include "base/sleep_row.h"

namespace mqclient::base {

/// Where a blocked thread waits (A2): counted, so a settlement after the deadline touches only the slot and never a
/// stack. One waiter; settle() from any thread, any number of times (the first counts); who settles holds a share.
/// Memory: what was done before settle() is seen after a settled() or parkUntil() that answered true.
class WaitSlot : public Object {
 public:
  void settle() noexcept;
  bool settled() const noexcept { return (state_.load(std::memory_order_acquire) & kSettled) != 0; }

  /// Real waiting: until settled or `deadline` on the OS steady clock. For engines.
  bool parkUntil(SteadyTime deadline);
  /// `f` is called by settle(), under the slot's lock, besides waking a parked thread; it only marks and notifies (the
  /// simulation, or a thread that waits at a socket). False: the slot is settled already and `f` will not be called.
  bool setOnSettle(UniqueFunction<void()> f);
  /// Once this has returned, the function given to setOnSettle() is not running and will not run.
  void clearOnSettle();
  /// For the next wait. Only after a settled one: a slot that was given up may still be settled late.
  void reset() noexcept { state_.store(0, std::memory_order_relaxed); }

 private:
  static constexpr std::uint32_t kParked = 1;   // a thread sleeps, or is about to
  static constexpr std::uint32_t kWatched = 2;  // on_settle_ wants to know
  static constexpr std::uint32_t kSettled = 4;

  std::atomic<std::uint32_t> state_{0};
  std::atomic<SleepRow*> row_{nullptr};  // where the waiter sleeps: before kParked
  std::atomic<std::uint32_t> bit_{0};
  Mutex mutex_;
  UniqueFunction<void()> on_settle_ MQ_GUARDED_BY(mutex_);
};

}  // namespace mqclient::base
