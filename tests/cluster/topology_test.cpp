// Brokers and nameservers that come, go, move and hide, as clients see them.
#include "cluster_support.h"

namespace mqclient {
namespace {

struct Topology : VirtualCluster {};

TEST_F(Topology, AHiddenBrokerIsInNoRouteAndServesWhoKnowsIt) {
  begin({.nameservers = 2, .brokers = 2});
  auto knows = produce();
  EXPECT_EQ(brokersOf(knows), (Names{"broker-a", "broker-b"}));
  broker("broker-b").hideFromRoute().value();
  EXPECT_EQ(brokersOf(knows), (Names{"broker-a", "broker-b"})) << "connections and routes of before stand";
  auto fresh = produce("other");
  EXPECT_EQ(brokersOf(fresh), Names{"broker-a"});
  // A nameserver that comes back is told too.
  nameserver(0).stop().value();
  nameserver(0).start().value();
  pass(kRoutesAreRead);
  EXPECT_EQ(brokersOf(knows), Names{"broker-a"});
  broker("broker-b").showInRoute().value();
  pass(kRoutesAreRead);
  EXPECT_EQ(brokersOf(knows), (Names{"broker-a", "broker-b"}));
}

TEST_F(Topology, AnAddedBrokerGetsItsShare) {
  begin({.brokers = 1});
  auto producer = produce();
  auto consumer = consume();
  EXPECT_EQ(brokersOf(producer), Names{"broker-a"});
  MockBroker added = cluster->addBroker("broker-new").value();
  EXPECT_TRUE(added.running());
  EXPECT_EQ(cluster->addBroker("broker-new").error().code(), ErrorCode::kInvalidArgument);
  added.updateTopic(topic(2)).value();
  pass(kViewsAgree);
  EXPECT_EQ(brokersOf(producer), (Names{"broker-a", "broker-new"}));
  EXPECT_EQ(queuesOf(consumer).size(), 4u);
  EXPECT_TRUE(allSeen());
}

TEST_F(Topology, ARemovedBrokerServesUntilItsClientsHaveGone) {
  begin({.brokers = 2});
  auto producer = produce();
  auto consumer = consume();
  EXPECT_EQ(brokersOf(producer), (Names{"broker-a", "broker-b"}));
  cluster->removeBroker("broker-b").value();
  EXPECT_EQ(cluster->brokerNames(), std::vector<std::string>{"broker-a"});
  EXPECT_TRUE(allSeen(0s)) << "everything was delivered before it stopped";
  EXPECT_EQ(brokersOf(producer), Names{"broker-a"});
  EXPECT_EQ(queuesOf(consumer).size(), 2u);
  EXPECT_EQ(cluster->broker("broker-b").error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(Topology, ABrokerAddedUnderTheNameOfOneThatWasHiddenIsSeen) {
  begin({.nameservers = 2, .brokers = 2});
  broker("broker-b").hideFromRoute().value();
  cluster->removeBroker("broker-b").value();
  auto producer = produce();
  EXPECT_EQ(brokersOf(producer), Names{"broker-a"});
  cluster->addBroker("broker-b").value().updateTopic(topic(2)).value();
  for (const int stopped : {1, 0}) {  // each nameserver says so
    nameserver(stopped).stop().value();
    pass(kViewsAgree);
    EXPECT_EQ(brokersOf(producer), (Names{"broker-a", "broker-b"})) << stopped;
    auto fresh = produce("without-" + std::to_string(stopped));
    EXPECT_EQ(brokersOf(fresh), (Names{"broker-a", "broker-b"})) << stopped;
    nameserver(stopped).start().value();
    pass(kViewsAgree);
  }
}

TEST_F(Topology, ABrokerThatClientsDoNotLetGoIsStoppedInTheEndAndThatIsSaid) {
  begin({.brokers = 2});
  auto consumer = consume();
  ASSERT_TRUE(cluster->waitUntil([&] { return queuesOf(consumer).size() == 4; }));
  nameserver(0).freeze().value();
  EXPECT_EQ(cluster->removeBroker("broker-b", 90s).error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(cluster->brokerNames(), std::vector<std::string>{"broker-a"});
}

TEST_F(Topology, AMovedBrokerIsFoundWithWhatItHad) {
  begin({.brokers = 1});
  auto producer = produce();
  EXPECT_EQ(brokersOf(producer), Names{"broker-a"});
  MockBroker moved = broker("broker-a");
  const std::string before = moved.address();
  moved.moveTo("127.0.0.1:0").value();
  EXPECT_NE(moved.address(), before);
  pass(kRoutesAreRead);
  EXPECT_EQ(brokersOf(producer), Names{"broker-a"});
  auto consumer = consume();
  EXPECT_TRUE(allSeen());
  EXPECT_EQ(cluster->messages(kTopic).back().storeHost(), moved.address());
}

TEST_F(Topology, OneBrokerMayBeReadOnlyOrWriteOnly) {
  begin({.brokers = 2});
  auto producer = produce();
  auto consumer = consume();
  EXPECT_EQ(brokersOf(producer), (Names{"broker-a", "broker-b"}));
  broker("broker-b").updateTopic(topic(2, 4)).value();
  pass(kViewsAgree);
  EXPECT_EQ(brokersOf(producer), Names{"broker-a"});
  EXPECT_EQ(queuesOf(consumer).size(), 4u);
  broker("broker-b").updateTopic(topic(2, 2)).value();
  pass(kViewsAgree);
  EXPECT_EQ(brokersOf(producer), (Names{"broker-a", "broker-b"}));
  EXPECT_EQ(queuesOf(consumer).size(), 2u);
  EXPECT_FALSE(allSeen(60s));
  broker("broker-b").updateTopic(topic(3)).value();
  pass(kViewsAgree);
  EXPECT_EQ(queuesOf(consumer).size(), 5u);
  EXPECT_TRUE(allSeen());
}

TEST_F(Topology, ANameserverThatComesBackKnowsNobodyUntilBrokersRegister) {
  begin({.brokers = 2});
  auto producer = produce();
  EXPECT_EQ(brokersOf(producer), (Names{"broker-a", "broker-b"}));
  nameserver(0).stop().value();
  EXPECT_FALSE(nameserver(0).running());
  EXPECT_EQ(brokersOf(producer), (Names{"broker-a", "broker-b"})) << "a known route outlives its nameserver";
  EXPECT_EQ(nameserver(0).freeze().error().code(), ErrorCode::kInvalidArgument);
  nameserver(0).start().value();
  auto fresh = produce("other");
  EXPECT_EQ(fresh.send(Message(kTopic, "x")).error().code(), ErrorCode::kNoRoute);
  pass(kRoutesAreRead);
  EXPECT_EQ(brokersOf(fresh), (Names{"broker-a", "broker-b"}));
}

TEST_F(Topology, AFrozenViewStandsStill) {
  begin({.brokers = 1});
  nameserver(0).freeze().value();
  MockBroker added = cluster->addBroker("broker-b").value();
  added.updateTopic(topic(2)).value();
  auto producer = produce();
  EXPECT_EQ(brokersOf(producer), Names{"broker-a"});
  broker("broker-a").stop().value();
  pass(10min);
  // What it says is stale by now: the route names a broker that is gone, and not the one that is there.
  EXPECT_EQ(producer.send(Message(kTopic, "x")).error().code(), ErrorCode::kUnreachable);
  nameserver(0).thaw().value();
  pass(kViewsAgree);
  EXPECT_EQ(brokersOf(producer), Names{"broker-b"});
}

TEST_F(Topology, QueuedRoutesComeFirstThenTheStandingOneThenTheTruth) {
  begin({.brokers = 2}, 1);
  MockNameserver ns = nameserver(0);
  const MockRoute only_a{{.brokerName = "broker-a", .readQueueNums = 1, .writeQueueNums = 1}};
  const MockRoute only_b{{.brokerName = "broker-b", .readQueueNums = 1, .writeQueueNums = 1}};
  ns.setRoute(kTopic, only_b).value();
  ns.queueRoutes(kTopic, {MockRoute{}, only_a}).value();
  auto consumer = consume();
  const auto now = [&] {
    Names brokers;
    for (const MessageQueue& queue : queuesOf(consumer)) brokers.insert(queue.brokerName());
    return brokers;
  };
  EXPECT_EQ(now(), Names{}) << "a subscribed topic without a route is asked for each second";
  ASSERT_TRUE(cluster->waitUntil([&] { return !now().empty(); }));
  EXPECT_EQ(now(), Names{"broker-a"});
  pass(kViewsAgree);
  EXPECT_EQ(now(), Names{"broker-b"});
  ns.clearRoutes().value();
  pass(kViewsAgree);
  EXPECT_EQ(now(), (Names{"broker-a", "broker-b"}));
  EXPECT_EQ(ns.setRoute(kTopic, {{.brokerName = "nobody"}}).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(Topology, AForgottenTopicComesBackWithTheNextRegistration) {
  begin({.brokers = 1});
  nameserver(0).forget(kTopic).value();
  auto consumer = consume();
  pass(10s);
  EXPECT_EQ(queuesOf(consumer).size(), 0u);
  pass(kRoutesAreRead);
  EXPECT_EQ(queuesOf(consumer).size(), 2u);
}

TEST_F(Topology, AChangedAddressListMovesRunningClientsWhileTheOldServerStillAnswers) {
  begin({.nameservers = 2, .brokers = 1});
  cluster->tellNameservers({0}).value();
  auto producer = DefaultMQProducer::start("shop", cluster->discoveringClient().value()).value();
  EXPECT_EQ(brokersOf(producer), Names{"broker-a"});
  nameserver(0).freeze().value();
  cluster->addBroker("broker-b").value().updateTopic(topic(2)).value();
  pass(kRoutesAreRead);
  EXPECT_EQ(brokersOf(producer), Names{"broker-a"}) << "the old server's view";
  cluster->tellNameservers({1}).value();
  pass(2min + kRoutesAreRead);
  EXPECT_EQ(brokersOf(producer), (Names{"broker-a", "broker-b"}));
  EXPECT_EQ(cluster->tellNameservers({2}).error().code(), ErrorCode::kInvalidArgument);
}

// The same verbs over sockets and real time; what clients learn from routes each 30 s is left to virtual time.
TEST(TopologyOverTcp, BrokersAndNameserversEndAndComeBackAtTheirPorts) {
  MockCluster cluster = MockCluster::start({.brokers = 1, .transport = MockTransport::kTcp}).value();
  cluster.createTopic({.topicName = kTopic, .readQueueNums = 1, .writeQueueNums = 1}).value();
  MockBroker a = cluster.broker("broker-a").value();
  const std::string address = a.address();
  auto producer = DefaultMQProducer::start("shop", cluster.client()).value();
  producer.send(Message(kTopic, "x")).value();
  a.kill().value();
  a.start().value();
  EXPECT_EQ(a.address(), address);
  producer.send(Message(kTopic, "y")).value();
  EXPECT_EQ(cluster.messages(kTopic).size(), 2u);
  MockNameserver ns = cluster.nameserver(0).value();
  ns.stop().value();
  ns.start().value();
  producer.send(Message(kTopic, "z")).value();
  a.moveTo("127.0.0.1:0").value();  // and registers there with the nameserver that knew nobody
  EXPECT_NE(a.address(), address);
  auto fresh = DefaultMQProducer::start("other", cluster.client()).value();
  fresh.send(Message(kTopic, "moved")).value();
  EXPECT_EQ(cluster.messages(kTopic).size(), 4u);
  EXPECT_EQ(cluster.discoveringClient().error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace mqclient
