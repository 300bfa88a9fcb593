#include "mqclient/testing/fake_mq_push_consumer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "mqclient/testing/matchers.h"
#include "mqclient/testing/message_ext_builder.h"

namespace mqclient {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using enum ConsumeConcurrentlyStatus;

const MessageQueue kQueue("orders", "broker-a", 0);

MessageExt messageAt(std::int64_t offset) {
  return MessageExtBuilder("orders").setBody("order " + std::to_string(offset)).setQueueOffset(offset).build();
}

std::int64_t consumed(const MQPushConsumer& consumer) {
  return consumer.progress().front().consumed;
}

TEST(FakeMQPushConsumer, GivesMessagesToTheListenerAndAnswersWhatItSaid) {
  std::vector<std::string> seen;
  std::optional<std::thread::id> ran_on;
  FakeMQPushConsumer consumer({{"orders"}}, [&](Messages messages, ConsumeConcurrentlyContext& context) {
    for (const MessageExt& m : messages) seen.emplace_back(m.body());
    EXPECT_EQ(context.messageQueue, kQueue);
    ran_on = std::this_thread::get_id();
    return CONSUME_SUCCESS;
  });
  const FakeDelivery said = consumer.deliver({messageAt(0), messageAt(1)});
  EXPECT_THAT(said.status, IsOkAnd(CONSUME_SUCCESS));
  EXPECT_THAT(said.finished, ElementsAre(0, 1));
  EXPECT_THAT(said.again, IsEmpty());
  EXPECT_THAT(seen, ElementsAre("order 0", "order 1"));
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(FakeMQPushConsumer, TellsWhichMessagesOfABatchWouldComeAgain) {
  FakeMQPushConsumer consumer({{"orders"}}, [](Messages messages, ConsumeConcurrentlyContext& context) {
    const std::string_view first = messages.front().body();
    if (first == "order 0") return RECONSUME_LATER;
    if (first == "order 3") context.ackIndex = 0;
    if (first == "order 6") context.reconsumeLater(1);
    if (first == "order 9") throw std::runtime_error("no");
    return CONSUME_SUCCESS;
  });
  const auto batchFrom = [&](std::int64_t offset) {
    return consumer.deliver({messageAt(offset), messageAt(offset + 1), messageAt(offset + 2)});
  };
  EXPECT_THAT(batchFrom(0).again, ElementsAre(0, 1, 2));
  EXPECT_THAT(batchFrom(3).again, ElementsAre(1, 2));
  EXPECT_THAT(batchFrom(6).again, ElementsAre(1));
  const FakeDelivery threw = batchFrom(9);
  EXPECT_THAT(threw.status, IsError(ErrorCode::kUserCode, HasSubstr("no")));
  EXPECT_THAT(threw.again, ElementsAre(0, 1, 2));
}

TEST(FakeMQPushConsumer, AListenerThatIsACoroutineIsWaitedFor) {
  Promise<int> database = promiseAtOnce<int>();
  FakeMQPushConsumer consumer({{"orders"}},
                              [&](Messages, ConsumeConcurrentlyContext&) -> Future<ConsumeConcurrentlyStatus> {
                                Result<int> row = co_await database.future();
                                co_return *row == 7 ? CONSUME_SUCCESS : RECONSUME_LATER;
                              });
  std::thread answers([&] { database.set(7); });
  EXPECT_THAT(consumer.deliver(messageAt(0)).finished, ElementsAre(0));
  answers.join();
}

TEST(FakeMQPushConsumer, TheOffsetStandsAtTheLowestMessageThatIsNotFinished) {
  ConsumeConcurrentlyStatus status = RECONSUME_LATER;
  FakeMQPushConsumer consumer({{"orders"}}, [&](Messages, ConsumeConcurrentlyContext&) { return status; });
  consumer.deliver(messageAt(5));
  status = CONSUME_SUCCESS;
  consumer.deliver({messageAt(6), messageAt(7)});
  EXPECT_EQ(consumed(consumer), 5);
  EXPECT_EQ(consumer.committedOffset(kQueue), -1);
  EXPECT_THAT(consumer.commit().get(), IsOk());
  EXPECT_EQ(consumer.committedOffset(kQueue), 5);
  consumer.deliver(messageAt(5));
  EXPECT_EQ(consumed(consumer), 8);
  EXPECT_TRUE(consumer.close().complete());
  EXPECT_EQ(consumer.committedOffset(kQueue), 8);
}

TEST(FakeMQPushConsumer, ACommitInsideTheListenerDoesNotPassWhatItHas) {
  FakeMQPushConsumer* self = nullptr;
  FakeMQPushConsumer consumer({{"orders"}}, [&](Messages, ConsumeConcurrentlyContext&) {
    EXPECT_THAT(self->commit().get(), IsOk());
    return CONSUME_SUCCESS;
  });
  self = &consumer;
  consumer.deliver(messageAt(5));
  EXPECT_EQ(consumer.committedOffset(kQueue), 5);
}

TEST(FakeMQPushConsumer, RefusesWhatNoConsumerIsGiven) {
  bool called = false;
  FakeMQPushConsumer consumer({{"orders"}}, [&](Messages, ConsumeConcurrentlyContext&) {
    called = true;
    return CONSUME_SUCCESS;
  });
  const auto refusal = [&](std::vector<MessageExt> messages) { return consumer.deliver(std::move(messages)).status; };
  EXPECT_THAT(refusal({}), IsError(ErrorCode::kInvalidArgument, HasSubstr("no message")));
  EXPECT_THAT(refusal({MessageExtBuilder("prices").build()}),
              IsError(ErrorCode::kInvalidArgument, HasSubstr("prices is not subscribed")));
  EXPECT_THAT(refusal({messageAt(0), MessageExtBuilder("orders").setQueueId(1).build()}),
              IsError(ErrorCode::kInvalidArgument, HasSubstr("one queue")));
  consumer.suspend();
  EXPECT_TRUE(consumer.suspended());
  EXPECT_THAT(refusal({messageAt(0)}), IsError(ErrorCode::kInvalidArgument, HasSubstr("suspended")));
  consumer.resume();
  EXPECT_FALSE(called);
  EXPECT_THAT(refusal({messageAt(0)}), IsOk());
}

TEST(FakeMQPushConsumer, CloseReportsWhatWouldComeAgainAndEndsDelivery) {
  FakeMQPushConsumer consumer({{"orders"}}, [](Messages, ConsumeConcurrentlyContext&) { return RECONSUME_LATER; });
  consumer.deliver({messageAt(0), messageAt(1)});
  EXPECT_EQ(consumer.close().abandoned, 2u);
  EXPECT_TRUE(consumer.closed());
  EXPECT_THAT(consumer.deliver(messageAt(2)).status, IsError(ErrorCode::kClosed));
  EXPECT_THAT(consumer.subscribe(Subscription("prices")), IsError(ErrorCode::kClosed));
  EXPECT_THAT(consumer.commit().get(), IsError(ErrorCode::kClosed));
  EXPECT_EQ(consumer.close().abandoned, 2u);
}

TEST(FakeMQPushConsumer, ClosedInItsOwnListenerItEndsAfterIt) {
  FakeMQPushConsumer* self = nullptr;
  std::optional<Future<CloseReport>> closing;
  FakeMQPushConsumer consumer({{"orders"}}, [&](Messages, ConsumeConcurrentlyContext&) {
    EXPECT_EQ(self->close().listenersRunning, 1u) << "it begins and does not wait for itself";
    closing = self->closeAsync();
    EXPECT_FALSE(closing->isReady());
    return CONSUME_SUCCESS;
  });
  self = &consumer;
  EXPECT_THAT(consumer.deliver(messageAt(0)).finished, ElementsAre(0));
  ASSERT_TRUE(closing->isReady());
  const CloseReport report = std::move(*closing).get().value();
  EXPECT_TRUE(report.complete());
  EXPECT_EQ(report.drained, 1u);
  EXPECT_EQ(consumer.committedOffset(kQueue), 1);
}

TEST(FakeMQPushConsumer, SubscriptionsChangeWhileItRuns) {
  FakeMQPushConsumer consumer({{"orders"}}, [](Messages, ConsumeConcurrentlyContext&) { return CONSUME_SUCCESS; });
  EXPECT_THAT(consumer.subscribe(Subscription("prices", byTag("eu"))), IsOk());
  ASSERT_EQ(consumer.subscriptions().size(), 2u);
  EXPECT_EQ(consumer.subscriptions()[1].selector.expression(), "eu");
  EXPECT_THAT(consumer.deliver(MessageExtBuilder("prices").build()).status, IsOk());
  EXPECT_THAT(MessageQueue("prices", "broker-a", 0), IsAssignedTo(consumer));
  EXPECT_THAT(consumer.unsubscribe("prices"), IsOk());
  EXPECT_THAT(consumer.progress(), IsEmpty());
  EXPECT_THAT(consumer.deliver(MessageExtBuilder("prices").build()).status, IsError());
}

TEST(FakeMQPushConsumer, SeeksOnlyInQueuesItHas) {
  FakeMQPushConsumer consumer({{"orders"}}, [](Messages, ConsumeConcurrentlyContext&) { return CONSUME_SUCCESS; });
  EXPECT_THAT(consumer.seek(kQueue, 3), IsError(ErrorCode::kInvalidArgument));
  consumer.deliver(messageAt(7));
  EXPECT_THAT(consumer.seek(kQueue, 3), IsOk());
  EXPECT_EQ(consumed(consumer), 3);
}

}  // namespace
}  // namespace mqclient
