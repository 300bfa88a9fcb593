#include "mqclient/default_mq_producer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <thread>

#include "mqclient/codes.h"
#include "protocol/batch.h"
#include "protocol/message_access.h"
#include "protocol/names.h"
#include "tests/producer/producer_fixture.h"

namespace mqclient {
namespace {

using namespace std::chrono_literals;
using scripted::ProducerTest;
using scripted::Server;

// ---- the three modes and four fates (a matrix: behaviour 4-13)

enum class Mode { kSync, kAsync, kOneway };
enum class Fate { kOk, kTimeout, kRefusedConnect, kReset, kRefusal };

class Modes : public ProducerTest, public ::testing::WithParamInterface<std::tuple<Mode, Fate>> {
 protected:
  Error errorIn(Mode mode) {
    switch (mode) {
      case Mode::kSync: {
        const auto r = send();
        return r ? Error(ErrorCode::kInternal, "ok") : r.error();
      }
      case Mode::kAsync: {
        std::optional<Result<SendResult>> answer;
        int calls = 0;
        producer->sendAsync(message()).then([&](Result<SendResult> r) {
          ++calls;
          answer = std::move(r);
        });
        engine->pumpUntil([&] { return answer.has_value(); }, 10s);
        engine->advance(10s);
        EXPECT_EQ(calls, 1);
        return *answer ? Error(ErrorCode::kInternal, "ok") : answer->error();
      }
      case Mode::kOneway:
        break;
    }
    const auto r = producer->sendOneway(message());
    engine->runUntilIdle();
    return r ? Error(ErrorCode::kInternal, "ok") : r.error();
  }
};

TEST_P(Modes, EndsAsItsModeSays) {
  const auto [mode, fate] = GetParam();
  withBrokers(1);
  start();
  switch (fate) {
    case Fate::kOk:
      break;
    case Fate::kTimeout:
      a().on_send = a().hanging();
      break;
    case Fate::kRefusedConnect:
      stop(brokers[0]);
      break;
    case Fate::kReset:
      a().on_send = a().resetting();
      break;
    case Fate::kRefusal:
      a().on_send = Server::answering(ResponseCode::SYSTEM_BUSY);
      break;
  }
  const base::SteadyTime before = engine->now();
  const Error error = errorIn(mode);
  const bool ok = error.message() == "ok";
  if (fate == Fate::kOk) {
    EXPECT_TRUE(ok) << error;
    EXPECT_EQ(a().sends.size(), 1u);
    EXPECT_EQ(a().sends[0].oneway, mode == Mode::kOneway);
    return;
  }
  if (mode == Mode::kOneway) {
    // No answer, no retry; only what happens on this side is known.
    if (fate == Fate::kRefusedConnect) {
      EXPECT_EQ(error.code(), ErrorCode::kUnreachable) << error;
    } else {
      EXPECT_TRUE(ok) << error;
      EXPECT_EQ(a().sends.size(), 1u);
    }
    return;
  }
  ASSERT_FALSE(ok);
  EXPECT_NE(error.message().find("3 tries"), std::string::npos) << error;
  EXPECT_NE(error.message().find("broker-a"), std::string::npos) << error;
  EXPECT_EQ(error.msgId().size(), 32u);
  switch (fate) {
    case Fate::kTimeout:
      EXPECT_TRUE(error.code() == ErrorCode::kTimeout || error.code() == ErrorCode::kConnectionLost) << error;
      EXPECT_EQ(error.applied(), Applied::kUnknown);
      if (mode == Mode::kSync) {
        EXPECT_EQ(since(before), 3s);
      }
      break;
    case Fate::kRefusedConnect:
      EXPECT_EQ(error.code(), ErrorCode::kUnreachable) << error;
      EXPECT_EQ(error.applied(), Applied::kNo);
      break;
    case Fate::kReset:
      EXPECT_TRUE(error.code() == ErrorCode::kConnectionLost || error.code() == ErrorCode::kUnreachable) << error;
      EXPECT_EQ(error.applied(), Applied::kUnknown);
      break;
    default:
      EXPECT_EQ(error.code(), ErrorCode::kFlowControl) << error;
      EXPECT_EQ(error.responseCode(), 2);
      EXPECT_EQ(error.applied(), Applied::kNo);
      EXPECT_EQ(a().sends.size(), 3u) << "sync and async are tried again alike";
  }
  std::set<std::string> ids;
  for (const auto& sent : a().sends) ids.insert(sent.msg_id);
  EXPECT_LE(ids.size(), 1u) << "every try carries the same id";
  if (!ids.empty()) {
    EXPECT_EQ(*ids.begin(), error.msgId());
  }
}
INSTANTIATE_TEST_SUITE_P(Matrix, Modes,
                         ::testing::Combine(::testing::Values(Mode::kSync, Mode::kAsync, Mode::kOneway),
                                            ::testing::Values(Fate::kOk, Fate::kTimeout, Fate::kRefusedConnect,
                                                              Fate::kReset, Fate::kRefusal)));

// ---- what arrives, what comes back

TEST_F(ProducerTest, TheRequestSaysEverythingAndTheResultIsComplete) {
  withBrokers(1);
  start();
  const auto result = producer->send(message("body").setTags("paid").setKeys("k1", "k2").putUserProperty("p", "v"));
  ASSERT_TRUE(result) << result.error();
  const scripted::Sent& sent = a().sends.at(0);
  EXPECT_EQ(sent.code, RequestCode::SEND_MESSAGE_V2);
  EXPECT_EQ(sent.topic, "orders");
  EXPECT_EQ(sent.group, "group");
  EXPECT_EQ(sent.defaultTopic, "TBW102");
  EXPECT_EQ(sent.defaultTopicQueueNums, 4);
  EXPECT_EQ(sent.bname, "broker-a");
  EXPECT_EQ(sent.body, "body");
  const protocol::PropertiesView properties(sent.properties);
  EXPECT_EQ(properties.find("TAGS"), "paid");
  EXPECT_EQ(properties.find("KEYS"), "k1 k2");
  EXPECT_EQ(properties.find("p"), "v");
  EXPECT_EQ(properties.find("WAIT"), "true");
  EXPECT_EQ(result->sendStatus, SendStatus::SEND_OK);
  EXPECT_EQ(result->msgId, sent.msg_id);
  EXPECT_EQ(result->offsetMsgId, "7F00000100002A9F0000000000000000");
  EXPECT_EQ(result->messageQueue, MessageQueue("orders", "broker-a", sent.queueId));
  EXPECT_EQ(result->queueOffset, 0);
  EXPECT_EQ(result->regionId, "DefaultRegion");
  EXPECT_EQ(result->brokersTried, std::vector<std::string>{"broker-a"});
}

TEST_F(ProducerTest, EachSendMakesAFreshIdUnlessOneIsSet) {
  withBrokers(1);
  start();
  std::set<std::string> ids;
  const Message same = message();
  for (int i = 0; i < 100; ++i) ids.insert(producer->send(same).value().msgId);
  EXPECT_EQ(ids.size(), 100u);
  EXPECT_EQ(producer->send(message().setMsgId("MINE")).value().msgId, "MINE");
  EXPECT_EQ(a().sends.back().msg_id, "MINE");
}

TEST_F(ProducerTest, StoredButNotDurableIsASuccessWithItsStatus) {
  withBrokers(2);
  start();
  const std::pair<ResponseCode, SendStatus> rows[] = {
      {ResponseCode::FLUSH_DISK_TIMEOUT, SendStatus::FLUSH_DISK_TIMEOUT},
      {ResponseCode::FLUSH_SLAVE_TIMEOUT, SendStatus::FLUSH_SLAVE_TIMEOUT},
      {ResponseCode::SLAVE_NOT_AVAILABLE, SendStatus::SLAVE_NOT_AVAILABLE}};
  for (const auto& [code, status] : rows) {
    for (const auto& broker : brokers) {
      broker->on_send = [server = broker.get(), code = code](scripted::Request&, scripted::Responder& responder) {
        server->store(std::move(responder), code);
      };
    }
    const std::size_t before = sends();
    const auto result = send();
    ASSERT_TRUE(result) << result.error();
    EXPECT_EQ(result->sendStatus, status);
    EXPECT_EQ(sends(), before + 1);
  }
}

TEST_F(ProducerTest, RetryAnotherBrokerWhenNotStoreOKTriesElsewhereAndKeepsWhatItHas) {
  withBrokers(2);
  start({.retryAnotherBrokerWhenNotStoreOK = true});
  for (const auto& broker : brokers) {
    broker->on_send = [server = broker.get()](scripted::Request&, scripted::Responder& responder) {
      server->store(std::move(responder), ResponseCode::FLUSH_DISK_TIMEOUT);
    };
  }
  const auto result = send();
  ASSERT_TRUE(result) << "it is stored, three times even: " << result.error();
  EXPECT_EQ(result->sendStatus, SendStatus::FLUSH_DISK_TIMEOUT);
  EXPECT_EQ(sends(), 3u);
  EXPECT_EQ(result->brokersTried.size(), 3u);
  b().on_send = nullptr;
  EXPECT_EQ(send().value().sendStatus, SendStatus::SEND_OK);
}

// ---- queues in turn, retries, avoidance

TEST_F(ProducerTest, QueuesAreUsedInTurn) {
  withBrokers(2);
  start();
  std::map<std::pair<std::string, int>, int> hits;
  for (int i = 0; i < 1001; ++i) {
    const auto result = send();
    ASSERT_TRUE(result);
    ++hits[{result->messageQueue->brokerName(), result->messageQueue->queueId()}];
  }
  ASSERT_EQ(hits.size(), 8u);
  for (const auto& [queue, n] : hits) EXPECT_NEAR(n, 125, 1) << queue.first << queue.second;
}

TEST_F(ProducerTest, ABrokerWithoutTheTopicIsNeverAsked) {
  withBrokers(2);
  addRoute("other", addBroker(), 4);
  start();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(send());
  engine->advance(2min);
  EXPECT_TRUE(brokers[2]->counts.empty());
}

TEST_F(ProducerTest, AFailedSendGoesToTheOtherBroker) {
  withBrokers(2);
  start();
  a().on_send = a().resetting();
  for (int i = 0; i < 20; ++i) {
    const auto result = send();
    ASSERT_TRUE(result) << result.error();
    EXPECT_EQ(result->messageQueue->brokerName(), "broker-b");
    EXPECT_EQ(result->brokersTried.back(), "broker-b");
    if (result->brokersTried.size() == 2) {
      EXPECT_EQ(result->brokersTried[0], "broker-a");
    }
    EXPECT_LE(result->brokersTried.size(), 2u);
  }
  EXPECT_EQ(b().sends.size(), 20u);
}

TEST_F(ProducerTest, AHungBrokerCostsItsShareOnly) {
  withBrokers(2);
  start();
  a().on_send = a().hanging();
  bool met = false;
  for (int i = 0; i < 8 && !met; ++i) {
    const base::SteadyTime before = engine->now();
    const auto result = send();
    ASSERT_TRUE(result) << result.error();
    met = result->brokersTried.size() == 2;
    EXPECT_EQ(since(before), met ? 1000ms : 0ms) << "3,000 ms for three tries";
  }
  EXPECT_TRUE(met);
  const base::SteadyTime before = engine->now();
  engine->advance(11s);
  met = false;
  for (int i = 0; i < 8 && !met; ++i) {
    const base::SteadyTime then = engine->now();
    const auto result = send({.timeout = 900ms});
    ASSERT_TRUE(result) << result.error();
    met = result->brokersTried.size() == 2;
    EXPECT_LE(since(then), 500ms) << "one try has at least half a second";
  }
  EXPECT_TRUE(met);
  EXPECT_GE(since(before), 11s);
}

TEST_F(ProducerTest, AFailingBrokerIsAvoidedAndComesBack) {
  withBrokers(2);
  start();
  a().on_send = a().resetting();
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(send());
  EXPECT_EQ(a().sends.size(), 1u) << "isolated after the first failure";
  engine->runUntilIdle();
  EXPECT_EQ(std::count_if(events.begin(), events.end(),
                          [](const ClientEvent& e) { return e.kind == EventKind::kBrokerIsolated; }),
            1);
  a().on_send = nullptr;
  engine->advance(11s);
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(send());
  EXPECT_GE(a().sends.size(), 8u) << "the isolation is over";
}

TEST_F(ProducerTest, WithEveryBrokerIsolatedItStillSends) {
  withBrokers(2);
  start();
  for (const auto& broker : brokers) broker->on_send = broker->resetting();
  EXPECT_FALSE(send());
  for (const auto& broker : brokers) broker->on_send = nullptr;
  EXPECT_TRUE(send());
}

TEST_F(ProducerTest, AvoidanceCanBeSwitchedOff) {
  withBrokers(2);
  ClientOptions client = clientOptions();
  client.sendLatencyEnable = false;
  start({}, client);
  a().on_send = a().resetting();
  int tried = 0;
  for (int i = 0; i < 32; ++i) {
    const auto result = send();
    ASSERT_TRUE(result) << result.error();
    tried += result->brokersTried.front() == "broker-a" ? 1 : 0;
  }
  EXPECT_GE(tried, 8) << "its turn comes all the same";
}

TEST_F(ProducerTest, WhatAMessageCausedIsNeitherRetriedNorHeldAgainstTheBroker) {
  withBrokers(2);
  start();
  for (const auto& broker : brokers) broker->on_send = Server::answering(ResponseCode::MESSAGE_ILLEGAL);
  for (int i = 0; i < 8; ++i) {
    const auto refused = send();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kMessageIllegal);
    EXPECT_EQ(refused.error().applied(), Applied::kNo);
    EXPECT_NE(refused.error().message().find("not stored"), std::string::npos) << refused.error();
  }
  EXPECT_EQ(a().sends.size(), 4u);
  EXPECT_EQ(b().sends.size(), 4u);
  for (const BrokerHealth& broker : producer->health().brokers) EXPECT_EQ(broker.state, BrokerState::kUp);
}

TEST_F(ProducerTest, RetryResponseCodesAreAnOption) {
  withBrokers(2);
  start({.retryResponseCodes = {13}});
  for (const auto& broker : brokers) broker->on_send = Server::answering(ResponseCode::MESSAGE_ILLEGAL);
  EXPECT_FALSE(send());
  EXPECT_EQ(sends(), 3u);
  for (const auto& broker : brokers) broker->on_send = Server::answering(ResponseCode::SYSTEM_BUSY);
  EXPECT_FALSE(send());
  EXPECT_EQ(sends(), 4u);
}

TEST_F(ProducerTest, OneSendsOptionsWin) {
  withBrokers(2);
  start();
  for (const auto& broker : brokers) broker->on_send = broker->hanging();
  const base::SteadyTime before = engine->now();
  const auto result = send({.timeout = 700ms, .retryTimes = 0});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(since(before), 700ms);
  EXPECT_EQ(sends(), 1u);
  EXPECT_FALSE(send({.timeout = Millis::max(), .retryTimes = std::numeric_limits<int>::max()}));
}

// ---- selectors

TEST_F(ProducerTest, AChosenQueueIsKeptAndAfterAnUnknownOutcomeNotTriedAgain) {
  withBrokers(2);
  start();
  std::size_t seen = 0;
  const auto third = [&](Queues queues, const Message& m) {
    seen = queues.size();
    EXPECT_EQ(m.topic(), "orders");
    return std::size_t{2};
  };
  ASSERT_TRUE(producer->send(message(), third));
  EXPECT_EQ(seen, 8u);
  EXPECT_EQ(a().sends.at(0).queueId, 2);
  a().on_send = a().hanging();
  const auto unknown = producer->send(message(), third);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().applied(), Applied::kUnknown);
  EXPECT_EQ(a().sends.size(), 2u) << "it may be stored: once is enough";
  a().on_send = Server::answering(ResponseCode::SYSTEM_BUSY);
  const auto refused = producer->send(message(), third);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().applied(), Applied::kNo);
  EXPECT_EQ(a().sends.size(), 5u) << "it is not stored: three tries, same queue";
  for (const auto& sent : a().sends) EXPECT_EQ(sent.queueId, 2);
  EXPECT_EQ(b().sends.size(), 0u);
}

TEST_F(ProducerTest, AQueueMayBeNamed) {
  withBrokers(2);
  start();
  const auto result = producer->send(message(), MessageQueue("orders", "broker-b", 3));
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(result->messageQueue, MessageQueue("orders", "broker-b", 3));
  const auto wrong = producer->send(message(), MessageQueue("orders", "broker-b", 4));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(ProducerTest, SelectorsOfUsersAreContained) {
  withBrokers(1);
  start();
  const auto outside = [](Queues queues, const Message&) { return queues.size(); };
  EXPECT_EQ(producer->send(message(), outside).error().code(), ErrorCode::kInvalidArgument);
  const auto throws = [](Queues, const Message&) -> std::size_t { throw std::runtime_error("no idea"); };
  const auto thrown = producer->send(message(), throws);
  ASSERT_FALSE(thrown);
  EXPECT_EQ(thrown.error().code(), ErrorCode::kUserCode);
  EXPECT_NE(thrown.error().message().find("no idea"), std::string::npos);
  EXPECT_EQ(producer->sendOneway(message(), outside).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(sends(), 0u);
  EXPECT_TRUE(producer->flush().isReady()) << "their places were given back";
}

TEST(SelectMessageQueueByHashTest, ChoosesAsJavaDoes) {
  const std::vector<MessageQueue> queues(7, MessageQueue("t", "b", 0));
  const Message m("t", "x");
  const auto by = [&](auto key, std::size_t n) { return SelectMessageQueueByHash(key)(Queues(queues).first(n), m); };
  EXPECT_EQ(by("", 7), 0u);
  EXPECT_EQ(by("a", 7), 97u % 7);
  EXPECT_EQ(by("hello", 7), 99162322u % 7);
  EXPECT_EQ(by("polygenelubricants", 7), 2147483648u % 7) << "its hash is the smallest int: |h % n|, not |h| % n";
  EXPECT_EQ(by("polygenelubricants", 3), 2147483648u % 3);
  EXPECT_EQ(by(-5, 3), 2u) << "Integer: itself";
  EXPECT_EQ(by(std::numeric_limits<std::int32_t>::min(), 7), 2147483648u % 7);
  EXPECT_EQ(by(std::int64_t{1} << 32, 7), 1u) << "Long: high word xor low word";
  EXPECT_EQ(by(std::int64_t{-1}, 7), 0u) << "both words cancel out";
  EXPECT_EQ(by("x", 1), 0u);
}

TEST_F(ProducerTest, TheRandomSelectorReachesEveryQueue) {
  withBrokers(1);
  start();
  const SelectMessageQueueByRandom random;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(producer->send(message(), random));
  std::set<int> queues;
  for (const auto& sent : a().sends) queues.insert(sent.queueId);
  EXPECT_EQ(queues.size(), 4u);
}

// A selector is user code and runs on a thread for such: not on those of the callbacks, which may all wait for it.
TEST_F(ProducerTest, CallbacksThatSendWithASelectorDoNotKeepEachOthersSelectorsFromRunning) {
  withBrokers(1);
  start();
  ASSERT_TRUE(send());
  std::vector<std::pair<scripted::Request, scripted::Responder>> asked;
  nameservers[0]->scripts[RequestCode::GET_ROUTEINFO_BY_TOPIC] = [&](scripted::Request& request,
                                                                     scripted::Responder& responder) {
    asked.emplace_back(std::move(request), std::move(responder));
  };
  constexpr int kCallbacks = 4;  // as many as run at a time
  int sent = 0;
  for (int i = 0; i < kCallbacks; ++i) {
    const std::string topic = "t" + std::to_string(i);
    addRoute(topic, brokers[0], 4);
    producer->sendAsync(message()).then([&, topic](const Result<SendResult>&) {
      const SelectMessageQueueByRandom random;
      sent += producer->send(Message(topic, "x"), random).has_value();
    });
  }
  engine->runUntilIdle();
  ASSERT_EQ(asked.size(), 4u) << "all of them wait for a route";
  nameservers[0]->scripts.clear();
  for (auto& [request, responder] : asked) nameservers[0]->handle(std::move(request), std::move(responder));
  engine->runUntilIdle();
  EXPECT_EQ(sent, kCallbacks);
}

// ---- topics without a route

TEST_F(ProducerTest, ATopicIsMadeByItsFirstMessageAndThenHasItsOwnRoute) {
  const auto broker = addBroker();
  addRoute("TBW102", broker, 8, 7);
  start();
  a().on_send = [&](scripted::Request&, scripted::Responder& responder) {
    if (!routes.contains("new")) addRoute("new", broker, 2);
    a().store(std::move(responder));
  };
  const auto first = producer->send(Message("new", "x"));
  ASSERT_TRUE(first) << first.error();
  EXPECT_EQ(a().sends[0].defaultTopic, "TBW102");
  EXPECT_EQ(a().sends[0].topic, "new");
  EXPECT_LT(a().sends[0].queueId, 4) << "defaultTopicQueueNums";
  engine->runUntilIdle();
  std::set<int> queues;
  for (int i = 0; i < 8; ++i) queues.insert(producer->send(Message("new", "x")).value().messageQueue->queueId());
  EXPECT_EQ(queues, (std::set<int>{0, 1})) << "its own route at once, not after half a minute";
}

// The nameserver told a broker that had just died: its address must not stay the topic's for ever.
TEST_F(ProducerTest, ATopicThatADeadBrokerWasToMakeIsMadeByTheNextOne) {
  const auto dead = addBroker();
  addRoute("TBW102", dead, 8, 7);
  start();
  stop(dead);
  ASSERT_FALSE(producer->send(Message("new", "x")));
  EXPECT_FALSE(producer->sendOneway(Message("other", "x")));
  routes.erase("TBW102");
  addRoute("TBW102", addBroker(), 8, 7);
  engine->advance(1s);
  EXPECT_FALSE(producer->send(Message("new", "x"))) << "and asks who else is there";
  engine->runUntilIdle();
  const auto again = producer->send(Message("new", "x"));
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(again->messageQueue->brokerName(), "broker-b");
  EXPECT_FALSE(producer->sendOneway(Message("other", "x"))) << "the same";
  engine->runUntilIdle();
  EXPECT_TRUE(producer->sendOneway(Message("other", "x")));
}

// What is known goes on being used: nameservers may be silent just then, and other brokers of the key alive.
TEST_F(ProducerTest, ATopicNotMadeYetIsStillSentToTheOtherBrokersWhenNoNameserverAnswers) {
  const auto dead = addBroker();
  addRoute("TBW102", dead, 8, 7);
  addRoute("TBW102", addBroker(), 8, 7);
  start({.retryTimesWhenSendFailed = 1});
  (void)producer->fetchPublishMessageQueues("new");
  stop(dead);
  ASSERT_TRUE(producer->send(Message("new", "x")));
  nameservers[0]->scripts[RequestCode::GET_ROUTEINFO_BY_TOPIC] = nameservers[0]->hanging();
  for (int i = 0; i < 10; ++i) {
    const base::SteadyTime before = engine->now();
    const auto sent = producer->send(Message("new", "x"));
    ASSERT_TRUE(sent) << sent.error();
    EXPECT_EQ(since(before), 0ms);
  }
}

TEST_F(ProducerTest, ATopicNobodyKnowsAndNobodyMayMakeIsNoRoute) {
  withBrokers(1);
  start();
  for (int i = 0; i < 3; ++i) {
    const auto unknown = producer->send(Message("misspelt", "x"));
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code(), ErrorCode::kNoRoute);
    EXPECT_NE(unknown.error().message().find("misspelt"), std::string::npos);
    EXPECT_EQ(unknown.error().msgId().size(), 32u);
  }
  const auto oneway = producer->sendOneway(Message("misspelt", "x"));
  ASSERT_FALSE(oneway);
  EXPECT_EQ(oneway.error().code(), ErrorCode::kNoRoute);
  engine->runUntilIdle();
  const std::size_t asked = nameservers[0]->route_times.size();
  engine->advance(2min);
  EXPECT_EQ(nameservers[0]->route_times.size(), asked) << "a misspelt name is not asked for for ever";
}

TEST_F(ProducerTest, ASendEndsInTimeWhenNoNameserverAnswers) {
  withBrokers(1);
  start();
  nameservers[0]->scripts[RequestCode::GET_ROUTEINFO_BY_TOPIC] = nameservers[0]->hanging();
  const base::SteadyTime before = engine->now();
  const auto result = producer->send(Message("new", "x"), {.timeout = 400ms});
  ASSERT_FALSE(result);
  EXPECT_EQ(since(before), 400ms);
  EXPECT_EQ(result.error().code(), ErrorCode::kTimeout);
}

TEST_F(ProducerTest, ASelectorRunsOnACallbackThreadWhenTheRouteMustBeFetched) {
  withBrokers(1);
  start();
  const std::thread::id here = std::this_thread::get_id();
  std::vector<bool> on_caller;
  const auto selector = [&](Queues, const Message&) {
    EXPECT_FALSE(base::Activation::ofThisThread().inside());
    on_caller.push_back(std::this_thread::get_id() == here);
    return std::size_t{1};
  };
  nameservers[0]->scripts[RequestCode::GET_ROUTEINFO_BY_TOPIC] = nameservers[0]->hanging();
  Future<SendResult> sent = producer->sendAsync(message(), selector);
  engine->runUntilIdle();
  ASSERT_EQ(nameservers[0]->held.size(), 1u);
  std::move(nameservers[0]->held.front())
      .answer(ResponseCode::SUCCESS, "", protocol::NoHeader{}, base::Slice::of(routes["orders"].encode()));
  nameservers[0]->held.clear();
  ASSERT_TRUE(std::move(sent).get());
  ASSERT_TRUE(producer->send(message(), selector));
  EXPECT_EQ(on_caller, (std::vector<bool>{false, true}));
}

TEST_F(ProducerTest, FetchPublishMessageQueuesIsAscending) {
  withBrokers(2);
  start();
  const auto queues = producer->fetchPublishMessageQueues("orders");
  ASSERT_TRUE(queues) << queues.error();
  EXPECT_EQ(queues->size(), 8u);
  EXPECT_TRUE(std::is_sorted(queues->begin(), queues->end()));
  EXPECT_EQ(producer->fetchPublishMessageQueues("unknown").error().code(), ErrorCode::kNoRoute);
  EXPECT_EQ(producer->fetchPublishMessageQueues("no topic").error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(ProducerTest, TheQueuesOfATopicMadeHereAreWaitedFor) {
  const auto broker = addBroker();
  addRoute("TBW102", broker, 8, 7);
  start();
  const base::SteadyTime before = engine->now();
  EXPECT_EQ(producer->fetchPublishMessageQueues("orders").error().code(), ErrorCode::kNoRoute);
  EXPECT_EQ(since(before), 0ms) << "nobody made it: not waited for";

  ASSERT_TRUE(send());  // the broker makes the topic, and has told no nameserver yet
  std::optional<Result<std::vector<MessageQueue>>> queues;
  producer->doFetchPublishMessageQueues("orders").then([&](auto answer) { queues = std::move(answer); });
  engine->advance(950ms);
  EXPECT_FALSE(queues);
  addRoute("orders", broker, 4);
  engine->advance(100ms);
  ASSERT_TRUE(queues);
  ASSERT_TRUE(*queues) << queues->error();
  EXPECT_EQ((*queues)->size(), 4u);
}

TEST_F(ProducerTest, TheQueuesOfATopicMadeHereAreNotWaitedForForEver) {
  addRoute("TBW102", addBroker(), 8, 7);
  start();
  ASSERT_TRUE(send());
  const base::SteadyTime before = engine->now();
  EXPECT_EQ(producer->fetchPublishMessageQueues("orders").error().code(), ErrorCode::kNoRoute);
  EXPECT_GE(since(before), 2500ms);
  EXPECT_LE(since(before), 3000ms);

  std::optional<Result<std::vector<MessageQueue>>> queues;
  producer->doFetchPublishMessageQueues("orders").then([&](auto answer) { queues = std::move(answer); });
  engine->advance(150ms);
  EXPECT_FALSE(queues);
  producer->close();
  ASSERT_TRUE(queues) << "closing ends the wait";
  EXPECT_EQ(queues->error().code(), ErrorCode::kClosed);
}

// ---- batches

TEST_F(ProducerTest, ABatchIsOneRequestWithAnIdForEachMessage) {
  withBrokers(1);
  start();
  std::vector<Message> batch;
  for (int i = 0; i < 3; ++i) batch.push_back(message("m" + std::to_string(i)).setTags("t"));
  batch[1].setMsgId("MINE");
  const auto result = producer->sendBatch(batch);
  ASSERT_TRUE(result) << result.error();
  ASSERT_EQ(a().sends.size(), 1u);
  EXPECT_EQ(a().sends[0].code, RequestCode::SEND_BATCH_MESSAGE);
  EXPECT_TRUE(a().sends[0].batch);
  const std::string& body = a().sends[0].body;
  protocol::BatchIterator elements(std::as_bytes(std::span(body.data(), body.size())));
  ASSERT_EQ(result->batchMsgIds.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    const auto element = elements.next();
    ASSERT_TRUE(element && *element);
    const auto& text = (*element)->body;
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(text.data()), text.size()), "m" + std::to_string(i));
    EXPECT_EQ(protocol::PropertiesView((*element)->properties).find("UNIQ_KEY"),
              result->batchMsgIds[static_cast<std::size_t>(i)]);
    EXPECT_EQ(protocol::PropertiesView((*element)->properties).find("TAGS"), "t");
  }
  EXPECT_FALSE(elements.next());
  EXPECT_EQ(result->batchMsgIds[1], "MINE");
  EXPECT_EQ(result->msgId, result->batchMsgIds[0] + ",MINE," + result->batchMsgIds[2]);
}

TEST_F(ProducerTest, WhatCannotBeABatchIsRefusedWithEveryReason) {
  withBrokers(1);
  start({.maxMessageSize = 100});
  const auto words = [&](std::vector<Message> batch, std::initializer_list<const char*> expected) {
    const auto refused = producer->sendBatch(std::move(batch));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kMessageIllegal);
    for (const char* word : expected) {
      EXPECT_NE(refused.error().message().find(word), std::string::npos) << word << "\n" << refused.error();
    }
  };
  words({}, {"no message"});
  words({message(), Message("other", std::string(60, 'x'))}, {"orders and other", "maxMessageSize"});
  words({message(), message("")}, {"empty"});
  words(std::vector<Message>(5000, message()), {"4096", "splitBatch"});
  EXPECT_EQ(sends(), 0u);
}

TEST(SplitBatchTest, KeepsOrderAndBounds) {
  std::vector<Message> messages;
  for (int i = 0; i < 10; ++i) messages.emplace_back("t", std::string(i == 5 ? 5000 : 300, static_cast<char>('a' + i)));
  const auto batches = splitBatch(messages, 1000);
  std::string order;
  for (const auto& batch : batches) {
    std::size_t bytes = 0;
    for (const Message& m : batch) {
      order += m.body().text()[0];
      bytes += m.body().size();
    }
    EXPECT_TRUE(bytes <= 1000 || batch.size() == 1);
    EXPECT_FALSE(batch.empty());
  }
  EXPECT_EQ(order, "abcdefghij");
  EXPECT_TRUE(splitBatch({}).empty());
  EXPECT_EQ(splitBatch(std::vector<Message>(5000, Message("t", "x"))).size(), 2u) << "4,096 messages a batch";
}

}  // namespace
}  // namespace mqclient
