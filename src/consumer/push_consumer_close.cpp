// The steps of ending: pulls stop, the listener finishes what is cached, queues are given up and committed, the group
// is left, the instance let go.
#include <algorithm>
#include <utility>

#include "consumer/push_consumer.h"

namespace mqclient::consumer {
namespace {

/// Of the time that close() was given, what is kept for committing and unregistering: a fifth, at most this.
constexpr base::Millis kLastStepsShare{2'000};
/// What those get however late it is: a commit is worth waiting for, even with close(0).
constexpr base::Millis kLastStepsMin{500};

}  // namespace

void PushConsumer::close(base::Millis wait, base::Completion<CloseReport> done) {
  post([this, wait, done = std::move(done)]() mutable { closeOnStrand(wait, std::move(done)); });
}

void PushConsumer::closeOnStrand(base::Millis wait, base::Completion<CloseReport> done) {
  if (step_ == Step::kClosed) return std::move(done)(report_);
  close_waiters_.push_back(std::move(done));
  if (step_ > Step::kRunning) return;

  startEnded(Error(ErrorCode::kClosed, "the consumer was closed before it had started"));
  step_ = Step::kDraining;
  {
    base::MutexLock lock(subscribe_mutex_);
    subscriptions_closed_ = true;
  }
  loop_.close();
  closing_since_ = context_->engine().now();
  wait = std::max(wait, base::Millis{0});
  close_deadline_ = closing_since_ + wait;
  std::vector<base::Completion<void>> never_ready = std::move(ready_waiters_);
  ready_waiters_.clear();
  for (base::Completion<void>& waiter : never_ready) {
    std::move(waiter)(Error(ErrorCode::kClosed, "the consumer was closed before it was ready"));
  }

  const std::vector<base::Ref<ProcessQueue>> all = queues();
  draining_left_ = all.size();
  if (all.empty()) return drained();
  drain_timer_.arm(self(), close_deadline_ - std::min<base::Millis>(wait / 5, kLastStepsShare));
  for (const base::Ref<ProcessQueue>& queue : all) {
    queue->drain(
        base::Completion<void>::of([me = self()](Result<void>&&) { me->post([me = me.get()] { me->queueIdle(); }); }));
  }
}

void PushConsumer::queueIdle() {
  if (step_ == Step::kDraining && --draining_left_ == 0) drained();
}

base::SteadyTime PushConsumer::lastStepsDeadline() const noexcept {
  return std::max(close_deadline_, context_->engine().now() + kLastStepsMin);
}

void PushConsumer::drained() {
  if (step_ != Step::kDraining) return;
  step_ = Step::kCommitting;
  drain_timer_.cancel();
  report_.listenersRunning = context_->gate.running();
  context_->gate.close();

  const std::vector<base::Ref<ProcessQueue>> all = queues();
  committing_left_ = all.size() + leaving_.size();
  if (committing_left_ == 0) return committed();
  const base::SteadyTime deadline = lastStepsDeadline();
  for (const base::Ref<ProcessQueue>& queue : all) {
    endPeriod(queue, deadline, base::Completion<void>::of([me = self()](Result<void>&&) {
                me->post([me = me.get()] { me->commitEnded(); });
              }));
  }
}

void PushConsumer::commitEnded() {
  if (step_ == Step::kCommitting && --committing_left_ == 0) committed();
}

void PushConsumer::committed() {
  step_ = Step::kUnregistering;
  {
    std::map<MessageQueue, base::Ref<ProcessQueue>> given_up;
    base::MutexLock lock(mutex_);
    given_up.swap(queues_);
  }
  moving_.clear();
  if (!hooks_) return unregistered();
  instance().unregisterConsumer(
      context_->group, lastStepsDeadline(),
      base::Completion<void>::of([me = self()](Result<void>&&) { me->post([me = me.get()] { me->unregistered(); }); }));
}

void PushConsumer::unregistered() {
  hooks_.reset();
  for (const std::string& topic : watched_) instance().unwatchTopic(topic);
  watched_.clear();
  report_.drained = context_->drained.load(std::memory_order_relaxed);
  report_.abandoned = context_->abandoned.load(std::memory_order_relaxed);
  std::sort(report_.offsetsNotCommitted.begin(), report_.offsetsNotCommitted.end());
  report_.took = std::chrono::duration_cast<Millis>(context_->engine().now() - closing_since_);
  // The last line: the instance takes the user's hooks with it.
  context_->log().write(LogLevel::kInfo, kComponent, "group " + context_->group + " closed: " + report_.toString());
  lease_.release(
      base::Completion<void>::of([me = self()](Result<void>&&) { me->post([me = me.get()] { me->closed(); }); }));
}

void PushConsumer::closed() {
  step_ = Step::kClosed;
  report_.took = std::chrono::duration_cast<Millis>(context_->engine().now() - closing_since_);
  std::vector<base::Completion<CloseReport>> waiters = std::move(close_waiters_);
  close_waiters_.clear();
  for (base::Completion<CloseReport>& done : waiters) std::move(done)(report_);
}

}  // namespace mqclient::consumer
