// Ending: from anywhere, at any moment, any number of times (concurrency rules of shutdown; promises R8 to R10). By the
// thousand: ./dev soak.
#include <dirent.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"
#include "tests/support/random_life.h"

namespace mqclient {
namespace {

using enum ConsumeConcurrentlyStatus;

int threadsNow() {
  DIR* d = opendir("/proc/self/task");
  int n = 0;
  while (const dirent* e = readdir(d)) n += e->d_name[0] != '.';
  closedir(d);
  return n;
}

class Lifecycle : public ::testing::Test {
 protected:
  MockCluster cluster = MockCluster::start().value();
  const PushConsumerOptions from_first{.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()};

  DefaultMQProducer producer() { return DefaultMQProducer::start("p", cluster.client()).value(); }
  template <class L>
  DefaultMQPushConsumer consumer(L listener, const std::string& group = "c") {
    return DefaultMQPushConsumer::start(group, {{"topic"}}, std::move(listener), cluster.client(), from_first).value();
  }
};

TEST_F(Lifecycle, CloseIsIdempotentAndLaterCallsAreRefused) {
  auto p = producer();
  p.send(Message("topic", "x")).value();
  EXPECT_TRUE(p.close().complete());
  EXPECT_TRUE(p.close().complete());
  const auto sent = p.send(Message("topic", "x"));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), ErrorCode::kClosed);
  EXPECT_EQ(p.sendOneway(Message("topic", "x")).error().code(), ErrorCode::kClosed);
}

TEST_F(Lifecycle, AMovedFromFacadeAnswersClosed) {
  auto p = producer();
  DefaultMQProducer other = std::move(p);
  EXPECT_TRUE(other.send(Message("topic", "x")));
  EXPECT_EQ(p.send(Message("topic", "x")).error().code(), ErrorCode::kClosed);  // NOLINT(bugprone-use-after-move)
}

TEST_F(Lifecycle, TwoThreadsMayCloseAtOnce) {
  for (int i = 0; i < 50; ++i) {
    auto p = producer();
    auto c = consumer([](Messages, ConsumeConcurrentlyContext&) { return CONSUME_SUCCESS; });
    p.send(Message("topic", "x")).value();
    std::thread a([&] { EXPECT_TRUE(p.close().complete()); });
    std::thread b([&] { (void)c.close(); });
    EXPECT_TRUE(p.close().complete());
    (void)c.close();
    a.join();
    b.join();
  }
}

TEST_F(Lifecycle, EveryAcceptedSendCallsBackOnceAlsoWhenTheProducerIsDestroyed) {
  constexpr int kRounds = 40;
  constexpr int kSends = 250;
  for (int round = 0; round < kRounds; ++round) {
    auto called = std::make_shared<std::atomic<int>>(0);
    int accepted = 0;
    {
      auto p = producer();
      for (int i = 0; i < kSends; ++i) {
        p.sendAsync(Message("topic", "x")).then([called](Result<SendResult>) { ++*called; });
        ++accepted;
      }
    }
    ASSERT_TRUE(cluster.waitUntil([&] { return *called >= accepted; })) << *called << " of " << accepted;
    EXPECT_EQ(*called, accepted);
  }
}

TEST_F(Lifecycle, CloseInsideTheOwnListenerBeginsAndReturns) {
  auto p = producer();
  std::optional<DefaultMQPushConsumer> c;
  std::atomic<bool> ready{false};
  std::atomic<bool> closed_inside{false};
  c.emplace(consumer([&](Messages, ConsumeConcurrentlyContext&) {
    while (!ready) std::this_thread::yield();
    (void)c->close();
    closed_inside = true;
    return CONSUME_SUCCESS;
  }));
  ready = true;
  p.send(Message("topic", "x")).value();
  ASSERT_TRUE(cluster.waitUntil([&] { return closed_inside.load(); }));
  (void)c->close();
}

TEST_F(Lifecycle, TheLastHandleMayGoInACallback) {
  for (int i = 0; i < 20; ++i) {
    auto p = std::make_shared<DefaultMQProducer>(producer());
    std::atomic<bool> done{false};
    DefaultMQProducer& raw = *p;
    Future<SendResult> sent = raw.sendAsync(Message("topic", "x"));
    std::move(sent).then([&done, p = std::move(p)](Result<SendResult>) mutable {
      p.reset();
      done = true;
    });
    ASSERT_TRUE(cluster.waitUntil([&] { return done.load(); }));
  }
}

TEST_F(Lifecycle, AGracefulCloseLosesAndRepeatsNothing) {
  constexpr int kRounds = 20;
  constexpr int kMessages = 200;
  std::mutex mutex;
  std::vector<std::string> seen;
  int sent = 0;
  for (int round = 0; round < kRounds; ++round) {
    auto p = producer();
    auto c = consumer([&](Messages messages, ConsumeConcurrentlyContext&) {
      const std::scoped_lock lock(mutex);
      for (const MessageExt& m : messages) seen.emplace_back(m.body());
      return CONSUME_SUCCESS;
    });
    for (int i = 0; i < kMessages; ++i) p.send(Message("topic", std::to_string(sent++))).value();
    const CloseReport report = c.close();  // in the middle of the traffic
    EXPECT_EQ(report.listenersRunning, 0u) << report.toString();
    EXPECT_TRUE(report.offsetsNotCommitted.empty()) << report.toString();
    EXPECT_TRUE(p.close().complete());
  }
  auto c = consumer([&](Messages messages, ConsumeConcurrentlyContext&) {
    const std::scoped_lock lock(mutex);
    for (const MessageExt& m : messages) seen.emplace_back(m.body());
    return CONSUME_SUCCESS;
  });
  const auto distinct = [&] {
    const std::scoped_lock lock(mutex);
    return std::set<std::string>(seen.begin(), seen.end()).size();
  };
  ASSERT_TRUE(cluster.waitUntil([&] { return distinct() >= static_cast<std::size_t>(sent); }))
      << distinct() << " of " << sent;
  const std::scoped_lock lock(mutex);
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(sent)) << "a message came twice";
}

TEST_F(Lifecycle, RandomEndsInAnyOrder) {
  constexpr int kLives = 400;
  mqclient::testing::RandomLives lives(cluster, /*seed=*/7);
  for (int i = 0; i < kLives; ++i) lives.live();
}

TEST_F(Lifecycle, ClientsOutliveTheirClusterAndSaySo) {
  auto p = producer();
  p.send(Message("topic", "x")).value();
  cluster.reset();
  const auto sent = p.send(Message("topic", "x"), SendOptions{.timeout = Millis{200}});
  ASSERT_FALSE(sent);
  EXPECT_NE(sent.error().message(), "");
  (void)p.close(Millis{100});
}

TEST(LifecycleOfRuntime, AnOwnRuntimeLeavesNoThreadBehind) {
  MockCluster cluster = MockCluster::start().value();
  {
    auto warm = DefaultMQProducer::start("p", cluster.client()).value();
    warm.send(Message("topic", "x")).value();
  }
  const int before = threadsNow();
  for (int i = 0; i < 30; ++i) {
    ClientOptions client = cluster.client();
    client.runtime = Runtime::create({.ioThreads = 1}).value();
    auto p = DefaultMQProducer::start("p", client).value();
    client.runtime = Runtime();
    std::atomic<bool> called{false};
    p.sendAsync(Message("topic", "x")).then([&](Result<SendResult>) { called = true; });
    ASSERT_TRUE(cluster.waitUntil([&] { return called.load(); }));
  }
  EXPECT_TRUE(Runtime::quiesce(Millis{5'000}));
  // Threads of the shared runtime may still grow by one or two for the last callbacks; 30 runtimes would show.
  EXPECT_TRUE(cluster.waitUntil([&] { return threadsNow() <= before + 3; })) << threadsNow() << " from " << before;
}

}  // namespace
}  // namespace mqclient
