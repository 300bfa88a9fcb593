// Nameservers told by an address server: the script of this file, in virtual time.
#include "client/nameserver_discovery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "client/mq_client_instance.h"
#include "tests/client/scripted_cluster.h"

namespace mqclient::client {
namespace {

using namespace std::chrono_literals;
using scripted::Server;

constexpr const char* kUrl = "http://addresses.test/rocketmq/nsaddr";

class ScriptedAddressing final : public TopAddressing {
 public:
  explicit ScriptedAddressing(base::Ref<sim::SimEngine> engine) : engine_(std::move(engine)) {}

  const std::string& name() const noexcept override { return name_; }
  void fetchNSAddr(base::SteadyTime deadline, base::Completion<std::string> done) override {
    times.push_back(engine_->now());
    EXPECT_EQ(deadline - engine_->now(), 3s);
    EXPECT_FALSE(held) << "one question at a time";
    if (!answer) {
      held = std::move(done);
    } else {
      std::move(done)(Result<std::string>(*answer));
    }
  }
  void close() noexcept override {
    closed = true;
    if (held) std::move(held)(Error(ErrorCode::kClosed, "was closed"));
  }

  std::optional<Result<std::string>> answer;  ///< of every question; empty: it is held
  base::Completion<std::string> held;
  std::vector<base::SteadyTime> times;
  bool closed = false;

 private:
  const base::Ref<sim::SimEngine> engine_;
  const std::string name_ = kUrl;
};

Error failure(const char* text) {
  return Error(ErrorCode::kNoNameServer, text);
}

class DiscoveryTest : public scripted::ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    addNameserver();
    addNameserver();
    addBroker();
    addBroker();
    addRoute("orders", brokers[0], 4);
    addressing = source;
  }
  void TearDown() override {
    lease = InstanceLease();
    engine->runUntilIdle();
    EXPECT_TRUE(source->closed);
    ClusterTest::TearDown();
  }
  std::string list(std::initializer_list<int> which) const {
    std::string text;
    for (const int i : which) text += (text.empty() ? "" : ";") + nameservers[static_cast<std::size_t>(i)]->address();
    return text;
  }
  void acquire() {
    lease = MQClientInstance::acquire(clientOptions()).value();
    engine->runUntilIdle();
  }
  std::optional<Result<RoutePtr>>& fetchLater(Millis within = 3s) {
    lease->fetchRoute("orders", engine->now() + within,
                      base::Completion<RoutePtr>::of([this](Result<RoutePtr>&& r) { fetched = std::move(r); }));
    engine->runUntilIdle();
    return fetched;
  }
  /// Lets the next period pass, and what follows from it.
  void nextPeriod() {
    const std::size_t before = source->times.size();
    while (source->times.size() == before) ASSERT_TRUE(engine->advanceToNextTimer());
    engine->runUntilIdle();
  }
  std::size_t linesWith(const std::string& words) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(log, [&](const std::string& line) { return line.find(words) != std::string::npos; }));
  }
  std::vector<Millis> gaps() const {
    std::vector<Millis> pauses;
    for (std::size_t i = 1; i < source->times.size(); ++i) {
      pauses.push_back(std::chrono::duration_cast<Millis>(source->times[i] - source->times[i - 1]));
    }
    return pauses;
  }

  base::Ref<ScriptedAddressing> source = base::makeRef<ScriptedAddressing>(engine);
  std::optional<Result<RoutePtr>> fetched;
  InstanceLease lease;
};

// ---- until a list is known

TEST_F(DiscoveryTest, WhoAsksForARouteWaitsForTheFirstList) {
  acquire();
  fetchLater();
  EXPECT_FALSE(fetched);
  engine->advance(2s);
  std::move(source->held)(list({0}));
  engine->runUntilIdle();
  ASSERT_TRUE(fetched);
  EXPECT_TRUE(*fetched) << fetched->error();
  EXPECT_EQ(nameservers[0]->route_times.size(), 1u);
  EXPECT_EQ(nameservers[1]->route_times.size(), 0u);
  EXPECT_EQ(linesWith(kUrl), 1u);
}

TEST_F(DiscoveryTest, AWatchedTopicIsAskedForAsSoonAsThereIsAList) {
  acquire();
  lease->watchTopic("orders");
  engine->advance(20s);
  EXPECT_FALSE(lease->route("orders"));
  std::move(source->held)(list({0, 1}));
  engine->runUntilIdle();
  EXPECT_TRUE(lease->route("orders"));
}

TEST_F(DiscoveryTest, AnEarlyFailureIsTriedAgainBeforeTheFirstCallerGivesUp) {
  source->answer = failure("cannot be asked: refused");
  acquire();
  fetchLater();
  engine->advance(50ms);
  source->answer = list({1});
  engine->advance(500ms);
  ASSERT_TRUE(fetched);
  EXPECT_TRUE(*fetched) << fetched->error();
}

TEST_F(DiscoveryTest, WithoutAListEachCallerIsToldAtItsDeadlineWhatWentWrongAndWhatToDo) {
  source->answer = failure("answers with status 404");
  acquire();
  const base::SteadyTime before = engine->now();
  fetchLater(500ms);
  while (!fetched) ASSERT_TRUE(engine->advanceToNextTimer());
  EXPECT_EQ(since(before), 500ms);
  ASSERT_FALSE(*fetched);
  EXPECT_EQ(fetched->error().code(), ErrorCode::kNoNameServer);
  for (const char* words : {kUrl, "status 404", "tries", "200", "host:port;host:port"}) {
    EXPECT_NE(fetched->error().message().find(words), std::string::npos) << words << "\n" << fetched->error();
  }
  EXPECT_GE(source->times.size(), 3u);
}

TEST_F(DiscoveryTest, ASilentAddressServerIsNamedToo) {
  acquire();
  fetchLater(200ms);
  engine->advance(200ms);
  ASSERT_TRUE(fetched && !*fetched);
  EXPECT_EQ(fetched->error().code(), ErrorCode::kNoNameServer);
  EXPECT_NE(fetched->error().message().find(std::string(kUrl) + " has not answered yet"), std::string::npos);
  // A caller that may wait longer than a request is waited with.
  fetched.reset();
  fetchLater(8s);
  engine->advance(7s);
  EXPECT_FALSE(fetched);
  engine->advance(1s);
  EXPECT_TRUE(fetched && !*fetched);
}

TEST_F(DiscoveryTest, TriesGetRarerAndOneLineTellsOfThem) {
  source->answer = failure("cannot be asked: refused");
  acquire();
  engine->advance(25s);
  const std::vector<Millis> pauses = gaps();
  ASSERT_GE(pauses.size(), 6u);
  EXPECT_LE(pauses.front(), 121ms);
  for (const Millis pause : pauses) EXPECT_LE(pause, 12'001ms);
  EXPECT_EQ(linesWith(kUrl), 1u);
  engine->advance(10min);
  EXPECT_GE(gaps().back(), 8s);
  EXPECT_LE(linesWith(kUrl), 22u) << "one a half minute";
}

// ---- while one is known

TEST_F(DiscoveryTest, AKnownListIsAskedForEachTwoMinutesGiveOrTakeATenth) {
  source->answer = list({0});
  acquire();
  engine->advance(1h);
  const std::vector<Millis> pauses = gaps();
  ASSERT_GE(pauses.size(), 27u);
  for (const Millis pause : pauses) {
    EXPECT_GE(pause, 108s);
    EXPECT_LE(pause, 132s + 2ms);
  }
  EXPECT_NE(pauses[0], pauses[1]) << "many clients do not ask in step";
  EXPECT_EQ(linesWith(kUrl), 1u) << "what stays is not told again";
}

TEST_F(DiscoveryTest, AnotherListMovesTheClient) {
  std::map<std::string, protocol::TopicRouteData> elsewhere;
  std::swap(routes, elsewhere);
  addRoute("orders", brokers[1], 2);
  std::swap(routes, elsewhere);
  nameservers[1]->routes = &elsewhere;
  source->answer = list({0});
  acquire();
  lease->watchTopic("orders");
  engine->runUntilIdle();
  EXPECT_TRUE(lease->findBroker({.broker_name = "broker-a"}));
  source->answer = list({1});
  nextPeriod();
  EXPECT_FALSE(lease->findBroker({.broker_name = "broker-a"}));
  EXPECT_TRUE(lease->findBroker({.broker_name = "broker-b"})) << "at once, not at the next poll";
  EXPECT_FALSE(nameservers[0]->peers.back()->open()) << "its connection is forgotten";
  EXPECT_EQ(linesWith("instead of " + list({0})), 1u);
  EXPECT_EQ(std::ranges::count(events, EventKind::kRouteChanged, &ClientEvent::kind), 1);
  const std::size_t asked_before = nameservers[0]->route_times.size();
  engine->advance(2min);
  EXPECT_EQ(nameservers[0]->route_times.size(), asked_before);
}

TEST_F(DiscoveryTest, TheChosenNameserverStaysChosenWhileItIsListed) {
  source->answer = list({0});
  acquire();
  fetchLater();
  engine->advance(1min);
  fetchLater();  // lest the connection be closed as idle
  source->answer = list({1, 0});
  nextPeriod();
  for (int i = 0; i < 10; ++i) fetchLater();
  EXPECT_EQ(nameservers[0]->route_times.size(), 12u);
  EXPECT_EQ(nameservers[1]->route_times.size(), 0u);
  EXPECT_EQ(nameservers[0]->peers.size(), 1u) << "over the same connection";
  stop(nameservers[0]);
  fetchLater();
  EXPECT_EQ(nameservers[1]->route_times.size(), 1u) << "the new one is there when it is needed";
}

TEST_F(DiscoveryTest, TheSameMembersInAnotherOrderChangeNothing) {
  source->answer = list({0, 1});
  acquire();
  lease->watchTopic("orders");
  engine->runUntilIdle();
  source->answer = " " + list({1, 0, 1}) + ";\r\n# kept by the operations team\r\n";
  nextPeriod();
  EXPECT_EQ(linesWith(kUrl), 1u);
}

TEST_F(DiscoveryTest, WhatCannotBeHadOrReadKeepsTheOldList) {
  source->answer = list({0});
  acquire();
  fetchLater();
  const std::vector<Result<std::string>> bad{
      failure("answers with status 500"), "", " \r\n", "<html>", "a:1;b", std::string(64'000, ';')};
  for (const Result<std::string>& one : bad) {
    source->answer = one;
    nextPeriod();
    fetched.reset();
    fetchLater();
    ASSERT_TRUE(fetched);
    EXPECT_TRUE(*fetched) << fetched->error();
  }
  EXPECT_EQ(linesWith("kept are " + list({0})), bad.size()) << "one line a period";
  EXPECT_EQ(linesWith("instead of"), 0u);
}

TEST_F(DiscoveryTest, WhatIsUnderWayToTheOldOnesIsAskedOfTheNewOnes) {
  source->answer = list({0});
  acquire();
  nameservers[0]->scripts[RequestCode::GET_ROUTEINFO_BY_TOPIC] = nameservers[0]->hanging();
  source->answer.reset();
  while (!source->held) ASSERT_TRUE(engine->advanceToNextTimer());
  fetchLater();
  EXPECT_FALSE(fetched);
  std::move(source->held)(list({1}));
  stop(nameservers[0]);
  ASSERT_TRUE(fetched);
  EXPECT_TRUE(*fetched) << fetched->error();
  EXPECT_EQ(nameservers[1]->route_times.size(), 1u);
}

// ---- the end

TEST_F(DiscoveryTest, ClosingEndsTheQuestionAndWhoWaitsForIt) {
  acquire();
  fetchLater();
  lease = InstanceLease();
  engine->runUntilIdle();
  EXPECT_TRUE(source->closed);
  ASSERT_TRUE(fetched && !*fetched);
  EXPECT_EQ(fetched->error().code(), ErrorCode::kClosed);
  engine->advance(10min);
  EXPECT_EQ(source->times.size(), 1u);
}

// ---- what an answer is

TEST(AddressesOfAnswerTest, TheFirstLineCountsWithoutTheBlanksAround) {
  for (const char* answer : {"a:1;b:2", "\r\n\t a:1;b:2 \r\nc:3", "a:1; b:2\nd:4", "a:1;b:2;\r", ";a:1;a:1;b:2"}) {
    const auto list = addressesOfAnswer(answer);
    ASSERT_TRUE(list) << list.error();
    EXPECT_EQ(*list, (std::vector<std::string>{"a:1", "b:2"})) << answer;
  }
}

TEST(AddressesOfAnswerTest, NamesAThousandAndTwentyFourAtMost) {
  std::string answer;
  for (int i = 1; i <= 1'024; ++i) answer += "host:" + std::to_string(i) + ";";
  EXPECT_EQ(addressesOfAnswer(answer).value().size(), 1'024u);
  EXPECT_FALSE(addressesOfAnswer(answer + "host:1025"));
}

TEST(AddressesOfAnswerTest, AnythingElseIsShownShortAndClean) {
  EXPECT_EQ(addressesOfAnswer(" \n").error().message(), "answers with an empty list");
  const std::string shown = addressesOfAnswer("\x1b[31m<html>" + std::string(70'000, 'x')).error().message();
  EXPECT_NE(shown.find("'?[31m<html>xxx"), std::string::npos) << shown;
  EXPECT_LT(shown.size(), 200u);
  EXPECT_FALSE(addressesOfAnswer("a:1;b"));
  EXPECT_FALSE(addressesOfAnswer(std::string_view("a:1\0;b:2", 8)));
}

}  // namespace
}  // namespace mqclient::client
