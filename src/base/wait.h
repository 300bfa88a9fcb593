#pragma once

#include <atomic>
#include <memory>

#include "base/engine.h"
#include "base/mutex.h"

namespace mqclient::base {

/// Where a blocked thread waits (A2): counted, so a settlement after the deadline touches only the slot and never a
/// stack. One waiter; settle() from any thread, any number of times.
class WaitSlot : public Object {
 public:
  void settle() noexcept;
  bool settled() const noexcept { return settled_.load(std::memory_order_acquire); }

  /// Real waiting: until settled or `deadline` on the OS steady clock. For engines.
  bool parkUntil(SteadyTime deadline);
  /// Simulation: `f` is called by settle(), under the slot's lock, besides waking a parked thread; it only marks and
  /// notifies. False: the slot is settled already and `f` will not be called.
  bool setOnSettle(UniqueFunction<void()> f);
  /// Once this has returned, the function given to setOnSettle() is not running and will not run.
  void clearOnSettle();
  void reset() noexcept { settled_.store(false, std::memory_order_relaxed); }

 private:
  std::atomic<bool> settled_{false};
  Mutex mutex_;
  CondVar changed_;
  bool parked_ MQ_GUARDED_BY(mutex_) = false;
  UniqueFunction<void()> on_settle_ MQ_GUARDED_BY(mutex_);
};

}  // namespace mqclient::base
