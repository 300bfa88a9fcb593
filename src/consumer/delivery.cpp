#include "consumer/delivery.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <variant>

#include "consumer/process_queue.h"
#include "protocol/message_access.h"

namespace mqclient::consumer {

Delivery::Delivery(base::Ref<ProcessQueue> queue, base::Ref<ConsumerContext> context, std::vector<MessageExt> messages,
                   std::vector<MessageCache::Key> keys)
    : queue_(std::move(queue)), context_(std::move(context)), messages_(std::move(messages)), keys_(std::move(keys)) {}
Delivery::~Delivery() = default;

std::size_t Delivery::submit(std::size_t batch_max) {
  const std::size_t batches = (messages_.size() + batch_max - 1) / batch_max;
  invocations_ = std::make_unique<Invocation[]>(batches);
  for (std::size_t i = 0; i < batches; ++i) {
    Invocation& invocation = invocations_[i];
    invocation.delivery_ = this;
    invocation.first_ = i * batch_max;
    invocation.count_ = std::min(batch_max, messages_.size() - invocation.first_);
    invocation.job_.alive = base::Ref<base::Object>(this);
  }
  for (std::size_t i = 0; i < batches; ++i) context_->listeners->submit(invocations_[i].job_);
  return batches;
}

bool Invocation::finished(std::size_t i) const noexcept {
  if (status_ != ConsumeConcurrentlyStatus::CONSUME_SUCCESS) return false;
  if (context_->ackIndex < 0 || i > static_cast<std::size_t>(context_->ackIndex)) return false;
  const std::vector<std::size_t>& again = context_->again();
  return std::find(again.begin(), again.end(), i) == again.end();
}

// Here and not when they are pulled: a strand has no time for it, and what waits in the cache stays as small as it was
// counted, whatever it inflates to.
void Invocation::inflateBodies() {
  for (std::size_t i = first_; i < first_ + count_; ++i) {
    MessageExt& message = delivery_->messages_[i];
    const Result<void> inflated = mqclient::detail::MessageAccess::inflate(message);
    if (inflated) continue;
    ConsumerContext& consumer = *delivery_->context_;
    consumer.log().write(LogLevel::kWarn, kComponent,
                         "the body of message " + std::string(message.msgId()) + " of " +
                             delivery_->queue_->queue().toString() + " goes to group " + consumer.group +
                             " as it is stored: " + inflated.error().message());
  }
}

void Invocation::dropInflatedBodies() noexcept {
  for (std::size_t i = first_; i < first_ + count_; ++i) {
    mqclient::detail::MessageAccess::dropInflated(delivery_->messages_[i]);
  }
}

void Invocation::runOnListenerThread() noexcept {
  ConsumerContext& consumer = *delivery_->context_;
  if (delivery_->queue_->dropped() || !consumer.gate.enter()) return settle(Outcome::kSkipped);
  context_.emplace(delivery_->queue_->queue());
  const Messages messages(delivery_->messages_.data() + first_, count_);
  try {
    inflateBodies();
    mqclient::detail::ConcurrentAnswer answer = [&] {
      const InsideListener here(consumer);
      return consumer.listener().consume(messages, *context_);
    }();
    if (auto* later = std::get_if<Future<ConsumeConcurrentlyStatus>>(&answer)) {
      base::Ref<Delivery> alive(delivery_);
      std::move(*later).then(
          [this, alive = std::move(alive)](Result<ConsumeConcurrentlyStatus> status) { answered(std::move(status)); });
      return;
    }
    answered(std::get<ConsumeConcurrentlyStatus>(answer));
  } catch (...) {
    answered(mqclient::detail::errorOfException(std::current_exception()));
  }
}

void Invocation::answered(Result<ConsumeConcurrentlyStatus> status) noexcept {
  ConsumerContext& consumer = *delivery_->context_;
  if (status) {
    status_ = *status;
  } else {
    consumer.log().write(LogLevel::kWarn, kComponent,
                         "listener of group " + consumer.group + " failed at message " +
                             std::string(delivery_->messages_[first_].msgId()) + " of " +
                             delivery_->queue_->queue().toString() + ", it comes again: " + status.error().message());
  }
  dropInflatedBodies();
  consumer.gate.leave();  // before settling: whoever sees the queue idle must find nothing running
  settle(status ? Outcome::kAnswered : Outcome::kFailed);
}

void Invocation::settle(Outcome outcome) noexcept {
  outcome_ = outcome;
  settle_.alive = base::Ref<base::Object>(delivery_);
  delivery_->queue_->strand().post(settle_);
}

base::Next Invocation::SettleTask::run() noexcept {
  invocation.delivery_->queue_->onSettled(*invocation.delivery_, invocation);
  return base::Next::kDone;
}

}  // namespace mqclient::consumer
