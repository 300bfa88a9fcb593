#include "producer/callback_gate.h"

#include <utility>

namespace mqclient::producer {

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
