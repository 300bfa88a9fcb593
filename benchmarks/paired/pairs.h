#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "load.h"
#include "mock_broker/cluster/cluster.h"
#include "report.h"

namespace mqpaired {

/// Whether connections can be given faults: kWithout takes the seam away, kWith has it as the kit has, and sets none.
enum class Kit { kWithout, kWith };

mqclient::cluster::Cluster::Setup setupOf(Kit kit);
/// A nameserver and a broker of this kind on free ports: tells the nameserver's address in a line, and goes on until
/// SIGTERM. Answers the exit status.
int serve(Kit kit);

/// Moves messages, always as many: microseconds a message.
using Round = std::function<double()>;
/// One way of a message.
struct Path {
  std::string name;
  /// A system of its own, ready to measure.
  std::function<Round(Kit)> make;
};
std::vector<Path> inProcessPaths();
std::vector<Path> tcpPaths();

/// A message at a time, each to the listener before the next: a way of both kinds of systems. The system lives as long
/// as the round; its topic holds its producer's first message and no other.
template <class System>
Round listenerRound(const std::shared_ptr<System>& system, mqclient::MQProducer& producer, const std::string& namesrv) {
  constexpr int kMessages = 2'000;
  const auto turns = std::make_shared<mqbench::Turns>(producer, mqclient::ClientOptions{.namesrvAddr = namesrv});
  return [system, turns] {
    std::vector<double> micros;
    micros.reserve(kMessages);
    for (int i = 0; i < kMessages; ++i) micros.push_back(turns->sendOne());
    return mqbench::quantile(micros, 0.5);
  };
}

/// With the kit beside without it, in turn, `pairs` times: the median of the pairs' ratios and, as value, the upper end
/// of its 95 % interval (order statistics: nothing is assumed about how the ratios lie).
mqbench::Row compare(const Path& path, int pairs);

}  // namespace mqpaired
