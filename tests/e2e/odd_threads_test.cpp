// On which threads user code runs, and what may be called from there (R2, A1).
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>

#include "base/engine.h"
#include "base/strand.h"
#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"

namespace mqclient {
namespace {

using base::Activation;
using base::Role;

/// What a piece of user code finds out about where it runs.
struct Probe {
  void look() {
    const std::scoped_lock lock(mutex);
    const Activation& here = Activation::ofThisThread();
    role = here.role();
    inside = here.inside();
    may_await = here.mayAwait();
    thread = std::this_thread::get_id();
    char text[16] = {};
    pthread_getname_np(pthread_self(), text, sizeof text);
    name = text;
    ++calls;
  }
  bool called() const {
    const std::scoped_lock lock(mutex);
    return calls > 0;
  }
  mutable std::mutex mutex;
  Role role{};
  bool inside = true;
  bool may_await = false;
  std::thread::id thread;
  std::string name;
  int calls = 0;
};

void expectListenerThread(const Probe& p, const char* what) {
  EXPECT_GT(p.calls, 0) << what;
  EXPECT_EQ(p.role, Role::kListener) << what;
  EXPECT_FALSE(p.inside) << what << " runs with a strand on its stack";
  EXPECT_TRUE(p.may_await) << what;
  EXPECT_NE(p.thread, std::this_thread::get_id()) << what;
  EXPECT_TRUE(p.name.starts_with("mq-")) << what << " on thread " << p.name;
}

class OddThreads : public ::testing::Test {
 protected:
  MockCluster cluster = MockCluster::start().value();
  const PushConsumerOptions from_first{.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()};
};

TEST_F(OddThreads, EveryCallbackRunsOnAListenerThreadOutsideStrands) {
  Probe listener;
  Probe then;
  Probe log;
  Probe event;
  Probe selector;
  ClientOptions client = cluster.client();
  client.logLevel = LogLevel::kDebug;
  client.log = [&](LogLevel, std::string_view, std::string_view) { log.look(); };
  client.onEvent = [&](const ClientEvent&) { event.look(); };
  {
    auto producer = DefaultMQProducer::start("p", client).value();
    auto consumer = DefaultMQPushConsumer::start(
                        "c", {{"topic"}},
                        [&](Messages, ConsumeConcurrentlyContext&) {
                          listener.look();
                          return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
                        },
                        client, from_first)
                        .value();
    producer.send(Message("topic", "x")).value();
    std::atomic<bool> called{false};
    producer.sendAsync(Message("topic", "x")).then([&](Result<SendResult>) {
      then.look();
      called = true;
    });
    auto by_probe = [&](Queues, const Message&) -> std::size_t {
      selector.look();
      return 0;
    };
    producer.send(Message("topic", "x"), by_probe).value();
    ASSERT_TRUE(cluster.waitUntil([&] { return called && listener.called() && event.called() && log.called(); }));
  }
  expectListenerThread(listener, "the listener");
  expectListenerThread(then, "a future's callback");
  expectListenerThread(log, "the log hook");
  expectListenerThread(event, "onEvent");
  // The route was known: a selector runs on the thread that sends, before the first strand.
  EXPECT_EQ(selector.thread, std::this_thread::get_id());
  EXPECT_FALSE(selector.inside);
}

TEST_F(OddThreads, BlockingCallsWorkInListenersAndCallbacks) {
  auto producer = DefaultMQProducer::start("p", cluster.client()).value();
  std::atomic<int> ok{0};
  auto consumer = DefaultMQPushConsumer::start(
                      "c", {{"in"}},
                      [&](Messages, ConsumeConcurrentlyContext&) {
                        if (producer.send(Message("out", "x"))) ++ok;
                        return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
                      },
                      cluster.client(), from_first)
                      .value();
  producer.send(Message("in", "x")).value();
  producer.sendAsync(Message("in", "y")).then([&](Result<SendResult>) {
    if (producer.send(Message("out", "z"))) ++ok;
  });
  EXPECT_TRUE(cluster.waitUntil([&] { return ok == 3; }));
}

TEST_F(OddThreads, WaitingInsideAStrandIsRefusedAtOnce) {
  auto producer = DefaultMQProducer::start("p", cluster.client()).value();
  producer.send(Message("topic", "x")).value();
  struct Owner : base::Object {
    explicit Owner(base::Engine& e) : strand(e) {}
    base::Strand strand;
  };
  const base::Ref<base::Engine> engine = base::defaultEngine().value();
  const auto owner = base::makeRef<Owner>(*engine);
  std::atomic<bool> ran{false};
  ErrorCode code{};
  owner->strand.post(owner, [&] {
    // Not ready when get() is called: the answer needs other strands, which wait for this one to end.
    const auto sent = producer.send(Message("topic", "x"));
    code = sent ? ErrorCode::kInternal : sent.error().code();
    ran = true;
  });
  ASSERT_TRUE(cluster.waitUntil([&] { return ran.load(); }));
  EXPECT_EQ(code, ErrorCode::kWouldBlock);
}

TEST_F(OddThreads, AListenerThatThrowsIsContained) {
  auto producer = DefaultMQProducer::start("p", cluster.client()).value();
  std::atomic<int> calls{0};
  auto consumer = DefaultMQPushConsumer::start(
                      "c", {{"topic"}},
                      [&](Messages, ConsumeConcurrentlyContext&) -> ConsumeConcurrentlyStatus {
                        ++calls;
                        throw std::runtime_error("on purpose");
                      },
                      cluster.client(), from_first)
                      .value();
  producer.send(Message("topic", "x")).value();
  ASSERT_TRUE(cluster.waitUntil([&] { return calls == 1; }));
  producer.sendAsync(Message("topic", "y")).then([](Result<SendResult>) { throw std::runtime_error("too"); });
  EXPECT_TRUE(producer.send(Message("topic", "z")));
}

}  // namespace
}  // namespace mqclient
