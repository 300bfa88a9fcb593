#include "mqclient/testing/fake_mq_producer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "mqclient/testing/matchers.h"

namespace mqclient {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(FakeMQProducer, RemembersWhatWasSentAndSucceeds) {
  FakeMQProducer producer;
  const Result<SendResult> first = producer.send(Message("orders", "a").setKeys("1"), MessageQueue("orders", "b", 2));
  const Result<SendResult> second = producer.send(Message("orders", "b").setKeys("2"), MessageQueue("orders", "b", 2));
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ(first->sendStatus, SendStatus::SEND_OK);
  EXPECT_EQ(first->messageQueue, MessageQueue("orders", "b", 2));
  EXPECT_EQ(first->queueOffset, 0);
  EXPECT_EQ(second->queueOffset, 1);
  EXPECT_NE(first->msgId, second->msgId);
  EXPECT_THAT(producer.messages(), ElementsAre(HasKey("1"), HasKey("2")));
  EXPECT_EQ(producer.sent()[0].message.property("UNIQ_KEY"), first->msgId);
  producer.clear();
  EXPECT_THAT(producer.sent(), IsEmpty());
}

TEST(FakeMQProducer, ByHandASendIsPendingUntilTheTestEndsIt) {
  FakeMQProducer producer(FakeCompletion::kByHand);
  Future<SendResult> first = producer.sendAsync(Message("orders", "a"));
  Future<SendResult> second = producer.sendAsync(Message("orders", "b").setMsgId("ID-B"));
  EXPECT_EQ(producer.pending(), 2u);
  EXPECT_THAT(producer.messages(), ElementsAre(HasBody("a"), HasBody("b")));
  EXPECT_FALSE(first.isReady());

  EXPECT_TRUE(producer.completeNext());
  EXPECT_TRUE(first.isReady());
  EXPECT_FALSE(second.isReady());
  EXPECT_TRUE(producer.errorNext(Error(ErrorCode::kTimeout, "too late", 0, Applied::kUnknown)));
  EXPECT_THAT(std::move(first).get(), IsOk());
  const Result<SendResult> failed = std::move(second).get();
  ASSERT_THAT(failed, IsError(ErrorCode::kTimeout));
  EXPECT_EQ(failed.error().applied(), Applied::kUnknown);
  EXPECT_EQ(failed.error().msgId(), "ID-B");

  EXPECT_FALSE(producer.completeNext());
  EXPECT_FALSE(producer.errorNext(Error(ErrorCode::kTimeout, "x")));
}

TEST(FakeMQProducer, ACallbackRunsInsideCompleteNextAndMaySendAgain) {
  FakeMQProducer producer(FakeCompletion::kByHand);
  int called = 0;
  producer.sendAsync(Message("orders", "a")).then([&](Result<SendResult> r) {
    EXPECT_THAT(r, IsError(ErrorCode::kFlowControl));
    producer.sendAsync(Message("orders", "again")).then([&](Result<SendResult>) { ++called; });
    ++called;
  });
  producer.errorNext(Error(ErrorCode::kFlowControl, "busy"));
  EXPECT_EQ(called, 1);
  EXPECT_EQ(producer.pending(), 1u);
  producer.completeNext();
  EXPECT_EQ(called, 2);
}

TEST(FakeMQProducer, FlushWaitsForWhatWasAcceptedBeforeIt) {
  FakeMQProducer producer(FakeCompletion::kByHand);
  EXPECT_TRUE(producer.flush().isReady());
  producer.sendAsync(Message("orders", "a")).detach();
  Future<void> flushed = producer.flush();
  producer.sendAsync(Message("orders", "b")).detach();
  EXPECT_FALSE(flushed.isReady());
  producer.completeNext();
  EXPECT_TRUE(flushed.isReady());
  EXPECT_EQ(producer.pending(), 1u);
}

TEST(FakeMQProducer, ABatchLiesTogetherInOneQueue) {
  FakeMQProducer producer;
  const Result<SendResult> sent =
      producer.sendBatch({Message("orders", "a").setMsgId("A"), Message("orders", "b").setMsgId("B")});
  ASSERT_THAT(sent, IsOk());
  EXPECT_EQ(sent->msgId, "A,B");
  EXPECT_THAT(sent->batchMsgIds, ElementsAre("A", "B"));
  ASSERT_THAT(producer.sent(), SizeIs(2));
  EXPECT_EQ(producer.sent()[0].messageQueue, producer.sent()[1].messageQueue);
  EXPECT_EQ(producer.sent()[1].queueOffset, 1);
  EXPECT_EQ(producer.sent()[0].call, producer.sent()[1].call);
  EXPECT_EQ(producer.sent()[0].way, FakeMQProducer::Way::kBatch);
  EXPECT_THAT(producer.sendBatch({}), IsError(ErrorCode::kInvalidArgument));
}

TEST(FakeMQProducer, WithoutASelectorQueuesTakeTurns) {
  FakeMQProducer producer;
  for (int i = 0; i < 5; ++i) producer.send(Message("orders", "x")).value();
  std::vector<int> queues;
  for (const FakeMQProducer::Sent& one : producer.sent()) queues.push_back(one.messageQueue.queueId());
  EXPECT_THAT(queues, ElementsAre(0, 1, 2, 3, 0));
  EXPECT_THAT(producer.fetchPublishMessageQueues("orders"), IsOkAnd(SizeIs(4)));
}

TEST(FakeMQProducer, SelectorsChooseAmongTheQueuesTheTestGives) {
  FakeMQProducer producer;
  producer.setQueues("orders", {MessageQueue("orders", "a", 0), MessageQueue("orders", "b", 0)});
  const auto last = [](Queues queues, const Message&) { return queues.size() - 1; };
  EXPECT_EQ(producer.send(Message("orders", "x"), last)->messageQueue, MessageQueue("orders", "b", 0));
  const auto outside = [](Queues queues, const Message&) { return queues.size(); };
  EXPECT_THAT(producer.send(Message("orders", "x"), outside), IsError(ErrorCode::kInvalidArgument));
  const auto throws = [](Queues, const Message&) -> std::size_t { throw std::runtime_error("no"); };
  EXPECT_THAT(producer.send(Message("orders", "x"), throws), IsError(ErrorCode::kUserCode));
  EXPECT_THAT(producer.messages(), SizeIs(1));

  producer.setQueues("orders", {});
  EXPECT_THAT(producer.send(Message("orders", "x")), IsError(ErrorCode::kNoRoute));
}

TEST(FakeMQProducer, OnewayIsRememberedAndNeverPending) {
  FakeMQProducer producer(FakeCompletion::kByHand);
  EXPECT_THAT(producer.sendOneway(Message("orders", "x")), IsOk());
  EXPECT_EQ(producer.pending(), 0u);
  EXPECT_EQ(producer.sent().front().way, FakeMQProducer::Way::kOneway);
}

TEST(FakeMQProducer, CloseEndsWhatIsPendingAndReportsIt) {
  FakeMQProducer producer(FakeCompletion::kByHand);
  Future<SendResult> pending = producer.sendAsync(Message("orders", "x"));
  Future<void> flushed = producer.flush();
  const CloseReport report = producer.close();
  EXPECT_EQ(report.abandoned, 1u);
  EXPECT_FALSE(report.complete());
  EXPECT_TRUE(flushed.isReady());
  const Result<SendResult> ended = std::move(pending).get();
  ASSERT_THAT(ended, IsError(ErrorCode::kClosed));
  EXPECT_EQ(ended.error().applied(), Applied::kUnknown);
  EXPECT_TRUE(producer.closed());
  EXPECT_THAT(producer.send(Message("orders", "x")), IsError(ErrorCode::kClosed));
  EXPECT_EQ(producer.close().abandoned, 1u) << "whoever asks later gets the same report";
}

TEST(FakeMQProducer, ItsDestructorEndsWhatIsPending) {
  std::optional<Future<SendResult>> pending;
  {
    FakeMQProducer producer(FakeCompletion::kByHand);
    pending = producer.sendAsync(Message("orders", "x"));
  }
  EXPECT_THAT(std::move(*pending).get(), IsError(ErrorCode::kClosed));
}

}  // namespace
}  // namespace mqclient
