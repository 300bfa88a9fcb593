// The README's program, as a user's: one message from a producer to a consumer, through mock://.
#include <iostream>
#include <latch>

#include "mqclient/mqclient.h"

using namespace mqclient;

int main() {
  ClientOptions client{.namesrvAddr = "mock://hello"};
  auto producer = DefaultMQProducer::start("greeters", client).value();
  auto sent = producer.send(Message("hello", "good morning").setTags("world").setKeys("42"));
  if (!sent) {
    std::cerr << sent.error() << '\n';
    return 1;
  }
  std::latch seen(1);
  auto consumer = DefaultMQPushConsumer::start(
                      "listeners", {{"hello", byTag("world || moon")}},
                      [&](Messages messages, ConsumeConcurrentlyContext&) {
                        for (const MessageExt& m : messages) std::cout << m.keys() << ": " << m.body() << '\n';
                        seen.count_down();
                        return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
                      },
                      client)
                      .value();
  seen.wait();
  return consumer.close().complete() ? 0 : 1;
}
