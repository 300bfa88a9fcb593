// The ways of a message inside the process.
#include <algorithm>
#include <memory>
#include <optional>

#include "load.h"
#include "mock_broker/cluster/cluster.h"
#include "mqclient/mqclient.h"
#include "pairs.h"

namespace mqpaired {

using namespace mqclient;
using mqbench::Clock;
using mqbench::message1k;
using mqbench::must;

namespace {

/// A broker in this process, and a producer of it.
struct System {
  System(Kit kit, const ProducerOptions& options) {
    broker = must(cluster::Cluster::start(setupOf(kit)), "cluster");
    namesrv = "mock://" + cluster::Registry::instance().list(broker);
    producer.emplace(mqbench::startProducer(namesrv, options));
  }

  std::shared_ptr<cluster::Cluster> broker;
  std::string namesrv;
  std::optional<DefaultMQProducer> producer;
};
using SystemPtr = std::shared_ptr<System>;

double micros(Clock::time_point began, int messages) {
  return mqbench::microsSince(began) / messages;
}

Round syncSend(Kit kit) {
  constexpr int kSends = 40'000;
  const auto system = std::make_shared<System>(kit, ProducerOptions{});
  return [system] {
    std::vector<double> micros = mqbench::sendOneByOne(*system->producer, kSends);
    return mqbench::quantile(micros, 0.5);
  };
}

Round asyncSend(Kit kit) {
  constexpr int kSends = 100'000;
  constexpr std::size_t kUnderWay = 500;
  const auto system = std::make_shared<System>(
      kit, ProducerOptions{.backPressureForAsyncSendNum = kUnderWay, .whenFull = WhenFull::kBlockCaller});
  return [system] {
    const auto began = Clock::now();
    mqbench::sendAsynchronously(*system->producer, kSends);
    return micros(began, kSends);
  };
}

Round batch32(Kit kit) {
  constexpr int kMessages = 128'000;
  const auto system = std::make_shared<System>(kit, ProducerOptions{});
  return [system] {
    const auto began = Clock::now();
    mqbench::storeInBatches(*system->producer, kMessages);
    return micros(began, kMessages);
  };
}

}  // namespace

std::vector<Path> inProcessPaths() {
  return {{"inproc.sync_send_1k", syncSend},
          {"inproc.async_send_1k", asyncSend},
          {"inproc.batch32_1k", batch32},
          {"inproc.send_to_listener_1k", [](Kit kit) {
             const auto system = std::make_shared<System>(kit, ProducerOptions{});
             return listenerRound(system, *system->producer, system->namesrv);
           }}};
}

}  // namespace mqpaired
