#pragma once

#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"

namespace mqclient::faults {

using namespace std::chrono_literals;

inline constexpr RequestCode kSend = RequestCode::SEND_MESSAGE_V2;
/// One try, so that an outcome is that of one request.
inline const ProducerOptions kOneTry{.retryTimesWhenSendFailed = 0};

/// A cluster with a topic "orders" of one queue, and a producer that knows its route and has its connection. A fault
/// that never fired fails the test.
class FaultsTest : public ::testing::Test {
 protected:
  explicit FaultsTest(MockClusterOptions options = {.time = MockTime::kVirtual})
      : cluster(MockCluster::start(options).value()) {
    cluster.createTopic({.topicName = "orders", .readQueueNums = 1, .writeQueueNums = 1}).value();
    producer.emplace(DefaultMQProducer::start("shop", cluster.client(), kOneTry).value());
    send("first").value();
  }
  void TearDown() override {
    EXPECT_EQ(cluster.faultsNeverFired(), std::vector<std::string>{});
    if (HasFailure()) std::cerr << cluster.trace();
  }

  Result<SendResult> send(const std::string& body) { return producer->send(Message("orders", body)); }
  Future<SendResult> sendAsync(const std::string& body) { return producer->sendAsync(Message("orders", body)); }
  void advance(Millis by) { cluster.clock().advance(by).value(); }
  Fault inject(Match match, FaultAction action) { return cluster.inject(std::move(match), std::move(action)).value(); }
  /// Bodies in the order they were stored, without the first message.
  std::vector<std::string> stored() const {
    std::vector<std::string> bodies;
    for (const MessageExt& m : cluster.messages("orders")) bodies.emplace_back(m.body());
    bodies.erase(bodies.begin());
    return bodies;
  }
  /// When the last captured frame that fits passed.
  Millis timeOf(const Match& match) const { return cluster.requests(match).back().at; }

  MockCluster cluster;
  std::optional<DefaultMQProducer> producer;
};

using Bodies = std::vector<std::string>;

/// What a consumer was given. Any thread.
class Taken {
 public:
  auto listener() {
    return [this](Messages messages, ConsumeConcurrentlyContext&) {
      const std::scoped_lock lock(mutex_);
      for (const MessageExt& m : messages) messages_.push_back(m);
      return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
    };
  }
  std::vector<MessageExt> messages() const {
    const std::scoped_lock lock(mutex_);
    return messages_;
  }
  std::size_t count() const { return messages().size(); }

 private:
  mutable std::mutex mutex_;
  std::vector<MessageExt> messages_;
};

inline const PushConsumerOptions kFromFirst{.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()};

}  // namespace mqclient::faults
