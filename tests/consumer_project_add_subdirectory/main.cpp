// A user's test without GoogleTest: a cluster of its own in virtual time, one message, looked at on the broker's side.
#include <iostream>

#include "mqclient/default_mq_producer.h"
#include "mqclient/mock_cluster.h"

int main() {
  auto cluster = mqclient::MockCluster::start({.brokers = 2, .time = mqclient::MockTime::kVirtual});
  if (!cluster) {
    std::cerr << cluster.error() << '\n';
    return 1;
  }
  auto producer = mqclient::DefaultMQProducer::start("shop", cluster->client());
  if (!producer) {
    std::cerr << producer.error() << '\n';
    return 1;
  }
  auto sent = producer->send(mqclient::Message("orders", "{}").setKeys("42"));
  if (!sent) {
    std::cerr << sent.error() << '\n';
    return 1;
  }
  const auto stored = cluster->messages("orders");
  std::cout << stored.size() << " stored\n";
  return stored.size() == 1 ? 0 : 1;
}
