// What docs/testing.md shows, compiled and run: each block of C++ there stands here word for word (`./dev check`).
#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "mqclient/mqclient.h"
#include "mqclient/testing/testing.h"

namespace {

using namespace mqclient;
using namespace std::chrono_literals;
using ::testing::_;
using ::testing::ElementsAre;
using ::testing::SizeIs;

Result<SendResult> place(MQProducer& producer, const std::string& id) {
  return producer.send(Message("orders", "{}").setKeys(id));
}

TEST(Place, ReportsFlowControl) {
  MockMQProducer producer;
  EXPECT_CALL(producer, doSend(HasKey("42"), _, _)).WillOnce(FailWith(ErrorCode::kFlowControl));
  EXPECT_THAT(place(producer, "42"), IsError(ErrorCode::kFlowControl));
}

TEST(Place, SendsTheOrderWithItsKey) {
  FakeMQProducer producer;
  EXPECT_THAT(place(producer, "42"), IsOk());
  EXPECT_THAT(producer.messages(), ElementsAre(HasKey("42")));
}

TEST(PlaceAsync, DoesNotKnowUntilTheBrokerAnswers) {
  FakeMQProducer producer(FakeCompletion::kByHand);
  std::vector<std::string> shown;
  producer.sendAsync(Message("orders", "{}").setKeys("42")).then([&](Result<SendResult> result) {
    shown.push_back(result ? "placed" : "please try again");
  });
  EXPECT_THAT(shown, SizeIs(0));
  producer.errorNext(Error(ErrorCode::kTimeout, "no answer", 0, Applied::kUnknown));
  EXPECT_THAT(shown, ElementsAre("please try again"));
}

class Bills {
 public:
  ConsumeConcurrentlyStatus onOrder(Messages messages, ConsumeConcurrentlyContext& context) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (messages[i].body().empty()) {
        context.reconsumeLater(i);
      } else {
        written.emplace_back(messages[i].keys());
      }
    }
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  }
  std::vector<std::string> written;
};

TEST(Bills, AreWrittenForOrdersWithContent) {
  Bills bills;
  FakeMQPushConsumer consumer({{"orders"}},
                              [&](Messages m, ConsumeConcurrentlyContext& c) { return bills.onOrder(m, c); });
  const FakeDelivery said = consumer.deliver({
      MessageExtBuilder("orders").setBody("{}").setKeys("42").setQueueOffset(7).build(),
      MessageExtBuilder("orders").setKeys("43").setQueueOffset(8).build(),
  });
  EXPECT_THAT(bills.written, ElementsAre("42"));
  EXPECT_THAT(said.finished, ElementsAre(0));
  EXPECT_THAT(said.again, ElementsAre(1));
  EXPECT_EQ(consumer.close().abandoned, 1u);
}

class Billing : public MockClusterTest {
 protected:
  Billing() : MockClusterTest({.brokers = 2}) {}
  DefaultMQProducer producer = DefaultMQProducer::start("shop", cluster.client()).value();
};

TEST_F(Billing, CommitsWhatItHasWritten) {
  EXPECT_THAT(place(producer, "42"), IsOk());
  EXPECT_THAT(cluster, Stored("orders", ElementsAre(HasKey("42"))));
  const MessageQueue queue = cluster.messages("orders").front().messageQueue();

  Bills bills;
  auto consumer =
      DefaultMQPushConsumer::start(
          "billing", {{"orders"}}, [&](Messages m, ConsumeConcurrentlyContext& c) { return bills.onOrder(m, c); },
          cluster.client(), {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()})
          .value();
  EXPECT_TRUE(eventually(cluster, 20s, queue, IsAssignedTo(consumer)));
  EXPECT_TRUE(eventually(cluster, 20s, CommittedAt("billing", queue, 1)));
  EXPECT_THAT(bills.written, ElementsAre("42"));
}

TEST_F(MockClusterTest, NothingIsLostInAThousandSends) {
  cluster.createTopic({.topicName = "orders", .readQueueNums = 1, .writeQueueNums = 1}).value();
  auto producer = DefaultMQProducer::start("shop", cluster.client()).value();
  History history;
  const auto listener = [&](Messages messages, ConsumeConcurrentlyContext&) {
    for (const MessageExt& m : messages) history.deliver("c1", "billing", m);
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  };
  auto consumer = DefaultMQPushConsumer::start(
                      "billing", {{"orders"}}, listener, cluster.client(),
                      {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET(), .consumeThreadMax = 1})
                      .value();
  for (int i = 0; i < 1'000; ++i) {
    const std::string id = "order-" + std::to_string(i);
    history.invoke("p1", "orders", id, i);
    history.sendEnded("p1", "orders", id, producer.send(Message("orders", "{}").setMsgId(id)));
  }
  EXPECT_TRUE(eventually(cluster, 60s, CommittedAt("billing", MessageQueue("orders", "broker-a", 0), 1'000)));
  for (const CheckReport& report : checkHistory(history)) EXPECT_THAT(report, Holds());
}

}  // namespace
