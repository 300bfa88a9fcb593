#include "mqclient/mock_cluster.h"

#include <utility>

#include "base/runtime.h"
#include "mock_broker/cluster/cluster.h"
#include "mock_broker/cluster/mock_faults.h"
#include "mock_broker/cluster/wait_until.h"
#include "sim/sim_engine.h"

namespace mqclient {
inline namespace v1 {

namespace {

Error noVirtualTime() {
  return Error(ErrorCode::kUnsupported,
               "this cluster runs on real time; start it with MockTime::kVirtual to move its clock");
}

sim::SimEngine* virtualEngine(const std::shared_ptr<void>& engine) {
  return static_cast<sim::SimEngine*>(engine.get());
}

}  // namespace

struct MockCluster::Impl {
  std::shared_ptr<cluster::Cluster> cluster;
  std::string name;
  Result<std::size_t> indexOf(int nameserver) const;
  bool owner = false;  // made by start(): the cluster ends with this handle
  VirtualClock clock;
};

// ---- VirtualClock

Result<void> VirtualClock::advance(Millis by) {
  if (!engine_) return noVirtualTime();
  virtualEngine(engine_)->advance(by);
  return {};
}

Result<void> VirtualClock::advanceToNextTimer() {
  if (!engine_) return noVirtualTime();
  virtualEngine(engine_)->advanceToNextTimer();
  return {};
}

Result<void> VirtualClock::advanceUntil(UniqueFunction<bool()> condition, Millis at_most) {
  if (!engine_) return noVirtualTime();
  if (virtualEngine(engine_)->pumpUntil(std::move(condition), at_most)) return {};
  return Error(ErrorCode::kTimeout, "the condition was not met within " + std::to_string(at_most.count()) + " ms");
}

Result<void> VirtualClock::stepWallClock(Millis by) {
  if (!engine_) return noVirtualTime();
  virtualEngine(engine_)->stepWallClock(by);
  return {};
}

// ---- MockCluster

Result<MockCluster> MockCluster::start(MockClusterOptions options) {
  auto started = cluster::Cluster::start({.options = options});
  if (!started) return started.error();
  auto impl = std::make_unique<Impl>();
  impl->cluster = std::move(*started);
  impl->name = cluster::Registry::instance().list(impl->cluster);
  impl->owner = true;
  return MockCluster(std::move(impl));
}

Result<MockCluster> MockCluster::named(std::string_view name) {
  auto found = cluster::Registry::instance().named({.name = std::string(name)});
  if (!found) return found.error();
  auto impl = std::make_unique<Impl>();
  impl->cluster = std::move(*found);
  impl->name = std::string(name);
  return MockCluster(std::move(impl));
}

MockCluster::MockCluster(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
  const base::Ref<base::Engine>& engine = impl_->cluster->engine();
  if (engine->isVirtualTime()) {
    // The clock keeps the cluster, and the cluster its engine.
    impl_->clock.engine_ = std::shared_ptr<void>(impl_->cluster, static_cast<sim::SimEngine*>(engine.get()));
  }
}

MockCluster::MockCluster(MockCluster&&) noexcept = default;

MockCluster& MockCluster::operator=(MockCluster&& other) noexcept {
  if (this != &other) {
    MockCluster old(std::move(*this));
    impl_ = std::move(other.impl_);
  }
  return *this;
}

MockCluster::~MockCluster() {
  if (impl_ && impl_->owner) reset();
}

std::string MockCluster::namesrvAddr() const {
  if (impl_->cluster->options().transport == MockTransport::kMemory) return "mock://" + impl_->name;
  std::string list;
  for (const std::string& address : impl_->cluster->nameserverAddresses()) list += (list.empty() ? "" : ";") + address;
  return list;
}

ClientOptions MockCluster::client() const {
  ClientOptions options;
  options.namesrvAddr = namesrvAddr();
  if (impl_->cluster->engine()->isVirtualTime()) {
    options.runtime = detail::RuntimeAccess::of(impl_->cluster->engine());
  }
  return options;
}

VirtualClock& MockCluster::clock() {
  return impl_->clock;
}

Result<MockBroker> MockCluster::broker(std::string_view name) const {
  if (auto known = impl_->cluster->disk(name); !known) return known.error();
  MockBroker handle;
  handle.cluster_ = impl_->cluster;
  handle.name_ = name;
  return handle;
}

Result<MockBroker> MockCluster::addBroker(std::string name) {
  if (auto added = impl_->cluster->addBroker(name); !added) return added.error();
  return broker(name);
}

Result<void> MockCluster::removeBroker(std::string_view name, Millis wait) {
  return impl_->cluster->removeBroker(name, wait);
}

Result<std::size_t> MockCluster::Impl::indexOf(int nameserver) const {
  const std::size_t count = cluster->nameserverAddresses().size();
  if (nameserver >= 0 && static_cast<std::size_t>(nameserver) < count) return static_cast<std::size_t>(nameserver);
  return Error(ErrorCode::kInvalidArgument, "there is no nameserver " + std::to_string(nameserver) +
                                                "; there are 0 to " + std::to_string(count - 1));
}

Result<MockNameserver> MockCluster::nameserver(int index) const {
  const auto found = impl_->indexOf(index);
  if (!found) return found.error();
  MockNameserver handle;
  handle.cluster_ = impl_->cluster;
  handle.index_ = *found;
  return handle;
}

Result<ClientOptions> MockCluster::discoveringClient() const {
  if (impl_->cluster->options().transport != MockTransport::kMemory) {
    return Error(ErrorCode::kInvalidArgument, "this cluster is on TCP: give its clients the URL of an HTTP server");
  }
  ClientOptions options = client();
  options.namesrvAddr += "?addressing=server";
  return options;
}

Result<void> MockCluster::tellNameservers(const std::vector<int>& indices) {
  std::vector<std::string> addresses;
  for (const int index : indices) {
    const auto found = impl_->indexOf(index);
    if (!found) return found.error();
    addresses.push_back(impl_->cluster->nameserverAddresses()[*found]);
  }
  impl_->cluster->setNamesrvList(std::move(addresses));
  return {};
}

std::vector<std::string> MockCluster::brokerNames() const {
  return impl_->cluster->brokerNames();
}

Result<void> MockCluster::createTopic(TopicConfig config) {
  return impl_->cluster->createTopic(config);
}

std::vector<MessageExt> MockCluster::messages(std::string_view topic) const {
  return impl_->cluster->messages(topic);
}

std::int64_t MockCluster::committedOffset(std::string_view group, const MessageQueue& queue) const {
  return impl_->cluster->committedOffset(group, queue);
}

std::vector<std::string> MockCluster::members(std::string_view group) const {
  return impl_->cluster->members(group);
}

bool MockCluster::waitUntil(UniqueFunction<bool()> condition, Millis wait) {
  return cluster::waitUntil(*impl_->cluster->engine(), std::move(condition), wait);
}

Result<Fault> MockCluster::inject(Match match, FaultAction action) {
  auto rule = impl_->cluster->watchedFaults()->inject(std::move(match), std::move(action));
  if (!rule) return rule.error();
  return Fault(std::make_unique<Fault::Impl>(impl_->cluster->faults(), *std::move(rule)));
}

Result<Held> MockCluster::hold(Match match) {
  auto rule = impl_->cluster->watchedFaults()->hold(std::move(match));
  if (!rule) return rule.error();
  return Held(std::make_unique<Held::Impl>(impl_->cluster->faults(), *std::move(rule)));
}

std::vector<std::string> MockCluster::faultsNeverFired() const {
  return impl_->cluster->faults()->neverFired();
}

std::vector<Captured> MockCluster::requests(const Match& match) const {
  return impl_->cluster->watchedFaults()->recording().frames(match);
}

std::string MockCluster::trace() const {
  return impl_->cluster->watchedFaults()->recording().trace();
}

void MockCluster::reset() {
  impl_->cluster->stop();
  cluster::Registry::instance().forget(impl_->name);
}

}  // namespace v1
}  // namespace mqclient
