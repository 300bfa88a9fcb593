#include "mock_broker/cluster/cluster.h"

#include <algorithm>
#include <utility>

#include "base/completion.h"
#include "base/strand.h"
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

/// Waits for `start(completion)` where waiting is allowed; else only starts it.
template <class F>
Result<void> waitFor(base::Engine& engine, F start) {
  auto operation = base::makeOperation<void>(engine.callbackTarget());
  start(std::move(operation.completion));
  if (!base::Activation::ofThisThread().mayAwait()) {
    std::move(operation.future).detach();
    return {};
  }
  return std::move(operation.future).get();
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
      adjust_(setup.adjust) {
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
  for (int i = 0; i < options_.nameservers; ++i) {
    nameserver::NameserverOptions ns;
    ns.address = addressOf(kNameserverPort + i);
    auto started = nameserver::Nameserver::start(
        engine_, transportOf(NodeRole::kNameserver, "nameserver-" + std::to_string(i)), log_, std::move(ns));
    if (!started) return started.error();
    nameserver_addresses_.push_back((*started)->address());
    nameservers_.push_back(std::move(*started));
  }
  std::vector<Node> nodes;
  for (int i = 0; i < options_.brokers; ++i) {
    Node node{brokerNameOf(i), addressOf(kBrokerPort + i * kPortsPerBroker), {}};
    auto started = broker::Broker::start(brokerOptions(node));
    if (!started) return started.error();
    node.broker = std::move(*started);
    node.address = node.broker->address();
    nodes.push_back(std::move(node));
  }
  for (const Node& node : nodes) {
    auto registered =
        waitFor(*engine_, [&](base::Completion<void> done) { node.broker->whenRegistered(std::move(done)); });
    if (!registered) return registered.error();
  }
  base::MutexLock lock(mutex_);
  nodes_ = std::move(nodes);
  return {};
}

base::Ref<remoting::Transport> Cluster::transportOf(NodeRole role, std::string name) const {
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

broker::BrokerOptions Cluster::brokerOptions(const Node& node) const {
  broker::BrokerOptions o;
  o.engine = engine_;
  o.transport = transportOf(NodeRole::kBroker, node.name);
  o.log = log_;
  o.address = node.address;
  o.brokerName = node.name;
  o.namesrvAddrs = nameserver_addresses_;
  o.defaultTopicQueueNums = options_.defaultTopicQueueNums;
  if (adjust_) adjust_(o);
  return o;
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

Result<void> Cluster::stopBroker(std::string_view name) {
  base::Ref<broker::Broker> broker;
  {
    base::MutexLock lock(mutex_);
    for (Node& node : nodes_) {
      if (node.name == name) broker = std::move(node.broker);
    }
  }
  if (!broker) return {};
  return waitFor(*engine_, [&](base::Completion<void> done) { broker->stop(std::move(done)); });
}

Result<void> Cluster::startBroker(std::string_view name) {
  for (const Node& node : nodes()) {
    if (node.name != name || node.broker) continue;
    auto started = broker::Broker::start(brokerOptions(node));
    if (!started) return started.error();
    const base::Ref<broker::Broker> broker = *started;
    {
      base::MutexLock lock(mutex_);
      const auto at = std::ranges::find(nodes_, node.name, &Node::name);
      if (stopped_ || at->broker)
        return Error(ErrorCode::kClosed, "the broker was started or the cluster stopped meanwhile");
      at->broker = broker;
    }
    return waitFor(*engine_, [&](base::Completion<void> done) { broker->whenRegistered(std::move(done)); });
  }
  return {};
}

void Cluster::stop() {
  std::vector<Node> nodes;
  {
    base::MutexLock lock(mutex_);
    if (std::exchange(stopped_, true)) return;
    for (Node& node : nodes_) {
      if (node.broker) nodes.push_back(Node{node.name, node.address, std::move(node.broker)});
    }
  }
  for (const Node& node : nodes) {
    (void)waitFor(*engine_, [&](base::Completion<void> done) { node.broker->stop(std::move(done)); });
  }
  for (const auto& nameserver : nameservers_) {
    (void)waitFor(*engine_, [&](base::Completion<void> done) { nameserver->close(std::move(done)); });
  }
}

Result<void> Cluster::createTopic(const TopicConfig& config) {
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
  for (const Node& node : nodes()) {
    if (!node.broker) continue;
    auto updated =
        waitFor(*engine_, [&](base::Completion<void> done) { node.broker->updateTopic(wanted, std::move(done)); });
    if (!updated) return updated;
  }
  return {};
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
