// Brokers that die, and their disks.
#include <utility>

#include "mock_broker/cluster/cluster.h"
#include "mock_broker/cluster/wait_for.h"

namespace mqclient::cluster {

Result<void> Cluster::killBroker(std::string_view name) {
  return endBroker(name, Ending::kKilled);
}

Result<void> Cluster::losePower(std::string_view name, store::MemoryDisk::Unflushed unflushed) {
  if (auto may = mayWaitFor("powerLoss()"); !may) return may;
  if (auto killed = killBroker(name); !killed) return killed;
  for (const Node& node : nodes()) {
    if (node.name != name) continue;
    waitForTheEndOf(node);
    node.disk->powerLoss(options_.flush == MockFlush::kNever ? store::MemoryDisk::Unflushed::kGone : unflushed);
    return {};
  }
  return noSuchBroker(name);
}

Result<std::shared_ptr<store::MemoryDisk>> Cluster::disk(std::string_view name) const {
  for (const Node& node : nodes()) {
    if (node.name == name) return node.disk;
  }
  return noSuchBroker(name);
}

Result<void> Cluster::skewWallClock(std::string_view broker_name, base::Millis by) {
  auto broker = mustRun(broker_name);
  if (!broker) return broker.error();
  (*broker)->skewWallClock(by);
  return {};
}

}  // namespace mqclient::cluster
