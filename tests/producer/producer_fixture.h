#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "mqclient/default_mq_producer.h"
#include "tests/client/scripted_cluster.h"

namespace mqclient::scripted {

/// A producer against scripted brokers in virtual time.
class ProducerTest : public scripted::ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    addNameserver();
  }
  void TearDown() override {
    producer.reset();
    ClusterTest::TearDown();
  }
  /// Brokers with four queues of "orders" each.
  void withBrokers(int n) {
    for (int i = 0; i < n; ++i) addRoute("orders", addBroker(), 4);
  }
  void start(ProducerOptions options = {}, std::optional<ClientOptions> client = {}) {
    Result<DefaultMQProducer> started =
        DefaultMQProducer::start("group", client ? *client : clientOptions(), std::move(options));
    ASSERT_TRUE(started) << started.error();
    producer.emplace(*std::move(started));
  }
  static Message message(std::string body = "hello") { return Message("orders", Body(std::move(body))); }
  Result<SendResult> send(SendOptions options = {}) { return producer->send(message(), options); }
  Server& a() { return *brokers[0]; }
  Server& b() { return *brokers[1]; }
  /// Sends that reached any broker.
  std::size_t sends() const {
    std::size_t n = 0;
    for (const auto& broker : brokers) n += broker->sends.size();
    return n;
  }

  std::optional<DefaultMQProducer> producer;
};

}  // namespace mqclient::scripted
