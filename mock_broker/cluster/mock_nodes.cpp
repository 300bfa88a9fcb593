// The handles to one broker and one nameserver.
#include <utility>

#include "mock_broker/cluster/cluster.h"
#include "mqclient/mock_cluster.h"

namespace mqclient {
inline namespace v1 {

namespace {

cluster::Cluster& clusterOf(const std::shared_ptr<void>& handle) {
  return *static_cast<cluster::Cluster*>(handle.get());
}

Result<void> withDisk(const cluster::Cluster& cluster, std::string_view broker_name,
                      UniqueFunction<void(store::MemoryDisk&)> change) {
  const auto disk = cluster.disk(broker_name);
  if (!disk) return disk.error();
  change(**disk);
  return {};
}

/// The answer a nameserver gives for `route`.
Result<nameserver::RouteScript::Answer> answerOf(const cluster::Cluster& cluster, const MockRoute& route) {
  if (route.empty()) return nameserver::RouteScript::Answer();
  protocol::TopicRouteData data;
  for (const MockQueueData& queues : route) {
    std::string address = queues.brokerAddr.empty() ? cluster.brokerAddress(queues.brokerName) : queues.brokerAddr;
    if (address.empty()) {
      return Error(ErrorCode::kInvalidArgument,
                   "the route names " + queues.brokerName + ", which is not there: give its brokerAddr");
    }
    data.queueDatas.push_back({.brokerName = queues.brokerName,
                               .readQueueNums = queues.readQueueNums,
                               .writeQueueNums = queues.writeQueueNums,
                               .perm = queues.perm});
    protocol::BrokerData broker;
    broker.cluster = cluster.clusterName();
    broker.brokerName = queues.brokerName;
    broker.brokerAddrs.emplace(0, std::move(address));
    data.brokerDatas.push_back(std::move(broker));
  }
  return nameserver::RouteScript::Answer(std::move(data));
}

}  // namespace

// ---- MockBroker

const std::string& MockBroker::name() const {
  return name_;
}
std::string MockBroker::address() const {
  return clusterOf(cluster_).brokerAddress(name_);
}
bool MockBroker::running() const {
  return clusterOf(cluster_).brokerRunning(name_);
}
Result<void> MockBroker::stop() {
  return clusterOf(cluster_).stopBroker(name_);
}
Result<void> MockBroker::kill() {
  return clusterOf(cluster_).killBroker(name_);
}
Result<void> MockBroker::powerLoss(MockUnflushed unflushed) {
  using Unflushed = store::MemoryDisk::Unflushed;
  return clusterOf(cluster_).losePower(name_, unflushed == MockUnflushed::kGone ? Unflushed::kGone : Unflushed::kSome);
}
Result<void> MockBroker::start() {
  return clusterOf(cluster_).startBroker(name_);
}
Result<void> MockBroker::startEmpty() {
  return clusterOf(cluster_).startBroker(name_, cluster::Cluster::DiskAtStart::kWiped);
}
Result<void> MockBroker::hideFromRoute() {
  return clusterOf(cluster_).setVisible(name_, cluster::Cluster::Visible::kNo);
}
Result<void> MockBroker::showInRoute() {
  return clusterOf(cluster_).setVisible(name_, cluster::Cluster::Visible::kYes);
}
Result<void> MockBroker::moveTo(std::string address) {
  return clusterOf(cluster_).moveBroker(name_, std::move(address));
}
Result<void> MockBroker::updateTopic(TopicConfig config) {
  return clusterOf(cluster_).updateTopic(name_, config);
}
Result<void> MockBroker::skewWallClock(Millis by) {
  return clusterOf(cluster_).skewWallClock(name_, by);
}

Result<void> MockBroker::failDisk(std::string_view operation, int nth) {
  const auto known = store::diskOperation(operation);
  if (!known || nth < 1) {
    return Error(ErrorCode::kInvalidArgument,
                 "failDisk: " + std::string(operation) + " number " + std::to_string(nth) +
                     "; it may be open, create, read, write, sync, rename, remove or syncdir, from number 1 on");
  }
  return withDisk(clusterOf(cluster_), name_, [&](store::MemoryDisk& disk) { disk.failAt(*known, nth); });
}
Result<void> MockBroker::fillDisk(std::size_t more_bytes) {
  return withDisk(clusterOf(cluster_), name_, [&](store::MemoryDisk& disk) { disk.setRoom(more_bytes); });
}
Result<void> MockBroker::freeDisk() {
  return withDisk(clusterOf(cluster_), name_, [](store::MemoryDisk& disk) { disk.setRoom(std::nullopt); });
}
Result<void> MockBroker::slowDisk(Millis flush) {
  return withDisk(clusterOf(cluster_), name_, [&](store::MemoryDisk& disk) { disk.setFlushDelay(flush); });
}

// ---- MockNameserver

const std::string& MockNameserver::address() const {
  return clusterOf(cluster_).nameserverAddresses()[index_];
}
bool MockNameserver::running() const {
  return clusterOf(cluster_).nameserverRunning(index_);
}
Result<void> MockNameserver::stop() {
  return clusterOf(cluster_).stopNameserver(index_);
}
Result<void> MockNameserver::start() {
  return clusterOf(cluster_).startNameserver(index_);
}
Result<void> MockNameserver::freeze() {
  return clusterOf(cluster_).direct(
      index_, [](nameserver::RouteScript& script) { script.setView(nameserver::RouteScript::View::kFrozen); });
}
Result<void> MockNameserver::thaw() {
  return clusterOf(cluster_).direct(
      index_, [](nameserver::RouteScript& script) { script.setView(nameserver::RouteScript::View::kFollows); });
}
Result<void> MockNameserver::forget(std::string topic) {
  return clusterOf(cluster_).forgetTopic(index_, std::move(topic));
}

Result<void> MockNameserver::setRoute(std::string topic, const MockRoute& route) {
  auto answer = answerOf(clusterOf(cluster_), route);
  if (!answer) return answer.error();
  return clusterOf(cluster_).direct(
      index_, [topic = std::move(topic), answer = *std::move(answer)](nameserver::RouteScript& script) mutable {
        script.set(std::move(topic), std::move(answer));
      });
}
Result<void> MockNameserver::queueRoutes(std::string topic, const std::vector<MockRoute>& routes) {
  std::vector<nameserver::RouteScript::Answer> answers;
  for (const MockRoute& route : routes) {
    auto answer = answerOf(clusterOf(cluster_), route);
    if (!answer) return answer.error();
    answers.push_back(*std::move(answer));
  }
  return clusterOf(cluster_).direct(
      index_, [topic = std::move(topic), answers = std::move(answers)](nameserver::RouteScript& script) mutable {
        script.queue(topic, std::move(answers));
      });
}
Result<void> MockNameserver::clearRoutes() {
  return clusterOf(cluster_).direct(index_, [](nameserver::RouteScript& script) { script.clear(); });
}

}  // namespace v1
}  // namespace mqclient
