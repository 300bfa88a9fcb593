#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"

namespace mqclient {

using namespace std::chrono_literals;

inline constexpr char kTopic[] = "orders";
inline constexpr char kGroup[] = "workers";

/// A cluster in virtual time, a topic on each of its brokers, and clients.
struct VirtualCluster : ::testing::Test {
  /// Clients ask for routes every 30 s; consumers rebalance every 20 s.
  static constexpr Millis kRoutesAreRead{31'000};
  static constexpr Millis kViewsAgree{60'000};

  void begin(MockClusterOptions options, int queues = 2) {
    options.time = MockTime::kVirtual;
    cluster.emplace(MockCluster::start(options).value());
    cluster->createTopic(topic(queues)).value();
  }
  static TopicConfig topic(int queues, int perm = 6) {
    return {.topicName = kTopic, .readQueueNums = queues, .writeQueueNums = queues, .perm = perm};
  }
  DefaultMQProducer produce(const std::string& group = "shop") {
    return DefaultMQProducer::start(group, cluster->client()).value();
  }
  DefaultMQPushConsumer consume(ClientOptions client) {
    return DefaultMQPushConsumer::start(kGroup, {{kTopic}},
                                        [this](Messages messages, ConsumeConcurrentlyContext&) {
                                          for (const MessageExt& m : messages) ++seen[std::string(m.body())];
                                          return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
                                        },
                                        std::move(client),
                                        {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()})
        .value();
  }
  DefaultMQPushConsumer consume() { return consume(cluster->client()); }

  MockBroker broker(const char* name) { return cluster->broker(name).value(); }
  MockNameserver nameserver(int index) { return cluster->nameserver(index).value(); }
  void pass(Millis time) { cluster->clock().advance(time).value(); }

  /// Sends `count` messages; names of the brokers that have them.
  std::set<std::string> brokersOf(DefaultMQProducer& producer, int count = 12) {
    std::set<std::string> brokers;
    for (int i = 0; i < count; ++i) {
      const std::string body = "m" + std::to_string(acknowledged.size());
      const Result<SendResult> sent = producer.send(Message(kTopic, body));
      EXPECT_TRUE(sent) << sent.error();
      if (!sent || sent->sendStatus != SendStatus::SEND_OK) continue;
      acknowledged.push_back(body);
      brokers.insert(sent->messageQueue->brokerName());
    }
    return brokers;
  }
  bool allSeen(Millis within = 5s) {
    return cluster->waitUntil(
        [&] { return std::ranges::all_of(acknowledged, [&](const std::string& body) { return seen.contains(body); }); },
        within);
  }
  static std::vector<MessageQueue> queuesOf(const DefaultMQPushConsumer& consumer) {
    std::vector<MessageQueue> queues;
    for (const QueueProgress& p : consumer.progress()) {
      if (p.messageQueue.topic() == kTopic) queues.push_back(p.messageQueue);
    }
    std::ranges::sort(queues);
    return queues;
  }

  using Names = std::set<std::string>;
  std::map<std::string, int> seen;        // by body, of every consumer
  std::vector<std::string> acknowledged;  // bodies
  std::optional<MockCluster> cluster;
};

}  // namespace mqclient
