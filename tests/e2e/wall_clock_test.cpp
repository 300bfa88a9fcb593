// R26: the wall clock jumps by an hour, for everybody or for one broker; nothing that lasts notices.
#include "tests/cluster/cluster_support.h"

namespace mqclient {
namespace {

struct WallClock : VirtualCluster {
  /// Two brokers, a producer, and two consumers that have settled whose queues are whose.
  void begin() {
    VirtualCluster::begin({.brokers = 2});
    producer.emplace(produce());
    for (const char* name : {"first", "second"}) {
      ClientOptions client = cluster->client();
      client.instanceName = name;
      consumers.push_back(consume(std::move(client)));
    }
    pass(kViewsAgree);
  }
  /// Timers fire in their time: messages arrive, offsets are committed, routes are read, nobody expires.
  void everythingGoesOn() {
    brokersOf(*producer, 8);
    EXPECT_TRUE(allSeen(100ms));
    const auto committed = [&] {
      std::int64_t sum = 0;
      for (const std::string& name : cluster->brokerNames()) {
        for (int queue = 0; queue < 2; ++queue) {
          sum += std::max<std::int64_t>(cluster->committedOffset(kGroup, MessageQueue(kTopic, name, queue)), 0);
        }
      }
      return sum;
    };
    EXPECT_TRUE(cluster->waitUntil([&] { return committed() == static_cast<std::int64_t>(acknowledged.size()); }, 6s))
        << committed() << " of " << acknowledged.size();
    for (int i = 0; i < 10; ++i) {  // long enough for a client without heartbeats to be dropped
      pass(20s);
      EXPECT_EQ(cluster->members(kGroup).size(), 2u);
    }
    for (const auto& [body, times] : seen) EXPECT_EQ(times, 1) << body;
  }

  std::optional<DefaultMQProducer> producer;
  std::vector<DefaultMQPushConsumer> consumers;
};

TEST_F(WallClock, AnHourAheadOrBackStallsNoTimerAndExpiresNobody) {
  begin();
  everythingGoesOn();
  for (const Millis step : {Millis(60min), Millis(-60min), Millis(-60min), Millis(60min)}) {
    cluster->clock().stepWallClock(step).value();
    everythingGoesOn();
  }
  cluster->addBroker("broker-c").value().updateTopic(topic(2)).value();
  pass(kViewsAgree);
  EXPECT_EQ(queuesOf(consumers[0]).size() + queuesOf(consumers[1]).size(), 6u)
      << "routes are read and queues shared as ever";
}

TEST_F(WallClock, OneBrokersWrongClockStampsItsMessagesAndNothingElse) {
  begin();
  for (const Millis skew : {Millis(60min), Millis(-60min)}) {
    broker("broker-a").skewWallClock(skew).value();
    everythingGoesOn();
  }
  std::map<MessageQueue, WallTime> last;
  for (const MessageExt& m : cluster->messages(kTopic)) {
    EXPECT_GE(m.storeTime(), last[m.messageQueue()]) << "store times of a queue never fall";
    last[m.messageQueue()] = m.storeTime();
  }
}

}  // namespace
}  // namespace mqclient
