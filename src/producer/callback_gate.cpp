#include "producer/callback_gate.h"

#include <utility>

namespace mqclient::producer {

std::size_t CallbackGate::notReturned() const noexcept {
  base::MutexLock lock(mutex_);
  const std::size_t own = running_ ? 1 : 0;
  return tally_->shares() - own;
}

std::size_t CallbackGate::Tally::shares() const noexcept {
  base::MutexLock lock(mutex_);
  return running_ ? running_->shares() : 0;  // its end waits for this lock
}

CallbackGate::Running::Running(base::Ref<Tally> tally) : tally_(std::move(tally)) {
  base::MutexLock lock(tally_->mutex_);
  tally_->running_ = this;
}

CallbackGate::Running::~Running() {
  {
    base::MutexLock lock(tally_->mutex_);
    tally_->running_ = nullptr;
  }
  if (ended) std::move(ended)(Result<void>());
}

void CallbackGate::submit(base::Job& job) noexcept {
  {
    base::MutexLock lock(mutex_);
    job.alive = running_;  // let go after the job has run
  }
  target_->submit(job);
}

void CallbackGate::whenIdle(base::Completion<void> done) {
  base::Ref<Running> last;  // ends outside the lock, here if nothing runs
  base::MutexLock lock(mutex_);
  last = std::move(running_);
  if (last) {
    last->ended = std::move(done);
  }
}

}  // namespace mqclient::producer
