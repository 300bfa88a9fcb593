// Brokers and nameservers that come, go, move, hide and disagree.
#include <algorithm>
#include <utility>

#include "base/wait.h"
#include "mock_broker/cluster/cluster.h"
#include "mock_broker/cluster/wait_for.h"

namespace mqclient::cluster {

namespace {

Error stoppedError(const std::string& what) {
  return Error(ErrorCode::kInvalidArgument, what + " is stopped; start() it first");
}

}  // namespace

Result<base::Ref<broker::Broker>> Cluster::mustRun(std::string_view name) const {
  for (const Node& node : nodes()) {
    if (node.name != name) continue;
    if (!node.broker) return stoppedError(node.name);
    return node.broker;
  }
  return noSuchBroker(name);
}

Result<void> Cluster::addBroker(std::string name) {
  const auto names = brokerNames();
  if (std::ranges::find(names, name) != names.end()) {
    return Error(ErrorCode::kInvalidArgument, "there is a broker " + name + " already");
  }
  auto node = makeNode(std::move(name));
  if (!node) return node.error();
  {
    base::MutexLock lock(mutex_);
    if (stopped_) return Error(ErrorCode::kClosed, "the cluster has stopped");
    nodes_.push_back(*node);
  }
  return waitUntilKnown(*node);
}

Result<void> Cluster::removeBroker(std::string_view name, base::Millis wait) {
  if (auto may = mayWaitFor("removeBroker()"); !may) return may;
  auto broker = mustRun(name);
  if (!broker) return broker.error();
  (void)waitFor(*engine_, [&](base::Completion<void> done) { (*broker)->leaveRoute(std::move(done)); });
  auto quiet = waitUntilQuiet(**broker, wait);
  if (auto stopped = stopBroker(name); !stopped) return stopped;
  // Nameservers hide names: else a broker added under this one would be hidden, too.
  const bool hidden =
      std::ranges::any_of(nodes(), [&](const Node& node) { return node.name == name && node.visible == Visible::kNo; });
  const Result<void> shown = hidden ? setVisible(name, Visible::kYes) : Result<void>();
  base::MutexLock lock(mutex_);
  std::erase_if(nodes_, [&](const Node& node) { return node.name == name; });
  return quiet ? shown : quiet;
}

Result<void> Cluster::waitUntilQuiet(broker::Broker& broker, base::Millis wait) const {
  const base::SteadyTime deadline = engine_->now() + wait;
  const base::Ref<base::WaitSlot> never = base::makeRef<base::WaitSlot>();
  std::uint64_t before = 0;
  for (bool first = true;; first = false) {
    std::uint64_t requests = 0;
    std::size_t held = 0;
    auto looked = waitFor(*engine_, [&](base::Completion<void> done) {
      broker.inspect([&, done = std::move(done)](const broker::Inspection& inspection) mutable {
        requests = inspection.counters().requests;
        held = inspection.heldPulls();
        std::move(done)(Result<void>());
      });
    });
    if (!looked) return looked;
    if (!first && requests == before && held == 0) return {};
    if (engine_->now() >= deadline) {
      return Error(ErrorCode::kTimeout, "the broker was stopped although clients still asked it");
    }
    before = requests;
    engine_->waitFor(*never, std::min(deadline, engine_->now() + kQuiet));
  }
}

Result<void> Cluster::moveBroker(std::string_view name, std::string address) {
  if (auto may = mayWaitFor("moveTo()"); !may) return may;
  if (auto broker = mustRun(name); !broker) return broker.error();
  if (auto stopped = stopBroker(name); !stopped) return stopped;
  {
    base::MutexLock lock(mutex_);
    const auto node = std::ranges::find(nodes_, name, &Node::name);
    if (node == nodes_.end()) return Error(ErrorCode::kClosed, "the broker was removed meanwhile");
    node->address = std::move(address);
  }
  return startBroker(name);
}

Result<void> Cluster::setVisible(std::string_view broker_name, Visible visible) {
  const bool known = [&] {
    base::MutexLock lock(mutex_);
    const auto node = std::ranges::find(nodes_, broker_name, &Node::name);
    if (node == nodes_.end()) return false;
    node->visible = visible;
    return true;
  }();
  if (!known) return noSuchBroker(broker_name);
  for (std::size_t i = 0; i < nameserver_addresses_.size(); ++i) {
    if (!nameserverRunning(i)) continue;
    auto done = direct(i, [name = std::string(broker_name), visible](nameserver::RouteScript& script) {
      visible == Visible::kYes ? script.show(name) : script.hide(name);
    });
    if (!done) return done;
  }
  return {};
}

// ---- nameservers

base::Ref<nameserver::Nameserver> Cluster::runningNameserver(std::size_t index) const {
  base::MutexLock lock(mutex_);
  return index < nameservers_.size() ? nameservers_[index] : base::Ref<nameserver::Nameserver>();
}

bool Cluster::nameserverRunning(std::size_t index) const {
  return static_cast<bool>(runningNameserver(index));
}

Result<void> Cluster::stopNameserver(std::size_t index) {
  base::Ref<nameserver::Nameserver> nameserver;
  {
    base::MutexLock lock(mutex_);
    nameserver = std::move(nameservers_[index]);
  }
  if (!nameserver) return {};
  return waitFor(*engine_, [&](base::Completion<void> done) { nameserver->close(std::move(done)); });
}

Result<void> Cluster::startNameserver(std::size_t index) {
  if (nameserverRunning(index)) return {};
  auto started = makeNameserver(index, nameserver_addresses_[index]);
  if (!started) return started.error();
  {
    base::MutexLock lock(mutex_);
    if (stopped_ || nameservers_[index]) {
      return Error(ErrorCode::kClosed, "the nameserver was started or the cluster stopped meanwhile");
    }
    nameservers_[index] = *started;
  }
  for (const Node& node : nodes()) {
    if (node.visible == Visible::kYes) continue;
    if (auto hidden = setVisible(node.name, node.visible); !hidden) return hidden;
  }
  return {};
}

Result<void> Cluster::direct(std::size_t index, UniqueFunction<void(nameserver::RouteScript&)> change) {
  const base::Ref<nameserver::Nameserver> nameserver = runningNameserver(index);
  if (!nameserver) return stoppedError("nameserver " + std::to_string(index));
  return waitFor(*engine_,
                 [&](base::Completion<void> done) { nameserver->direct(std::move(change), std::move(done)); });
}

Result<void> Cluster::forgetTopic(std::size_t index, std::string topic) {
  const base::Ref<nameserver::Nameserver> nameserver = runningNameserver(index);
  if (!nameserver) return stoppedError("nameserver " + std::to_string(index));
  return waitFor(*engine_, [&](base::Completion<void> done) { nameserver->forget(std::move(topic), std::move(done)); });
}

std::vector<std::string> Cluster::namesrvList() const {
  base::MutexLock lock(mutex_);
  return namesrv_list_;
}

void Cluster::setNamesrvList(std::vector<std::string> addresses) {
  base::MutexLock lock(mutex_);
  namesrv_list_ = std::move(addresses);
}

}  // namespace mqclient::cluster
