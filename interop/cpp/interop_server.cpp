// Our nameserver and broker on free ports of 127.0.0.1, until standard input ends: a home for `./dev interop`.
// First line on standard output: the nameserver's address.

#include <iostream>
#include <string>

#include "mqclient/mock_cluster.h"

int main() {
  auto cluster = mqclient::MockCluster::start({.transport = mqclient::MockTransport::kTcp});
  if (!cluster) {
    std::cerr << "interop_server: " << cluster.error() << '\n';
    return 1;
  }
  std::cout << cluster->namesrvAddr() << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  return 0;
}
