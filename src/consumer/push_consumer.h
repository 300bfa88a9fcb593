#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/completion.h"
#include "base/mutex.h"
#include "base/strand.h"
#include "base/timer.h"
#include "client/mq_client_instance.h"
#include "consumer/consumer_context.h"
#include "consumer/process_queue.h"
#include "mqclient/default_mq_push_consumer.h"
#include "rebalance/rebalance_loop.h"

namespace mqclient::consumer {

/// The member of a group behind a DefaultMQPushConsumer: subscriptions, the share of queues, the steps of starting and
/// closing.
///
/// Owner     the facade, and what runs for it; it lets go of the instance and of its queues in its last step.
/// Steps     kStarting → kRunning → kDraining (pulls stopped, the listener finishes what is cached) → kCommitting
/// (queues
///           given up, answered commits) → kUnregistering → kClosed. One function per step; the deadline of each is set
///           when closing begins.
/// Threads   public members from any thread; strand_ guards the rest, mutex_ the table of queues for readers.
/// Source    DefaultMQPushConsumerImpl.java
class PushConsumer final : public rebalance::RebalanceTarget, private QueueOwner {
 public:
  PushConsumer(client::InstanceLease lease, base::Ref<ConsumerContext> context);
  ~PushConsumer() override;

  ConsumerContext& context() const noexcept { return *context_; }
  client::MQClientInstance& instance() const noexcept { return *context_->instance; }

  /// Registers the group, asks for routes, tells the brokers, takes the first share. Completes when that much is done
  /// (or `wait` has passed: the rest then goes on), or with what makes starting pointless: no nameserver answers
  /// (kNoNameServer), the group is registered on this instance already. Zero `wait`: completes at once.
  void start(base::Millis wait, base::Completion<void> done);
  void ready(base::Completion<void> done);

  Result<void> subscribe(const Subscription& subscription);
  Result<void> unsubscribe(const std::string& topic);
  void suspend();
  void resume();
  void commit(base::Completion<void> done);
  Result<void> seek(const MessageQueue& queue, std::int64_t offset);
  std::vector<QueueProgress> progress() const;
  RebalanceReport explain(std::string_view topic) const { return loop_.explain(topic); }
  void close(base::Millis wait, base::Completion<CloseReport> done);

 private:
  enum class Step { kStarting, kRunning, kDraining, kCommitting, kUnregistering, kClosed };
  class Hooks;

  // starting
  void startOnStrand(base::Millis wait, base::Completion<void> done);
  void onFirstRoute(Result<client::RoutePtr> route);
  void registerAndTell();
  void onFirstHeartbeat();
  void startIsLate();
  void startEnded(Result<void> result);
  void askWhetherReady();
  void becomeReady();

  // what the instance tells (through Hooks, in any strand)
  void onMembersChanged() noexcept;
  void onRoutesChanged() noexcept;
  void onBrokerConnected(const std::string& broker_name) noexcept;
  /// Heartbeats to all brokers, then a rebalance.
  void tellThenRebalance();

  // RebalanceTarget, in the strand
  std::vector<std::string> topics() override;
  std::optional<std::vector<MessageQueue>> queuesOf(const std::string& topic) override;
  void askMembers(const std::string& topic, base::Completion<std::vector<std::string>> done) override;
  void onAssigned(const std::string& topic, const std::vector<MessageQueue>& added,
                  rebalance::PreviousOwner previous) override;
  void onRevoked(const std::string& topic, const std::vector<MessageQueue>& removed) override;
  void onRunEnded(bool balanced) override;
  void onDiverged(const std::string& topic, const std::string& what) override;

  // QueueOwner, in a queue's strand
  void onQueueStarted() noexcept override;
  void onOffsetIllegal(const MessageQueue& queue, std::int64_t offset) noexcept override;
  void onNotRegistered() noexcept override;

  // queues, in the strand
  void addQueue(const MessageQueue& queue, base::Millis delay, std::optional<std::int64_t> offset);
  void giveUp(const std::string& topic, const std::vector<MessageQueue>& queues, base::Completion<void> done);
  /// Out of the table; `done` with the answer to its last commit.
  void removeQueue(const MessageQueue& queue, base::Completion<void> done);
  enum class Move { kSeek, kCorrection };
  void moveQueue(const MessageQueue& queue, std::int64_t offset, Move why);
  void beginMoved(const MessageQueue& queue, const base::Ref<ProcessQueue>& old);
  /// The last step of a period: its own last commit, or of where the queue was being moved to. One that fails while we
  /// close is reported before `done`.
  void endPeriod(const base::Ref<ProcessQueue>& queue, base::SteadyTime deadline, base::Completion<void> done);
  /// The last commits of an unsubscribed topic are answered.
  void left(const std::string& topic);
  std::vector<base::Ref<ProcessQueue>> queues() const;
  void heartbeat();

  // closing, in the strand
  void closeOnStrand(base::Millis wait, base::Completion<CloseReport> done);
  void queueIdle();
  void drained();
  void commitEnded();
  void committed();
  void unregistered();
  void closed();
  base::SteadyTime lastStepsDeadline() const noexcept;

  base::Ref<PushConsumer> self() noexcept { return base::Ref<PushConsumer>(this); }
  template <class F>
  void post(F f) {
    strand_.post(base::Ref<base::Object>(this), std::move(f));
  }

  const base::Ref<ConsumerContext> context_;
  base::Strand strand_;
  base::Mutex subscribe_mutex_;  // one subscribe or unsubscribe at a time: read, change, publish
  bool subscriptions_closed_ MQ_GUARDED_BY(subscribe_mutex_) = false;
  std::int64_t sub_version_ MQ_GUARDED_BY(subscribe_mutex_) = 0;

  mutable base::Mutex mutex_;
  std::map<MessageQueue, base::Ref<ProcessQueue>> queues_ MQ_GUARDED_BY(mutex_);  // written in the strand

  // strand only
  client::InstanceLease lease_;
  Step step_ = Step::kStarting;
  rebalance::RebalanceLoop loop_;
  base::Ref<client::ConsumerHooks> hooks_;
  std::set<std::string, std::less<>> watched_;
  std::multiset<std::string, std::less<>> leaving_;  // unsubscribed, still watched: last commits need their routes
  /// Queues between two periods, and where the new one is to begin: the old one has not taken its last step yet.
  struct Moving {
    base::Ref<ProcessQueue> from;
    std::int64_t offset;
  };
  std::map<MessageQueue, Moving> moving_;
  std::size_t asks_ = 0;  // counts member questions, to try brokers in turn after failures

  base::Completion<void> start_done_;
  base::FunctionTimer start_timer_;
  std::size_t first_routes_left_ = 0;
  bool nameserver_answered_ = false;
  bool start_is_late_ = false;  // startTimeout has passed
  std::optional<Error> first_route_error_;
  bool first_run_ended_ = false;
  std::size_t queues_starting_ = 0;
  bool ready_ = false;
  bool asking_ready_ = false;
  std::vector<base::Completion<void>> ready_waiters_;

  base::SteadyTime closing_since_{};
  base::SteadyTime close_deadline_{};
  base::FunctionTimer drain_timer_;
  std::size_t draining_left_ = 0;
  std::size_t committing_left_ = 0;
  CloseReport report_;
  std::vector<base::Completion<CloseReport>> close_waiters_;
};

}  // namespace mqclient::consumer
