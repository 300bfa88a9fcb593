// Groups of push consumers on a whole cluster in virtual time: shares, hand-over, what comes again and what does not.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"

namespace mqclient {
namespace {

using namespace std::chrono_literals;
using Status = ConsumeConcurrentlyStatus;

constexpr char kOrders[] = "orders";
constexpr char kWorkers[] = "workers";

/// What the listeners of a group saw.
struct Seen {
  MessageListener listener(Status answer = Status::CONSUME_SUCCESS) {
    return MessageListener([this, answer](Messages messages, ConsumeConcurrentlyContext&) {
      for (const MessageExt& m : messages) {
        ++times[std::string(m.body())];
        offsets[m.messageQueue()].push_back(m.queueOffset());
      }
      return answer;
    });
  }
  std::size_t different() const { return times.size(); }
  int mostOften() const {
    int most = 0;
    for (const auto& [body, count] : times) most = std::max(most, count);
    return most;
  }

  std::map<std::string, int> times;
  std::map<MessageQueue, std::vector<std::int64_t>> offsets;
};

class ConsumerGroupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MockClusterOptions options;
    options.nameservers = 2;
    options.brokers = 2;
    options.defaultTopicQueueNums = 4;
    options.time = MockTime::kVirtual;
    cluster.emplace(MockCluster::start(options).value());
    TopicConfig topic;
    topic.topicName = kOrders;
    topic.readQueueNums = topic.writeQueueNums = 4;
    ASSERT_TRUE(cluster->createTopic(topic));
    producer.emplace(DefaultMQProducer::start("shop", cluster->client()).value());
  }

  DefaultMQPushConsumer join(MessageListener listener, PushConsumerOptions options = {},
                             MessageSelector selector = MessageSelector::all()) {
    options.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET();
    return DefaultMQPushConsumer::start(kWorkers, {{kOrders, std::move(selector)}}, std::move(listener),
                                        cluster->client(), std::move(options))
        .value();
  }
  void send(int from, int to, const std::string& tag = "") {
    for (int i = from; i < to; ++i) {
      const Result<SendResult> sent = producer->send(Message(kOrders, "m" + std::to_string(i)).setTags(tag));
      ASSERT_TRUE(sent) << sent.error();
    }
  }
  static std::set<MessageQueue> sharesOf(const DefaultMQPushConsumer& consumer) {
    std::set<MessageQueue> queues;
    for (const QueueProgress& p : consumer.progress()) queues.insert(p.messageQueue);
    return queues;
  }
  /// Every queue of the topic has exactly one owner among these.
  static bool divided(const std::vector<const DefaultMQPushConsumer*>& members) {
    std::set<MessageQueue> all;
    std::size_t sum = 0;
    for (const DefaultMQPushConsumer* member : members) {
      const std::set<MessageQueue> share = sharesOf(*member);
      sum += share.size();
      all.insert(share.begin(), share.end());
    }
    return sum == 8 && all.size() == 8;
  }

  std::optional<MockCluster> cluster;
  std::optional<DefaultMQProducer> producer;
};

TEST_F(ConsumerGroupTest, AMemberAloneGetsEverythingInOrder) {
  Seen seen;
  auto consumer = join(seen.listener(), {.consumeThreadMax = 1});
  send(0, 100);
  ASSERT_TRUE(cluster->waitUntil([&] { return seen.different() == 100; }));
  EXPECT_EQ(seen.mostOften(), 1);
  for (const auto& [queue, offsets] : seen.offsets) {
    EXPECT_TRUE(std::is_sorted(offsets.begin(), offsets.end())) << queue;
  }
}

TEST_F(ConsumerGroupTest, MembersDivideTheQueuesAndTakeOverWhenOneLeaves) {
  Seen seen;
  auto first = join(seen.listener());
  EXPECT_TRUE(divided({&first}));
  std::optional<DefaultMQPushConsumer> second(join(seen.listener()));
  ASSERT_TRUE(cluster->waitUntil([&] { return divided({&first, &*second}); }));
  EXPECT_EQ(sharesOf(first).size(), 4u);
  send(0, 200);
  ASSERT_TRUE(cluster->waitUntil([&] { return seen.different() == 200; }));
  EXPECT_EQ(seen.mostOften(), 1) << "no queue had two owners";

  EXPECT_TRUE(second->close().complete());
  ASSERT_TRUE(cluster->waitUntil([&] { return divided({&first}); }, 3s)) << "told, it does not wait for the 20 s";
  send(200, 300);
  ASSERT_TRUE(cluster->waitUntil([&] { return seen.different() == 300; }));
  EXPECT_EQ(seen.mostOften(), 1) << "what the other had finished was committed";
}

TEST_F(ConsumerGroupTest, AfterACompleteCloseNothingComesTwice) {
  Seen seen;
  {
    auto consumer = join(seen.listener());
    send(0, 50);
    ASSERT_TRUE(cluster->waitUntil([&] { return seen.different() == 50; }));
    EXPECT_TRUE(consumer.close().complete());
  }
  for (const MessageExt& m : cluster->messages(kOrders)) {
    EXPECT_LT(m.queueOffset(), cluster->committedOffset(kWorkers, m.messageQueue()));
  }
  send(50, 60);
  auto consumer = join(seen.listener());
  ASSERT_TRUE(cluster->waitUntil([&] { return seen.different() == 60; }));
  EXPECT_EQ(seen.mostOften(), 1);
}

TEST_F(ConsumerGroupTest, OnlyTheTagsAskedForArrive) {
  Seen seen;
  auto consumer = join(seen.listener(), {}, byTag("paid || refunded"));
  send(0, 10, "paid");
  send(10, 20, "open");
  send(20, 30, "refunded");
  ASSERT_TRUE(cluster->waitUntil([&] { return seen.different() == 20; }));
  cluster->waitUntil([] { return false; }, 10s);
  EXPECT_EQ(seen.different(), 20u);
  EXPECT_EQ(seen.times.count("m15"), 0u);
  for (const MessageExt& m : cluster->messages(kOrders)) {
    EXPECT_LT(m.queueOffset(), cluster->committedOffset(kWorkers, m.messageQueue())) << "past what was left out, too";
  }
}

TEST_F(ConsumerGroupTest, AFailedMessageComesAgainAndHoldsItsQueueBack) {
  Seen seen;
  bool healthy = false;
  auto consumer = join(MessageListener([&](Messages messages, ConsumeConcurrentlyContext&) {
    for (const MessageExt& m : messages) ++seen.times[std::string(m.body())];
    return healthy ? Status::CONSUME_SUCCESS : Status::RECONSUME_LATER;
  }));
  send(0, 8);
  cluster->waitUntil([] { return false; }, 12s);
  for (const auto& [body, count] : seen.times) EXPECT_EQ(count, 3) << "at once, after 5 s, after 10 s";
  for (const QueueProgress& p : consumer.progress()) EXPECT_EQ(p.consumed, 0);
  healthy = true;
  ASSERT_TRUE(cluster->waitUntil(
      [&] {
        const std::vector<QueueProgress> all = consumer.progress();
        return std::all_of(all.begin(), all.end(), [](const QueueProgress& p) { return p.cached == 0; });
      },
      10s));
}

TEST_F(ConsumerGroupTest, AMessageIsConsumedAtOnce) {
  WallTime arrived{};
  auto consumer = join(MessageListener([&](Messages messages, ConsumeConcurrentlyContext&) {
    arrived = messages[0].storeTime();
    return Status::CONSUME_SUCCESS;
  }));
  cluster->waitUntil([] { return false; }, 3s);  // pulls are held now
  send(0, 1);
  EXPECT_TRUE(cluster->waitUntil([&] { return arrived != WallTime{}; }, 0ms)) << "without any time passing";
}

TEST_F(ConsumerGroupTest, ABrokerThatReturnsIsReadAgain) {
  Seen seen;
  auto consumer = join(seen.listener());
  send(0, 20);
  ASSERT_TRUE(cluster->waitUntil([&] { return seen.different() == 20; }));
  ASSERT_TRUE(cluster->broker("broker-b").value().stop());
  cluster->waitUntil([] { return false; }, 5s);
  ASSERT_TRUE(cluster->broker("broker-b").value().start());
  TopicConfig topic;
  topic.topicName = kOrders;
  topic.readQueueNums = topic.writeQueueNums = 4;
  ASSERT_TRUE(cluster->createTopic(topic));
  ASSERT_TRUE(cluster->waitUntil([&] { return divided({&consumer}); }, 90s));
  cluster->waitUntil([] { return false; }, 35s);  // the producer's route, too
  send(20, 60);
  EXPECT_TRUE(cluster->waitUntil([&] { return seen.different() == 60; }, 60s));
}

// g++ 12 destroys some temporaries inside co_await twice; under AddressSanitizer this would show.
Future<void> awaitEveryCall(MQPushConsumer& consumer, int& done) {
  Result<void> ready = co_await consumer.ready();
  if (!ready) co_return ready.error();
  ++done;
  Result<void> committed = co_await consumer.commit();
  if (!committed) co_return committed.error();
  ++done;
  Result<CloseReport> report = co_await consumer.closeAsync(3s);
  if (!report) co_return report.error();
  if (report->complete()) ++done;
  co_return Result<void>();
}

TEST_F(ConsumerGroupTest, EveryCallIsAwaitable) {
  Seen seen;
  auto consumer = join(seen.listener());
  send(0, 5);
  ASSERT_TRUE(cluster->waitUntil([&] { return seen.different() == 5; }));
  int done = 0;
  const Result<void> all = awaitEveryCall(consumer, done).get();
  EXPECT_TRUE(all) << all.error();
  EXPECT_EQ(done, 3);
}

// A coroutine listener that sends on: nothing of its batch may go before it ends.
TEST_F(ConsumerGroupTest, ACoroutineListenerSendsOn) {
  TopicConfig out;
  out.topicName = "out";
  ASSERT_TRUE(cluster->createTopic(out));
  DefaultMQProducer& sender = *producer;
  auto consumer = join(MessageListener([&sender](Messages messages, ConsumeConcurrentlyContext&) -> Future<Status> {
    for (const MessageExt& m : messages) {
      Result<SendResult> sent = co_await sender.sendAsync(Message("out", std::string(m.body())));
      if (!sent) co_return Status::RECONSUME_LATER;
    }
    co_return Status::CONSUME_SUCCESS;
  }));
  send(0, 40);
  EXPECT_TRUE(cluster->waitUntil([&] { return cluster->messages("out").size() == 40; }));
  EXPECT_TRUE(consumer.close().complete());
  EXPECT_EQ(cluster->messages("out").size(), 40u);
}

}  // namespace
}  // namespace mqclient
