// R25: nameservers that know nothing, stand still or say different things, and the clients between them.
#include "tests/cluster/cluster_support.h"

namespace mqclient {
namespace {

struct NameserversDisagree : VirtualCluster {
  static MockRoute queues(int count) {
    return {{.brokerName = "broker-a", .readQueueNums = count, .writeQueueNums = count}};
  }
};

TEST_F(NameserversDisagree, NoQueueIsDroppedForAPassingEmptyRoute) {
  begin({.nameservers = 2, .brokers = 2});
  auto producer = produce();
  auto consumer = consume();
  brokersOf(producer);
  ASSERT_TRUE(allSeen());
  const std::vector<MessageQueue> before = queuesOf(consumer);
  ASSERT_EQ(before.size(), 4u);
  for (int i = 0; i < 2; ++i) nameserver(i).setRoute(kTopic, {}).value();
  for (int round = 0; round < 20; ++round) {  // ten minutes: longer than any expiry
    pass(30s);
    EXPECT_EQ(queuesOf(consumer), before) << "round " << round;
    brokersOf(producer, 4);
    EXPECT_TRUE(allSeen(100ms)) << "round " << round;
  }
  for (int i = 0; i < 2; ++i) nameserver(i).clearRoutes().value();
  pass(kViewsAgree);
  EXPECT_EQ(queuesOf(consumer), before);
  for (const auto& [body, times] : seen) EXPECT_EQ(times, 1) << body << " came again: a queue was given up";
}

TEST_F(NameserversDisagree, EachQueueHasOneOwnerOnceTheViewsAgree) {
  begin({.nameservers = 2, .brokers = 1}, 8);
  nameserver(0).setRoute(kTopic, queues(4)).value();
  nameserver(1).setRoute(kTopic, queues(8)).value();
  const auto memberOf = [&](int ns) {
    cluster->tellNameservers({ns}).value();
    ClientOptions client = cluster->discoveringClient().value();
    client.instanceName = "member-" + std::to_string(ns);
    return consume(std::move(client));
  };
  auto first = memberOf(0);
  auto second = memberOf(1);
  cluster->tellNameservers({0, 1}).value();
  pass(kViewsAgree);
  EXPECT_NE(queuesOf(first).size() + queuesOf(second).size(), 8u) << "they see different topics";
  for (int i = 0; i < 2; ++i) nameserver(i).clearRoutes().value();
  pass(kViewsAgree);
  std::map<MessageQueue, int> owners;
  for (const auto* member : {&first, &second}) {
    for (const MessageQueue& queue : queuesOf(*member)) ++owners[queue];
  }
  EXPECT_EQ(owners.size(), 8u);
  for (const auto& [queue, count] : owners) EXPECT_EQ(count, 1) << queue.toString();
  auto producer = produce();
  brokersOf(producer, 40);
  EXPECT_TRUE(allSeen());
}

TEST_F(NameserversDisagree, SendsGoOnWhileAnyViewIsGood) {
  begin({.nameservers = 3, .brokers = 2});
  auto old = produce();
  brokersOf(old);
  for (int round = 0; round < 12; ++round) {
    MockNameserver gone = nameserver(round % 3);
    MockNameserver empty = nameserver((round + 1) % 3);
    gone.stop().value();
    empty.setRoute(kTopic, {}).value();
    empty.setRoute("TBW102", {}).value();
    auto fresh = produce("fresh-" + std::to_string(round));
    brokersOf(fresh, 4);
    brokersOf(old, 4);
    pass(kRoutesAreRead);
    brokersOf(old, 4);
    gone.start().value();
    empty.clearRoutes().value();
    pass(kRoutesAreRead);  // brokers register with the one that came back
  }
  EXPECT_EQ(acknowledged.size(), 12u + 12u * 12u);
}

TEST_F(NameserversDisagree, ABrokerThatMovedIsReachedThoughOneViewIsFrozen) {
  begin({.nameservers = 2, .brokers = 2});
  auto producer = produce();
  brokersOf(producer);
  nameserver(0).freeze().value();
  broker("broker-b").moveTo("127.0.0.1:0").value();
  for (int round = 0; round < 6; ++round) {
    pass(kRoutesAreRead);
    brokersOf(producer, 4);  // by broker-a at least, whichever nameserver was asked
  }
  nameserver(0).thaw().value();
  pass(kViewsAgree);
  EXPECT_EQ(brokersOf(producer), (Names{"broker-a", "broker-b"}));
}

}  // namespace
}  // namespace mqclient
