// The end-to-end scenarios, each written once and run in every home. What differs between homes is a bug.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "home.h"
#include "mqclient/mqclient.h"

namespace mqclient::scenarios {
namespace {

using enum ConsumeConcurrentlyStatus;

class Scenario : public ::testing::TestWithParam<HomeKind> {
 protected:
  std::unique_ptr<Home> home = GetParam().make();
  ClientOptions client = home->client();
};
INSTANTIATE_TEST_SUITE_P(Homes, Scenario, ::testing::ValuesIn(allHomes()),
                         [](const auto& kind) { return kind.param.name; });

const PushConsumerOptions kFromFirst{.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()};

/// What consumers saw, safe to fill from any listener thread.
class Seen {
 public:
  auto listener(std::string who = "") {
    return [this, who](Messages messages, ConsumeConcurrentlyContext&) {
      const std::scoped_lock lock(mutex_);
      for (const MessageExt& m : messages) {
        bodies_.emplace_back(m.body());
        by_[who].insert(std::string(m.body()));
        queues_[who].insert(m.messageQueue());
      }
      return CONSUME_SUCCESS;
    };
  }
  std::size_t count() const {
    const std::scoped_lock lock(mutex_);
    return bodies_.size();
  }
  std::set<std::string> distinct() const {
    const std::scoped_lock lock(mutex_);
    return {bodies_.begin(), bodies_.end()};
  }
  std::set<std::string> by(const std::string& who) const {
    const std::scoped_lock lock(mutex_);
    const auto found = by_.find(who);
    return found == by_.end() ? std::set<std::string>{} : found->second;
  }
  std::set<MessageQueue> queues(const std::string& who) const {
    const std::scoped_lock lock(mutex_);
    const auto found = queues_.find(who);
    return found == queues_.end() ? std::set<MessageQueue>{} : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> bodies_;
  std::map<std::string, std::set<std::string>> by_;
  std::map<std::string, std::set<MessageQueue>> queues_;
};

TEST_P(Scenario, SyncSendsSpreadOverAllQueuesAndAreConsumedOnce) {
  constexpr int kQueues = 4;
  constexpr int kMessages = 80;
  home->createTopic("orders", kQueues);
  Seen seen;
  auto consumer = DefaultMQPushConsumer::start("readers", {{"orders"}}, seen.listener(), client, kFromFirst).value();
  auto producer = DefaultMQProducer::start("writers", client).value();
  std::map<MessageQueue, int> per_queue;
  std::set<std::string> ids;
  for (int i = 0; i < kMessages; ++i) {
    const SendResult sent =
        producer.send(Message("orders", std::to_string(i)).setKeys("k" + std::to_string(i))).value();
    EXPECT_EQ(sent.sendStatus, SendStatus::SEND_OK);
    ASSERT_TRUE(sent.messageQueue);
    ++per_queue[*sent.messageQueue];
    ids.insert(sent.msgId);
    ids.insert(sent.offsetMsgId);
  }
  EXPECT_EQ(ids.size(), 2u * kMessages);
  EXPECT_EQ(per_queue.size(), 2u * kQueues);  // two brokers
  for (const auto& [queue, count] : per_queue) EXPECT_EQ(count, kMessages / (2 * kQueues)) << queue;
  ASSERT_TRUE(home->eventually([&] { return seen.count() >= kMessages; }));
  EXPECT_EQ(seen.distinct().size(), std::size_t{kMessages});
  EXPECT_EQ(seen.count(), std::size_t{kMessages});
  EXPECT_TRUE(consumer.close().complete());
  EXPECT_TRUE(producer.close().complete());
}

TEST_P(Scenario, AsyncSendsCallBackOnceEach) {
  constexpr int kMessages = 500;
  home->createTopic("async", 4);
  auto producer = DefaultMQProducer::start("writers", client).value();
  std::atomic<int> ok{0};
  for (int i = 0; i < kMessages; ++i) {
    producer.sendAsync(Message("async", std::to_string(i))).then([&](Result<SendResult> r) {
      ok += r ? 1 : 1'000'000;
    });
  }
  ASSERT_TRUE(home->eventually([&] { return ok >= kMessages; }));
  producer.flush().get().value();
  EXPECT_EQ(ok, kMessages);
}

TEST_P(Scenario, OnewayAndBatchArrive) {
  home->createTopic("mixed", 2);
  Seen seen;
  auto consumer = DefaultMQPushConsumer::start("readers", {{"mixed"}}, seen.listener(), client, kFromFirst).value();
  auto producer = DefaultMQProducer::start("writers", client).value();
  producer.sendOneway(Message("mixed", "oneway")).value();
  std::vector<Message> batch;
  for (int i = 0; i < 10; ++i) batch.emplace_back("mixed", "batch" + std::to_string(i));
  const SendResult sent = producer.sendBatch(batch).value();
  EXPECT_EQ(sent.batchMsgIds.size(), 10u);
  ASSERT_TRUE(home->eventually([&] { return seen.count() >= 11; }));
  EXPECT_EQ(seen.distinct().size(), 11u);
}

TEST_P(Scenario, ATagFilterLetsOnlyItsTagsThroughAndTheOffsetMovesOn) {
  home->createTopic("tagged", 1);
  Seen paid;
  auto producer = DefaultMQProducer::start("writers", client).value();
  for (int i = 0; i < 30; ++i) {
    const char* tag = i % 3 == 0 ? "paid" : i % 3 == 1 ? "sent" : "lost";
    producer.send(Message("tagged", std::string(tag) + std::to_string(i)).setTags(tag)).value();
  }
  auto consumer =
      DefaultMQPushConsumer::start("readers", {{"tagged", byTag("paid || sent")}}, paid.listener(), client, kFromFirst)
          .value();
  ASSERT_TRUE(home->eventually([&] { return paid.count() >= 20; }));
  for (const std::string& body : paid.distinct()) EXPECT_FALSE(body.starts_with("lost")) << body;
  EXPECT_EQ(paid.count(), 20u);
}

TEST_P(Scenario, TwoMembersShareTheQueuesAndTheOneThatStaysTakesAll) {
  home->createTopic("shared", 4);
  Seen seen;
  auto producer = DefaultMQProducer::start("writers", client).value();
  auto first =
      DefaultMQPushConsumer::start("readers", {{"shared"}}, seen.listener("first"), client, kFromFirst).value();
  auto second =
      DefaultMQPushConsumer::start("readers", {{"shared"}}, seen.listener("second"), client, kFromFirst).value();
  const auto owned = [](const DefaultMQPushConsumer& c) { return c.progress().size(); };
  ASSERT_TRUE(home->eventually([&] { return owned(first) == 4 && owned(second) == 4; }))
      << owned(first) << " and " << owned(second);
  for (int i = 0; i < 80; ++i) producer.send(Message("shared", "a" + std::to_string(i))).value();
  ASSERT_TRUE(home->eventually([&] { return seen.distinct().size() >= 80; }));
  EXPECT_EQ(seen.queues("first").size(), 4u);
  EXPECT_EQ(seen.queues("second").size(), 4u);
  for (const MessageQueue& q : seen.queues("first")) EXPECT_FALSE(seen.queues("second").contains(q)) << q;

  EXPECT_TRUE(second.close().complete());
  ASSERT_TRUE(home->eventually([&] { return owned(first) == 8; }));
  for (int i = 0; i < 80; ++i) producer.send(Message("shared", "b" + std::to_string(i))).value();
  ASSERT_TRUE(home->eventually([&] { return seen.distinct().size() >= 160; }));
  EXPECT_EQ(seen.queues("first").size(), 8u);
  EXPECT_EQ(seen.count(), 160u) << "a clean leave repeats nothing";
}

TEST_P(Scenario, AGroupResumesAtItsOffsetAfterARestart) {
  home->createTopic("resumed", 2);
  auto producer = DefaultMQProducer::start("writers", client).value();
  for (int i = 0; i < 20; ++i) producer.send(Message("resumed", "old" + std::to_string(i))).value();
  {
    Seen seen;
    auto consumer = DefaultMQPushConsumer::start("readers", {{"resumed"}}, seen.listener(), client, kFromFirst).value();
    ASSERT_TRUE(home->eventually([&] { return seen.count() >= 20; }));
    EXPECT_TRUE(consumer.close().complete());
  }
  for (int i = 0; i < 10; ++i) producer.send(Message("resumed", "new" + std::to_string(i))).value();
  Seen after;
  auto consumer = DefaultMQPushConsumer::start("readers", {{"resumed"}}, after.listener(), client, kFromFirst).value();
  ASSERT_TRUE(home->eventually([&] { return after.count() >= 10; }));
  for (const std::string& body : after.distinct()) EXPECT_TRUE(body.starts_with("new")) << body;
  EXPECT_EQ(after.count(), 10u);
}

TEST_P(Scenario, TwoGroupsEachGetEverything) {
  home->createTopic("news", 2);
  Seen a;
  Seen b;
  auto first = DefaultMQPushConsumer::start("group-a", {{"news"}}, a.listener(), client, kFromFirst).value();
  auto second = DefaultMQPushConsumer::start("group-b", {{"news"}}, b.listener(), client, kFromFirst).value();
  auto producer = DefaultMQProducer::start("writers", client).value();
  for (int i = 0; i < 25; ++i) producer.send(Message("news", std::to_string(i))).value();
  ASSERT_TRUE(home->eventually([&] { return a.count() >= 25 && b.count() >= 25; }));
  EXPECT_EQ(a.distinct().size(), 25u);
  EXPECT_EQ(b.distinct().size(), 25u);
}

TEST_P(Scenario, ATopicIsMadeByItsFirstSend) {
  auto producer = DefaultMQProducer::start("writers", client).value();
  const SendResult sent = producer.send(Message("made-on-demand", "x")).value();
  EXPECT_EQ(sent.messageQueue->topic(), "made-on-demand");
  Seen seen;
  auto consumer =
      DefaultMQPushConsumer::start("readers", {{"made-on-demand"}}, seen.listener(), client, kFromFirst).value();
  ASSERT_TRUE(home->eventually([&] { return seen.count() >= 1; }));
}

TEST_P(Scenario, AConsumerMayComeBeforeItsTopic) {
  Seen seen;
  auto consumer = DefaultMQPushConsumer::start("readers", {{"later"}}, seen.listener(), client, kFromFirst).value();
  auto producer = DefaultMQProducer::start("writers", client).value();
  producer.send(Message("later", "x")).value();
  EXPECT_TRUE(home->eventually([&] { return seen.count() >= 1; }));
}

TEST_P(Scenario, ASelectorKeepsAKeyInOneQueueAndInOrder) {
  home->createTopic("keyed", 4);
  auto producer = DefaultMQProducer::start("writers", client).value();
  std::map<std::string, MessageQueue> queue_of;
  std::map<std::string, std::int64_t> last_offset;
  for (int step = 0; step < 5; ++step) {
    for (int order = 0; order < 20; ++order) {
      const std::string key = "order-" + std::to_string(order);
      SelectMessageQueueByHash by_key(key);
      const SendResult sent = producer.send(Message("keyed", key).setKeys(key), by_key).value();
      const auto [at, first] = queue_of.try_emplace(key, *sent.messageQueue);
      EXPECT_EQ(at->second, *sent.messageQueue) << key;
      if (!first) {
        EXPECT_GT(sent.queueOffset, last_offset[key]);
      }
      last_offset[key] = sent.queueOffset;
    }
  }
}

TEST_P(Scenario, AFailedMessageComesAgainAndTheOffsetWaitsForIt) {
  if (!home->canAdvance()) return;  // five seconds of real time prove nothing that virtual ones do not
  home->createTopic("retried", 1);
  std::atomic<int> calls{0};
  std::atomic<int> successes{0};
  auto producer = DefaultMQProducer::start("writers", client).value();
  auto consumer = DefaultMQPushConsumer::start(
                      "readers", {{"retried"}},
                      [&](Messages messages, ConsumeConcurrentlyContext&) {
                        ++calls;
                        if (messages[0].body() == "bad" && messages[0].reconsumeTimes() < 2) return RECONSUME_LATER;
                        if (messages[0].body() == "worse" && messages[0].reconsumeTimes() < 1)
                          throw std::runtime_error("no");
                        ++successes;
                        return CONSUME_SUCCESS;
                      },
                      client, kFromFirst)
                      .value();
  for (const char* body : {"good", "bad", "worse", "good"}) producer.send(Message("retried", body)).value();
  ASSERT_TRUE(home->eventually([&] { return successes >= 4; }));
  EXPECT_EQ(calls, 7);
  EXPECT_TRUE(consumer.close().complete());
}

TEST_P(Scenario, ACoroutineListenerHoldsNoThread) {
  home->createTopic("coroutine", 2);
  std::atomic<int> done{0};
  auto producer = DefaultMQProducer::start("writers", client).value();
  const auto listener = [&](Messages messages, ConsumeConcurrentlyContext&) -> Future<ConsumeConcurrentlyStatus> {
    Message onward("onward", std::string(messages[0].body()));
    Result<SendResult> sent = co_await producer.sendAsync(onward);
    if (!sent) co_return RECONSUME_LATER;
    ++done;
    co_return CONSUME_SUCCESS;
  };
  auto consumer = DefaultMQPushConsumer::start("readers", {{"coroutine"}}, listener, client, kFromFirst).value();
  for (int i = 0; i < 40; ++i) producer.send(Message("coroutine", std::to_string(i))).value();
  ASSERT_TRUE(home->eventually([&] { return done >= 40; }));
  EXPECT_TRUE(consumer.close().complete());
}

TEST_P(Scenario, WhatTheBrokerWouldRefuseIsRefusedWithAReason) {
  auto producer = DefaultMQProducer::start("writers", client).value();
  const auto code = [&](const Message& m) {
    const auto sent = producer.send(m);
    return sent ? ErrorCode::kInternal : sent.error().code();
  };
  EXPECT_EQ(code(Message("bad topic!", "x")), ErrorCode::kMessageIllegal);
  EXPECT_EQ(code(Message("", "x")), ErrorCode::kMessageIllegal);
  EXPECT_EQ(code(Message(std::string(128, 't'), "x")), ErrorCode::kMessageIllegal);
  EXPECT_EQ(code(Message("t", "")), ErrorCode::kMessageIllegal);
  EXPECT_EQ(code(Message("t", std::string((4u << 20) + 1, 'x'))), ErrorCode::kMessageIllegal);
  EXPECT_EQ(code(Message("SCHEDULE_TOPIC_XXXX", "x")), ErrorCode::kMessageIllegal);
}

TEST_P(Scenario, ABodyKeepsEveryByte) {
  home->createTopic("bytes", 1);
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  std::string big(1u << 20, 'z');
  Seen seen;
  auto consumer = DefaultMQPushConsumer::start("readers", {{"bytes"}}, seen.listener(), client, kFromFirst).value();
  auto producer = DefaultMQProducer::start("writers", client).value();
  producer.send(Message("bytes", all)).value();
  producer.send(Message("bytes", big)).value();
  ASSERT_TRUE(home->eventually([&] { return seen.count() >= 2; }));
  EXPECT_TRUE(seen.distinct().contains(all));
  EXPECT_TRUE(seen.distinct().contains(big));
}

TEST_P(Scenario, CompressedBodiesOfEveryCodecComeBackWhole) {
  home->createTopic("compressed", 1);
  Seen seen;
  auto consumer =
      DefaultMQPushConsumer::start("readers", {{"compressed"}}, seen.listener(), client, kFromFirst).value();
  std::set<std::string> sent;
  for (const CompressionType type : {CompressionType::ZLIB, CompressionType::LZ4, CompressionType::ZSTD}) {
    auto producer =
        DefaultMQProducer::start("writers" + std::to_string(static_cast<int>(type)), client, {.compressType = type})
            .value();
    for (const std::size_t size : {4095u, 4096u, 100'000u, 4u << 20}) {
      const std::string body(size, static_cast<char>('a' + static_cast<int>(type)));
      producer.send(Message("compressed", body)).value();
      sent.insert(body);
    }
    ASSERT_TRUE(producer.sendOneway(Message("compressed", std::string(5000, static_cast<char>(type)))));
    sent.emplace(5000, static_cast<char>(type));
  }
  ASSERT_TRUE(home->eventually([&] { return seen.count() >= sent.size(); }));
  EXPECT_EQ(seen.count(), sent.size());
  EXPECT_EQ(seen.distinct(), sent);
}

}  // namespace
}  // namespace mqclient::scenarios
