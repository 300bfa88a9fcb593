#include "base/timer.h"

namespace mqclient::base {

// The engine knows a linked node only; everything else is decided inside the strand:
//   linked   in the engine's wheel, `alive` held by the node
//   posted   the engine took the node out and posted it; `alive` travels with the task
// wanted_ and due_ say what the owner asked for last, so a stale post finds out by looking.

void Timer::arm(Ref<Object> alive_owner, SteadyTime due) noexcept {
  Engine& engine = strand_->engine();
  due_ = due;
  wanted_ = true;
  if (posted_ && !engine.cancelTimer(*this)) {
    again_ = std::move(alive_owner);  // its post is on the way: run() sees the new due time and arms again
    return;
  }
  posted_ = true;
  alive = std::move(alive_owner);
  engine.armTimer(*this, due);
}

void Timer::armAfter(Ref<Object> alive_owner, Nanos delay) noexcept {
  const SteadyTime now = strand_->engine().now();
  const SteadyTime due = delay > SteadyTime::max() - now ? SteadyTime::max() : now + delay;
  arm(std::move(alive_owner), due);
}

bool Timer::cancel() noexcept {
  const bool was_wanted = std::exchange(wanted_, false);
  again_.reset();
  if (!posted_) return false;
  if (!strand_->engine().cancelTimer(*this)) return false;  // its post is on the way and will find wanted_ false
  posted_ = false;
  Ref<Object> dropped = std::move(alive);  // may be the last reference: nothing of this is touched afterwards
  return was_wanted;
}

Next Timer::run() noexcept {
  posted_ = false;
  if (!wanted_) return Next::kDone;
  Engine& engine = strand_->engine();
  if (due_ > engine.now()) {  // armed again for later while the post was on the way
    posted_ = true;
    alive = std::move(again_);
    engine.armTimer(*this, due_);
    return Next::kDone;
  }
  wanted_ = false;
  again_.reset();
  onTimer();
  return Next::kDone;
}

}  // namespace mqclient::base
