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
  /// Simulation: called by settle() instead of waking a parked thread. Set before anybody can settle.
  void setOnSettle(UniqueFunction<void()> f) { on_settle_ = std::move(f); }
  void reset() noexcept { settled_.store(false, std::memory_order_relaxed); }

 private:
  std::atomic<bool> settled_{false};
  Mutex mutex_;
  CondVar changed_;
  bool parked_ MQ_GUARDED_BY(mutex_) = false;
  UniqueFunction<void()> on_settle_;
};

}  // namespace mqclient::base
