#pragma once

#include <gmock/gmock.h>

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mqclient/default_mq_producer.h"
#include "mqclient/default_mq_push_consumer.h"
#include "mqclient/testing/at_once.h"
#include "mqclient/testing/printers.h"

namespace mqclient {
inline namespace v1 {

// GMock mocks of the public interfaces, for code that takes an MQProducer& or MQPushConsumer&. Expect the virtuals that
// stand under the faces: send and sendAsync are doSend, sendBatch and sendBatchAsync doSendBatch.
//
//   MockMQProducer producer;
//   EXPECT_CALL(producer, doSend(HasKey("42"), _, _)).WillOnce(FailWith(ErrorCode::kFlowControl));
//   EXPECT_THAT(place(producer, "42"), IsError(ErrorCode::kFlowControl));
//
// A call that was told no answer fails with kUnsupported and says so; ready, flush, commit and close succeed.

namespace detail {

template <class R>
struct AnswerOf;
template <class T>
struct AnswerOf<Result<T>> {
  static Result<T> make(Result<T> result) { return result; }
  using Value = T;
};
template <class T>
struct AnswerOf<Future<T>> {
  static Future<T> make(Result<T> result) { return readyAtOnce<T>(std::move(result)); }
  using Value = T;
};

/// FailWith as an action of any mocked function that answers Result<T> or Future<T>.
class FailAction {
 public:
  explicit FailAction(Error error) : error_(std::move(error)) {}
  template <class R, class... A>
  operator ::testing::Action<R(A...)>() const {
    return [error = error_](const auto&...) -> R { return AnswerOf<R>::make(error); };
  }

 private:
  Error error_;
};

template <class Value>
class SucceedAction {
 public:
  explicit SucceedAction(Value value) : value_(std::move(value)) {}
  template <class R, class... A>
  operator ::testing::Action<R(A...)>() const {
    using Wanted = typename AnswerOf<R>::Value;
    return [value = value_](const auto&...) -> R { return AnswerOf<R>::make(Result<Wanted>(Wanted(value))); };
  }

 private:
  Value value_;
};

class SucceedWithNothingAction {
 public:
  template <class R, class... A>
  operator ::testing::Action<R(A...)>() const {
    return [](const auto&...) -> R { return AnswerOf<R>::make(Result<void>()); };
  }
};

inline FailAction toldNoAnswer(const char* what) {
  return FailAction(Error(ErrorCode::kUnsupported, std::string("the mock was told no answer to ") + what +
                                                       ": say EXPECT_CALL(mock, " + what + ").WillOnce(...)"));
}

}  // namespace detail

/// Answers a call with an error, at once.
inline detail::FailAction FailWith(Error error) {
  return detail::FailAction(std::move(error));
}
inline detail::FailAction FailWith(ErrorCode code, std::string message = "as the test wants it",
                                   Applied applied = Applied::kNo) {
  return FailWith(Error(code, std::move(message), 0, applied));
}

/// Answers a call with a value, at once: SucceedWith(SendResult{.msgId = "1"}).
template <class Value>
detail::SucceedAction<Value> SucceedWith(Value value) {
  return detail::SucceedAction<Value>(std::move(value));
}
/// Of calls that answer no value: flush, commit, one-way sends.
inline detail::SucceedWithNothingAction SucceedWith() {
  return {};
}

/// What every client has; the mocks of this header are made of it.
template <std::derived_from<MQClient> Interface>
class MockMQClientOf : public Interface {
 public:
  MockMQClientOf() {
    ON_CALL(*this, ready).WillByDefault(SucceedWith());
    ON_CALL(*this, closeAsync).WillByDefault(SucceedWith(CloseReport{}));
  }
  MOCK_METHOD(Future<void>, ready, (), (override));
  MOCK_METHOD(Future<CloseReport>, closeAsync, (Millis), (override));
  MOCK_METHOD(Health, health, (), (const, override));
  MOCK_METHOD(std::string, clientId, (), (const, override));
};

class MockMQProducer : public MockMQClientOf<MQProducer> {
 public:
  MockMQProducer() {
    ON_CALL(*this, flush).WillByDefault(SucceedWith());
    ON_CALL(*this, writable).WillByDefault(SucceedWith());
    ON_CALL(*this, doSend).WillByDefault(detail::toldNoAnswer("doSend"));
    ON_CALL(*this, doSendBatch).WillByDefault(detail::toldNoAnswer("doSendBatch"));
    ON_CALL(*this, doSendOneway).WillByDefault(detail::toldNoAnswer("doSendOneway"));
    ON_CALL(*this, doFetchPublishMessageQueues).WillByDefault(detail::toldNoAnswer("doFetchPublishMessageQueues"));
  }
  MOCK_METHOD(Future<void>, flush, (), (override));
  MOCK_METHOD(Future<void>, writable, (), (override));
  MOCK_METHOD(Future<SendResult>, doSend, (Message, std::optional<MessageQueueSelector>, SendOptions), (override));
  MOCK_METHOD(Future<SendResult>, doSendBatch, (std::vector<Message>, SendOptions), (override));
  MOCK_METHOD(Result<void>, doSendOneway, (Message, std::optional<MessageQueueSelector>), (override));
  MOCK_METHOD(Future<std::vector<MessageQueue>>, doFetchPublishMessageQueues, (std::string), (override));
};

class MockMQPushConsumer : public MockMQClientOf<MQPushConsumer> {
 public:
  MockMQPushConsumer() {
    ON_CALL(*this, subscribe).WillByDefault(detail::toldNoAnswer("subscribe"));
    ON_CALL(*this, unsubscribe).WillByDefault(detail::toldNoAnswer("unsubscribe"));
    ON_CALL(*this, seek).WillByDefault(detail::toldNoAnswer("seek"));
    ON_CALL(*this, commit).WillByDefault(SucceedWith());
  }
  MOCK_METHOD(Result<void>, subscribe, (Subscription), (override));
  MOCK_METHOD(Result<void>, unsubscribe, (std::string), (override));
  MOCK_METHOD(void, suspend, (), (override));
  MOCK_METHOD(void, resume, (), (override));
  MOCK_METHOD(Future<void>, commit, (), (override));
  MOCK_METHOD(Result<void>, seek, (const MessageQueue&, std::int64_t), (override));
  MOCK_METHOD(std::vector<QueueProgress>, progress, (), (const, override));
  MOCK_METHOD(RebalanceReport, explain, (std::string_view), (const, override));
};

/// A listener; give a consumer a std::shared_ptr to it.
class MockMessageListenerConcurrently : public MessageListenerConcurrently {
 public:
  MOCK_METHOD(ConsumeConcurrentlyStatus, consumeMessage, (Messages, ConsumeConcurrentlyContext&), (override));
};

class MockAllocateMessageQueueStrategy : public AllocateMessageQueueStrategy {
 public:
  MOCK_METHOD(std::string, name, (), (const, override));
  MOCK_METHOD(std::vector<MessageQueue>, allocate,
              (std::string_view, std::string_view, Queues, std::span<const std::string>), (const, override));
};

}  // namespace v1
}  // namespace mqclient
