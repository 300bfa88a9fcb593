#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/engine.h"
#include "base/strand.h"
#include "consumer/consumer_context.h"
#include "consumer/message_cache.h"
#include "mqclient/default_mq_push_consumer.h"

namespace mqclient::consumer {

class Delivery;
class ProcessQueue;

/// One call of the listener: a run of a delivery's messages, at most consumeMessageBatchMaxSize. Runs once on a
/// listener thread, then settles once in the queue's strand. Owned by its delivery; both links are members, so that
/// handing out and settling allocate nothing.
class Invocation {
 public:
  enum class Outcome {
    kSkipped,   ///< the listener was not called: the queue was given up, or the consumer closed
    kAnswered,  ///< with a status
    kFailed,    ///< it threw, or its future failed
  };

  Invocation() noexcept : job_(*this), settle_(*this) {}
  Invocation(const Invocation&) = delete;
  Invocation& operator=(const Invocation&) = delete;

  std::size_t first() const noexcept { return first_; }
  std::size_t count() const noexcept { return count_; }
  Outcome outcome() const noexcept { return outcome_; }
  /// Whether message first() + i is finished. Only for an answered one.
  bool finished(std::size_t i) const noexcept;

 private:
  friend class Delivery;
  struct RunJob final : base::Job {
    explicit RunJob(Invocation& i) noexcept : invocation(i) {}
    void run() noexcept override { invocation.runOnListenerThread(); }
    Invocation& invocation;
  };
  struct SettleTask final : base::Task {
    explicit SettleTask(Invocation& i) noexcept : invocation(i) {}
    base::Next run() noexcept override;
    Invocation& invocation;
  };

  void runOnListenerThread() noexcept;
  void inflateBodies();
  void dropInflatedBodies() noexcept;
  /// The listener has answered; `status` as it said.
  void answered(Result<ConsumeConcurrentlyStatus> status) noexcept;
  void settle(Outcome outcome) noexcept;

  RunJob job_;
  SettleTask settle_;
  Delivery* delivery_ = nullptr;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  Outcome outcome_ = Outcome::kSkipped;
  ConsumeConcurrentlyStatus status_{};
  std::optional<ConsumeConcurrentlyContext> context_;  // lives until a coroutine listener has completed
};

/// Messages on their way through the listener: those of one pull answer, or some that failed before. Contiguous, so
/// that the listener gets spans without a copy. Lives until its last invocation has settled.
class Delivery final : public base::Object {
 public:
  Delivery(base::Ref<ProcessQueue> queue, base::Ref<ConsumerContext> context, std::vector<MessageExt> messages,
           std::vector<MessageCache::Key> keys);
  ~Delivery() override;

  /// Cuts into invocations and hands them to the listener pool; answers how many. Once, in the queue's strand.
  std::size_t submit(std::size_t batch_max);

  const MessageExt& message(std::size_t i) const noexcept { return messages_[i]; }
  MessageCache::Key key(std::size_t i) const noexcept { return keys_[i]; }
  std::size_t size() const noexcept { return messages_.size(); }

 private:
  friend class Invocation;
  const base::Ref<ProcessQueue> queue_;
  const base::Ref<ConsumerContext> context_;
  std::vector<MessageExt> messages_;  // an invocation inflates its own ones while the listener has them
  const std::vector<MessageCache::Key> keys_;
  std::unique_ptr<Invocation[]> invocations_;
};

}  // namespace mqclient::consumer
