// The SDK without the broker: a mock:// address is refused with a text that names the library to link.
#include <iostream>

#include "mqclient/mqclient.h"

int main() {
  auto producer = mqclient::DefaultMQProducer::start("greeters", {.namesrvAddr = "mock://nobody"});
  if (producer) {
    std::cerr << "mock:// worked without the broker\n";
    return 1;
  }
  std::cout << producer.error() << '\n';
  return 0;
}
