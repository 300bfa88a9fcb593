#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "mqclient/default_mq_push_consumer.h"
#include "mqclient/testing/at_once.h"

namespace mqclient {
inline namespace v1 {

/// What a listener said about the messages it was given.
struct FakeDelivery {
  /// An error: it threw (kUserCode), its Future failed, or the messages were not given to it at all; see deliver().
  Result<ConsumeConcurrentlyStatus> status;
  std::vector<std::size_t> finished{};  ///< which of the messages are done, ascending
  std::vector<std::size_t> again{};     ///< the others: a broker would give them again
};

/// A push consumer without a broker: the test hands messages to the listener and hears what it said. For listeners, and
/// for code that takes an MQPushConsumer&.
///
///   FakeMQPushConsumer consumer({{"orders"}}, billing.listener());
///   EXPECT_THAT(consumer.deliver({MessageExtBuilder("orders").setBody("{}").build()}).finished, ElementsAre(0));
///   EXPECT_TRUE(consumer.close().complete());
///
/// Shape    A queue is this consumer's from its first message on; what was finished counts as the real consumer counts
///          it: progress() and commits stand at the lowest message that is not.
/// Threads  any; the listener runs inside deliver(), on its thread, callbacks inside then().
class FakeMQPushConsumer : public MQPushConsumer {
 public:
  FakeMQPushConsumer(std::vector<Subscription> subscriptions, MessageListener listener)
      : listener_(std::move(listener)) {
    for (Subscription& one : subscriptions) {
      const std::string topic = one.topic;
      subscriptions_.insert_or_assign(topic, std::move(one));
    }
  }
  FakeMQPushConsumer(const FakeMQPushConsumer&) = delete;
  FakeMQPushConsumer& operator=(const FakeMQPushConsumer&) = delete;

  // ---- what the test does and sees

  /// Gives `messages` to the listener as one batch, in their order, and answers what it said. A coroutine is waited
  /// for. Not given to it (`again` names all of them): kClosed after close; kInvalidArgument while suspended, for no
  /// message, more than one queue, or a topic that is not subscribed. Tags are not filtered: give it what shall come.
  FakeDelivery deliver(std::vector<MessageExt> messages) {
    if (std::optional<Error> refused = enter(messages)) {
      FakeDelivery nothing{std::move(*refused)};
      for (std::size_t i = 0; i < messages.size(); ++i) nothing.again.push_back(i);
      return nothing;
    }
    const MessageQueue queue = messages.front().messageQueue();
    ConsumeConcurrentlyContext context(queue);
    FakeDelivery said{ask(messages, context)};
    for (std::size_t i = 0; i < messages.size(); ++i) {
      (finished(said.status, context, i) ? said.finished : said.again).push_back(i);
    }
    leave(queue, messages, said);
    return said;
  }
  FakeDelivery deliver(const MessageExt& message) { return deliver(std::vector<MessageExt>{message}); }

  std::vector<Subscription> subscriptions() const {
    const std::lock_guard lock(mutex_);
    std::vector<Subscription> all;
    for (const auto& [topic, one] : subscriptions_) all.push_back(one);
    return all;
  }
  bool suspended() const {
    const std::lock_guard lock(mutex_);
    return suspended_;
  }
  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closing_;
  }
  /// What commit() or close confirmed last; -1: nothing yet.
  std::int64_t committedOffset(const MessageQueue& queue) const {
    const std::lock_guard lock(mutex_);
    const auto known = queues_.find(queue);
    return known == queues_.end() ? -1 : known->second.committed;
  }

  // ---- MQPushConsumer

  Future<void> ready() override { return readyAtOnce<void>({}); }

  /// Completes when no deliver() is under way; commits first. What was delivered and never finished counts as
  /// abandoned. No time passes in a fake, so the listener is waited for however long it takes.
  Future<CloseReport> closeAsync(Millis /*wait*/ = Millis{10000}) override {
    Promise<CloseReport> promise = promiseAtOnce<CloseReport>();
    Future<CloseReport> report = promise.future();
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      closes_.push_back(std::move(promise));
    }
    endIfIdle();
    return report;
  }

  Health health() const override { return {}; }
  std::string clientId() const override { return "fake@consumer"; }

  Result<void> subscribe(Subscription subscription) override {
    const std::lock_guard lock(mutex_);
    if (closing_) return isClosed();
    const std::string topic = subscription.topic;
    subscriptions_.insert_or_assign(topic, std::move(subscription));
    return {};
  }
  Result<void> unsubscribe(std::string topic) override {
    const std::lock_guard lock(mutex_);
    if (closing_) return isClosed();
    subscriptions_.erase(topic);
    std::erase_if(queues_, [&](const auto& queue) { return queue.first.topic() == topic; });
    return {};
  }
  void suspend() override {
    const std::lock_guard lock(mutex_);
    suspended_ = true;
  }
  void resume() override {
    const std::lock_guard lock(mutex_);
    suspended_ = false;
  }
  Future<void> commit() override {
    const std::lock_guard lock(mutex_);
    if (closing_) return readyAtOnce<void>(isClosed());
    commitAll();
    return readyAtOnce<void>({});
  }
  Result<void> seek(const MessageQueue& queue, std::int64_t offset) override {
    const std::lock_guard lock(mutex_);
    if (closing_) return isClosed();
    const auto known = queues_.find(queue);
    if (known == queues_.end()) {
      return Error(ErrorCode::kInvalidArgument, queue.toString() + " is not a queue of this consumer");
    }
    known->second.unfinished.clear();
    known->second.next = offset;
    return {};
  }
  std::vector<QueueProgress> progress() const override {
    const std::lock_guard lock(mutex_);
    std::vector<QueueProgress> all;
    for (const auto& [where, queue] : queues_) {
      QueueProgress one{where};
      one.consumed = queue.consumed();
      one.committed = queue.committed;
      one.cached = static_cast<std::int64_t>(queue.unfinished.size());
      one.paused = suspended_;
      one.why = suspended_ ? "suspended" : "waiting for deliver()";
      all.push_back(std::move(one));
    }
    return all;
  }
  /// This consumer is alone in its group.
  RebalanceReport explain(std::string_view topic) const override {
    const std::lock_guard lock(mutex_);
    RebalanceReport report;
    report.strategy = "FAKE";
    report.self = clientId();
    report.members.push_back(report.self);
    for (const auto& [where, queue] : queues_) {
      if (where.topic() == topic) report.rows.push_back({where, report.self, "the test delivered from it"});
    }
    return report;
  }

 protected:
  bool insideOwnCallback() const noexcept override {
    const std::lock_guard lock(mutex_);
    return delivering_.contains(std::this_thread::get_id());
  }

 private:
  struct Queue {
    std::set<std::int64_t> unfinished;  // with the listener now, or to come again
    std::int64_t next = 0;              // behind the highest delivered one
    std::int64_t committed = -1;
    std::int64_t consumed() const { return unfinished.empty() ? next : *unfinished.begin(); }
  };

  static Error isClosed() { return Error(ErrorCode::kClosed, "the consumer is closed"); }

  std::optional<Error> enter(const std::vector<MessageExt>& messages) {
    const std::lock_guard lock(mutex_);
    if (closing_) return isClosed();
    const auto refuse = [](std::string why) { return Error(ErrorCode::kInvalidArgument, "not delivered: " + why); };
    if (suspended_) return refuse("the consumer is suspended");
    if (messages.empty()) return refuse("there is no message");
    const MessageQueue queue = messages.front().messageQueue();
    for (const MessageExt& message : messages) {
      if (message.messageQueue() != queue) {
        return refuse("a batch comes from one queue, not from " + queue.toString() + " and " +
                      message.messageQueue().toString());
      }
    }
    if (!subscriptions_.contains(std::string(messages.front().topic()))) {
      return refuse("topic " + std::string(messages.front().topic()) + " is not subscribed");
    }
    Queue& taken = queues_[queue];
    for (const MessageExt& message : messages) {
      taken.unfinished.insert(message.queueOffset());
      taken.next = std::max(taken.next, message.queueOffset() + 1);
    }
    delivering_.insert(std::this_thread::get_id());
    return std::nullopt;
  }

  Result<ConsumeConcurrentlyStatus> ask(Messages messages, ConsumeConcurrentlyContext& context) {
    if (!listener_.concurrent()) return Error(ErrorCode::kInvalidArgument, "the consumer was given no listener");
    try {
      detail::ConcurrentAnswer answer = listener_.concurrent()->consume(messages, context);
      if (auto* later = std::get_if<Future<ConsumeConcurrentlyStatus>>(&answer)) return std::move(*later).get();
      return std::get<ConsumeConcurrentlyStatus>(answer);
    } catch (...) {
      return detail::errorOfException(std::current_exception());
    }
  }

  static bool finished(const Result<ConsumeConcurrentlyStatus>& status, const ConsumeConcurrentlyContext& context,
                       std::size_t i) {
    if (!status || *status != ConsumeConcurrentlyStatus::CONSUME_SUCCESS) return false;
    if (context.ackIndex < 0 || i > static_cast<std::size_t>(context.ackIndex)) return false;
    return std::find(context.again().begin(), context.again().end(), i) == context.again().end();
  }

  void leave(const MessageQueue& where, const std::vector<MessageExt>& messages, const FakeDelivery& said) {
    {
      const std::lock_guard lock(mutex_);
      delivering_.erase(delivering_.find(std::this_thread::get_id()));
      drained_ += closing_ ? said.finished.size() : 0;
      const auto queue = queues_.find(where);
      if (queue != queues_.end()) {  // else unsubscribed meanwhile
        for (std::size_t i : said.finished) queue->second.unfinished.erase(messages[i].queueOffset());
      }
    }
    endIfIdle();
  }

  void commitAll() {
    for (auto& [where, queue] : queues_) queue.committed = queue.consumed();
  }

  /// Completes every close asked for so far, outside the lock.
  void endIfIdle() {
    std::vector<Promise<CloseReport>> closes;
    CloseReport report;
    {
      const std::lock_guard lock(mutex_);
      if (!closing_ || !delivering_.empty()) return;
      commitAll();
      closes.swap(closes_);
      report.drained = drained_;
      for (const auto& [where, queue] : queues_) report.abandoned += queue.unfinished.size();
    }
    for (Promise<CloseReport>& one : closes) one.set(report);
  }

  MessageListener listener_;
  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, Subscription> subscriptions_;
  std::map<MessageQueue, Queue> queues_;
  std::multiset<std::thread::id> delivering_;  // a thread may deliver inside its own listener
  std::vector<Promise<CloseReport>> closes_;
  bool suspended_ = false;
  bool closing_ = false;
  std::size_t drained_ = 0;
};

}  // namespace v1
}  // namespace mqclient
