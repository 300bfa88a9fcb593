#include "base/wait.h"

namespace mqclient::base {

void WaitSlot::settle() noexcept {
  settled_.store(true, std::memory_order_release);
  // Under the mutex: a waiter that looked before the store is either parked already or will look again.
  MutexLock lock(mutex_);
  if (parked_) changed_.notifyOne();
  if (on_settle_) on_settle_();
}

bool WaitSlot::setOnSettle(UniqueFunction<void()> f) {
  MutexLock lock(mutex_);
  if (settled()) return false;
  on_settle_ = std::move(f);
  return true;
}

void WaitSlot::clearOnSettle() {
  MutexLock lock(mutex_);
  on_settle_.reset();
}

bool WaitSlot::parkUntil(SteadyTime deadline) {
  if (settled()) return true;
  MutexLock lock(mutex_);
  parked_ = true;
  while (!settled()) {
    if (deadline == SteadyTime::max()) {
      changed_.wait(mutex_);
    } else if (!changed_.waitUntil(mutex_, deadline) && !settled()) {
      parked_ = false;
      return false;
    }
  }
  parked_ = false;
  return true;
}

}  // namespace mqclient::base
