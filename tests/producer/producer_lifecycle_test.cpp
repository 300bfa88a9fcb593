// Bounds, flush, the ways to start and to end.
#include "mqclient/default_mq_producer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/wait.h"
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

// ---- bounds

TEST_F(ProducerTest, AFullProducerRefusesAndSaysWhenThereIsRoom) {
  withBrokers(1);
  start({.backPressureForAsyncSendNum = 2});
  a().on_send = a().hanging();
  producer->sendAsync(message()).detach();
  EXPECT_TRUE(producer->writable().isReady());
  producer->sendAsync(message()).detach();
  const auto full = send();
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), ErrorCode::kQueueFull);
  EXPECT_EQ(full.error().applied(), Applied::kNo);
  Future<void> writable = producer->writable();
  EXPECT_FALSE(writable.isReady());
  a().store(std::move(a().held.front()));
  a().held.pop_front();
  EXPECT_TRUE(std::move(writable).get());
  a().on_send = nullptr;
  EXPECT_TRUE(send());
}

TEST_F(ProducerTest, BytesAreBoundedTooAndABodyBeyondTheBoundGoesAlone) {
  withBrokers(1);
  start({.backPressureForAsyncSendSize = 10});
  a().on_send = a().hanging();
  producer->sendAsync(message("12345678901234567890")).detach();
  EXPECT_EQ(send().error().code(), ErrorCode::kQueueFull);
}

TEST_F(ProducerTest, WhatASendHoldsBesideItsBodyCountsToo) {
  withBrokers(1);
  start({.backPressureForAsyncSendSize = 25'192});
  a().on_send = a().hanging();
  for (int i = 0; i < 4; ++i) producer->sendAsync(message("x")).detach();
  EXPECT_EQ(a().held.size(), 4u);
  EXPECT_EQ(send().error().code(), ErrorCode::kQueueFull);
  Future<void> writable = producer->writable();
  EXPECT_FALSE(writable.isReady()) << "612 bytes are no room for a send";
  a().store(std::move(a().held.front()));
  a().held.pop_front();
  EXPECT_TRUE(std::move(writable).get());
  Message with_property = message("x");
  with_property.putUserProperty("k", std::string(2'000, 'v'));
  for (auto& held : a().held) a().store(std::move(held));
  a().held.clear();
  engine->runUntilIdle();
  for (int i = 0; i < 2; ++i) producer->sendAsync(with_property).detach();
  EXPECT_EQ(a().held.size(), 2u);
  EXPECT_EQ(producer->sendAsync(with_property).get().error().code(), ErrorCode::kQueueFull);
}

TEST_F(ProducerTest, ABlockedCallerWaitsForRoomUpToItsTimeout) {
  withBrokers(1);
  start({.backPressureForAsyncSendNum = 1, .whenFull = WhenFull::kBlockCaller});
  a().on_send = a().hanging();
  producer->sendAsync(message(), {.timeout = 2s, .retryTimes = 0}).detach();
  base::SteadyTime before = engine->now();
  EXPECT_EQ(send({.timeout = 500ms}).error().code(), ErrorCode::kQueueFull);
  EXPECT_EQ(since(before), 500ms);
  a().on_send = nullptr;
  before = engine->now();
  EXPECT_TRUE(send({.timeout = 10s}));
  EXPECT_EQ(since(before), 1500ms) << "the first send's end made room";
  EXPECT_EQ(producer->health().brokers.front().rtt, 0ms) << "the broker was not asked before there was room";
}

TEST_F(ProducerTest, FlushWaitsForWhatWasAcceptedBefore) {
  withBrokers(1);
  start();
  EXPECT_TRUE(producer->flush().isReady());
  a().on_send = a().hanging();
  producer->sendAsync(message("first")).detach();
  Future<void> one = producer->flush();
  Future<void> same = producer->flush();
  producer->sendAsync(message("second")).detach();
  Future<void> two = producer->flush();
  a().store(std::move(a().held[1]));
  engine->runUntilIdle();
  EXPECT_FALSE(one.isReady());
  EXPECT_FALSE(two.isReady()) << "the first is still under way";
  a().store(std::move(a().held[0]));
  a().held.clear();
  engine->runUntilIdle();
  EXPECT_TRUE(one.isReady());
  EXPECT_TRUE(same.isReady());
  EXPECT_TRUE(two.isReady());
}

// ---- the end

TEST_F(ProducerTest, ClosingLetsSendsEndAndLeavesTheBrokers) {
  withBrokers(2);
  start();
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(send());
  for (const auto& broker : brokers) broker->on_send = broker->hanging();
  int ok = 0;
  for (int i = 0; i < 2; ++i) producer->sendAsync(message()).then([&](Result<SendResult> r) { ok += r ? 1 : 0; });
  Future<CloseReport> closing = producer->closeAsync(5s);
  engine->runUntilIdle();
  EXPECT_EQ(send().error().code(), ErrorCode::kClosed) << "refused from the first moment";
  EXPECT_FALSE(closing.isReady());
  for (const auto& broker : brokers) {
    for (auto& held : broker->held) broker->store(std::move(held));
    broker->held.clear();
  }
  const auto report = std::move(closing).get();
  ASSERT_TRUE(report);
  EXPECT_EQ(ok, 2);
  EXPECT_EQ(report->drained, 2u);
  EXPECT_EQ(report->abandoned, 0u);
  EXPECT_TRUE(report->complete()) << report->toString();
  for (const auto& broker : brokers) EXPECT_EQ(broker->counts[RequestCode::UNREGISTER_CLIENT], 1);
  EXPECT_EQ(producer->close().drained, 2u) << "whoever asks later gets the same report";
  EXPECT_EQ(producer->sendOneway(message()).error().code(), ErrorCode::kClosed);
  EXPECT_EQ(producer->sendBatch({message()}).error().code(), ErrorCode::kClosed);
}

TEST_F(ProducerTest, WhatIsLeftAtTheDeadlineFailsOnceEach) {
  withBrokers(1);
  start();
  a().on_send = a().hanging();
  std::map<int, int> calls;
  for (int i = 0; i < 10; ++i) {
    producer->sendAsync(message(), {.timeout = 60s}).then([&, i](Result<SendResult> r) {
      ++calls[i];
      EXPECT_EQ(r.error().code(), ErrorCode::kClosed) << r.error();
      EXPECT_EQ(r.error().applied(), Applied::kUnknown);
    });
  }
  const base::SteadyTime before = engine->now();
  const CloseReport report = producer->close(2s);
  EXPECT_EQ(report.abandoned, 10u);
  EXPECT_FALSE(report.complete());
  EXPECT_LE(since(before), 3s);
  ASSERT_EQ(calls.size(), 10u);
  for (const auto& [i, n] : calls) EXPECT_EQ(n, 1) << i;
}

TEST_F(ProducerTest, ADestroyedProducerStillCallsBackOnceEach) {
  withBrokers(1);
  start();
  a().on_send = a().hanging();
  std::map<int, int> calls;
  for (int i = 0; i < 10; ++i) producer->sendAsync(message()).then([&, i](Result<SendResult>) { ++calls[i]; });
  producer.reset();
  ASSERT_EQ(calls.size(), 10u) << "before the destructor returned";
  for (const auto& [i, n] : calls) EXPECT_EQ(n, 1) << i;
}

TEST_F(ProducerTest, ASendThatWaitsForItsRouteEndsWithTheProducer) {
  withBrokers(1);
  start();
  nameservers[0]->scripts[RequestCode::GET_ROUTEINFO_BY_TOPIC] = nameservers[0]->hanging();
  int calls = 0;
  producer->sendAsync(Message("new", "x"), {.timeout = 60s}).then([&](Result<SendResult> r) {
    ++calls;
    EXPECT_FALSE(r);
  });
  producer->close(100ms);
  EXPECT_EQ(calls, 1);
}

TEST_F(ProducerTest, CloseInACallbackBeginsAndReturns) {
  withBrokers(1);
  start();
  bool closed = false;
  std::optional<Result<CloseReport>> final_report;
  producer->sendAsync(message()).then([&](Result<SendResult>) {
    const base::SteadyTime before = engine->now();
    producer->close();
    EXPECT_EQ(since(before), 0ms) << "it does not wait for itself";
    producer->closeAsync().then([&](Result<CloseReport> r) { final_report = std::move(r); });
    closed = true;
  });
  engine->advance(1s);
  EXPECT_TRUE(closed);
  ASSERT_TRUE(final_report && *final_report);
  EXPECT_TRUE((*final_report)->complete()) << (*final_report)->toString();
}

TEST_F(ProducerTest, TheLastHandleMayGoInACallback) {
  withBrokers(1);
  start();
  producer->sendAsync(message()).then([&](Result<SendResult>) { producer.reset(); });
  engine->advance(1s);
  EXPECT_FALSE(producer);
  EXPECT_EQ(a().counts[RequestCode::UNREGISTER_CLIENT], 1);
}

TEST_F(ProducerTest, CloseWaitsForCallbacksThatRunAndSaysIfTheyOutliveIt) {
  withBrokers(1);
  start();
  bool returned = false;
  producer->sendAsync(message()).then([&](Result<SendResult>) {
    // A callback that takes five seconds of virtual time.
    (void)DefaultMQProducer::start("other", [&] {
      ClientOptions nowhere = clientOptions();
      nowhere.startTimeout = 5s;
      nameservers[0]->scripts[RequestCode::GET_ROUTEINFO_BY_TOPIC] = nameservers[0]->hanging();
      return nowhere;
    }());
    returned = true;
  });
  const CloseReport report = producer->close(1s);
  EXPECT_EQ(report.listenersRunning, 1u) << report.toString();
  EXPECT_FALSE(returned);
  producer.reset();
  EXPECT_TRUE(returned) << "what it captured may go after the destructor, not before";
}

TEST_F(ProducerTest, TheReportCountsTheCallbacksOfRefusedSendsToo) {
  withBrokers(1);
  start({.maxMessageSize = 100, .backPressureForAsyncSendNum = 1});
  a().on_send = a().hanging();
  producer->sendAsync(message()).detach();
  std::atomic<int> returned{0};
  std::vector<Promise<void>> returns;
  std::vector<ErrorCode> refusals;
  const auto refused = [&](Future<SendResult> future) {
    returns.emplace_back(engine->callbackTarget());
    std::move(future).then([&, go = returns.back().future()](Result<SendResult> r) mutable {
      refusals.push_back(r.error().code());
      (void)std::move(go).get();
      ++returned;
    });
  };
  refused(producer->sendAsync(message(std::string(101, 'x'))));
  refused(producer->sendBatchAsync({}));
  refused(producer->sendAsync(message()));
  engine->runUntilIdle();
  EXPECT_EQ(refusals, (std::vector{ErrorCode::kMessageIllegal, ErrorCode::kMessageIllegal, ErrorCode::kQueueFull}));
  const CloseReport report = producer->close(1s);
  EXPECT_EQ(report.listenersRunning, 3u) << report.toString();
  returns.clear();
  producer.reset();
  EXPECT_EQ(returned, 3) << "what they captured may go after the destructor, not before";
}

TEST(RefusedSend, CallsBackWhereItsProducersRuntimeSaysAlsoOnceClosed) {
  std::vector<UniqueFunction<void()>> tasks;
  ClientOptions client;
  client.namesrvAddr = "127.0.0.1:1";
  client.startTimeout = 0ms;
  client.runtime =
      Runtime::create(
          {.ioThreads = 1, .callbackExecutor = [&](UniqueFunction<void()> f) { tasks.push_back(std::move(f)); }})
          .value();
  auto producer = DefaultMQProducer::start("group", client, {.maxMessageSize = 1}).value();
  std::vector<ErrorCode> refusals;
  const auto note = [&](const Result<SendResult>& r) { refusals.push_back(r.error().code()); };
  const auto refused = [&] {
    producer.sendAsync(Message("orders", "too long")).then(note);
    producer.sendBatchAsync({}).then(note);
  };
  refused();
  EXPECT_EQ(tasks.size(), 2u);
  producer.close(0ms);
  refused();
  producer.sendAsync(Message("orders", "x")).then(note);
  EXPECT_EQ(tasks.size(), 5u);
  for (auto& task : tasks) task();
  EXPECT_EQ(refusals, (std::vector{ErrorCode::kMessageIllegal, ErrorCode::kMessageIllegal, ErrorCode::kMessageIllegal,
                                   ErrorCode::kMessageIllegal, ErrorCode::kClosed}));
}

TEST_F(ProducerTest, TheReportCountsTheCallbacksThatOutliveIt) {
  withBrokers(1);
  start();
  std::atomic<int> waiting{0};
  std::vector<Promise<void>> returns;
  for (int i = 0; i < 3; ++i) {
    returns.emplace_back(engine->callbackTarget());
    producer->sendAsync(message()).then([&waiting, go = returns.back().future()](Result<SendResult>) mutable {
      ++waiting;
      (void)std::move(go).get();
    });
  }
  engine->runUntilIdle();
  ASSERT_EQ(waiting, 3);
  returns[0].set({});
  engine->runUntilIdle();
  const CloseReport report = producer->close(1s);
  EXPECT_EQ(report.listenersRunning, 2u) << report.toString();
  EXPECT_FALSE(report.complete());
  returns.clear();  // or the destructor waits for them
}

TEST_F(ProducerTest, ADestructorThatWaitsForACallbackSaysSoEveryTenSeconds) {
  withBrokers(1);
  struct Line {
    base::SteadyTime at;
    std::string text;
  };
  std::vector<Line> lines;
  bool hook_may_be_called = true;
  ClientOptions client = clientOptions();
  client.logLevel = LogLevel::kWarn;
  client.log = [&](LogLevel level, std::string_view, std::string_view text) {
    EXPECT_TRUE(hook_may_be_called);
    if (text.find("destructor") == std::string_view::npos) return;
    EXPECT_EQ(level, LogLevel::kWarn);
    lines.push_back({engine->now(), std::string(text)});
  };
  start({}, client);
  // A callback that takes 25 seconds of virtual time.
  producer->sendAsync(message()).then(
      [&](Result<SendResult>) { engine->waitFor(*base::makeRef<base::WaitSlot>(), engine->now() + 25s); });
  engine->runUntilIdle();
  const base::SteadyTime before = engine->now();
  producer.reset();
  hook_may_be_called = false;
  EXPECT_EQ(since(before), 25s);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].at - before, 10s);
  EXPECT_EQ(lines[1].at - before, 20s);
  for (const char* word : {"producer", "group", "10 s", "1 of your callbacks"}) {
    EXPECT_NE(lines[0].text.find(word), std::string::npos) << word << ": " << lines[0].text;
  }
  engine->advance(60s);
}

TEST_F(ProducerTest, ADestructorThatWaitsForOnesOwnSlowLogHookDoesNotFloodIt) {
  withBrokers(1);
  int lines = 0;
  ClientOptions client = clientOptions();
  client.logLevel = LogLevel::kWarn;
  client.log = [&](LogLevel, std::string_view, std::string_view text) {
    if (text.find("destructor") == std::string_view::npos) return;
    ++lines;
    engine->waitFor(*base::makeRef<base::WaitSlot>(), engine->now() + 100s);
  };
  start({}, client);
  producer->sendAsync(message()).then(
      [&](Result<SendResult>) { engine->waitFor(*base::makeRef<base::WaitSlot>(), engine->now() + 45s); });
  engine->runUntilIdle();
  const base::SteadyTime before = engine->now();
  producer.reset();
  EXPECT_EQ(since(before), 110s) << "the hook is the user's code, too";
  EXPECT_EQ(lines, 1);
}

// ---- the beginning

TEST_F(ProducerTest, StartSaysEverythingThatIsWrong) {
  ProducerOptions options;
  options.maxMessageSize = 0;
  options.retryTimesWhenSendFailed = -1;
  options.topics = {"no topic"};
  const auto refused = DefaultMQProducer::start("bad group", clientOptions(), options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  for (const char* word : {"bad group", "maxMessageSize", "retryTimesWhenSendFailed", "no topic"}) {
    EXPECT_NE(refused.error().message().find(word), std::string::npos) << word << "\n" << refused.error();
  }
}

TEST_F(ProducerTest, WhatTheGateCannotCountIsRefusedAtTheStart) {
  withBrokers(1);
  constexpr std::size_t kMessages = 16'000'000;
  constexpr std::size_t kBytes = std::size_t{256} << 30;
  start({.backPressureForAsyncSendNum = kMessages, .backPressureForAsyncSendSize = kBytes});
  EXPECT_TRUE(send());
  const auto refused = DefaultMQProducer::start(
      "group", clientOptions(),
      {.backPressureForAsyncSendNum = kMessages + 1, .backPressureForAsyncSendSize = kBytes + 1});
  ASSERT_FALSE(refused);
  for (const char* word : {"backPressureForAsyncSendNum is 16000001, it may be at most 16000000",
                           "backPressureForAsyncSendSize is 274877906945, it may be at most 274877906944"}) {
    EXPECT_NE(refused.error().message().find(word), std::string::npos) << word << "\n" << refused.error();
  }
}

TEST_F(ProducerTest, StartFailsInTimeWithoutANameserver) {
  nameservers[0]->scripts[RequestCode::GET_ROUTEINFO_BY_TOPIC] = nameservers[0]->hanging();
  const base::SteadyTime before = engine->now();
  const auto failed = DefaultMQProducer::start("group", clientOptions());
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kNoNameServer) << failed.error();
  EXPECT_LE(since(before), 4s);
}

TEST_F(ProducerTest, OfflineStartIsReadyWhenANameserverAnswers) {
  withBrokers(1);
  stop(nameservers[0]);
  ClientOptions client = clientOptions();
  client.startTimeout = 0ms;
  start({}, client);
  Future<void> ready = producer->ready();
  engine->advance(5s);
  EXPECT_FALSE(ready.isReady());
  ClusterTest::start(nameservers[0]);
  engine->advance(5s);
  EXPECT_TRUE(ready.isReady());
  EXPECT_TRUE(send());
}

TEST_F(ProducerTest, PresetTopicsNeedNoFetchAtTheFirstSend) {
  withBrokers(1);
  start({.topics = {"orders"}});
  engine->runUntilIdle();
  const std::size_t asked = nameservers[0]->route_times.size();
  ASSERT_TRUE(send());
  EXPECT_EQ(nameservers[0]->route_times.size(), asked);
}

TEST_F(ProducerTest, AMovedFromHandleSaysSo) {
  withBrokers(1);
  start();
  DefaultMQProducer moved = std::move(*producer);
  EXPECT_EQ(producer->send(message()).error().code(), ErrorCode::kClosed);
  EXPECT_TRUE(moved.send(message()));
}

}  // namespace
}  // namespace mqclient
