// The ways of a message to mqbroker, which is under test control or not.
#include <stdlib.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "broker_process.h"
#include "load.h"
#include "mqclient/mqclient.h"
#include "pairs.h"

namespace mqpaired {

using namespace mqclient;
using mqbench::Clock;

namespace {

/// A file with a token of no consequence, for its owner alone.
class TokenFile {
 public:
  TokenFile() {
    const int file = mkstemp(path_.data());
    const std::string token = "benchmark-of-the-kit-that-asks-nothing\n";
    if (file < 0 || write(file, token.data(), token.size()) != static_cast<ssize_t>(token.size())) {
      mqbench::fail("cannot write " + path_);
    }
    close(file);
  }
  ~TokenFile() { unlink(path_.c_str()); }
  TokenFile(const TokenFile&) = delete;
  TokenFile& operator=(const TokenFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/mqbench-token-XXXXXX";
};

struct System {
  System(Kit kit, const ProducerOptions& options, const std::vector<std::string>& conf = {}) {
    std::vector<std::string> control;
    if (kit == Kit::kWith) control = {"--test-control-token-file", token.path()};
    broker.emplace(conf, std::vector<int>{}, control);
    producer.emplace(mqbench::startProducer(broker->address(), options));
  }

  TokenFile token;
  std::optional<mqbench::BrokerProcess> broker;
  std::optional<DefaultMQProducer> producer;
};

Round syncSend(Kit kit) {
  constexpr int kSends = 3'000;
  const auto system = std::make_shared<System>(kit, ProducerOptions{});
  return [system] {
    std::vector<double> micros = mqbench::sendOneByOne(*system->producer, kSends);
    return mqbench::quantile(micros, 0.5);
  };
}

/// Microseconds a message of `load`, which moves `messages`.
Round timed(std::shared_ptr<System> system, int messages, std::function<void(MQProducer&)> load) {
  return [system = std::move(system), messages, load = std::move(load)] {
    const auto began = Clock::now();
    load(*system->producer);
    return mqbench::microsSince(began) / messages;
  };
}

Round sync64(Kit kit) {
  constexpr int kThreads = 64;
  constexpr int kEach = 600;
  return timed(std::make_shared<System>(kit, ProducerOptions{}), kThreads * kEach,
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
  constexpr int kMessages = 96'000;
  return timed(std::make_shared<System>(kit, ProducerOptions{}), kMessages,
               [](MQProducer& producer) { mqbench::storeInBatches(producer, kMessages); });
}

Round drain(Kit kit) {
  constexpr int kMessages = 200'000;
  const auto system =
      std::make_shared<System>(kit, ProducerOptions{}, std::vector<std::string>{"memoryLogBytesMax=536870912"});
  mqbench::storeInBatches(*system->producer, kMessages);
  return [system, group = std::make_shared<int>(0)] {
    const auto began = Clock::now();
    mqbench::drainTopic(system->broker->address(), "bench-c" + std::to_string(++*group), kMessages);
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
             const auto system = std::make_shared<System>(kit, ProducerOptions{});
             return listenerRound(system, system->broker->address());
           }}};
}

}  // namespace mqpaired
