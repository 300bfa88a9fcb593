#include "mock_broker/broker/flusher.h"

#include <utility>

#include "mock_broker/broker/send.h"

namespace mqclient::broker {

Flusher::Flusher(BrokerCore& core, base::Strand& log, store::MessageStore& store, const BrokerOptions& options,
                 base::Ref<base::Log> log_out)
    : core_(core),
      log_(log),
      store_(store),
      options_(options),
      type_(options.flushDiskType),
      log_out_(std::move(log_out)),
      timer_(log, [this] { state_ == State::kDue ? flush() : run(); }),
      timeout_(log, [this] {
        release(Others::kWait);
        armTimeout();
      }) {}

void Flusher::begin() {
  if (type_ == FlushDiskType::SYNC_FLUSH) return flush();
  state_ = State::kDue;
  timer_.armAfter(base::Ref<base::Object>(&core_), options_.flushIntervalCommitLog);
}

void Flusher::flush() {
  const base::Nanos delay = store_.files().flushDelay();
  if (delay.count() == 0) return run();
  state_ = State::kDelayed;
  timer_.armAfter(base::Ref<base::Object>(&core_), delay);
}

void Flusher::run() {
  state_ = State::kUnderWay;
  const bool begun = log_.engine().runOnLane(base::LaneKind::kFlush, [this, keep = base::Ref<base::Object>(&core_)] {
    log_.post(keep, [this, flushed = store_.flush()] { ended(flushed); });
  });
  if (begun) return;
  state_ = State::kDue;  // the lane is full: later
  timer_.armAfter(base::Ref<base::Object>(&core_), options_.flushIntervalCommitLog);
}

void Flusher::ended(const Result<std::int64_t>& flushed) {
  state_ = State::kIdle;
  if (flushed) {
    flushed_ = *flushed;
    show();
    release(Others::kWait);
  } else {
    broken_ = true;
    log_out_->write(LogLevel::kError, "broker",
                    options_.brokerName +
                        " takes no more messages, the disk failed to keep what it has: " + flushed.error().message());
    release(Others::kGiveUp);
  }
  if (stopping_) return finish();
  if (store_.log().maxOffset() > flushed_) appended();
}

bool Flusher::holds(SendTask& task) {
  if (type_ != FlushDiskType::SYNC_FLUSH || task.result.status != store::PutStatus::PUT_OK) return false;
  const std::int64_t offset = task.result.queueOffset + static_cast<std::int64_t>(task.parts().size());
  hidden_.push_back({base::Ref<store::ConsumeQueue>(task.queue), offset, store_.log().maxOffset()});
  waiters_.push_back({&task, store_.log().maxOffset(), log_.engine().now() + options_.syncFlushTimeout});
  armTimeout();
  return true;
}

void Flusher::show() {
  for (; !hidden_.empty() && hidden_.front().end <= flushed_; hidden_.pop_front()) {
    store::ConsumeQueue& queue = *hidden_.front().queue;
    queue.publish(hidden_.front().offset);
    if (queue.waiters.load(std::memory_order_seq_cst) > 0) core_.listArrival(queue);  // as append() does (B6)
  }
}

void Flusher::release(Others others) {
  const base::SteadyTime now = log_.engine().now();
  while (!waiters_.empty()) {
    const Waiter& first = waiters_.front();
    if (first.end > flushed_) {
      if (first.until > now && others == Others::kWait) return;
      first.task->result.status = store::PutStatus::FLUSH_DISK_TIMEOUT;
    }
    core_.answerLater(*first.task);
    waiters_.pop_front();
  }
}

void Flusher::armTimeout() {
  if (!waiters_.empty() && !timeout_.armed()) {
    timeout_.arm(base::Ref<base::Object>(&core_), waiters_.front().until);
  }
}

void Flusher::stop(Last last, base::Completion<void> done) {
  stopping_ = true;
  last_ = type_ == FlushDiskType::NO_FLUSH || broken_ ? Last::kNone : last;
  stop_done_ = std::move(done);
  timer_.cancel();
  if (state_ != State::kUnderWay) finish();
}

void Flusher::finish() {
  if (last_ == Last::kFlush && !broken_ && store_.log().maxOffset() > flushed_) return run();
  timeout_.cancel();
  release(Others::kGiveUp);
  std::move(stop_done_)(Result<void>());
}

}  // namespace mqclient::broker
