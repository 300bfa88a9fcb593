#include "base/wait.h"

#include "base/block_pool.h"
#include "base/parker.h"

namespace mqclient::base {

void WaitSlot::settle() noexcept {
  const std::uint32_t before = state_.fetch_or(kSettled, std::memory_order_acq_rel);
  if ((before & kSettled) != 0) return;
  if ((before & kParked) != 0) {
    SleepRow& row = *row_.load(std::memory_order_relaxed);
    const std::uint32_t bit = bit_.load(std::memory_order_relaxed);
    Activation& here = Activation::ofThisThread();
    here.inside() ? here.wakeAfterTurn(row, bit) : row.wake(bit);
  }
  if ((before & kWatched) != 0) {
    MutexLock lock(mutex_);
    if (on_settle_) on_settle_();
  }
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
  const SleepPlace place = SleepPlace::ofThisThread();
  row_.store(place.row, std::memory_order_relaxed);
  bit_.store(place.bit, std::memory_order_relaxed);
  std::uint32_t turn = place.row->turn.load(std::memory_order_acquire);
  std::uint32_t seen = state_.fetch_or(kParked, std::memory_order_acq_rel);
  while ((seen & kSettled) == 0) {
    if (!place.park(turn, until)) break;
    BlockPool::threadSlept();
    turn = place.row->turn.load(std::memory_order_acquire);
    seen = state_.load(std::memory_order_acquire);
  }
  return settled();
}

}  // namespace mqclient::base
