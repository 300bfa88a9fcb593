#include "producer/callback_gate.h"

#include <utility>

namespace mqclient::producer {

void CallbackGate::Running::lastReferenceGone() noexcept {
  const base::Ref<Tally> tally = base::Ref<Tally>::adopt(&tally_);  // ends with what is said last
  if (ended) std::move(ended)(Result<void>());
}

void CallbackGate::submit(base::Job& job) noexcept {
  Running& running = tally_->running;
  if (counting_.load(std::memory_order_relaxed) && running.tryRetain()) {
    job.alive = base::Ref<base::Object>::adopt(&running);  // let go after the job has run
  }
  target_->submit(job);
}

void CallbackGate::whenIdle(base::Completion<void> done) {
  tally_->running.ended = std::move(done);
  dropOwnShare();
}

}  // namespace mqclient::producer
