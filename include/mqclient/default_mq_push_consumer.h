#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "mqclient/allocate_message_queue_strategy.h"
#include "mqclient/client.h"
#include "mqclient/export.h"
#include "mqclient/rebalance_report.h"

namespace mqclient {
inline namespace v1 {

/// Which messages of a topic are wanted. All members of a group must ask for the same (the broker keeps one answer per
/// group).
class MQCLIENT_EXPORT MessageSelector {
 public:
  static MessageSelector all();
  /// "paid || refunded": any of these tags. "*": all. Checked by start and subscribe.
  static MessageSelector byTag(std::string expression);

  const std::string& expression() const noexcept { return expression_; }

 private:
  explicit MessageSelector(std::string expression) : expression_(std::move(expression)) {}
  std::string expression_;
};
MQCLIENT_EXPORT MessageSelector byTag(std::string expression);

struct Subscription {
  Subscription(std::string topic_name, MessageSelector which = MessageSelector::all())
      : topic(std::move(topic_name)), selector(std::move(which)) {}

  std::string topic;
  MessageSelector selector;
};

/// ConsumeConcurrentlyStatus.java
enum class ConsumeConcurrentlyStatus {
  CONSUME_SUCCESS,
  RECONSUME_LATER,  ///< give them again later
};

/// What a listener is told, and may say, about its batch.
struct MQCLIENT_EXPORT ConsumeConcurrentlyContext {
  explicit ConsumeConcurrentlyContext(const MessageQueue& queue) noexcept : messageQueue(queue) {}

  const MessageQueue& messageQueue;
  /// With CONSUME_SUCCESS: messages 0..ackIndex are done, the others are given again later. -1: none is done.
  int ackIndex{INT32_MAX};
  /// With CONSUME_SUCCESS: this one of the batch, not only a suffix, is given again later. Beyond the batch: ignored.
  void reconsumeLater(std::size_t index) { again_.push_back(index); }

  const std::vector<std::size_t>& again() const noexcept { return again_; }

 private:
  std::vector<std::size_t> again_;
};

/// A listener as an object; MessageListenerConcurrently is Java's.
template <class Context, class Status>
class ListenerOf {
 public:
  virtual ~ListenerOf() = default;
  virtual Status consumeMessage(Messages messages, Context& context) = 0;
};
using MessageListenerConcurrently = ListenerOf<ConsumeConcurrentlyContext, ConsumeConcurrentlyStatus>;

template <class F, class Context, class Status>
concept Listens = std::is_invocable_r_v<Status, F&, Messages, Context&> ||
    std::is_invocable_r_v<Future<Status>, F&, Messages, Context&>;

namespace detail {
using ConcurrentAnswer = std::variant<ConsumeConcurrentlyStatus, Future<ConsumeConcurrentlyStatus>>;

class ConcurrentListener {
 public:
  virtual ~ConcurrentListener() = default;
  virtual ConcurrentAnswer consume(Messages messages, ConsumeConcurrentlyContext& context) = 0;
};

template <class F>
class ConcurrentListenerFunction final : public ConcurrentListener {
 public:
  explicit ConcurrentListenerFunction(F&& f) : f_(std::move(f)) {}
  ConcurrentAnswer consume(Messages messages, ConsumeConcurrentlyContext& context) override {
    return ConcurrentAnswer(f_(messages, context));
  }

 private:
  F f_;
};
}  // namespace detail

/// Your code for messages: a callable (messages, context) -> status, a coroutine or other callable that returns
/// Future<status>, or an object of the interface. Runs on listener threads, up to consumeThreadMax at a time; several
/// queues of one topic at once. A throw counts as RECONSUME_LATER and is logged with the message id. It lives until no
/// call of it runs. A coroutine's messages and context stay valid until its Future completes.
class MQCLIENT_EXPORT MessageListener {
 public:
  template <std::derived_from<MessageListenerConcurrently> L>
  MessageListener(std::shared_ptr<L> listener) {
    if (!listener) return;  // start says so
    auto call = [kept = std::move(listener)](Messages m, ConsumeConcurrentlyContext& c) {
      return kept->consumeMessage(m, c);
    };
    concurrent_ = std::make_shared<detail::ConcurrentListenerFunction<decltype(call)>>(std::move(call));
  }
  template <Listens<ConsumeConcurrentlyContext, ConsumeConcurrentlyStatus> F>
  MessageListener(F listener)
      : concurrent_(std::make_shared<detail::ConcurrentListenerFunction<F>>(std::move(listener))) {}

  /// For the library.
  const std::shared_ptr<detail::ConcurrentListener>& concurrent() const noexcept { return concurrent_; }

 private:
  std::shared_ptr<detail::ConcurrentListener> concurrent_;
};

/// Where a group begins in a queue for which the broker has no offset of it. ConsumeFromWhere.java
class MQCLIENT_EXPORT ConsumeFromWhere {
 public:
  enum class Kind { kLastOffset, kFirstOffset, kTimestamp };

  /// At the end (a queue so young that it begins at 0 is read from there). The default, as Java's.
  static ConsumeFromWhere CONSUME_FROM_LAST_OFFSET() noexcept { return ConsumeFromWhere(Kind::kLastOffset, {}); }
  static ConsumeFromWhere CONSUME_FROM_FIRST_OFFSET() noexcept { return ConsumeFromWhere(Kind::kFirstOffset, {}); }
  /// At the first message stored at or after `time`.
  static ConsumeFromWhere CONSUME_FROM_TIMESTAMP(WallTime time) noexcept {
    return ConsumeFromWhere(Kind::kTimestamp, time);
  }

  Kind kind() const noexcept { return kind_; }
  WallTime timestamp() const noexcept { return timestamp_; }

 private:
  ConsumeFromWhere(Kind kind, WallTime timestamp) noexcept : kind_(kind), timestamp_(timestamp) {}
  Kind kind_;
  WallTime timestamp_;
};

/// Defaults and ranges are DefaultMQPushConsumer.java's unless the line says otherwise.
struct PushConsumerOptions {
  ConsumeFromWhere consumeFromWhere{ConsumeFromWhere::CONSUME_FROM_LAST_OFFSET()};
  int consumeThreadMax{20};              ///< invocations of the listener at a time, 1..1000; threads are made as needed
  int consumeMessageBatchMaxSize{1};     ///< messages per invocation at most, 1..1024
  int pullBatchSize{32};                 ///< messages per pull at most, 1..1024
  int pullThresholdForQueue{1000};       ///< cached messages per queue at which pulling pauses, 1..65535
  int pullThresholdSizeForQueue{100};    ///< the same in MiB of body, 1..1024
  int consumeConcurrentlyMaxSpan{2000};  ///< pulling pauses while the newest cached message of a queue is so far ahead
                                         ///< of the oldest unfinished one, 1..65535
  /// Bytes that all queues of the consumer cache together at most: what comes beyond is not kept, and pulled again when
  /// there is room. An answer of more than half of it may exceed it. (Java: none)
  std::size_t cachedBytesMax{256u << 20};
  Millis pullInterval{0};  ///< between two pulls of one queue, 0..65535
  /// None: averagely. All members of the group must use the same.
  std::shared_ptr<const AllocateMessageQueueStrategy> allocateMessageQueueStrategy{};
};

/// How far this consumer is in one of its queues.
struct QueueProgress {
  MessageQueue messageQueue;
  std::int64_t minOffset{-1};  ///< of the broker, at the last pull answer; -1: none yet
  std::int64_t maxOffset{-1};
  std::int64_t consumed{-1};   ///< every message below is finished
  std::int64_t committed{-1};  ///< confirmed by the broker
  std::int64_t cached{0};      ///< messages here that are not finished
  bool paused{false};
  std::string why{};  ///< what the queue is doing: "waiting for messages", "cache full", ...
};

/// Receives messages of its group's share of the queues. Threads: any.
class MQCLIENT_EXPORT MQPushConsumer : public MQClient {
 public:
  /// While running: queues arrive with the next rebalance, begun at once. A topic subscribed already: its selector is
  /// replaced. kInvalidArgument, kClosed.
  virtual Result<void> subscribe(Subscription subscription) = 0;
  /// Stops pulling the topic's queues and commits them. What is cached is dropped and comes to other members.
  virtual Result<void> unsubscribe(std::string topic) = 0;

  /// No more pulls; what is cached still arrives. The group's shares stay as they are.
  virtual void suspend() = 0;
  virtual void resume() = 0;

  /// Commits what is finished now and completes with the brokers' answers (the periodic commits go on besides).
  virtual Future<void> commit() = 0;
  /// The queue's next message is the one at `offset`; what is cached of it is dropped and its running results are void.
  /// kInvalidArgument: not a queue of ours.
  virtual Result<void> seek(const MessageQueue& queue, std::int64_t offset) = 0;

  virtual std::vector<QueueProgress> progress() const = 0;
  virtual RebalanceReport explain(std::string_view topic) const = 0;
};

/// A member of a consumer group; the group shares the queues (CLUSTERING). At least once: a message whose listener did
/// not succeed, or whose member went away, comes again.
/// Owner: this handle, alone. Its destructor is close(10 s), except that an invocation of your listener that still runs
/// elsewhere is waited for without bound, since returning would free what it captured (a log line every 10 s names it).
/// Movable, not copyable: move it before others use it; moved from, it answers kClosed.
class MQCLIENT_EXPORT DefaultMQPushConsumer final : public MQPushConsumer {
 public:
  /// A running consumer: messages may arrive before this returns. kInvalidArgument lists every complaint about group,
  /// subscriptions, listener and options at once; kNoNameServer. A topic without a route is no error: it is asked for
  /// each second.
  static Result<DefaultMQPushConsumer> start(std::string consumerGroup, std::vector<Subscription> subscriptions,
                                             MessageListener listener, ClientOptions client = {},
                                             PushConsumerOptions options = {});

  DefaultMQPushConsumer(DefaultMQPushConsumer&&) noexcept;
  DefaultMQPushConsumer& operator=(DefaultMQPushConsumer&&) noexcept;
  ~DefaultMQPushConsumer() override;

  Future<void> ready() override;
  /// Stops pulling, finishes what is cached as far as `wait` allows, commits (answered), leaves the group.
  Future<CloseReport> closeAsync(Millis wait = Millis{10000}) override;
  Health health() const override;
  std::string clientId() const override;
  Result<void> subscribe(Subscription subscription) override;
  Result<void> unsubscribe(std::string topic) override;
  void suspend() override;
  void resume() override;
  Future<void> commit() override;
  Result<void> seek(const MessageQueue& queue, std::int64_t offset) override;
  std::vector<QueueProgress> progress() const override;
  RebalanceReport explain(std::string_view topic) const override;

 protected:
  bool insideOwnCallback() const noexcept override;

 private:
  struct Impl;
  explicit DefaultMQPushConsumer(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace mqclient
