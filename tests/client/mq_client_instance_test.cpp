#include "client/mq_client_instance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "mqclient/codes.h"
#include "protocol/body/heartbeat.h"
#include "protocol/headers/client.h"
#include "tests/client/scripted_cluster.h"

namespace mqclient::client {
namespace {

using namespace std::chrono_literals;
using scripted::Server;

struct Hooks final : ConsumerHooks {
  explicit Hooks(std::string name) : name_(std::move(name)) {}
  const std::string& group() const noexcept override { return name_; }
  protocol::ConsumerData heartbeatData() const override {
    protocol::ConsumerData data;
    data.groupName = name_;
    return data;
  }
  void onConsumerIdsChanged() noexcept override { ++ids_changed; }
  void onRouteChanged(const std::string& topic, const RoutePtr& route) noexcept override {
    EXPECT_TRUE(route);
    changed.push_back(topic);
  }
  void onBrokerConnected(const std::string& broker) noexcept override { connected.push_back(broker); }

  int ids_changed = 0;
  std::vector<std::string> changed;
  std::vector<std::string> connected;

 private:
  const std::string name_;
};

class InstanceTest : public scripted::ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    addNameserver();
    addNameserver();
    addBroker();
    addBroker();
    addRoute("orders", brokers[0], 4);
    addRoute("orders", brokers[1], 4);
  }
  void TearDown() override {
    lease = InstanceLease();
    ClusterTest::TearDown();
  }
  void acquire() {
    Result<InstanceLease> acquired = MQClientInstance::acquire(clientOptions());
    ASSERT_TRUE(acquired) << acquired.error();
    lease = *std::move(acquired);
  }
  Result<RoutePtr> fetch(const std::string& topic, Millis within = 3s) {
    auto [future, done] = base::makeOperation<RoutePtr>(engine->callbackTarget());
    lease->fetchRoute(topic, engine->now() + within, std::move(done));
    return std::move(future).get();
  }
  Result<void> heartbeat() {
    auto [future, done] = base::makeOperation<void>(engine->callbackTarget());
    lease->heartbeatNow(std::move(done));
    return std::move(future).get();
  }
  void watch(const std::string& topic) {
    lease->watchTopic(topic);
    engine->runUntilIdle();
  }
  /// The nameserver that answered, and the other one.
  Server& asked() { return nameservers[0]->route_times.empty() ? *nameservers[1] : *nameservers[0]; }
  Server& unasked() { return nameservers[0]->route_times.empty() ? *nameservers[0] : *nameservers[1]; }

  InstanceLease lease;
};

// ---- routes

TEST_F(InstanceTest, ARouteComesFromOneNameserverWhichStaysTheChosenOne) {
  acquire();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(fetch("orders"));
  EXPECT_EQ(asked().route_times.size(), 5u);
  EXPECT_EQ(unasked().route_times.size(), 0u);
}

TEST_F(InstanceTest, WhoAsksWhileOthersAskSharesTheAnswer) {
  acquire();
  for (const auto& ns : nameservers) ns->scripts[RequestCode::GET_ROUTEINFO_BY_TOPIC] = ns->hanging();
  int answers = 0;
  for (int i = 0; i < 10; ++i) {
    lease->fetchRoute("orders", engine->now() + 3s,
                      base::Completion<RoutePtr>::of([&](Result<RoutePtr>&&) { ++answers; }));
  }
  engine->runUntilIdle();
  EXPECT_EQ(nameservers[0]->held.size() + nameservers[1]->held.size(), 1u);
  engine->advance(4s);
  EXPECT_EQ(answers, 10);
}

TEST_F(InstanceTest, ASilentNameserverGetsItsShareOfTheTimeAndNoMore) {
  acquire();
  ASSERT_TRUE(fetch("orders"));
  Server& first = asked();
  first.scripts[RequestCode::GET_ROUTEINFO_BY_TOPIC] = first.hanging();
  const base::SteadyTime before = engine->now();
  const auto route = fetch("orders");
  ASSERT_TRUE(route) << route.error();
  EXPECT_EQ(since(before), 1500ms);
  const base::SteadyTime again = engine->now();
  ASSERT_TRUE(fetch("orders"));
  EXPECT_EQ(since(again), 0ms) << "the one that answered is the chosen one now";
}

TEST_F(InstanceTest, ARefusingNameserverCostsNoTime) {
  acquire();
  ASSERT_TRUE(fetch("orders"));
  stop(asked().name() == "ns0" ? nameservers[0] : nameservers[1]);
  const base::SteadyTime before = engine->now();
  ASSERT_TRUE(fetch("orders"));
  EXPECT_LT(since(before), 100ms);
}

TEST_F(InstanceTest, OneNameserverThatKnowsTheTopicIsEnough) {
  acquire();
  ASSERT_TRUE(fetch("orders"));
  Server& first = asked();
  const std::map<std::string, protocol::TopicRouteData> nothing;
  first.routes = &nothing;
  EXPECT_TRUE(fetch("orders")) << "views differ for a while";
}

TEST_F(InstanceTest, ErrorsSayWhoWasAskedAndWhatTheySaid) {
  acquire();
  const auto unknown = fetch("no-such-topic");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), ErrorCode::kNoRoute);
  EXPECT_EQ(unknown.error().responseCode(), static_cast<int>(ResponseCode::TOPIC_NOT_EXIST));
  EXPECT_NE(unknown.error().message().find("no-such-topic"), std::string::npos);
  stop(nameservers[0]);
  stop(nameservers[1]);
  const auto nobody = fetch("orders");
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code(), ErrorCode::kNoNameServer);
  for (const auto& ns : nameservers) EXPECT_NE(nobody.error().message().find(ns->address()), std::string::npos);
}

TEST_F(InstanceTest, EachWaiterHasItsOwnDeadline) {
  acquire();
  for (const auto& ns : nameservers) ns->scripts[RequestCode::GET_ROUTEINFO_BY_TOPIC] = ns->hanging();
  const base::SteadyTime before = engine->now();
  const auto impatient = fetch("orders", 200ms);
  ASSERT_FALSE(impatient);
  EXPECT_EQ(impatient.error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(since(before), 200ms);
}

TEST_F(InstanceTest, AKnownRouteIsNeverRemovedNorEmptied) {
  acquire();
  watch("orders");
  ASSERT_TRUE(lease->route("orders"));
  const auto full = routes["orders"];
  for (const bool empty : {false, true}) {
    routes.erase("orders");
    if (empty) routes["orders"].brokerDatas = full.brokerDatas;  // brokers, but no queue
    engine->advance(40s);
    EXPECT_TRUE(lease->route("orders"));
    EXPECT_FALSE(fetch("orders")) << "who asks hears the truth";
  }
  for (const auto& ns : nameservers) stop(ns);
  engine->advance(60s);
  EXPECT_TRUE(lease->route("orders"));
}

TEST_F(InstanceTest, AWatchedRouteIsAskedForEachHalfMinuteGiveOrTakeATenth) {
  acquire();
  watch("orders");
  engine->advance(5min);
  const auto& times = asked().route_times;
  ASSERT_GE(times.size(), 9u);
  ASSERT_LE(times.size(), 12u);
  bool varies = false;
  for (std::size_t i = 1; i < times.size(); ++i) {
    const auto gap = std::chrono::duration_cast<Millis>(times[i] - times[i - 1]);
    EXPECT_GE(gap, 27s);
    EXPECT_LE(gap, 33s + 2ms);
    varies = varies || gap != std::chrono::duration_cast<Millis>(times[1] - times[0]);
  }
  EXPECT_TRUE(varies) << "many clients must not ask in step";
}

TEST_F(InstanceTest, AnUnknownTopicIsAskedForEachSecondUntilItIsThere) {
  acquire();
  const auto hooks = base::makeRef<Hooks>("g");
  ASSERT_TRUE(lease->registerConsumer(hooks));
  watch("later");
  engine->advance(5s);
  EXPECT_GE(asked().route_times.size(), 5u);
  addRoute("later", brokers[0], 2);
  engine->advance(1200ms);
  EXPECT_TRUE(lease->route("later"));
  EXPECT_EQ(hooks->changed, std::vector<std::string>{"later"});
}

TEST_F(InstanceTest, WatchesAreCounted) {
  acquire();
  watch("orders");
  watch("orders");
  EXPECT_EQ(lease->watchedTopics(), 1u);
  lease->unwatchTopic("orders");
  engine->runUntilIdle();
  EXPECT_EQ(lease->watchedTopics(), 1u);
  lease->unwatchTopic("orders");
  engine->runUntilIdle();
  EXPECT_EQ(lease->watchedTopics(), 0u);
  const std::size_t before = nameservers[0]->route_times.size() + nameservers[1]->route_times.size();
  engine->advance(5min);
  EXPECT_EQ(nameservers[0]->route_times.size() + nameservers[1]->route_times.size(), before);
}

// The last watcher leaves in the moment in which a producer's first send comes: it must not read a place that nobody
// writes any more.
TEST_F(InstanceTest, ARouteThatIsHeldStaysInItsPlace) {
  acquire();
  watch("orders");
  const base::Ref<route::RouteSlot> slot = lease->holdRoute("orders");
  lease->unwatchTopic("orders");  // the other one's
  lease->watchTopic("orders");
  engine->runUntilIdle();
  routes["orders"].queueDatas[0].writeQueueNums = 8;
  engine->advance(40s);
  ASSERT_TRUE(slot->get());
  EXPECT_EQ(slot->get()->queueDatas[0].writeQueueNums, 8);
  lease->unwatchTopic("orders", MQClientInstance::RouteHeld::kYes);
  engine->runUntilIdle();
  EXPECT_FALSE(lease->route("orders"));
}

TEST_F(InstanceTest, AChangedRouteIsToldOnceAndAnEventSaysSo) {
  acquire();
  const auto hooks = base::makeRef<Hooks>("g");
  ASSERT_TRUE(lease->registerConsumer(hooks));
  watch("orders");
  std::swap(routes["orders"].queueDatas[0], routes["orders"].queueDatas[1]);
  engine->advance(2min);
  EXPECT_EQ(hooks->changed.size(), 1u) << "another order is no change";
  routes["orders"].queueDatas[0].writeQueueNums = 8;
  engine->advance(2min);
  EXPECT_EQ(hooks->changed.size(), 2u);
  EXPECT_EQ(std::ranges::count(events, EventKind::kRouteChanged, &ClientEvent::kind), 1);
}

TEST_F(InstanceTest, BrokersAreFoundByNameAndId) {
  routes["orders"].brokerDatas[0].brokerAddrs[2] = "127.0.0.1:20911";
  acquire();
  watch("orders");
  EXPECT_EQ(lease->findBroker({"broker-a"})->address, brokers[0]->address());
  EXPECT_FALSE(lease->findBroker({"broker-a", 1, OnlyThis::kYes}));
  EXPECT_EQ(lease->findBroker({"broker-a", 1, OnlyThis::kNo})->broker_id, 2) << "id + 1";
  EXPECT_EQ(lease->findBroker({"broker-b", 5, OnlyThis::kNo})->broker_id, 0) << "any";
  EXPECT_FALSE(lease->findBroker({"nobody"}));
  EXPECT_TRUE(lease->anyBrokerOf("orders"));
  EXPECT_FALSE(lease->anyBrokerOf("unknown"));
  const Error error = lease->unknownBroker({"nobody"}, RequestCode::PULL_MESSAGE);
  EXPECT_EQ(error.code(), ErrorCode::kNoRoute);
  EXPECT_NE(error.message().find("broker-a, broker-b"), std::string::npos) << error;
}

TEST_F(InstanceTest, ABrokerThatLeftAllRoutesIsForgotten) {
  acquire();
  lease->registerProducer("p");
  watch("orders");
  EXPECT_EQ(lease->health().brokers.size(), 2u);
  const std::size_t connections = lease->remoting().connections();
  routes["orders"].queueDatas.pop_back();
  routes["orders"].brokerDatas.pop_back();
  engine->advance(40s);
  EXPECT_EQ(lease->masters().size(), 1u);
  EXPECT_EQ(lease->health().brokers.size(), 1u);
  EXPECT_EQ(lease->remoting().connections(), connections - 1) << "its connection is closed";
}

// ---- heartbeats

TEST_F(InstanceTest, GroupsAreToldAtOnceWhenBrokersOrGroupsAreNew) {
  acquire();
  lease->registerProducer("p");
  watch("orders");
  for (const auto& broker : brokers) {
    ASSERT_EQ(broker->heartbeats.size(), 1u) << broker->name();
    EXPECT_EQ(broker->heartbeats[0].clientID, lease->clientId());
    EXPECT_EQ(broker->heartbeats[0].producerDataSet.at(0).groupName, "p");
  }
  ASSERT_TRUE(lease->registerConsumer(base::makeRef<Hooks>("g")));
  engine->runUntilIdle();
  EXPECT_EQ(brokers[0]->heartbeats.back().consumerDataSet.at(0).groupName, "g");
}

TEST_F(InstanceTest, HeartbeatsComeEachHalfMinuteAndAHungBrokerDelaysNobody) {
  acquire();
  lease->registerProducer("p");
  watch("orders");
  brokers[0]->scripts[RequestCode::HEART_BEAT] = brokers[0]->hanging();
  engine->advance(95s);
  ASSERT_EQ(brokers[1]->heartbeat_times.size(), 4u);
  for (std::size_t i = 2; i < 4; ++i) {
    const auto gap =
        std::chrono::duration_cast<Millis>(brokers[1]->heartbeat_times[i] - brokers[1]->heartbeat_times[i - 1]);
    EXPECT_GE(gap, 30s);
    EXPECT_LE(gap, 30s + 10ms);
  }
}

TEST_F(InstanceTest, SlavesHearOfConsumersOnly) {
  const base::Ref<Server> slave = addBroker();
  routes["orders"].brokerDatas[0].brokerAddrs[1] = slave->address();
  acquire();
  lease->registerProducer("p");
  watch("orders");
  engine->advance(65s);
  EXPECT_EQ(slave->heartbeats.size(), 0u);
  ASSERT_TRUE(lease->registerConsumer(base::makeRef<Hooks>("g")));
  engine->runUntilIdle();
  EXPECT_EQ(slave->heartbeats.size(), 1u);
}

TEST_F(InstanceTest, NothingIsSaidWithoutAGroup) {
  acquire();
  watch("orders");
  EXPECT_TRUE(heartbeat());
  engine->advance(65s);
  EXPECT_EQ(brokers[0]->heartbeats.size(), 0u);
}

TEST_F(InstanceTest, AHeartbeatAnswersTheFirstErrorOnlyIfNobodyAccepted) {
  acquire();
  lease->registerProducer("p");
  watch("orders");
  brokers[0]->scripts[RequestCode::HEART_BEAT] = Server::answering(ResponseCode::SYSTEM_ERROR);
  EXPECT_TRUE(heartbeat());
  brokers[1]->scripts[RequestCode::HEART_BEAT] = Server::answering(ResponseCode::SYSTEM_ERROR);
  const auto refused = heartbeat();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().responseCode(), 1);
}

TEST_F(InstanceTest, ANewConnectionIsToldOfTheGroupsAndTheConsumersHear) {
  acquire();
  const auto hooks = base::makeRef<Hooks>("g");
  ASSERT_TRUE(lease->registerConsumer(hooks));
  watch("orders");
  EXPECT_EQ(hooks->connected, (std::vector<std::string>{"broker-a", "broker-b"}));
  const std::size_t before = brokers[0]->heartbeats.size();
  brokers[0]->peers.back()->close(Error(ErrorCode::kConnectionLost, "cut"));
  engine->advance(31s);  // the next heartbeat connects again, and is the telling itself
  EXPECT_EQ(brokers[0]->heartbeats.size(), before + 1);
  EXPECT_EQ(hooks->connected.size(), 3u);
  EXPECT_EQ(std::ranges::count(events, EventKind::kBrokerDown, &ClientEvent::kind), 1);
  EXPECT_EQ(std::ranges::count(events, EventKind::kBrokerUp, &ClientEvent::kind), 1);
}

TEST_F(InstanceTest, LeavingTellsEveryBrokerThatKnowsTheGroup) {
  acquire();
  lease->registerProducer("p");
  lease->registerProducer("p");
  watch("orders");
  const auto leave = [&] {
    auto [future, done] = base::makeOperation<void>(engine->callbackTarget());
    lease->unregisterProducer("p", engine->now() + 3s, std::move(done));
    return std::move(future).get();
  };
  EXPECT_TRUE(leave());
  EXPECT_EQ(brokers[0]->counts[RequestCode::UNREGISTER_CLIENT], 0) << "another producer of the group stays";
  brokers[1]->scripts[RequestCode::UNREGISTER_CLIENT] = brokers[1]->hanging();
  const base::SteadyTime before = engine->now();
  EXPECT_TRUE(leave());
  EXPECT_EQ(since(before), 3s) << "a hung broker costs the deadline and no more";
  EXPECT_EQ(brokers[0]->counts[RequestCode::UNREGISTER_CLIENT], 1);
}

// ---- what brokers ask

TEST_F(InstanceTest, ANotificationReachesItsGroup) {
  acquire();
  const auto mine = base::makeRef<Hooks>("mine");
  const auto other = base::makeRef<Hooks>("other");
  ASSERT_TRUE(lease->registerConsumer(mine));
  ASSERT_TRUE(lease->registerConsumer(other));
  watch("orders");
  protocol::NotifyConsumerIdsChangedRequestHeader header;
  header.consumerGroup = "mine";
  brokers[0]->peers.back()->sendOneway(protocol::encodeRequest(
      {.code = RequestCode::NOTIFY_CONSUMER_IDS_CHANGED, .opaque = 1, .oneway = protocol::Oneway::kYes}, header));
  engine->runUntilIdle();
  EXPECT_EQ(mine->ids_changed, 1);
  EXPECT_EQ(other->ids_changed, 0);
}

TEST_F(InstanceTest, AGroupRunsOnceOnAnInstance) {
  acquire();
  ASSERT_TRUE(lease->registerConsumer(base::makeRef<Hooks>("g")));
  const auto again = lease->registerConsumer(base::makeRef<Hooks>("g"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kInvalidArgument);
}

// ---- identity and sharing

TEST_F(InstanceTest, EachClientHasAnIdOfItsOwnUnlessItIsNamed) {
  acquire();
  const auto other = MQClientInstance::acquire(clientOptions());
  ASSERT_TRUE(other);
  EXPECT_NE(lease->clientId(), (*other)->clientId());
  EXPECT_EQ(lease->clientId().rfind("127.0.0.1@", 0), 0u) << lease->clientId();
  ClientOptions named = clientOptions();
  named.instanceName = "billing";
  named.unitName = "unit";
  named.log = nullptr;  // clients with hooks of their own share nothing
  named.onEvent = nullptr;
  const auto a = MQClientInstance::acquire(named);
  const auto b = MQClientInstance::acquire(named);
  ASSERT_TRUE(a && b);
  EXPECT_EQ((*a)->clientId(), "127.0.0.1@billing@unit");
  EXPECT_EQ(a->ref(), b->ref()) << "shared on purpose";
  named.unitName = "";
  const auto c = MQClientInstance::acquire(named);
  ASSERT_TRUE(c);
  EXPECT_FALSE(a->ref() == c->ref());
}

TEST_F(InstanceTest, TheLastLeaseClosesWhatIsShared) {
  ClientOptions named = clientOptions();
  named.instanceName = "billing";
  named.log = nullptr;
  named.onEvent = nullptr;
  auto a = MQClientInstance::acquire(named);
  auto b = MQClientInstance::acquire(named);
  const base::Ref<MQClientInstance> instance = a->ref();
  *a = InstanceLease();
  lease = *std::move(b);
  EXPECT_TRUE(fetch("orders")) << "the other lease keeps it open";
  lease = InstanceLease();
  engine->runUntilIdle();
  auto [future, done] = base::makeOperation<RoutePtr>(engine->callbackTarget());
  instance->fetchRoute("orders", engine->now() + 3s, std::move(done));
  const auto closed = std::move(future).get();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code(), ErrorCode::kClosed);
  const auto fresh = MQClientInstance::acquire(named);
  ASSERT_TRUE(fresh);
  EXPECT_FALSE(fresh->ref() == instance);
}

TEST_F(InstanceTest, ClosingSettlesWhoStillWaits) {
  acquire();
  for (const auto& ns : nameservers) ns->scripts[RequestCode::GET_ROUTEINFO_BY_TOPIC] = ns->hanging();
  std::optional<Result<RoutePtr>> answer;
  lease->fetchRoute("orders", engine->now() + 3s,
                    base::Completion<RoutePtr>::of([&](Result<RoutePtr>&& r) { answer = std::move(r); }));
  engine->runUntilIdle();
  lease = InstanceLease();
  engine->runUntilIdle();
  ASSERT_TRUE(answer);
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().code(), ErrorCode::kClosed);
}

TEST_F(InstanceTest, OptionsOutOfRangeAreAllNamed) {
  ClientOptions options = clientOptions();
  options.pollNameServerInterval = 0ms;
  options.heartbeatBrokerInterval = -1ms;
  options.instanceName = "two words";
  options.startTimeout = -5ms;
  const auto refused = MQClientInstance::acquire(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  for (const char* name : {"pollNameServerInterval", "heartbeatBrokerInterval", "instanceName", "startTimeout"}) {
    EXPECT_NE(refused.error().message().find(name), std::string::npos) << name;
  }
}

// ---- health

TEST_F(InstanceTest, HealthShowsBrokersAndWhatStrandsMessages) {
  routes["orders"].queueDatas[0].readQueueNums = 2;
  routes["orders"].queueDatas[1].writeQueueNums = 3;
  acquire();
  lease->registerProducer("p");
  watch("orders");
  Health health = lease->health();
  ASSERT_EQ(health.brokers.size(), 2u);
  EXPECT_EQ(health.brokers[0].brokerName, "broker-a");
  EXPECT_EQ(health.brokers[0].address, brokers[0]->address());
  EXPECT_EQ(health.brokers[0].state, BrokerState::kUp);
  ASSERT_EQ(health.warnings.size(), 2u);
  EXPECT_EQ(health.warnings[0], "orders on broker-a: read 2 < write 4: queues 2-3 are never read");
  EXPECT_EQ(health.warnings[1], "orders on broker-b: write 3 < read 4: queue 3 receive nothing");
  stop(brokers[0]);
  engine->advance(35s);
  health = lease->health();
  EXPECT_EQ(health.brokers[0].state, BrokerState::kDown);
  EXPECT_NE(health.brokers[0].why, "");
  EXPECT_GE(health.brokers[0].sinceLastAnswer, 30s);
  EXPECT_GT(health.brokers[0].isolatedFor, 0ms);
  EXPECT_EQ(health.brokers[1].state, BrokerState::kUp);
  EXPECT_GE(std::ranges::count(events, EventKind::kBrokerIsolated, &ClientEvent::kind), 1);
}

TEST_F(InstanceTest, AnOutageIsNotAFloodOfLines) {
  acquire();
  lease->registerProducer("p");
  watch("orders");
  watch("unknown");
  for (const auto& ns : nameservers) stop(ns);
  for (const auto& broker : brokers) stop(broker);
  log.clear();
  engine->advance(30s);
  EXPECT_LE(log.size(), 12u) << "a line an address, topic and half minute";
}

}  // namespace
}  // namespace mqclient::client
