// Every public call: awaited in each of its ways, and made from each place where a user's code can be (A1, R2).
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/engine.h"
#include "base/strand.h"
#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"

namespace mqclient {
namespace {

using base::Activation;
using base::Role;
using enum ConsumeConcurrentlyStatus;

const std::string kOneTopic = "topic";
const std::string kOtherTopic = "other";
constexpr Millis kWait{30'000};  // no test waits longer for an event

/// Complaints of code that runs where a test must not fail: collected, looked at by the test's thread.
class Complaints {
 public:
  void add(const std::string& text) {
    const std::scoped_lock lock(mutex_);
    all_ += text + "\n";
  }
  template <class T>
  void expectOk(const char* call, const Result<T>& r) {
    // seek() gives its queue up and takes it anew: a commit that meets the old one says so.
    if (!r && r.error().code() == ErrorCode::kCancelled && std::string_view(call) == "commit") return;
    if (!r) add(std::string(call) + ": " + toString(r.error().code()) + ": " + r.error().message());
  }
  std::string all() const {
    const std::scoped_lock lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::string all_;
};

ConsumeConcurrentlyStatus success(Messages, ConsumeConcurrentlyContext&) {
  return CONSUME_SUCCESS;
}

class EveryCall : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const std::string& name : {kOneTopic, kOtherTopic}) {
      TopicConfig topic;
      topic.topicName = name;
      ASSERT_TRUE(cluster.createTopic(topic));
    }
    producer.emplace(DefaultMQProducer::start("p", cluster.client(), {.topics = {kOneTopic}}).value());
    consumer.emplace(DefaultMQPushConsumer::start("c", {{kOneTopic}}, success, cluster.client(), from_first).value());
    ASSERT_TRUE(producer->send(Message(kOneTopic, "route known")));
    ASSERT_TRUE(cluster.waitUntil([&] { return !consumer->progress().empty(); }, kWait));
  }

  /// Calls that answer at once wherever they are made.
  void callWhatNeverWaits(Complaints& c) {
    if (producer->clientId().empty() || consumer->clientId().empty()) c.add("clientId");
    if (producer->health().brokers.empty()) c.add("producer.health");
    (void)consumer->health();
    c.expectOk("subscribe", consumer->subscribe({kOtherTopic}));
    c.expectOk("unsubscribe", consumer->unsubscribe(kOtherTopic));
    consumer->suspend();
    consumer->resume();
    const std::vector<QueueProgress> progress = consumer->progress();
    if (progress.empty()) return c.add("progress");
    c.expectOk("seek", consumer->seek(progress[0].messageQueue, 0));
    if (consumer->explain(kOneTopic).rows.empty()) c.add("explain");
  }
  /// Every call that begins something, each with `end` for its future.
  template <class End>
  void begin(End end) {
    const std::vector<Message> batch(2, Message(kOneTopic, "x"));
    auto first_queue = [](Queues, const Message&) -> std::size_t { return 0; };
    end("sendAsync", producer->sendAsync(Message(kOneTopic, "x")));
    end("sendAsync with selector", producer->sendAsync(Message(kOneTopic, "x"), first_queue));
    end("sendBatchAsync", producer->sendBatchAsync(batch));
    end("flush", producer->flush());
    end("writable", producer->writable());
    end("producer.ready", producer->ready());
    end("consumer.ready", consumer->ready());
    end("commit", consumer->commit());
    end("doSend", producer->doSend(Message(kOneTopic, "x"), std::nullopt, {}));
    end("doSendBatch", producer->doSendBatch(batch, {}));
    end("doFetchPublishMessageQueues", producer->doFetchPublishMessageQueues(kOneTopic));
  }
  /// Every call that waits. `end` judges the answers.
  template <class End>
  void wait(End end) {
    auto first_queue = [](Queues, const Message&) -> std::size_t { return 0; };
    end("send", producer->send(Message(kOneTopic, "x")));
    end("send with selector", producer->send(Message(kOneTopic, "x"), first_queue));
    end("sendBatch", producer->sendBatch({Message(kOneTopic, "x"), Message(kOneTopic, "y")}));
    end("sendOneway", producer->sendOneway(Message(kOneTopic, "x")));
    end("sendOneway with selector", producer->sendOneway(Message(kOneTopic, "x"), first_queue));
    end("fetchPublishMessageQueues", producer->fetchPublishMessageQueues(kOneTopic));
    end("DefaultMQProducer::start", DefaultMQProducer::start("p2", cluster.client()));
    end("DefaultMQPushConsumer::start", DefaultMQPushConsumer::start("c2", {{kOneTopic}}, success, cluster.client()));
  }
  /// Every call at all, where waiting is allowed.
  void callEverything(Complaints& c) {
    callWhatNeverWaits(c);
    begin([&](const char* call, auto future) { c.expectOk(call, std::move(future).get()); });
    wait([&](const char* call, const auto& answer) { c.expectOk(call, answer); });
    // Lives of one's own, ended here: by close and by the destructor.
    if (auto p = DefaultMQProducer::start("p3", cluster.client()); p && !p->close().complete()) c.add("close");
    if (auto p = DefaultMQProducer::start("p3", cluster.client())) c.expectOk("closeAsync", p->closeAsync().get());
    if (auto p = DefaultMQPushConsumer::start("c3", {{kOneTopic}}, success, cluster.client())) p->shutdown();
    {
      auto runtime = Runtime::create({.ioThreads = 1});
      c.expectOk("Runtime::create", runtime);
      ClientOptions client = cluster.client();
      if (runtime) client.runtime = *std::move(runtime);
      c.expectOk("start on a runtime of its own", DefaultMQProducer::start("p4", client));
    }  // whose threads end, also if this is none that may join them
    (void)Runtime::quiesce(Millis{0});
    Promise<int> promise;
    Future<int> promised = promise.future();
    promise.set(7);
    c.expectOk("Promise", std::move(promised).get());
    auto other = MockCluster::start({.brokers = 2});
    c.expectOk("MockCluster::start", other);
    if (!other) return;
    TopicConfig topic;
    topic.topicName = "made";
    c.expectOk("createTopic", other->createTopic(topic));
    auto broker = other->broker("broker-a");
    c.expectOk("broker", broker);
    if (broker) c.expectOk("MockBroker::stop", broker->stop());
    if (broker) c.expectOk("MockBroker::start", broker->start());
    if (broker) {
      c.expectOk("MockBroker::kill", broker->kill());
      c.expectOk("MockBroker::start after kill", broker->start());
      c.expectOk("MockBroker::powerLoss", broker->powerLoss());
      c.expectOk("MockBroker::startEmpty", broker->startEmpty());
      c.expectOk("MockBroker::moveTo", broker->moveTo("127.0.0.1:0"));
      c.expectOk("MockBroker::hideFromRoute", broker->hideFromRoute());
      c.expectOk("MockBroker::showInRoute", broker->showInRoute());
      c.expectOk("MockBroker::updateTopic", broker->updateTopic(topic));
      c.expectOk("MockBroker::skewWallClock", broker->skewWallClock(Millis{1}));
      c.expectOk("MockBroker::fillDisk", broker->fillDisk());
      c.expectOk("MockBroker::freeDisk", broker->freeDisk());
      c.expectOk("MockBroker::slowDisk", broker->slowDisk(Millis{0}));
      if (broker->failDisk("nothing").has_value()) c.add("failDisk");
    }
    c.expectOk("addBroker", other->addBroker("broker-x"));
    if (other->removeBroker("broker-x", Millis{0}).has_value()) c.add("removeBroker without time for a quiet second");
    auto nameserver = other->nameserver(0);
    c.expectOk("nameserver", nameserver);
    if (nameserver) {
      c.expectOk("MockNameserver::freeze", nameserver->freeze());
      c.expectOk("MockNameserver::thaw", nameserver->thaw());
      c.expectOk("MockNameserver::forget", nameserver->forget("made"));
      c.expectOk("MockNameserver::setRoute", nameserver->setRoute("made", {}));
      c.expectOk("MockNameserver::queueRoutes", nameserver->queueRoutes("made", {}));
      c.expectOk("MockNameserver::clearRoutes", nameserver->clearRoutes());
      c.expectOk("MockNameserver::stop", nameserver->stop());
      c.expectOk("MockNameserver::start", nameserver->start());
    }
    c.expectOk("tellNameservers", other->tellNameservers({0}));
    c.expectOk("discoveringClient", other->discoveringClient());
    if (!other->messages("made").empty() || !other->members("nobody").empty()) c.add("messages, members");
    if (other->committedOffset("nobody", MessageQueue("made", "broker-a", 0)) != -1) c.add("committedOffset");
    if (!other->waitUntil([] { return true; })) c.add("waitUntil");
    if (other->clock().advance(Millis{1}).has_value()) c.add("clock of a cluster on real time");
    other->reset();
  }
  /// `place` calls its argument, once, where it is; the test waits for that.
  void everythingIn(const std::function<void(const std::function<void()>&)>& place) {
    struct Once {
      Complaints complaints;
      std::atomic<int> begun{0};
      std::atomic<bool> done{false};
    };
    const auto once = std::make_shared<Once>();  // listeners and hooks go on calling when the test has what it wants
    place([this, once] {
      if (once->begun.fetch_add(1) > 0) return;
      callEverything(once->complaints);
      once->done = true;
    });
    EXPECT_TRUE(cluster.waitUntil([&] { return once->done.load(); }, kWait)) << "it hangs, or was never called";
    EXPECT_EQ(once->complaints.all(), "");
  }

  MockCluster cluster = MockCluster::start().value();
  const PushConsumerOptions from_first{.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()};
  std::optional<DefaultMQProducer> producer;
  std::optional<DefaultMQPushConsumer> consumer;
};

// ---- awaited in each way

TEST_F(EveryCall, GetWaits) {
  Complaints complaints;
  callEverything(complaints);
  EXPECT_EQ(complaints.all(), "");
}

TEST_F(EveryCall, ThenIsCalledOnceOnAListenerThread) {
  Complaints complaints;
  std::atomic<int> begun{0};
  std::atomic<int> called{0};
  begin([&](const char* call, auto future) {
    ++begun;
    std::move(future).then([&, call](const auto& answer) {
      const Activation& here = Activation::ofThisThread();
      if (here.role() != Role::kListener || here.inside()) complaints.add(std::string(call) + ": called elsewhere");
      complaints.expectOk(call, answer);
      ++called;
    });
  });
  EXPECT_TRUE(cluster.waitUntil([&] { return called >= begun; }, kWait)) << called << " of " << begun;
  EXPECT_EQ(called, begun);
  EXPECT_EQ(complaints.all(), "");
}

/// As the documentation writes it: the call inside the co_await expression, what has a destructor named before.
Future<int> awaitEverything(DefaultMQProducer& producer, DefaultMQPushConsumer& consumer, Complaints& c) {
  const std::vector<Message> batch(2, Message(kOneTopic, "x"));
  auto first_queue = [](Queues, const Message&) -> std::size_t { return 0; };
  const Result<SendResult> sent = co_await producer.sendAsync(Message(kOneTopic, "x"));
  c.expectOk("sendAsync", sent);
  const Result<SendResult> timed = co_await producer.sendAsync(Message(kOneTopic, "x"), {.timeout = Millis{5000}});
  c.expectOk("sendAsync with options", timed);
  const Result<SendResult> chosen = co_await producer.sendAsync(Message(kOneTopic, "x"), first_queue);
  c.expectOk("sendAsync with selector", chosen);
  const Result<SendResult> together = co_await producer.sendBatchAsync(batch);
  c.expectOk("sendBatchAsync", together);
  const Result<void> flushed = co_await producer.flush();
  c.expectOk("flush", flushed);
  const Result<void> writable = co_await producer.writable();
  c.expectOk("writable", writable);
  const Result<void> ready = co_await producer.ready();
  c.expectOk("producer.ready", ready);
  const Result<void> member = co_await consumer.ready();
  c.expectOk("consumer.ready", member);
  const Result<void> committed = co_await consumer.commit();
  c.expectOk("commit", committed);
  const Result<std::vector<MessageQueue>> queues = co_await producer.doFetchPublishMessageQueues(kOneTopic);
  c.expectOk("doFetchPublishMessageQueues", queues);
  const Activation& here = Activation::ofThisThread();
  if (here.inside() || !here.mayAwait()) c.add("resumed where nothing may wait");
  const Result<CloseReport> producer_closed = co_await producer.closeAsync();
  c.expectOk("producer.closeAsync", producer_closed);
  const Result<CloseReport> consumer_closed = co_await consumer.closeAsync();
  c.expectOk("consumer.closeAsync", consumer_closed);
  co_return 1;
}

TEST_F(EveryCall, CoAwaitResumesWithTheResult) {
  Complaints complaints;
  EXPECT_EQ(awaitEverything(*producer, *consumer, complaints).get().value(), 1);
  EXPECT_EQ(complaints.all(), "");
}

// ---- from each place

TEST_F(EveryCall, InACallback) {
  everythingIn([&](const std::function<void()>& f) {
    producer->sendAsync(Message(kOneTopic, "x")).then([f](const Result<SendResult>&) { f(); });
  });
}

TEST_F(EveryCall, InACoroutineThatWasResumed) {
  const auto coroutine = [](DefaultMQProducer& p, std::function<void()> f) -> Future<int> {
    const Result<SendResult> sent = co_await p.sendAsync(Message(kOneTopic, "x"));
    f();
    co_return sent ? 1 : 0;
  };
  everythingIn([&](const std::function<void()>& f) { EXPECT_EQ(coroutine(*producer, f).get().value(), 1); });
}

TEST_F(EveryCall, InAListener) {
  std::optional<DefaultMQPushConsumer> listening;
  everythingIn([&](const std::function<void()>& f) {
    auto listener = [f](Messages, ConsumeConcurrentlyContext&) {
      f();
      return CONSUME_SUCCESS;
    };
    listening.emplace(
        DefaultMQPushConsumer::start("listening", {{kOneTopic}}, listener, cluster.client(), from_first).value());
  });
}

TEST_F(EveryCall, InAnAllocationStrategy) {
  class Strategy final : public AllocateMessageQueueStrategy {
   public:
    explicit Strategy(std::function<void()> f) : f_(std::move(f)) {}
    std::string name() const override { return "TEST"; }
    std::vector<MessageQueue> allocate(std::string_view group, std::string_view self, Queues queues,
                                       std::span<const std::string> members) const override {
      f_();
      return AllocateMessageQueueAveragely().allocate(group, self, queues, members);
    }

   private:
    std::function<void()> f_;
  };
  std::optional<DefaultMQPushConsumer> sharing;
  everythingIn([&](const std::function<void()>& f) {
    sharing.emplace(
        DefaultMQPushConsumer::start("sharing", {{kOneTopic}}, success, cluster.client(),
                                     PushConsumerOptions{.allocateMessageQueueStrategy = std::make_shared<Strategy>(f)})
            .value());
  });
}

// Of another producer: one's own flush() waits for the very send that asks.
TEST_F(EveryCall, InAQueueSelector) {
  auto selecting = DefaultMQProducer::start("selecting", cluster.client(), {.topics = {kOneTopic}}).value();
  ASSERT_TRUE(selecting.send(Message(kOneTopic, "route known")));
  everythingIn([&](const std::function<void()>& f) {
    auto selector = [&](Queues, const Message&) -> std::size_t {
      f();
      return 0;
    };
    EXPECT_TRUE(selecting.send(Message(kOneTopic, "x"), selector, {.timeout = kWait}));
  });
}

TEST_F(EveryCall, InAQueueSelectorOfATopicThatIsNewToTheProducer) {
  auto selecting = DefaultMQProducer::start("selecting", cluster.client()).value();
  everythingIn([&](const std::function<void()>& f) {
    bool may_wait = false;
    auto selector = [&](Queues, const Message&) -> std::size_t {
      // On this thread or, if the route takes its time, on a callback's: never inside the strand that brought it.
      may_wait = Activation::ofThisThread().mayAwait();
      if (may_wait) f();
      return 0;
    };
    EXPECT_TRUE(selecting.send(Message(kOtherTopic, "x"), selector, {.timeout = kWait}));
    EXPECT_TRUE(may_wait);
  });
}

TEST_F(EveryCall, InTheLogHook) {
  std::optional<DefaultMQProducer> logging;
  everythingIn([&](const std::function<void()>& f) {
    ClientOptions client = cluster.client();
    client.logLevel = LogLevel::kDebug;
    client.log = [f](LogLevel, std::string_view, std::string_view) { f(); };
    logging.emplace(DefaultMQProducer::start("logging", client).value());
    EXPECT_TRUE(logging->send(Message(kOneTopic, "x")));
  });
}

TEST_F(EveryCall, InTheEventHook) {
  std::optional<DefaultMQPushConsumer> telling;
  everythingIn([&](const std::function<void()>& f) {
    ClientOptions client = cluster.client();
    client.onEvent = [f](const ClientEvent&) { f(); };
    telling.emplace(DefaultMQPushConsumer::start("telling", {{kOneTopic}}, success, client).value());
  });
}

TEST_F(EveryCall, InOnesOwnCallbackExecutor) {
  std::mutex mutex;
  std::vector<UniqueFunction<void()>> tasks;
  std::optional<DefaultMQProducer> calling;
  ClientOptions client = cluster.client();
  client.runtime = Runtime::create({.ioThreads = 1,
                                    .callbackExecutor =
                                        [&](UniqueFunction<void()> f) {
                                          const std::scoped_lock lock(mutex);
                                          tasks.push_back(std::move(f));
                                        }})
                       .value();
  everythingIn([&](const std::function<void()>& f) {
    calling.emplace(DefaultMQProducer::start("calling", client).value());
    calling->sendAsync(Message(kOneTopic, "x")).then([f](const Result<SendResult>&) { f(); });
    ASSERT_TRUE(cluster.waitUntil(
        [&] {
          const std::scoped_lock lock(mutex);
          return !tasks.empty();
        },
        kWait));
    std::thread thread_of_mine([&] {
      const std::scoped_lock lock(mutex);
      for (auto& task : tasks) task();
      tasks.clear();
    });
    thread_of_mine.join();
  });
}

TEST_F(EveryCall, WhileAListenerIsDestroyed) {
  // The listener's captures are the user's, and so are their destructors: on a listener thread, outside strands.
  struct AtEnd {
    explicit AtEnd(std::function<void()> g) : f(std::move(g)) {}
    ~AtEnd() { f(); }
    std::function<void()> f;
  };
  everythingIn([&](const std::function<void()>& f) {
    auto at_end = std::make_shared<AtEnd>([f] {
      EXPECT_EQ(Activation::ofThisThread().role(), Role::kListener);
      EXPECT_FALSE(Activation::ofThisThread().inside());
      f();
    });
    auto ending = DefaultMQPushConsumer::start(
                      "ending", {{kOneTopic}},
                      [at_end = std::move(at_end)](Messages, ConsumeConcurrentlyContext&) { return CONSUME_SUCCESS; },
                      cluster.client())
                      .value();
    (void)ending.close();
  });
}

// ---- where nothing may wait: no user's code gets there, but if it did it would be told and not hang

TEST_F(EveryCall, InsideAStrandWaitingCallsAnswerWouldBlockAtOnce) {
  struct Owner : base::Object {
    explicit Owner(base::Engine& e) : strand(e) {}
    base::Strand strand;
  };
  const base::Ref<base::Engine> engine = base::defaultEngine().value();
  const auto owner = base::makeRef<Owner>(*engine);
  const auto expectWouldBlock = [](Complaints& c, const char* call, const auto& answer) {
    if (answer) return c.add(std::string(call) + " waited");
    if (answer.error().code() != ErrorCode::kWouldBlock) c.add(std::string(call) + ": " + answer.error().message());
  };
  // Once on this thread, once on a reactor.
  for (const bool on_reactor : {false, true}) {
    Complaints complaints;
    std::atomic<bool> done{false};
    std::optional<Role> role;
    const auto inside = [&] {
      role = Activation::ofThisThread().role();
      begin([&](const char* call, auto future) {
        const bool ready = future.isReady();
        const auto answer = std::move(future).get();
        if (!ready) expectWouldBlock(complaints, call, answer);
      });
      wait([&](const char* call, const auto& answer) { expectWouldBlock(complaints, call, answer); });
      callWhatNeverWaits(complaints);
      done = true;
    };
    if (on_reactor) {
      struct Posting final : base::Task {
        base::Next run() noexcept override {
          call();
          return base::Next::kDone;
        }
        std::function<void()> call;
      } posting;
      posting.call = inside;
      engine->submit(base::Runnable(posting));
      ASSERT_TRUE(cluster.waitUntil([&] { return done.load(); }, kWait));
    } else {
      owner->strand.post(owner, inside);
    }
    ASSERT_TRUE(cluster.waitUntil([&] { return done.load(); }, kWait));
    EXPECT_EQ(role, on_reactor ? Role::kReactor : Role::kForeign);
    EXPECT_EQ(complaints.all(), "");
  }
}

}  // namespace
}  // namespace mqclient
