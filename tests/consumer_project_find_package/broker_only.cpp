// A cluster without a client of ours.
#include <iostream>

#include "mqclient/mock_cluster.h"

int main() {
  auto cluster = mqclient::MockCluster::start({.brokers = 2});
  if (!cluster) {
    std::cerr << cluster.error() << '\n';
    return 1;
  }
  std::cout << cluster->namesrvAddr() << ": " << cluster->brokerNames().size() << " brokers\n";
  return cluster->brokerNames().size() == 2 ? 0 : 1;
}
