// Brokers that die under their clients, and come back with what is left.
#include <atomic>
#include <iterator>
#include <thread>

#include "cluster_support.h"
#include "mqclient/codes.h"

namespace mqclient {
namespace {

struct Crash : VirtualCluster {
  std::size_t stored() const { return cluster->messages(kTopic).size(); }
  std::int64_t committed() const {
    std::int64_t sum = 0;
    for (int queue = 0; queue < 2; ++queue) {
      sum += std::max<std::int64_t>(cluster->committedOffset(kGroup, MessageQueue(kTopic, "broker-a", queue)), 0);
    }
    return sum;
  }
};

TEST_F(Crash, FiftyKillsLoseNothingThatWasAcknowledged) {
  begin({.brokers = 2});
  auto producer = produce();
  auto consumer = consume();
  for (int kill = 0; kill < 50; ++kill) {
    MockBroker victim = broker(kill % 2 == 0 ? "broker-a" : "broker-b");
    brokersOf(producer, 5);
    victim.kill().value();
    EXPECT_FALSE(victim.running());
    brokersOf(producer, 5);  // on the one that is left
    victim.start().value();
    pass(2s);
  }
  EXPECT_EQ(acknowledged.size(), 500u);
  EXPECT_TRUE(allSeen(60s));
  std::size_t deliveries = 0;
  for (const auto& [body, times] : seen) deliveries += static_cast<std::size_t>(times);
  EXPECT_LE(deliveries - seen.size(), 50u * 10u);
}

TEST_F(Crash, AKilledBrokerGoesOnWhereItsGroupsStood) {
  begin({.brokers = 1});
  auto producer = produce();
  auto consumer = consume();
  brokersOf(producer, 20);
  ASSERT_TRUE(allSeen());
  ASSERT_TRUE(cluster->waitUntil([&] { return committed() == 20; }, 10s));
  pass(5s);
  broker("broker-a").kill().value();
  broker("broker-a").start().value();
  EXPECT_EQ(committed(), 20);
  EXPECT_EQ(cluster->members(kGroup).size(), 0u) << "connections are no state";
  brokersOf(producer, 1);
  EXPECT_TRUE(allSeen(60s));
  EXPECT_EQ(seen["m0"], 1);
}

TEST_F(Crash, StopAndStartKeepEverythingAndAnEmptyStartNothing) {
  begin({.brokers = 1});
  auto producer = produce();
  brokersOf(producer, 10);
  MockBroker a = broker("broker-a");
  a.stop().value();
  a.stop().value();
  a.start().value();
  a.start().value();
  EXPECT_EQ(stored(), 10u);
  a.stop().value();
  a.startEmpty().value();
  EXPECT_EQ(stored(), 0u);
  cluster->createTopic(topic(2)).value();
  EXPECT_EQ(brokersOf(producer, 1), Names{"broker-a"});
  EXPECT_EQ(stored(), 1u);
}

TEST_F(Crash, WhatAPowerLossTakesIsSaidByTheFlush) {
  const auto left = [&](MockFlush flush, Millis before_the_loss) {
    acknowledged.clear();
    begin({.brokers = 1, .flush = flush});
    auto producer = produce();
    brokersOf(producer, 10);
    pass(before_the_loss);
    broker("broker-a").powerLoss().value();
    broker("broker-a").start().value();
    return stored();
  };
  EXPECT_EQ(left(MockFlush::kNever, 1h), 0u);
  EXPECT_EQ(left(MockFlush::kAsync, 400ms), 0u);
  EXPECT_EQ(left(MockFlush::kAsync, 501ms), 10u);
  EXPECT_EQ(left(MockFlush::kSync, 0ms), 10u);
}

TEST_F(Crash, AGroupThatStandsBehindTheEndOfALogThatLostItsMessagesGoesOnAtThatEnd) {
  begin({.brokers = 1});
  auto producer = produce();
  auto consumer = consume();
  brokersOf(producer, 20);
  ASSERT_TRUE(allSeen());
  consumer.commit().get().value();
  pass(6s);
  broker("broker-a").powerLoss().value();
  broker("broker-a").start().value();
  EXPECT_EQ(stored(), 0u);
  EXPECT_EQ(committed(), 20) << "offsets are synced when they are written, messages never here";
  pass(kViewsAgree);
  brokersOf(producer, 10);
  EXPECT_TRUE(allSeen());
}

// Synchronous flush: a device that keeps some of what it was not asked to keep changes nothing.
TEST_F(Crash, ManyPowerLossesLoseNothingThatWasAcknowledgedAfterItsFlush) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    acknowledged.clear();
    begin({.brokers = 1, .seed = seed, .flush = MockFlush::kSync});
    auto producer = produce();
    for (int loss = 0; loss < 5; ++loss) {
      brokersOf(producer, 7);
      broker("broker-a").powerLoss(loss % 2 == 0 ? MockUnflushed::kSome : MockUnflushed::kGone).value();
      broker("broker-a").start().value();
      pass(2s);
    }
    Names found;
    for (const MessageExt& m : cluster->messages(kTopic)) {
      EXPECT_TRUE(found.insert(std::string(m.body())).second) << "twice, seed " << seed;
    }
    for (const std::string& body : acknowledged) EXPECT_TRUE(found.contains(body)) << body << ", seed " << seed;
  }
}

TEST_F(Crash, AFullDiskIsAnErrorThatNamesTheBrokerAndEndsWithTheRoom) {
  begin({.brokers = 1, .defaultTopicQueueNums = 1}, 1);
  constexpr std::size_t kNever = 4u << 20;
  auto producer = DefaultMQProducer::start("shop", cluster->client(), {.compressMsgBodyOverHowmuch = kNever}).value();
  brokersOf(producer, 3);
  MockBroker a = broker("broker-a");
  a.fillDisk().value();
  const std::string large(3u << 20, 'x');
  for (int i = 0; i < 2; ++i) producer.send(Message(kTopic, large)).value();  // the rest of the segment
  const auto refused = producer.send(Message(kTopic, large));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().responseCode(), static_cast<int>(ResponseCode::SERVICE_NOT_AVAILABLE)) << refused.error();
  EXPECT_NE(refused.error().message().find("disk of broker-a"), std::string::npos) << refused.error();
  auto consumer = consume();
  EXPECT_TRUE(allSeen()) << "reading goes on";
  a.freeDisk().value();
  EXPECT_TRUE(producer.send(Message(kTopic, large)));
}

TEST_F(Crash, ASlowDiskDelaysItsOwnSendsAlone) {
  begin({.brokers = 2, .flush = MockFlush::kSync}, 1);
  auto producer = produce();
  auto consumer = consume();
  brokersOf(producer, 4);
  ASSERT_TRUE(allSeen());
  const std::vector<std::string> members = cluster->members(kGroup);
  broker("broker-a").slowDisk(2s).value();
  for (int i = 0; i < 4; ++i) {
    const SendResult sent = producer.send(Message(kTopic, "slow" + std::to_string(i)), {.timeout = 10s}).value();
    EXPECT_EQ(sent.sendStatus, SendStatus::SEND_OK);
    acknowledged.push_back("slow" + std::to_string(i));
  }
  EXPECT_TRUE(allSeen(100ms));
  pass(3min);
  EXPECT_EQ(cluster->members(kGroup), members) << "no heartbeat was lost";
}

TEST_F(Crash, ADiskOperationFailsByNameAndNumber) {
  begin({.brokers = 1, .flush = MockFlush::kSync});
  auto producer = produce();
  brokersOf(producer, 3);
  MockBroker a = broker("broker-a");
  EXPECT_EQ(a.failDisk("fsync").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(a.failDisk("sync", 0).error().code(), ErrorCode::kInvalidArgument);
  a.failDisk("sync").value();
  const SendResult doubtful = producer.send(Message(kTopic, "doubtful")).value();
  EXPECT_EQ(doubtful.sendStatus, SendStatus::FLUSH_DISK_TIMEOUT);
  EXPECT_FALSE(producer.send(Message(kTopic, "refused")));
  a.kill().value();
  a.start().value();
  pass(2s);
  EXPECT_EQ(brokersOf(producer, 1), Names{"broker-a"});
}

/// Sends as fast as it can on a thread of its own, until a send fails.
class Sender {
 public:
  Sender(const MockCluster& cluster, std::string name)
      : producer_(DefaultMQProducer::start("shop", cluster.client()).value()), thread_([this, name = std::move(name)] {
          for (int i = 0;; ++i) {
            const std::string body = name + "-" + std::to_string(i);
            const auto sent = producer_.send(Message(kTopic, body), {.timeout = 2s, .retryTimes = 0});
            if (!sent) return;
            if (sent->sendStatus != SendStatus::SEND_OK) continue;
            acknowledged.push_back(body);
            ++count;
          }
        }) {}
  std::vector<std::string> end() {
    thread_.join();
    return acknowledged;
  }

  std::atomic<int> count{0};

 private:
  std::vector<std::string> acknowledged;
  DefaultMQProducer producer_;
  std::thread thread_;
};

// In real time, with threads: whatever moment a kill meets, what was acknowledged before it is there.
TEST(CrashInRealTime, KillsUnderLoadLoseNothingThatWasAcknowledged) {
  for (const MockFlush flush : {MockFlush::kNever, MockFlush::kSync}) {
    MockCluster cluster = MockCluster::start({.brokers = 1, .flush = flush}).value();
    cluster.createTopic({.topicName = kTopic, .readQueueNums = 2, .writeQueueNums = 2}).value();
    MockBroker a = cluster.broker("broker-a").value();
    std::vector<std::string> acknowledged;
    for (int kill = 0; kill < 10; ++kill) {
      Sender one(cluster, std::to_string(kill) + "-one");
      Sender two(cluster, std::to_string(kill) + "-two");
      EXPECT_TRUE(cluster.waitUntil([&] { return one.count > 10 && two.count > 10; })) << "kill " << kill;
      if (flush == MockFlush::kSync && kill % 2 == 1) {
        a.powerLoss(MockUnflushed::kSome).value();
      } else {
        a.kill().value();
      }
      for (Sender* sender : {&one, &two}) std::ranges::copy(sender->end(), std::back_inserter(acknowledged));
      a.start().value();
    }
    std::set<std::string> found;
    for (const MessageExt& m : cluster.messages(kTopic)) found.insert(std::string(m.body()));
    for (const std::string& body : acknowledged) EXPECT_TRUE(found.contains(body)) << body;
  }
}

TEST_F(Crash, TheClockRunsUntilSomethingIsTrue) {
  begin({.brokers = 1});
  auto consumer = consume();
  auto producer = produce();
  brokersOf(producer, 10);
  EXPECT_TRUE(cluster->clock().advanceUntil([&] { return committed() == 10; }, 6s));
  EXPECT_EQ(cluster->clock().advanceUntil([] { return false; }, 1min).error().code(), ErrorCode::kTimeout);
}

}  // namespace
}  // namespace mqclient
