#include "mqclient/mock_cluster.h"

#include <gtest/gtest.h>

#include <atomic>

#include "mqclient/mqclient.h"

namespace mqclient {
namespace {

using namespace std::chrono_literals;
using enum ConsumeConcurrentlyStatus;

const PushConsumerOptions kFromFirst{.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()};

TEST(MockCluster, ShowsStoredMessagesOffsetsAndMembers) {
  MockCluster cluster = MockCluster::start({.brokers = 2, .time = MockTime::kVirtual}).value();
  cluster.createTopic({.topicName = "orders", .readQueueNums = 2, .writeQueueNums = 2}).value();
  auto producer = DefaultMQProducer::start("p", cluster.client()).value();
  for (int i = 0; i < 8; ++i) {
    producer.send(Message("orders", "body" + std::to_string(i)).setKeys("k" + std::to_string(i)).setTags("t")).value();
  }
  const std::vector<MessageExt> stored = cluster.messages("orders");
  ASSERT_EQ(stored.size(), 8u);
  EXPECT_EQ(stored[0].topic(), "orders");
  EXPECT_EQ(stored[0].tags(), "t");
  EXPECT_EQ(stored[0].queueOffset(), 0);
  EXPECT_EQ(stored[0].storeHost(), cluster.broker("broker-a")->address());
  EXPECT_EQ(stored[0].property("MSG_REGION"), "DefaultRegion");

  std::atomic<int> seen{0};
  auto consumer = DefaultMQPushConsumer::start(
                      "c", {{"orders"}},
                      [&](Messages m, ConsumeConcurrentlyContext&) {
                        seen += static_cast<int>(m.size());
                        return CONSUME_SUCCESS;
                      },
                      cluster.client(), kFromFirst)
                      .value();
  ASSERT_TRUE(cluster.waitUntil([&] { return seen == 8; }));
  EXPECT_EQ(cluster.members("c"), std::vector<std::string>{consumer.clientId()});
  consumer.commit().get().value();
  std::int64_t committed = 0;
  for (const char* broker : {"broker-a", "broker-b"}) {
    for (int q = 0; q < 2; ++q) committed += cluster.committedOffset("c", MessageQueue("orders", broker, q));
  }
  EXPECT_EQ(committed, 8);
  EXPECT_EQ(cluster.committedOffset("nobody", MessageQueue("orders", "broker-a", 0)), -1);
  (void)consumer.close();
  EXPECT_TRUE(cluster.members("c").empty());
}

TEST(MockCluster, OptionsOutOfRangeAreAllNamed) {
  const auto bad = MockCluster::start({.nameservers = 0, .brokers = 2'000, .defaultTopicQueueNums = -1});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), ErrorCode::kInvalidArgument);
  for (const char* word : {"nameservers is 0", "brokers is 2000", "queues (defaultTopicQueueNums) is -1"}) {
    EXPECT_NE(bad.error().message().find(word), std::string::npos) << bad.error();
  }
}

TEST(MockCluster, ANameIsOneClusterForTheWholeProcess) {
  auto producer = DefaultMQProducer::start("p", {.namesrvAddr = "mock://named-test?brokers=2&queues=3"}).value();
  producer.send(Message("topic", "x")).value();
  MockCluster cluster = MockCluster::named("named-test").value();
  EXPECT_EQ(cluster.brokerNames().size(), 2u);
  EXPECT_EQ(cluster.messages("topic").size(), 1u);
  EXPECT_EQ(cluster.namesrvAddr(), "mock://named-test");

  const auto other = DefaultMQProducer::start("p", {.namesrvAddr = "mock://named-test?brokers=3"});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(other.error().message().find("brokers is 2, not 3"), std::string::npos) << other.error();

  (void)producer.close();
  cluster.reset();
  auto again = DefaultMQProducer::start("p", {.namesrvAddr = "mock://named-test"}).value();
  again.send(Message("topic", "x")).value();
  MockCluster fresh = MockCluster::named("named-test").value();
  EXPECT_EQ(fresh.messages("topic").size(), 1u);
  EXPECT_EQ(fresh.brokerNames().size(), 1u);
  (void)again.close();
  fresh.reset();
}

TEST(MockCluster, TwoClustersShareNothing) {
  MockCluster a = MockCluster::start({.time = MockTime::kVirtual}).value();
  MockCluster b = MockCluster::start({.time = MockTime::kVirtual}).value();
  EXPECT_NE(a.namesrvAddr(), b.namesrvAddr());
  auto producer = DefaultMQProducer::start("p", a.client()).value();
  producer.send(Message("topic", "x")).value();
  EXPECT_EQ(a.messages("topic").size(), 1u);
  EXPECT_TRUE(b.messages("topic").empty());
}

TEST(MockCluster, ASendGoesToTheBrokerThatIsLeft) {
  MockCluster cluster = MockCluster::start({.brokers = 2, .time = MockTime::kVirtual}).value();
  cluster.createTopic({.topicName = "orders", .readQueueNums = 1, .writeQueueNums = 1}).value();
  auto producer = DefaultMQProducer::start("p", cluster.client()).value();
  producer.send(Message("orders", "x")).value();
  MockBroker a = cluster.broker("broker-a").value();
  a.stop().value();
  a.stop().value();
  EXPECT_FALSE(a.running());
  for (int i = 0; i < 6; ++i) {
    const SendResult sent = producer.send(Message("orders", "y")).value();
    EXPECT_EQ(sent.messageQueue->brokerName(), "broker-b");
  }
  a.start().value();
  EXPECT_TRUE(a.running());
  EXPECT_TRUE(producer.send(Message("orders", "z")));
  EXPECT_FALSE(cluster.broker("broker-x"));
}

TEST(MockCluster, VirtualTimeMovesByHandAndWhenSomebodyWaits) {
  MockCluster cluster = MockCluster::start({.time = MockTime::kVirtual}).value();
  ClientOptions client = cluster.client();
  auto producer = DefaultMQProducer::start("p", client).value();
  producer.send(Message("topic", "x")).value();
  const WallTime before = cluster.messages("topic").back().storeTime();
  cluster.clock().advance(90s).value();
  producer.send(Message("topic", "y")).value();
  const WallTime after = cluster.messages("topic").back().storeTime();
  EXPECT_GE(after - before, 90s);
  EXPECT_LT(after - before, 91s);
  cluster.clock().stepWallClock(-60min).value();
  producer.send(Message("topic", "z")).value();
  EXPECT_FALSE(cluster.waitUntil([] { return false; }, 120s));
}

TEST(MockCluster, RealTimeHasNoHandToMoveIt) {
  MockCluster cluster = MockCluster::start().value();
  const auto moved = cluster.clock().advance(1s);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code(), ErrorCode::kUnsupported);
}

TEST(MockCluster, FewerReadThanWriteQueuesAreRefused) {
  MockCluster cluster = MockCluster::start({.time = MockTime::kVirtual}).value();
  const auto made = cluster.createTopic({.topicName = "t", .readQueueNums = 4, .writeQueueNums = 8});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message().find("never be consumed"), std::string::npos) << made.error();
}

TEST(MockCluster, AHundredBrokersStartAndServe) {
  MockCluster cluster = MockCluster::start({.brokers = 100, .time = MockTime::kVirtual}).value();
  EXPECT_EQ(cluster.brokerNames().size(), 100u);
  auto producer = DefaultMQProducer::start("p", cluster.client()).value();
  EXPECT_TRUE(producer.send(Message("topic", "x")));
}

}  // namespace
}  // namespace mqclient
