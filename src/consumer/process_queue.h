#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/completion.h"
#include "base/engine.h"
#include "base/mutex.h"
#include "base/strand.h"
#include "base/timer.h"
#include "consumer/consumer_context.h"
#include "consumer/delivery.h"
#include "consumer/message_cache.h"
#include "consumer/pull_schedule.h"
#include "mqclient/default_mq_push_consumer.h"
#include "protocol/headers/pull.h"
#include "protocol/remoting_command.h"

namespace mqclient::consumer {

/// Who gave a queue its ownership period. Called inside the queue's strand: posts and returns.
class QueueOwner {
 public:
  /// The start offset is known (or the queue was given up before): once per period.
  virtual void onQueueStarted() noexcept = 0;
  /// The broker has less than we asked for (it lost its end): the period is over, a new one begins at `offset`.
  virtual void onOffsetIllegal(const MessageQueue& queue, std::int64_t offset) noexcept = 0;
  /// The broker does not know the group, or its subscription, (any more).
  virtual void onNotRegistered() noexcept = 0;

 protected:
  ~QueueOwner() = default;
};

/// One period in which this consumer owns one queue: finds where to begin, pulls, caches, hands out, commits. A queue
/// that comes back later, or is moved by seek, gets a new object, so results of the old period cannot touch the new one
/// (I5).
///
/// States      kBorn → kWaitingForOwner → kFindingOffset → kPulling ⇄ {kPausing, kBackingOff, kSuspended} → kDropped;
///             every change goes through enter(), which logs from, to and why.
/// Invariants  of committed offsets, see committableOffset(); at most one pull is under way (I4); next_offset_ is above
///             every cached offset (I4); a dropped queue hands out nothing, and what its listeners answer is void (I2).
/// Threads     strand_ guards everything but the atomics and why_text_; public members may be called from any thread.
/// Source      ProcessQueue.java, DefaultMQPushConsumerImpl.pullMessage, ConsumeMessageConcurrentlyService.java
class ProcessQueue final : public base::Object {
 public:
  /// `owner` lives as long as `owner_alive`; both are let go when the queue is dropped.
  ProcessQueue(base::Ref<ConsumerContext> context, MessageQueue queue, base::Ref<base::Object> owner_alive,
               QueueOwner& owner);
  ~ProcessQueue() override;

  const MessageQueue& queue() const noexcept { return queue_; }
  base::Strand& strand() noexcept { return strand_; }

  /// Begins after `delay` (for the previous owner to commit), at `offset` if given (seek), else where the group stands.
  void start(base::Millis delay, std::optional<std::int64_t> offset);
  enum class FinalCommit { kNo, kYes };
  /// Gives the queue up: no more deliveries, results void. `done` after the last step, with the broker's answer to the
  /// commit of what is finished.
  void drop(FinalCommit commit, base::SteadyTime deadline, base::Completion<void> done);
  bool dropped() const noexcept { return dropped_.load(std::memory_order_acquire); }
  /// Commits what is finished now, if the broker has not confirmed it yet.
  void commit(base::SteadyTime deadline, base::Completion<void> done);
  /// No more pulls; what failed is not redelivered; `idle` when the listener has nothing of it, or the queue was given
  /// up before. Once.
  void drain(base::Completion<void> idle);
  /// Something changed that a waiting queue may wait for: resume(), a broker came back, a subscription changed.
  void wake();

  QueueProgress progress() const;

 private:
  friend class Invocation;
  enum class State { kBorn, kWaitingForOwner, kFindingOffset, kPulling, kPausing, kBackingOff, kSuspended, kDropped };
  static const char* nameOf(State state) noexcept;

  struct PullAnswer final : base::Receiver<protocol::RemotingCommand>, base::Task {
    explicit PullAnswer(ProcessQueue& q) noexcept : queue(q) {}
    void onResult(Result<protocol::RemotingCommand>&& result) noexcept override;
    base::Next run() noexcept override;
    ProcessQueue& queue;
    std::optional<Result<protocol::RemotingCommand>> result;
  };
  struct Redelivery {
    base::SteadyTime due;
    base::Ref<Delivery> messages;
  };

  /// In the strand the state decides; dropped() is for threads outside and may run ahead.
  bool over() const noexcept { return state_ == State::kDropped; }
  void enter(State next, const char* why);
  void enterBackOff(base::Millis delay, const Error& error);
  void waitThen(State next, base::Millis delay, const char* why);
  void onTimer();

  void findOffset();
  void findOffsetByPolicy();
  void onOffsetFound(Result<std::int64_t> offset);
  void startAt(std::int64_t offset);

  void pull();
  void onPullAnswer(Result<protocol::RemotingCommand> answer);
  void onMessages(base::Chain body, const protocol::PullMessageResponseHeader& header);
  void onOffsetMoved(std::int64_t corrected);
  void advance(std::int64_t next_offset);
  void pullAfterEmpty(std::int64_t next_offset);

  void onSettled(const Delivery& delivery, const Invocation& invocation);
  void redeliverLater(const Delivery& delivery, const std::vector<std::size_t>& which);
  void redeliverDue();

  void updateConsumed();
  void commitPeriodically();
  void commitOnStrand(base::SteadyTime deadline, base::Completion<void> done);
  void onCommitAnswer(std::int64_t offset, Result<void> answer, base::Completion<void> done);
  void onCommitted(std::int64_t offset, bool ok);
  void dropOnStrand(FinalCommit commit, base::SteadyTime deadline, base::Completion<void> done);
  void giveUpCache();
  void reportIdle();
  const protocol::SubscriptionData* subscription();
  base::Ref<ProcessQueue> self() noexcept { return base::Ref<ProcessQueue>(this); }
  std::string where() const;  // "group g, topic/broker/0" for log lines

  const base::Ref<ConsumerContext> context_;
  const MessageQueue queue_;
  base::Strand strand_;

  // strand only
  base::Ref<base::Object> owner_alive_;
  QueueOwner* owner_;
  State state_ = State::kBorn;
  bool draining_ = false;
  base::Completion<void> idle_;  // of drain(), until it is
  bool started_reported_ = false;
  bool in_flight_ = false;                   // a pull is under way
  bool pulled_before_ = false;               // not the first pull
  std::optional<std::int64_t> pull_commit_;  // the offset that pull commits
  std::int64_t pull_broker_ = 0;             // the id it went to
  std::int64_t suggested_broker_ = 0;        // whom the last answer told to ask next
  base::SteadyTime pulled_at_{};
  std::int64_t next_offset_ = 0;
  std::size_t expected_bytes_ = 0;            // of context_->cached_bytes, for the pull under way
  std::size_t answer_bytes_ = kPullBytesMax;  // of the last answer with messages: what the next may bring
  EmptyBackoff empty_backoff_;
  MessageCache cache_;
  std::size_t handed_out_ = 0;  // invocations that have not settled
  std::deque<Redelivery> redeliveries_;
  bool commit_in_flight_ = false;
  PullAnswer pull_answer_;
  base::FunctionTimer timer_;
  base::FunctionTimer redelivery_timer_;
  base::FunctionTimer commit_timer_;
  std::shared_ptr<const Subscriptions> subscriptions_;
  std::uint64_t subscriptions_version_ = 0;

  // written in the strand, read by progress()
  std::atomic<bool> dropped_{false};
  std::atomic<std::int64_t> min_offset_{-1};
  std::atomic<std::int64_t> max_offset_{-1};
  std::atomic<std::int64_t> consumed_{-1};   // committable; -1: the start offset is not known
  std::atomic<std::int64_t> committed_{-1};  // confirmed by the broker
  std::atomic<std::size_t> cached_{0};
  std::atomic<const char*> why_{"new"};
  mutable base::Mutex why_mutex_;
  std::string why_error_ MQ_GUARDED_BY(why_mutex_);  // shown while backing off
};

}  // namespace mqclient::consumer
