#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <type_traits>
#include <variant>
#include <vector>

#include "mqclient/mqclient.h"

namespace mqclient {
namespace {

using Status = ConsumeConcurrentlyStatus;

const MessageQueue kQueue("t", "b", 0);

Status answerOf(const MessageListener& listener, ConsumeConcurrentlyContext& context) {
  detail::ConcurrentAnswer answer = listener.concurrent()->consume({}, context);
  if (auto* later = std::get_if<Future<Status>>(&answer)) return std::move(*later).get().value();
  return std::get<Status>(answer);
}
Status answerOf(const MessageListener& listener) {
  ConsumeConcurrentlyContext context(kQueue);
  return answerOf(listener, context);
}

struct JavaStyle : MessageListenerConcurrently {
  int calls = 0;
  Status consumeMessage(Messages, ConsumeConcurrentlyContext&) override {
    ++calls;
    return Status::RECONSUME_LATER;
  }
};

TEST(MessageListener, IsALambda) {
  int calls = 0;
  const MessageListener listener([&](Messages, ConsumeConcurrentlyContext& context) {
    ++calls;
    EXPECT_EQ(context.messageQueue, kQueue);
    return Status::CONSUME_SUCCESS;
  });
  EXPECT_EQ(answerOf(listener), Status::CONSUME_SUCCESS);
  EXPECT_EQ(calls, 1);
}

TEST(MessageListener, IsAMoveOnlyMutableCallable) {
  const MessageListener listener([owned = std::make_unique<int>(0)](Messages, ConsumeConcurrentlyContext&) mutable {
    return ++*owned > 1 ? Status::CONSUME_SUCCESS : Status::RECONSUME_LATER;
  });
  EXPECT_EQ(answerOf(listener), Status::RECONSUME_LATER);
  EXPECT_EQ(answerOf(listener), Status::CONSUME_SUCCESS);
}

TEST(MessageListener, IsACoroutine) {
  const MessageListener listener(
      [](Messages, ConsumeConcurrentlyContext&) -> Future<Status> { co_return Status::RECONSUME_LATER; });
  EXPECT_EQ(answerOf(listener), Status::RECONSUME_LATER);
}

TEST(MessageListener, IsAnObjectOfTheInterface) {
  const auto object = std::make_shared<JavaStyle>();
  EXPECT_EQ(answerOf(MessageListener(object)), Status::RECONSUME_LATER);
  EXPECT_EQ(object->calls, 1);
  EXPECT_FALSE(MessageListener(std::shared_ptr<JavaStyle>()).concurrent());
}

TEST(MessageListener, LivesAsLongAsItsCopies) {
  auto owned = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = owned;
  auto listener = std::make_unique<MessageListener>(
      [owned = std::move(owned)](Messages, ConsumeConcurrentlyContext&) { return Status::CONSUME_SUCCESS; });
  const auto copy = std::make_unique<MessageListener>(*listener);
  listener.reset();
  EXPECT_FALSE(watch.expired());
}

static_assert(!std::is_constructible_v<MessageListener, int>);
static_assert(!std::is_constructible_v<MessageListener, void (*)(Messages, ConsumeConcurrentlyContext&)>,
              "a listener must say how it went");

TEST(ConsumeConcurrentlyContext, NamesMessagesToComeAgain) {
  ConsumeConcurrentlyContext context(kQueue);
  EXPECT_EQ(context.ackIndex, INT32_MAX);
  context.reconsumeLater(2);
  context.reconsumeLater(5);
  EXPECT_EQ(context.again(), (std::vector<std::size_t>{2, 5}));
}

TEST(Subscription, IsWrittenShortly) {
  const std::vector<Subscription> one{{"hello", byTag("world || moon")}};
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].topic, "hello");
  EXPECT_EQ(one[0].selector.expression(), "world || moon");
  const std::vector<Subscription> all{{"a"}, {"b", MessageSelector::all()}};
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].selector.expression(), "*");
  EXPECT_EQ(all[1].topic, "b");
}
static_assert(!std::is_constructible_v<Subscription, const char*, const char*>, "no two bare strings");

TEST(MessageQueueSelector, IsAQueueOrAFunction) {
  MessageQueueSelector fixed(kQueue);
  ASSERT_NE(fixed.messageQueue(), nullptr);
  EXPECT_EQ(*fixed.messageQueue(), kQueue);

  MessageQueueSelector last([](Queues queues, const Message&) { return queues.size() - 1; });
  EXPECT_EQ(last.messageQueue(), nullptr);
  const std::vector<MessageQueue> queues{{"t", "b", 0}, {"t", "b", 1}};
  EXPECT_EQ(last(queues, Message("t", "x")), 1u);

  auto counting = [calls = std::make_shared<std::size_t>(0)](Queues, const Message&) { return (*calls)++; };
  MessageQueueSelector named(counting);  // a named one may own something
  EXPECT_EQ(named(queues, Message("t", "x")), 0u);
  EXPECT_EQ(named(queues, Message("t", "x")), 1u);
}

// What g++ 12 destroys twice inside co_await must not own anything.
static_assert(std::is_trivially_destructible_v<SendOptions>);
static_assert(std::is_trivially_destructible_v<SelectMessageQueueByHash>);
static_assert(std::is_trivially_destructible_v<SelectMessageQueueByRandom>);
static_assert(!std::is_aggregate_v<Message> && !std::is_aggregate_v<MessageQueue>);

// Facades: moves without exceptions, no copies.
static_assert(std::is_nothrow_move_constructible_v<DefaultMQPushConsumer>);
static_assert(std::is_nothrow_move_assignable_v<DefaultMQPushConsumer>);
static_assert(!std::is_copy_constructible_v<DefaultMQPushConsumer>);
static_assert(std::is_nothrow_move_constructible_v<DefaultMQProducer>);
static_assert(!std::is_copy_constructible_v<DefaultMQProducer>);

TEST(CloseReport, SaysWhatIsLeft) {
  CloseReport report;
  EXPECT_TRUE(report.complete());
  EXPECT_NE(report.toString().find("complete"), std::string::npos);
  report.drained = 5;
  EXPECT_TRUE(report.complete());
  report.offsetsNotCommitted.push_back(kQueue);
  EXPECT_FALSE(report.complete());
  EXPECT_NE(report.toString().find(kQueue.toString()), std::string::npos);
  report = {};
  report.abandoned = 1;
  EXPECT_FALSE(report.complete());
  report = {};
  report.listenersRunning = 1;
  EXPECT_FALSE(report.complete());
}

// Options are written with designated initializers and without warnings.
TEST(Options, AreDesignated) {
  const ClientOptions client{.namesrvAddr = "mock://x", .startTimeout = Millis{1}};
  const PushConsumerOptions consumer{.consumeThreadMax = 2, .pullBatchSize = 8};
  const ProducerOptions producer{.retryTimesWhenSendFailed = 1};
  EXPECT_EQ(client.heartbeatBrokerInterval, Millis{30000});
  EXPECT_EQ(consumer.consumeMessageBatchMaxSize, 1);
  EXPECT_EQ(consumer.consumeFromWhere.kind(), ConsumeFromWhere::Kind::kLastOffset);
  EXPECT_EQ(producer.sendMsgTimeout, Millis{3000});
}

}  // namespace
}  // namespace mqclient
