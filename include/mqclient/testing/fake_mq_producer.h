#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mqclient/default_mq_producer.h"
#include "mqclient/testing/at_once.h"

namespace mqclient {
inline namespace v1 {

/// Who ends the sends of a FakeMQProducer.
enum class FakeCompletion {
  kAuto,    ///< each succeeds at once
  kByHand,  ///< it stays pending until completeNext() or errorNext(): for what happens in between
};

/// A producer without a broker: it remembers what was sent and answers as told. For the tests of code that takes an
/// MQProducer&.
///
///   FakeMQProducer producer(FakeCompletion::kByHand);
///   Future<SendResult> sent = shop.placeAsync(producer, "42");
///   EXPECT_FALSE(sent.isReady());
///   producer.errorNext(Error(ErrorCode::kTimeout, "too late", 0, Applied::kUnknown));
///   EXPECT_THAT(std::move(sent).get(), IsError(ErrorCode::kTimeout));
///
/// Shape    Every topic has four queues of broker fake-broker unless setQueues() says otherwise; without a selector
///          they are taken in turn. Offsets of a queue rise by one. Message ids are those set, else FAKE1, FAKE2, ...
///          Retries and time limits do not exist. Names and sizes are not checked: a MockCluster does that.
/// Errors   kClosed after close, kNoRoute for a topic without queues; a selector as with the real one.
/// Threads  any. A callback runs at once: inside then(), completeNext(), errorNext() or close.
class FakeMQProducer : public MQProducer {
 public:
  enum class Way { kSend, kBatch, kOneway };
  /// One message that was accepted.
  struct Sent {
    Message message;
    MessageQueue messageQueue;
    std::int64_t queueOffset{};
    SendOptions options{};
    Way way{};
    std::size_t call{};  ///< of which call, counted from 0: the messages of a batch share it
  };

  explicit FakeMQProducer(FakeCompletion completion = FakeCompletion::kAuto) : completion_(completion) {}
  /// What is pending ends with kClosed.
  ~FakeMQProducer() override { FakeMQProducer::closeAsync(Millis{0}).detach(); }
  FakeMQProducer(const FakeMQProducer&) = delete;
  FakeMQProducer& operator=(const FakeMQProducer&) = delete;

  // ---- what the test says

  /// The queues of a topic from now on; none: sends fail with kNoRoute.
  void setQueues(const std::string& topic, std::vector<MessageQueue> queues) {
    const std::lock_guard lock(mutex_);
    queues_.insert_or_assign(topic, std::move(queues));
  }
  /// Ends the oldest pending send as stored. False: none is pending.
  bool completeNext() {
    return endNext([](SendResult stored) { return Result<SendResult>(std::move(stored)); });
  }
  /// Ends the oldest pending send with `error`, which gets the message's id. False: none is pending.
  bool errorNext(const Error& error) {
    return endNext([&](const SendResult& stored) { return Result<SendResult>(Error(error).withMsgId(stored.msgId)); });
  }

  // ---- what the test sees

  /// Every message accepted so far, in order, whatever became of it.
  std::vector<Sent> sent() const {
    const std::lock_guard lock(mutex_);
    return sent_;
  }
  /// The same, the messages alone: EXPECT_THAT(producer.messages(), ElementsAre(HasKey("42"))).
  std::vector<Message> messages() const {
    const std::lock_guard lock(mutex_);
    std::vector<Message> all;
    for (const Sent& one : sent_) all.push_back(one.message);
    return all;
  }
  /// Sends that wait for completeNext() or errorNext().
  std::size_t pending() const {
    const std::lock_guard lock(mutex_);
    return pending_.size();
  }
  bool closed() const {
    const std::lock_guard lock(mutex_);
    return close_report_.has_value();
  }
  /// Forgets what was sent; what is pending stays pending.
  void clear() {
    const std::lock_guard lock(mutex_);
    sent_.clear();
  }

  // ---- MQProducer

  Future<void> ready() override { return readyAtOnce<void>({}); }

  /// Nothing is waited for: what is pending ends with kClosed and counts as abandoned.
  Future<CloseReport> closeAsync(Millis /*wait*/ = Millis{10000}) override {
    std::deque<Pending> left;
    CloseReport report;
    {
      const std::lock_guard lock(mutex_);
      left.swap(pending_);
      if (!close_report_) close_report_.emplace().abandoned = left.size();
      report = *close_report_;
    }
    for (Pending& one : left) {
      one.answer.set(
          Error(ErrorCode::kClosed, "the producer was closed while the send was pending", 0, Applied::kUnknown)
              .withMsgId(one.stored.msgId));
    }
    releaseFlushes();
    return readyAtOnce<CloseReport>(std::move(report));
  }

  Health health() const override { return {}; }
  std::string clientId() const override { return "fake@producer"; }

  /// Completes when everything accepted so far has completed; with kAuto at once.
  Future<void> flush() override {
    Promise<void> promise = promiseAtOnce<void>();
    Future<void> done = promise.future();
    {
      const std::lock_guard lock(mutex_);
      flushes_.push_back({calls_, std::move(promise)});
    }
    releaseFlushes();
    return done;
  }
  /// There is always room.
  Future<void> writable() override { return readyAtOnce<void>({}); }

  Future<SendResult> doSend(Message message, std::optional<MessageQueueSelector> selector,
                            SendOptions options) override {
    return accept(one(std::move(message)), std::move(selector), options, Way::kSend);
  }
  Future<SendResult> doSendBatch(std::vector<Message> messages, SendOptions options) override {
    return accept(std::move(messages), std::nullopt, options, Way::kBatch);
  }
  /// Nothing is ever pending of it.
  Result<void> doSendOneway(Message message, std::optional<MessageQueueSelector> selector) override {
    const Result<SendResult> stored = take(one(std::move(message)), std::move(selector), {}, Way::kOneway, nullptr);
    if (!stored) return stored.error();
    return {};
  }
  Future<std::vector<MessageQueue>> doFetchPublishMessageQueues(std::string topic) override {
    return readyAtOnce<std::vector<MessageQueue>>(queuesOf(topic));
  }

 private:
  static constexpr int kQueuesPerTopic = 4;
  static constexpr const char* kBroker = "fake-broker";

  struct Pending {
    SendResult stored;
    std::size_t call;
    Promise<SendResult> answer;
  };
  struct Flush {
    std::size_t calls;  // those before it
    Promise<void> done;
  };

  static Error isClosed() { return Error(ErrorCode::kClosed, "the producer is closed"); }

  static std::vector<Message> one(Message message) {
    std::vector<Message> list;
    list.push_back(std::move(message));
    return list;
  }

  Result<std::vector<MessageQueue>> queuesOf(const std::string& topic) {
    const std::lock_guard lock(mutex_);
    if (close_report_) return isClosed();
    auto known = queues_.find(topic);
    if (known == queues_.end()) {
      std::vector<MessageQueue> fresh;
      for (int i = 0; i < kQueuesPerTopic; ++i) fresh.emplace_back(topic, kBroker, i);
      known = queues_.emplace(topic, std::move(fresh)).first;
    }
    if (known->second.empty()) return Error(ErrorCode::kNoRoute, "the test gave topic " + topic + " no queues");
    return known->second;
  }

  /// User code, so not under the lock.
  static Result<MessageQueue> select(MessageQueueSelector& selector, Queues queues, const Message& message) {
    if (const MessageQueue* fixed = selector.messageQueue()) return *fixed;
    try {
      const std::size_t index = selector(queues, message);
      if (index < queues.size()) return queues[index];
      return Error(ErrorCode::kInvalidArgument,
                   "the selector chose queue " + std::to_string(index) + " of " + std::to_string(queues.size()));
    } catch (...) {
      return detail::errorOfException(std::current_exception());
    }
  }

  /// `pending`: what is to be ended by hand; null: nothing.
  Result<SendResult> take(std::vector<Message> messages, std::optional<MessageQueueSelector> selector,
                          SendOptions options, Way way, Promise<SendResult>* pending) {
    if (messages.empty()) return Error(ErrorCode::kInvalidArgument, "the batch is empty");
    const Result<std::vector<MessageQueue>> queues = queuesOf(messages.front().topic());
    if (!queues) return queues.error();
    std::optional<MessageQueue> chosen;
    if (selector) {
      Result<MessageQueue> selected = select(*selector, *queues, messages.front());
      if (!selected) return std::move(selected).error();
      chosen = *std::move(selected);
    }

    const std::lock_guard lock(mutex_);
    if (close_report_) return isClosed();
    if (!chosen) chosen = (*queues)[turn_++ % queues->size()];
    std::int64_t& next_offset = offsets_[*chosen];
    SendResult stored{.messageQueue = chosen, .queueOffset = next_offset};
    stored.brokersTried.push_back(chosen->brokerName());
    for (Message& message : messages) {
      if (message.property("UNIQ_KEY").empty()) message.setMsgId("FAKE" + std::to_string(++ids_));
      const std::string id(message.property("UNIQ_KEY"));
      stored.msgId += (stored.msgId.empty() ? "" : ",") + id;
      if (way == Way::kBatch) stored.batchMsgIds.push_back(id);
      sent_.push_back({std::move(message), *chosen, next_offset++, options, way, calls_});
    }
    if (pending != nullptr) pending_.push_back({stored, calls_, std::move(*pending)});
    ++calls_;
    return stored;
  }

  Future<SendResult> accept(std::vector<Message> messages, std::optional<MessageQueueSelector> selector,
                            SendOptions options, Way way) {
    Promise<SendResult> answer = promiseAtOnce<SendResult>();
    Future<SendResult> future = answer.future();
    const bool by_hand = completion_ == FakeCompletion::kByHand;
    Result<SendResult> stored =
        take(std::move(messages), std::move(selector), options, way, by_hand ? &answer : nullptr);
    if (!stored || !by_hand) answer.set(std::move(stored));
    return future;
  }

  /// Callbacks are user code: they run here, after the lock is gone.
  template <class Outcome>
  bool endNext(Outcome outcome) {
    std::optional<Pending> next;
    {
      const std::lock_guard lock(mutex_);
      if (pending_.empty()) return false;
      next.emplace(std::move(pending_.front()));
      pending_.pop_front();
    }
    next->answer.set(outcome(std::move(next->stored)));
    releaseFlushes();
    return true;
  }

  void releaseFlushes() {
    std::vector<Promise<void>> done;
    {
      const std::lock_guard lock(mutex_);
      const std::size_t oldest = pending_.empty() ? calls_ : pending_.front().call;
      while (!flushes_.empty() && flushes_.front().calls <= oldest) {
        done.push_back(std::move(flushes_.front().done));
        flushes_.pop_front();
      }
    }
    for (Promise<void>& one : done) one.set({});
  }

  const FakeCompletion completion_;
  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, std::vector<MessageQueue>> queues_;
  std::map<MessageQueue, std::int64_t> offsets_;  // the next one
  std::vector<Sent> sent_;
  std::deque<Pending> pending_;
  std::deque<Flush> flushes_;
  std::optional<CloseReport> close_report_;  // since close
  std::size_t calls_ = 0;
  std::size_t turn_ = 0;
  std::size_t ids_ = 0;
};

}  // namespace v1
}  // namespace mqclient
