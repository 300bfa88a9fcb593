#include "base/wait.h"

#include "base/block_pool.h"
#include "base/parker.h"

namespace mqclient::base {

void WaitSlot::settle() noexcept {
  const std::uint32_t before = state_.fetch_or(kSettled, std::memory_order_acq_rel);
  if ((before & kSettled) != 0) return;
  if ((before & kParked) != 0) {
    Activation& here = Activation::ofThisThread();
    here.inside() ? here.wakeAfterTurn(*this) : wake();
  }
  if ((before & kWatched) != 0) {
    MutexLock lock(mutex_);
    if (on_settle_) on_settle_();
  }
}

void WaitSlot::wake() noexcept {
  wakeSleeper(state_);
}

bool WaitSlot::setOnSettle(UniqueFunction<void()> f) {
  MutexLock lock(mutex_);
  on_settle_ = std::move(f);
  if ((state_.fetch_or(kWatched, std::memory_order_acq_rel) & kSettled) == 0) return true;
  on_settle_.reset();
  return false;
}

void WaitSlot::clearOnSettle() {
  MutexLock lock(mutex_);
  on_settle_.reset();
}

bool WaitSlot::parkUntil(SteadyTime deadline) {
  const std::int64_t until = deadline == SteadyTime::max() ? kNoDeadline : deadline.time_since_epoch().count();
  std::uint32_t seen = state_.fetch_or(kParked, std::memory_order_acq_rel) | kParked;
  while ((seen & kSettled) == 0) {
    if (!sleepWhile(state_, seen, until)) break;
    BlockPool::threadSlept();
    seen = state_.load(std::memory_order_acquire);
  }
  return settled();
}

}  // namespace mqclient::base
