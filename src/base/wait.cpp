#include "base/wait.h"

namespace mqclient::base {

void WaitSlot::settle() noexcept {
  if (on_settle_) {
    settled_.store(true, std::memory_order_release);
    on_settle_();
    return;
  }
  settled_.store(true, std::memory_order_release);
  // Under the mutex: a waiter that looked before the store is either parked already or will look again.
  MutexLock lock(mutex_);
  if (parked_) changed_.notifyOne();
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
