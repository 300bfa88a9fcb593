#include "mock_broker/cluster/cluster.h"

#include <algorithm>
#include <utility>

#include "mock_broker/cluster/wait_for.h"
#include "mock_broker/faults/fault_transport.h"
#include "protocol/hash.h"
#include "protocol/message_access.h"
#include "protocol/message_record.h"
#include "remoting/tcp.h"
#include "sim/sim_engine.h"

namespace mqclient::cluster {

namespace {

constexpr int kNameserversMax = 16;
constexpr int kBrokersMax = 1'000;
constexpr int kQueuesMax = 1'024;
constexpr int kNameserverPort = 9'876;
constexpr int kBrokerPort = 10'911;
constexpr int kPortsPerBroker = 10;

/// broker-a ... broker-z, then broker-27, broker-28, ...
std::string brokerNameOf(int index) {
  constexpr int kLetters = 26;
  if (index < kLetters) return std::string("broker-") + static_cast<char>('a' + index);
  return "broker-" + std::to_string(index + 1);
}

Result<base::Ref<base::Engine>> engineFor(const MockClusterOptions& options) {
  if (options.time == MockTime::kReal) return base::defaultEngine();
  sim::SimOptions sim;
  sim.seed = options.seed;
  sim.time = sim::SimOptions::Time::kAutoAdvance;
  return base::Ref<base::Engine>(sim::makeSimEngine(std::move(sim)));
}

broker::FlushDiskType flushDiskType(MockFlush flush) {
  switch (flush) {
    case MockFlush::kNever:
      return broker::FlushDiskType::NO_FLUSH;
    case MockFlush::kAsync:
      return broker::FlushDiskType::ASYNC_FLUSH;
    case MockFlush::kSync:
      return broker::FlushDiskType::SYNC_FLUSH;
  }
  return broker::FlushDiskType::NO_FLUSH;
}

MessageExt toMessageExt(const broker::StoredMessage& m, const std::string& broker_name) {
  protocol::RecordFields fields;
  fields.queueId = m.queueId;
  fields.flag = m.flag;
  fields.queueOffset = m.queueOffset;
  fields.physicalOffset = m.physicalOffset;
  fields.sysFlag = m.sysFlag;
  fields.bornTimestamp = m.bornTimestamp;
  fields.bornHost = protocol::RecordHost::parse(m.bornHost).value_or(protocol::RecordHost{});
  fields.storeTimestamp = m.storeTimestamp;
  fields.storeHost = protocol::RecordHost::parse(m.storeHost).value_or(protocol::RecordHost{});
  fields.reconsumeTimes = m.reconsumeTimes;
  fields.body = std::as_bytes(std::span(m.body));
  fields.bodyCRC = protocol::crc32Masked(fields.body);
  fields.topic = m.topic;
  fields.properties = m.properties;
  return mqclient::detail::MessageAccess::ofFields(fields, MessageQueue(m.topic, broker_name, m.queueId));
}

}  // namespace

Result<void> validate(const MockClusterOptions& options) {
  std::string complaints;
  const auto check = [&](const char* name, int value, int max) {
    if (value >= 1 && value <= max) return;
    if (!complaints.empty()) complaints += "; ";
    complaints += std::string(name) + " is " + std::to_string(value) + ", it may be 1 to " + std::to_string(max);
  };
  check("nameservers", options.nameservers, kNameserversMax);
  check("brokers", options.brokers, kBrokersMax);
  check("queues (defaultTopicQueueNums)", options.defaultTopicQueueNums, kQueuesMax);
  if (options.transport == MockTransport::kTcp && options.time == MockTime::kVirtual) {
    if (!complaints.empty()) complaints += "; ";
    complaints += "transport is kTcp and time is kVirtual: sockets need real time";
  }
  if (!complaints.empty()) return Error(ErrorCode::kInvalidArgument, "mock cluster: " + complaints);
  return {};
}

Cluster::Cluster(Setup setup)
    : options_(setup.options),
      engine_(std::move(setup.engine)),
      log_(setup.log ? std::move(setup.log) : base::Log::silent()),
      network_(options_.transport == MockTransport::kMemory ? remoting::InProcessNetwork::make() : nullptr),
      transport_(network_ ? base::Ref<remoting::Transport>(network_) : remoting::makeTcpTransport()),
      faults_(base::makeRef<faults::FaultPlan>(engine_, network_ ? faults::Carrier::kLink : faults::Carrier::kSockets)),
      adjust_(setup.adjust),
      seam_(setup.seam) {
  if (options_.recordFromStart) faults_->watch();
  if (setup.link_policy && network_) network_->setPolicy(std::move(setup.link_policy));
}

Result<std::shared_ptr<Cluster>> Cluster::start(Setup setup) {
  if (auto valid = validate(setup.options); !valid) return valid.error();
  if (!setup.engine) {
    auto engine = engineFor(setup.options);
    if (!engine) return engine.error();
    setup.engine = std::move(*engine);
  }
  std::shared_ptr<Cluster> cluster(new Cluster(std::move(setup)));
  if (auto started = cluster->startNodes(); !started) return started.error();
  return cluster;
}

Result<void> Cluster::startNodes() {
  // Names of addresses are ours in process; of a machine's ports we take what is free.
  const auto addressOf = [tcp = !network_](int port) { return "127.0.0.1:" + std::to_string(tcp ? 0 : port); };
  std::vector<base::Ref<nameserver::Nameserver>> nameservers;
  for (int i = 0; i < options_.nameservers; ++i) {
    auto started = makeNameserver(static_cast<std::size_t>(i), addressOf(kNameserverPort + i));
    if (!started) return started.error();
    nameserver_addresses_.push_back((*started)->address());
    nameservers.push_back(std::move(*started));
  }
  std::vector<Node> nodes;
  for (int i = 0; i < options_.brokers; ++i) {
    auto node = makeNode(brokerNameOf(i));
    if (!node) return node.error();
    nodes.push_back(*std::move(node));
  }
  for (const Node& node : nodes) {
    if (auto known = waitUntilKnown(node); !known) return known;
  }
  base::MutexLock lock(mutex_);
  nameservers_ = std::move(nameservers);
  namesrv_list_ = nameserver_addresses_;
  nodes_ = std::move(nodes);
  return {};
}

base::Ref<remoting::Transport> Cluster::transportOf(NodeRole role, std::string name) const {
  if (seam_ == FaultSeam::kNo) return transport_;
  return faults::makeFaultTransport(transport_, faults_, {role, std::move(name)});
}

const base::Ref<faults::FaultPlan>& Cluster::watchedFaults() const {
  if (!faults_->watch()) return faults_;
  // Their heartbeats came before: what the brokers know is taken over.
  for (const std::string& name : brokerNames()) {
    inspect(name, [plan = faults_](const broker::Inspection& seen) {
      for (broker::ClientInfo& client : seen.clients()) {
        plan->learnClient(std::move(client.address), std::move(client.clientId));
      }
    });
  }
  return faults_;
}

Result<base::Ref<nameserver::Nameserver>> Cluster::makeNameserver(std::size_t index, std::string address) const {
  nameserver::NameserverOptions options;
  options.address = std::move(address);
  return nameserver::Nameserver::start(
      engine_, transportOf(NodeRole::kNameserver, "nameserver-" + std::to_string(index)), log_, std::move(options));
}

Result<Cluster::Node> Cluster::makeNode(std::string name) {
  Node node;
  node.name = std::move(name);
  node.disk = makeDisk();
  {
    base::MutexLock lock(mutex_);
    node.address = "127.0.0.1:" + std::to_string(network_ ? kBrokerPort + brokers_made_++ * kPortsPerBroker : 0);
  }
  auto started = broker::Broker::start(brokerOptions(node));
  if (!started) return started.error();
  node.broker = *std::move(started);
  node.address = node.broker->address();
  return node;
}

Result<void> Cluster::waitUntilKnown(const Node& node) const {
  return waitFor(*engine_, [&](base::Completion<void> done) { node.broker->whenRegistered(std::move(done)); });
}

std::shared_ptr<store::MemoryDisk> Cluster::makeDisk() {
  base::MutexLock lock(mutex_);
  // Nobody ever sees what a disk without a flush had kept, so it need not cost zeros.
  const store::Fill fill = options_.flush == MockFlush::kNever ? store::Fill::kAnything : store::Fill::kZero;
  return store::makeMemoryDisk(options_.seed + disks_made_++, fill);
}

broker::BrokerOptions Cluster::brokerOptions(const Node& node) const {
  broker::BrokerOptions o;
  o.engine = engine_;
  o.transport = transportOf(NodeRole::kBroker, node.name);
  o.log = log_;
  o.address = node.address;
  o.brokerName = node.name;
  o.namesrvAddrs = nameserver_addresses_;
  o.defaultTopicQueueNums = options_.defaultTopicQueueNums;
  o.files = node.disk;
  o.flushDiskType = flushDiskType(options_.flush);
  if (adjust_) adjust_(o);
  return o;
}

std::string Cluster::clusterName() const {
  return broker::BrokerOptions{}.brokerClusterName;
}

Cluster::~Cluster() {
  stop();
}

std::vector<Cluster::Node> Cluster::nodes() const {
  base::MutexLock lock(mutex_);
  return nodes_;
}

std::vector<std::string> Cluster::brokerNames() const {
  std::vector<std::string> names;
  for (const Node& node : nodes()) names.push_back(node.name);
  return names;
}

std::string Cluster::brokerAddress(std::string_view name) const {
  for (const Node& node : nodes()) {
    if (node.name == name) return node.address;
  }
  return {};
}

bool Cluster::brokerRunning(std::string_view name) const {
  return static_cast<bool>(runningBroker(name));
}

base::Ref<broker::Broker> Cluster::runningBroker(std::string_view name) const {
  for (const Node& node : nodes()) {
    if (node.name == name) return node.broker;
  }
  return {};
}

Error Cluster::noSuchBroker(std::string_view name) const {
  std::string known;
  for (const std::string& n : brokerNames()) known += (known.empty() ? "" : ", ") + n;
  return Error(ErrorCode::kInvalidArgument, "there is no broker " + std::string(name) + "; there are: " + known);
}

Result<void> Cluster::stopBroker(std::string_view name) {
  return endBroker(name, Ending::kOrderly);
}

Result<void> Cluster::endBroker(std::string_view name, Ending ending) {
  base::Ref<broker::Broker> broker;
  {
    base::MutexLock lock(mutex_);
    for (Node& node : nodes_) {
      if (node.name != name || !node.broker) continue;
      broker = node.before = std::move(node.broker);
    }
  }
  if (!broker) return {};
  return waitFor(*engine_, [&](base::Completion<void> done) {
    ending == Ending::kOrderly ? broker->stop(std::move(done)) : broker->kill(std::move(done));
  });
}

void Cluster::waitForTheEndOf(const Node& node) const {
  if (!node.before) return;
  (void)waitFor(*engine_, [&](base::Completion<void> done) { node.before->stop(std::move(done)); });
}

Result<void> Cluster::startBroker(std::string_view name, DiskAtStart disk) {
  for (Node& node : nodes()) {
    if (node.name != name) continue;
    if (node.broker) return {};
    if (auto may = mayWaitFor("start()"); !may) return may;
    waitForTheEndOf(node);
    if (disk == DiskAtStart::kWiped) node.disk = makeDisk();
    auto started = broker::Broker::start(brokerOptions(node));
    if (!started) return started.error();
    const base::Ref<broker::Broker> broker = *started;
    {
      base::MutexLock lock(mutex_);
      const auto at = std::ranges::find(nodes_, node.name, &Node::name);
      if (stopped_ || at == nodes_.end() || at->broker)
        return Error(ErrorCode::kClosed, "the broker was started or the cluster stopped meanwhile");
      at->broker = node.broker = broker;
      at->before.reset();
      at->disk = node.disk;
      at->address = broker->address();
    }
    return waitUntilKnown(node);
  }
  return noSuchBroker(name);
}

void Cluster::stop() {
  std::vector<base::Ref<broker::Broker>> brokers;
  std::vector<base::Ref<nameserver::Nameserver>> nameservers;
  {
    base::MutexLock lock(mutex_);
    if (std::exchange(stopped_, true)) return;
    for (Node& node : nodes_) {
      if (node.broker) brokers.push_back(std::move(node.broker));
    }
    for (auto& nameserver : nameservers_) {
      if (nameserver) nameservers.push_back(std::move(nameserver));
    }
  }
  for (const auto& broker : brokers) {
    (void)waitFor(*engine_, [&](base::Completion<void> done) { broker->stop(std::move(done)); });
  }
  for (const auto& nameserver : nameservers) {
    (void)waitFor(*engine_, [&](base::Completion<void> done) { nameserver->close(std::move(done)); });
  }
}

namespace {

/// As the brokers keep it, unless somebody would lose messages by it.
Result<broker::TopicConfig> checkedTopic(const TopicConfig& config) {
  if (config.readQueueNums < config.writeQueueNums) {
    return Error(ErrorCode::kInvalidArgument,
                 "topic " + config.topicName + ": readQueueNums " + std::to_string(config.readQueueNums) +
                     " < writeQueueNums " + std::to_string(config.writeQueueNums) + ": messages in the queues from " +
                     std::to_string(config.readQueueNums) + " on would never be consumed");
  }
  broker::TopicConfig wanted;
  wanted.topicName = config.topicName;
  wanted.readQueueNums = config.readQueueNums;
  wanted.writeQueueNums = config.writeQueueNums;
  wanted.perm = config.perm;
  wanted.order = config.order;
  return wanted;
}

}  // namespace

Result<void> Cluster::createTopic(const TopicConfig& config) {
  for (const Node& node : nodes()) {
    if (!node.broker) continue;
    if (auto updated = updateTopic(node.name, config); !updated) return updated;
  }
  return {};
}

Result<void> Cluster::updateTopic(std::string_view broker_name, const TopicConfig& config) {
  auto wanted = checkedTopic(config);
  if (!wanted) return wanted.error();
  auto broker = mustRun(broker_name);
  if (!broker) return broker.error();
  return waitFor(*engine_, [&](base::Completion<void> done) { (*broker)->updateTopic(*wanted, std::move(done)); });
}

bool Cluster::inspect(std::string_view broker_name, UniqueFunction<void(const broker::Inspection&)> look) const {
  const base::Ref<broker::Broker> broker = runningBroker(broker_name);
  if (!broker) return false;
  const auto looked = waitFor(*engine_, [&](base::Completion<void> done) {
    broker->inspect([&look, done = std::move(done)](const broker::Inspection& inspection) mutable {
      look(inspection);
      std::move(done)(Result<void>());
    });
  });
  return looked.has_value();
}

std::vector<MessageExt> Cluster::messages(std::string_view topic) const {
  std::vector<MessageExt> all;
  for (const std::string& name : brokerNames()) {
    std::vector<broker::StoredMessage> stored;
    inspect(name, [&](const broker::Inspection& inspection) { stored = inspection.messages(topic); });
    for (const broker::StoredMessage& m : stored) all.push_back(toMessageExt(m, name));
  }
  return all;
}

std::int64_t Cluster::committedOffset(std::string_view group, const MessageQueue& queue) const {
  std::int64_t offset = -1;
  inspect(queue.brokerName(), [&](const broker::Inspection& inspection) {
    offset = inspection.committedOffset(group, queue.topic(), queue.queueId()).value_or(-1);
  });
  return offset;
}

std::vector<std::string> Cluster::members(std::string_view group) const {
  std::vector<std::string> ids;
  for (const std::string& name : brokerNames()) {
    if (inspect(name, [&](const broker::Inspection& inspection) { ids = inspection.members(group); })) break;
  }
  return ids;
}

}  // namespace mqclient::cluster
