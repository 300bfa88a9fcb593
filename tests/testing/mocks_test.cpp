#include "mqclient/testing/mocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>

#include "mqclient/testing/fake_mq_push_consumer.h"
#include "mqclient/testing/matchers.h"
#include "mqclient/testing/message_ext_builder.h"

namespace mqclient {
namespace {

using ::testing::_;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::NiceMock;
using ::testing::Return;

// A new pure virtual makes its mock abstract: that is noticed here, by the compiler.
static_assert(!std::is_abstract_v<MockMQProducer> && !std::is_abstract_v<MockMQPushConsumer>);
static_assert(!std::is_abstract_v<MockMessageListenerConcurrently> &&
              !std::is_abstract_v<MockAllocateMessageQueueStrategy>);

/// An application's code, which knows the interface only.
Result<SendResult> place(MQProducer& producer, const std::string& id) {
  const std::string_view key = id;
  const SelectMessageQueueByHash by_id(key);
  return producer.send(Message("orders", "{}").setKeys(id), by_id);
}

TEST(MockMQProducer, FailsAsItIsTold) {
  MockMQProducer producer;
  EXPECT_CALL(producer, doSend(HasKey("42"), _, _)).WillOnce(FailWith(ErrorCode::kFlowControl));
  EXPECT_THAT(place(producer, "42"), IsError(ErrorCode::kFlowControl));
}

TEST(MockMQProducer, AnErrorComesWithAllItSays) {
  MockMQProducer producer;
  EXPECT_CALL(producer, doSend)
      .WillOnce(FailWith(Error(ErrorCode::kBroker, "no room", 14, Applied::kUnknown).withMsgId("ID")));
  const Result<SendResult> failed = place(producer, "42");
  ASSERT_THAT(failed, IsError(ErrorCode::kBroker, "no room"));
  EXPECT_EQ(failed.error().responseCode(), 14);
  EXPECT_EQ(failed.error().applied(), Applied::kUnknown);
  EXPECT_EQ(failed.error().msgId(), "ID");
}

TEST(MockMQProducer, EveryFaceOfAnOperationIsItsOneVirtual) {
  MockMQProducer producer;
  EXPECT_CALL(producer, doSend).Times(4).WillRepeatedly(SucceedWith(SendResult{.msgId = "1"}));
  EXPECT_CALL(producer, doSendBatch(ElementsAre(HasBody("a"), HasBody("b")), _))
      .WillOnce(SucceedWith(SendResult{.msgId = "1,2"}));
  EXPECT_CALL(producer, doSendOneway(HasTag("paid"), _)).WillOnce(SucceedWith());
  EXPECT_CALL(producer, doFetchPublishMessageQueues("orders"))
      .WillOnce(SucceedWith(std::vector{MessageQueue("orders", "broker-a", 0)}));

  const SelectMessageQueueByHash selector(42);
  EXPECT_EQ(producer.send(Message("orders", "x"))->msgId, "1");
  EXPECT_EQ(producer.send(Message("orders", "x"), selector)->msgId, "1");
  EXPECT_THAT(producer.sendAsync(Message("orders", "x")).get(), IsOk());
  EXPECT_THAT(producer.sendAsync(Message("orders", "x"), selector).get(), IsOk());
  EXPECT_EQ(producer.sendBatch({Message("orders", "a"), Message("orders", "b")})->msgId, "1,2");
  EXPECT_THAT(producer.sendOneway(Message("orders", "x").setTags("paid")), IsOk());
  EXPECT_THAT(producer.fetchPublishMessageQueues("orders"),
              IsOkAnd(ElementsAre(MessageQueue("orders", "broker-a", 0))));
}

TEST(MockMQProducer, CallbacksOfItsAnswersRunAtOnce) {
  MockMQProducer producer;
  EXPECT_CALL(producer, doSend).WillOnce(SucceedWith(SendResult{.msgId = "1"}));
  bool ran = false;
  producer.sendAsync(Message("orders", "x")).then([&](Result<SendResult> r) { ran = r.has_value(); });
  EXPECT_TRUE(ran);
}

TEST(MockMQProducer, AnAnswerMayComeLater) {
  MockMQProducer producer;
  auto answer = promiseAtOnce<SendResult>();
  EXPECT_CALL(producer, doSend).WillOnce([&](auto&&...) { return answer.future(); });
  Future<SendResult> sent = producer.sendAsync(Message("orders", "x"));
  EXPECT_FALSE(sent.isReady());
  answer.set(Error(ErrorCode::kTimeout, "too late"));
  EXPECT_THAT(std::move(sent).get(), IsError(ErrorCode::kTimeout));
}

TEST(MockMQProducer, WithoutAnAnswerACallSaysWhatIsMissing) {
  NiceMock<MockMQProducer> producer;
  EXPECT_THAT(producer.send(Message("orders", "x")),
              IsError(ErrorCode::kUnsupported, HasSubstr("EXPECT_CALL(mock, doSend).WillOnce")));
  EXPECT_THAT(producer.sendBatch({}), IsError(ErrorCode::kUnsupported));
  EXPECT_THAT(producer.sendOneway(Message("orders", "x")), IsError(ErrorCode::kUnsupported));
  EXPECT_THAT(producer.fetchPublishMessageQueues("orders"), IsError(ErrorCode::kUnsupported));
}

TEST(MockMQProducer, EndsWell) {
  NiceMock<MockMQProducer> producer;
  EXPECT_THAT(producer.ready().get(), IsOk());
  EXPECT_THAT(producer.flush().get(), IsOk());
  EXPECT_THAT(producer.writable().get(), IsOk());
  EXPECT_TRUE(producer.close().complete());
}

TEST(MockMQPushConsumer, AnswersAsItIsTold) {
  MockMQPushConsumer consumer;
  const MessageQueue queue("orders", "broker-a", 0);
  EXPECT_CALL(consumer, subscribe).WillOnce(FailWith(ErrorCode::kClosed));
  EXPECT_CALL(consumer, seek(queue, 7)).WillOnce(SucceedWith());
  EXPECT_CALL(consumer, progress).WillOnce(Return(std::vector<QueueProgress>{{.messageQueue = queue, .consumed = 7}}));
  EXPECT_CALL(consumer, commit).WillOnce(FailWith(ErrorCode::kTimeout));
  EXPECT_THAT(consumer.subscribe(Subscription("orders")), IsError(ErrorCode::kClosed));
  EXPECT_THAT(consumer.seek(queue, 7), IsOk());
  EXPECT_EQ(consumer.progress().front().consumed, 7);
  EXPECT_THAT(consumer.commit().get(), IsError(ErrorCode::kTimeout));
}

TEST(MockMessageListener, IsAListenerLikeAnyOther) {
  auto listener = std::make_shared<MockMessageListenerConcurrently>();
  EXPECT_CALL(*listener, consumeMessage(ElementsAre(AllOf(HasBody("x"), HasTag("paid"))), _))
      .WillOnce(Return(ConsumeConcurrentlyStatus::RECONSUME_LATER));
  FakeMQPushConsumer consumer({{"orders"}}, listener);
  const FakeDelivery said = consumer.deliver(MessageExtBuilder("orders").setBody("x").setTags("paid").build());
  EXPECT_THAT(said.again, ElementsAre(0));
}

}  // namespace
}  // namespace mqclient
