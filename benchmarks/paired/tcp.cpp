// The ways of a message over TCP, to a broker in a process of its own.
#include <memory>

#include "broker_process.h"
#include "load.h"
#include "mqclient/mqclient.h"
#include "pairs.h"

namespace mqpaired {

using namespace mqclient;
using mqbench::Clock;

namespace {

struct System {
  explicit System(Kit kit, const ProducerOptions& options = {})
      : broker(mqbench::BrokerProcess::Program{{"mqbench_paired", "--serve", kit == Kit::kWith ? "with" : "without"}}),
        producer(mqbench::startProducer(broker.address(), options)) {}

  mqbench::BrokerProcess broker;
  DefaultMQProducer producer;
};

Round syncSend(Kit kit) {
  constexpr int kSends = 10'000;
  const auto system = std::make_shared<System>(kit);
  return [system] {
    std::vector<double> micros = mqbench::sendOneByOne(system->producer, kSends);
    return mqbench::quantile(micros, 0.5);
  };
}

/// Microseconds a message of `load`, which moves `messages`.
Round timed(std::shared_ptr<System> system, int messages, std::function<void(MQProducer&)> load) {
  return [system = std::move(system), messages, load = std::move(load)] {
    const auto began = Clock::now();
    load(system->producer);
    return mqbench::microsSince(began) / messages;
  };
}

Round sync64(Kit kit) {
  constexpr int kThreads = 64;
  constexpr int kEach = 1'000;
  return timed(std::make_shared<System>(kit), kThreads * kEach,
               [](MQProducer& producer) { mqbench::sendOnThreads(producer, kThreads, kEach); });
}

Round asyncSend(Kit kit) {
  constexpr int kSends = 120'000;
  constexpr std::size_t kUnderWay = 500;
  const ProducerOptions options{.backPressureForAsyncSendNum = kUnderWay, .whenFull = WhenFull::kBlockCaller};
  return timed(std::make_shared<System>(kit, options), kSends,
               [](MQProducer& producer) { mqbench::sendAsynchronously(producer, kSends); });
}

Round batch32(Kit kit) {
  constexpr int kBatch = 32;
  constexpr int kBatches = 8'000;
  const ProducerOptions options{.backPressureForAsyncSendNum = std::size_t{32} * kBatch,
                                .whenFull = WhenFull::kBlockCaller};
  return timed(std::make_shared<System>(kit, options), kBatch * kBatches,
               [batch = std::vector<Message>(kBatch, mqbench::message1k())](MQProducer& producer) {
                 mqbench::beginAndAwait(kBatches, [&] { return producer.sendBatchAsync(batch); });
               });
}

Round drain(Kit kit) {
  constexpr int kMessages = 200'000;
  const auto system = std::make_shared<System>(kit);
  mqbench::storeInBatches(system->producer, kMessages);
  return [system, group = std::make_shared<int>(0)] {
    const auto began = Clock::now();
    mqbench::drainTopic(system->broker.address(), "bench-c" + std::to_string(++*group), kMessages);
    return mqbench::microsSince(began) / kMessages;
  };
}

}  // namespace

std::vector<Path> tcpPaths() {
  return {{"tcp.sync_send_1k", syncSend},
          {"tcp.sync64_1k", sync64},
          {"tcp.async_1k", asyncSend},
          {"tcp.batch32_1k", batch32},
          {"tcp.drain_1k", drain},
          {"tcp.send_to_listener_1k", [](Kit kit) {
             const auto system = std::make_shared<System>(kit);
             return listenerRound(system, system->producer, system->broker.address());
           }}};
}

}  // namespace mqpaired
