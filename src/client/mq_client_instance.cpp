#include "client/mq_client_instance.h"

#include <algorithm>
#include <utility>

#include "base/runtime.h"
#include "client/response_error.h"
#include "mqclient/codes.h"
#include "protocol/body/heartbeat.h"
#include "protocol/body/route.h"
#include "protocol/headers/client.h"
#include "protocol/names.h"

namespace mqclient::client {

namespace {

constexpr std::string_view kComponent = "client";
/// A watched topic without a route is asked for so often (Java: with the others, each 30 s).
constexpr base::Millis kUnknownRoutePeriod{1'000};
constexpr base::Millis kLogEvery{30'000};
constexpr base::Millis kShortestInterval{10};
constexpr std::uint64_t kJitterPercent = 10;

/// The period, a little shorter or longer by chance, so that many clients do not ask in step.
base::Nanos jittered(base::Millis period, std::uint64_t random) {
  const std::int64_t span = base::Nanos(period).count() * static_cast<std::int64_t>(kJitterPercent) / 100;
  if (span == 0) return period;
  return base::Nanos(period) - base::Nanos(span) +
         base::Nanos(static_cast<std::int64_t>(random % static_cast<std::uint64_t>(2 * span)));
}

Result<void> checkOptions(const ClientOptions& options) {
  std::string complaints;
  const auto complain = [&](const std::string& text) { complaints += (complaints.empty() ? "" : "; ") + text; };
  const auto atLeast = [&](const char* name, base::Millis value, base::Millis least) {
    if (value < least) {
      complain(std::string(name) + " is " + std::to_string(value.count()) + " ms, at least " +
               std::to_string(least.count()) + " ms are needed");
    }
  };
  atLeast("startTimeout", options.startTimeout, base::Millis(0));
  atLeast("pollNameServerInterval", options.pollNameServerInterval, kShortestInterval);
  atLeast("heartbeatBrokerInterval", options.heartbeatBrokerInterval, kShortestInterval);
  atLeast("mqClientApiTimeout", options.mqClientApiTimeout, kShortestInterval);
  if (complaints.empty()) return {};
  return Error(ErrorCode::kInvalidArgument, "client options: " + complaints);
}

std::string makeClientId(base::Engine& engine, const ClientOptions& options) {
  std::string id = engine.environment().host_ip + '@';
  if (options.instanceName.empty()) {
    id += std::to_string(engine.environment().pid) + '#' + std::to_string(engine.nextId());
  } else {
    id += options.instanceName;
  }
  if (!options.unitName.empty()) id += '@' + options.unitName;
  return id;
}

}  // namespace

/// What a new instance is made of.
struct MQClientInstance::Setup {
  const ClientOptions& options;
  Home home;
  std::string client_id;
  std::string registry_key;
};

/// Instances that clients with one instanceName share: process-wide, ids only, leaked on purpose (O1).
class MQClientInstance::Registry {
 public:
  static Registry& instance() {
    static auto* registry = new Registry;
    return *registry;
  }
  base::Mutex mutex;
  std::map<std::string, MQClientInstance*> by_key MQ_GUARDED_BY(mutex);
};

/// Answers what brokers ask. Knows the instance until it closes.
class MQClientInstance::Inbound final : public remoting::RequestHandler {
 public:
  explicit Inbound(MQClientInstance& instance) : instance_(&instance) {}
  void forget() {
    base::Ref<MQClientInstance> dropped;
    base::MutexLock lock(mutex_);
    dropped = std::move(instance_);
  }
  void handle(remoting::Request request, remoting::Responder responder) noexcept override {
    if (request.command.requestCode() == RequestCode::NOTIFY_CONSUMER_IDS_CHANGED) {
      const auto header = protocol::decodeHeader<protocol::NotifyConsumerIdsChangedRequestHeader>(request.command.ext);
      std::string group = header ? header->consumerGroup : std::string();  // without a group: all of them
      if (const base::Ref<MQClientInstance> i = instance()) {
        i->strand_.post(i->self(), [i = i.get(), group = std::move(group)] { i->onConsumerIdsChanged(group); });
      }
      return std::move(responder).answer(ResponseCode::SUCCESS);
    }
    std::move(responder).answer(ResponseCode::REQUEST_CODE_NOT_SUPPORTED,
                                " request type " + std::to_string(request.command.code) + " not supported");
  }

 private:
  base::Ref<MQClientInstance> instance() {
    base::MutexLock lock(mutex_);
    return instance_;
  }
  base::Mutex mutex_;
  base::Ref<MQClientInstance> instance_ MQ_GUARDED_BY(mutex_);
};

/// Hears of connections. Knows the instance until it closes.
class MQClientInstance::Connections final : public remoting::RemotingClient::Events {
 public:
  explicit Connections(MQClientInstance& instance) : instance_(&instance) {}
  void forget() {
    base::Ref<MQClientInstance> dropped;
    base::MutexLock lock(mutex_);
    dropped = std::move(instance_);
  }
  void onConnected(const std::string& address) noexcept override {
    post([address](MQClientInstance& i) { i.onConnected(address); });
  }
  void onDisconnected(const std::string& address, const Error& why) noexcept override {
    post([address, why](MQClientInstance& i) { i.onDisconnected(address, why); });
  }

 private:
  template <class F>
  void post(F f) {
    base::Ref<MQClientInstance> i;
    {
      base::MutexLock lock(mutex_);
      i = instance_;
    }
    if (i) i->strand_.post(i->self(), [raw = i.get(), f = std::move(f)] { f(*raw); });
  }
  base::Mutex mutex_;
  base::Ref<MQClientInstance> instance_ MQ_GUARDED_BY(mutex_);
};

/// A topic whose route is kept fresh. Counted by watchTopic and unwatchTopic; the timer keeps it and the instance.
class MQClientInstance::Watch final : public base::Object {
 public:
  Watch(MQClientInstance& instance, std::string topic)
      : instance_(&instance), topic_(std::move(topic)), timer_(instance.strand_, [this] { ask(); }) {}

  int count = 1;

  void ask() {
    if (!instance_) return;
    instance_->fetchOnStrand(topic_, instance_->apiDeadline(),
                             base::Completion<RoutePtr>::of(
                                 [watch = base::Ref<Watch>(this)](Result<RoutePtr>&&) { watch->askedOnStrand(); }));
  }
  void stop() {
    timer_.cancel();
    instance_.reset();
  }

 private:
  void askedOnStrand() {
    if (!instance_) return;
    const bool known = instance_->routes_.route(topic_) != nullptr;
    const base::Millis period = known ? instance_->options_.pollNameServerInterval : kUnknownRoutePeriod;
    timer_.armAfter(base::Ref<base::Object>(this), jittered(period, instance_->engine_->random()));
  }

  base::Ref<MQClientInstance> instance_;  // until stop()
  const std::string topic_;
  base::FunctionTimer timer_;
};

/// One caller of fetchRoute, with its own deadline.
class MQClientInstance::FetchWaiter final : public base::Object {
 public:
  FetchWaiter(MQClientInstance& instance, std::string topic, base::Completion<RoutePtr> done)
      : topic_(std::move(topic)), done_(std::move(done)), timer_(instance.strand_, [this] { timeOut(); }) {}
  void arm(base::SteadyTime deadline) { timer_.arm(base::Ref<base::Object>(this), deadline); }
  void settle(Result<RoutePtr> result) {
    timer_.cancel();
    std::move(done_)(std::move(result));
  }

 private:
  void timeOut() { std::move(done_)(Error(ErrorCode::kTimeout, "no route for topic " + topic_ + " in time")); }
  const std::string topic_;
  base::Completion<RoutePtr> done_;
  base::FunctionTimer timer_;
};

/// One heartbeat to all brokers: over when each has answered.
class MQClientInstance::HeartbeatRound final : public base::Object {
 public:
  HeartbeatRound(std::size_t brokers, base::Completion<void> done) : waiting_(brokers), done_(std::move(done)) {
    if (waiting_ == 0) std::move(done_)(Result<void>());
  }
  void answered(const Error* error) {
    accepted_ = accepted_ || !error;
    if (error && !first_error_) first_error_ = *error;
    if (--waiting_ > 0) return;
    std::move(done_)(accepted_ || !first_error_ ? Result<void>() : Result<void>(*first_error_));
  }

 private:
  std::size_t waiting_;
  bool accepted_ = false;
  std::optional<Error> first_error_;
  base::Completion<void> done_;
};

/// One unregistration at all brokers: over when each has answered, well or not.
class MQClientInstance::UnregisterRound final : public base::Object {
 public:
  explicit UnregisterRound(base::Completion<void> done) : done_(std::move(done)) {}

 private:
  ~UnregisterRound() override { std::move(done_)(Result<void>()); }  // with the last answer
  base::Completion<void> done_;
};

// ---- life

Result<InstanceLease> MQClientInstance::acquire(const ClientOptions& options) {
  if (auto checked = checkOptions(options); !checked) return checked.error();
  auto engine = mqclient::detail::RuntimeAccess::engine(options.runtime);
  if (!engine) return engine.error();
  auto home = resolveHome(options.namesrvAddr, *engine);
  if (!home) return home.error();
  if (!home->engine) home->engine = *engine;
  std::string client_id = makeClientId(*home->engine, options);

  const bool shared = !options.instanceName.empty();
  std::string key;
  if (shared)
    key = home->identity + ' ' + client_id + ' ' + std::to_string(reinterpret_cast<std::uintptr_t>(home->engine.get()));
  Registry& registry = Registry::instance();
  base::Ref<MQClientInstance> instance;
  {
    base::MutexLock lock(registry.mutex);
    if (shared) {
      const auto living = registry.by_key.find(key);
      if (living != registry.by_key.end()) {
        ++living->second->leases_;
        return InstanceLease(base::Ref<MQClientInstance>(living->second));
      }
    }
    instance = base::Ref<MQClientInstance>::adopt(
        new MQClientInstance(Setup{options, std::move(*home), std::move(client_id), key}));
    if (shared) registry.by_key.emplace(std::move(key), instance.get());
  }
  instance->start();
  return InstanceLease(std::move(instance));
}

MQClientInstance::MQClientInstance(Setup setup)
    : options_(setup.options),
      home_(std::move(setup.home)),
      engine_(home_.engine),
      client_id_(std::move(setup.client_id)),
      registry_key_(std::move(setup.registry_key)),
      log_(options_.log ? base::Log::make(*engine_, options_.logLevel, options_.log) : base::Log::silent()),
      strand_(*engine_),
      remoting_(remoting::RemotingClient::make(engine_, home_.transport, log_)),
      faults_(options_.sendLatencyEnable ? route::FaultStrategy::Avoid::kOn : route::FaultStrategy::Avoid::kOff),
      nameservers_(home_.nameservers, engine_->random()),
      heartbeat_timer_(strand_, [this] {
        heartbeatOnStrand(base::Completion<void>());
        heartbeat_timer_.armAfter(self(), jittered(options_.heartbeatBrokerInterval, engine_->random()));
      }) {}

MQClientInstance::~MQClientInstance() = default;

void MQClientInstance::start() {
  inbound_ = base::makeRef<Inbound>(*this);
  connections_ = base::makeRef<Connections>(*this);
  remoting_->setRequestHandler(inbound_);
  remoting_->setEvents(connections_);
  strand_.post(self(), [this] {
    if (!closing_) heartbeat_timer_.armAfter(self(), jittered(options_.heartbeatBrokerInterval, engine_->random()));
  });
}

void MQClientInstance::close(base::Completion<void> done) {
  strand_.post(self(), [this, done = std::move(done)]() mutable {
    closing_ = true;
    heartbeat_timer_.cancel();
    for (auto& [topic, watch] : std::exchange(watches_, {})) watch->stop();
    for (auto& [topic, waiters] : std::exchange(fetches_, {})) {
      for (const auto& waiter : waiters) waiter->settle(Error(ErrorCode::kClosed, "the client was closed"));
    }
    inbound_->forget();
    connections_->forget();
    remoting_->close(std::move(done));
  });
}

InstanceLease& InstanceLease::operator=(InstanceLease&& o) noexcept {
  if (this != &o) {
    release(base::Completion<void>());
    instance_ = std::move(o.instance_);
  }
  return *this;
}

InstanceLease::~InstanceLease() {
  release(base::Completion<void>());
}

void InstanceLease::release(base::Completion<void> done) {
  const base::Ref<MQClientInstance> instance = std::move(instance_);
  if (!instance) return std::move(done)(Result<void>());
  bool last = false;
  {
    MQClientInstance::Registry& registry = MQClientInstance::Registry::instance();
    base::MutexLock lock(registry.mutex);
    last = --instance->leases_ == 0;
    if (last && !instance->registry_key_.empty()) registry.by_key.erase(instance->registry_key_);
  }
  if (!last) return std::move(done)(Result<void>());
  instance->close(std::move(done));
}

// ---- routes

void MQClientInstance::fetchRoute(std::string topic, base::SteadyTime deadline, base::Completion<RoutePtr> done) {
  strand_.post(self(), [this, topic = std::move(topic), deadline, done = std::move(done)]() mutable {
    fetchOnStrand(std::move(topic), deadline, std::move(done));
  });
}

void MQClientInstance::fetchOnStrand(std::string topic, base::SteadyTime deadline, base::Completion<RoutePtr> done) {
  if (closing_) return std::move(done)(Error(ErrorCode::kClosed, "the client was closed"));
  auto waiter = base::makeRef<FetchWaiter>(*this, topic, std::move(done));
  waiter->arm(deadline);
  const auto [fetch, first] = fetches_.try_emplace(topic);
  fetch->second.push_back(std::move(waiter));
  if (!first) return;
  route::askNameservers(engine_, log_, remoting_, nameservers_.inOrderOfTrying(), topic, deadline,
                        base::Completion<route::RouteAnswer>::of(
                            [i = base::Ref<MQClientInstance>(this), topic](Result<route::RouteAnswer>&& answer) {
                              i->strand_.post(i->self(), [raw = i.get(), topic, answer = std::move(answer)]() mutable {
                                raw->onFetched(topic, std::move(answer));
                              });
                            }));
}

void MQClientInstance::onFetched(const std::string& topic, Result<route::RouteAnswer> answer) {
  auto fetch = fetches_.extract(topic);
  if (answer) {
    nameservers_.prefer(answer->nameserver);
    applyRoute(topic, answer->route);
  } else if (answer.error().code() == ErrorCode::kNoNameServer) {
    log_->writeLimited(LogLevel::kWarn, kComponent, "nameservers", kLogEvery, answer.error().message());
  }
  if (fetch.empty()) return;
  for (const auto& waiter : fetch.mapped()) {
    waiter->settle(answer ? Result<RoutePtr>(answer->route) : Result<RoutePtr>(answer.error()));
  }
}

void MQClientInstance::applyRoute(const std::string& topic, const RoutePtr& route) {
  {
    base::MutexLock lock(groups_mutex_);
    route_times_[topic] = engine_->now();
  }
  const base::Ref<route::RouteSlot> slot = routes_.slot(topic);
  const RoutePtr before = slot->get();
  if (before && route::sameRoute(*before, *route)) return;
  slot->set(route);
  rebuildBrokers();
  if (before) event(EventKind::kRouteChanged, topic, "the route of topic " + topic + " changed");
  for (const auto& hooks : consumers()) hooks->onRouteChanged(topic, route);
}

void MQClientInstance::rebuildBrokers() {
  auto next = std::make_shared<BrokerAddrs>();
  for (const auto& [topic, route] : routes_.all()) {
    for (const protocol::BrokerData& broker : route->brokerDatas) {
      auto& addresses = (*next)[broker.brokerName];
      addresses.insert(broker.brokerAddrs.begin(), broker.brokerAddrs.end());
    }
  }
  const std::map<std::string, std::string> before = heartbeatTargets();
  std::vector<std::string> names;
  for (const auto& [name, addresses] : *next) names.push_back(name);
  brokers_.set(std::move(next));
  faults_.keepOnly(names);
  const std::optional<base::Slice> body = heartbeatBody();
  if (!body) return;
  for (const auto& [address, name] : heartbeatTargets()) {
    if (!before.contains(address)) heartbeatTo(name, address, *body, nullptr);
  }
}

void MQClientInstance::watchTopic(std::string topic) {
  strand_.post(self(), [this, topic = std::move(topic)] {
    if (closing_) return;
    const auto known = watches_.find(topic);
    if (known != watches_.end()) {
      ++known->second->count;
      return;
    }
    auto watch = base::makeRef<Watch>(*this, topic);
    watches_.emplace(topic, watch);
    watch->ask();
  });
}

void MQClientInstance::unwatchTopic(std::string topic) {
  strand_.post(self(), [this, topic = std::move(topic)] {
    const auto known = watches_.find(topic);
    if (known == watches_.end() || --known->second->count > 0) return;
    known->second->stop();
    watches_.erase(known);
  });
}

// ---- brokers

std::optional<BrokerAddress> MQClientInstance::findBroker(const BrokerTarget& target) const {
  const auto brokers = brokers_.get();
  if (!brokers) return std::nullopt;
  const auto found = brokers->find(target.broker_name);
  if (found == brokers->end() || found->second.empty()) return std::nullopt;
  const auto& addresses = found->second;
  auto at = addresses.find(target.broker_id);
  if (at == addresses.end() && target.only_this == OnlyThis::kNo) {
    if (target.broker_id != protocol::kMasterId) at = addresses.find(target.broker_id + 1);
    if (at == addresses.end()) at = addresses.begin();
  }
  if (at == addresses.end()) return std::nullopt;
  return BrokerAddress{at->second, at->first};
}

std::optional<BrokerAddress> MQClientInstance::anyBrokerOf(std::string_view topic) const {
  const RoutePtr route = routes_.route(topic);
  if (!route || route->brokerDatas.empty()) return std::nullopt;
  const std::size_t n = route->brokerDatas.size();
  const std::size_t start = engine_->random() % n;
  for (const bool masters_only : {true, false}) {
    for (std::size_t i = 0; i < n; ++i) {
      const auto& addresses = route->brokerDatas[(start + i) % n].brokerAddrs;
      const auto master = addresses.find(protocol::kMasterId);
      if (master != addresses.end()) return BrokerAddress{master->second, master->first};
      if (!masters_only && !addresses.empty())
        return BrokerAddress{addresses.begin()->second, addresses.begin()->first};
    }
  }
  return std::nullopt;
}

std::map<std::string, std::string> MQClientInstance::masters() const {
  std::map<std::string, std::string> masters;
  if (const auto brokers = brokers_.get()) {
    for (const auto& [name, addresses] : *brokers) {
      const auto master = addresses.find(protocol::kMasterId);
      if (master != addresses.end()) masters.emplace(name, master->second);
    }
  }
  return masters;
}

Error MQClientInstance::unknownBroker(const BrokerTarget& target, RequestCode code) const {
  return Error(ErrorCode::kNoRoute, "request " + std::to_string(static_cast<int>(code)) + ": no route names broker " +
                                        target.broker_name +
                                        (target.broker_id == protocol::kMasterId ? " with a master" : ""));
}

// ---- groups

Result<void> MQClientInstance::registerConsumer(base::Ref<ConsumerHooks> hooks) {
  {
    base::MutexLock lock(groups_mutex_);
    const std::string group = hooks->group();
    if (!consumers_.try_emplace(group, std::move(hooks)).second) {
      return Error(ErrorCode::kInvalidArgument, "consumer group " + group + " runs already in the client " +
                                                    client_id_ + "; give one of them another instanceName");
    }
  }
  strand_.post(self(), [this] { heartbeatOnStrand(base::Completion<void>()); });
  return {};
}

Result<void> MQClientInstance::registerProducer(const std::string& group) {
  {
    base::MutexLock lock(groups_mutex_);
    ++producers_[group];
  }
  strand_.post(self(), [this] { heartbeatOnStrand(base::Completion<void>()); });
  return {};
}

void MQClientInstance::unregisterConsumer(std::string group, base::SteadyTime deadline, base::Completion<void> done) {
  base::Ref<ConsumerHooks> dropped;
  {
    base::MutexLock lock(groups_mutex_);
    const auto found = consumers_.find(group);
    if (found != consumers_.end()) {
      dropped = std::move(found->second);
      consumers_.erase(found);
    }
  }
  if (!dropped) return std::move(done)(Result<void>());
  unregister({}, std::move(group), deadline, std::move(done));
}

void MQClientInstance::unregisterProducer(std::string group, base::SteadyTime deadline, base::Completion<void> done) {
  bool last = false;
  {
    base::MutexLock lock(groups_mutex_);
    const auto found = producers_.find(group);
    if (found != producers_.end() && --found->second == 0) {
      producers_.erase(found);
      last = true;
    }
  }
  if (!last) return std::move(done)(Result<void>());
  unregister(std::move(group), {}, deadline, std::move(done));
}

void MQClientInstance::unregister(std::string producer_group, std::string consumer_group, base::SteadyTime deadline,
                                  base::Completion<void> done) {
  strand_.post(self(), [this, producer_group = std::move(producer_group), consumer_group = std::move(consumer_group),
                        deadline, done = std::move(done)]() mutable {
    const auto round = base::makeRef<UnregisterRound>(std::move(done));
    const auto brokers = brokers_.get();
    if (closing_ || !brokers) return;
    const protocol::UnregisterClientRequestHeader header{
        .clientID = client_id_, .producerGroup = producer_group, .consumerGroup = consumer_group};
    for (const auto& [name, addresses] : *brokers) {
      for (const auto& [id, address] : addresses) {
        invokeAddress(
            address, RequestCode::UNREGISTER_CLIENT, header, {}, deadline,
            base::Completion<protocol::RemotingCommand>::of([round](const Result<protocol::RemotingCommand>&) {}));
      }
    }
  });
}

std::vector<base::Ref<ConsumerHooks>> MQClientInstance::consumers() const {
  std::vector<base::Ref<ConsumerHooks>> all;
  base::MutexLock lock(groups_mutex_);
  for (const auto& [group, hooks] : consumers_) all.push_back(hooks);
  return all;
}

void MQClientInstance::onConsumerIdsChanged(const std::string& group) {
  for (const auto& hooks : consumers()) {
    if (group.empty() || hooks->group() == group) hooks->onConsumerIdsChanged();
  }
}

// ---- heartbeats

std::map<std::string, std::string> MQClientInstance::heartbeatTargets() const {
  std::map<std::string, std::string> targets;
  const auto brokers = brokers_.get();
  if (!brokers) return targets;
  bool all = false;
  {
    base::MutexLock lock(groups_mutex_);
    all = !consumers_.empty();
  }
  for (const auto& [name, addresses] : *brokers) {
    for (const auto& [id, address] : addresses) {
      if (all || id == protocol::kMasterId) targets.emplace(address, name);
    }
  }
  return targets;
}

std::optional<base::Slice> MQClientInstance::heartbeatBody() const {
  protocol::HeartbeatData data;
  data.clientID = client_id_;
  {
    base::MutexLock lock(groups_mutex_);
    for (const auto& [group, count] : producers_) data.producerDataSet.push_back({.groupName = group});
  }
  for (const auto& hooks : consumers()) data.consumerDataSet.push_back(hooks->heartbeatData());
  if (data.producerDataSet.empty() && data.consumerDataSet.empty()) return std::nullopt;
  return base::Slice::of(data.encode());
}

void MQClientInstance::heartbeatNow(base::Completion<void> done) {
  strand_.post(self(), [this, done = std::move(done)]() mutable { heartbeatOnStrand(std::move(done)); });
}

void MQClientInstance::heartbeatOnStrand(base::Completion<void> done) {
  if (closing_) return std::move(done)(Error(ErrorCode::kClosed, "the client was closed"));
  const std::optional<base::Slice> body = heartbeatBody();
  const std::map<std::string, std::string> targets = heartbeatTargets();
  if (!body || targets.empty()) return std::move(done)(Result<void>());
  const auto round = base::makeRef<HeartbeatRound>(targets.size(), std::move(done));
  for (const auto& [address, name] : targets) heartbeatTo(name, address, *body, round);
}

void MQClientInstance::heartbeatTo(const std::string& broker_name, const std::string& address, const base::Slice& body,
                                   base::Ref<HeartbeatRound> round) {
  heartbeats_under_way_.try_emplace(address, false);
  const std::int64_t sent_at = engine_->monotonicNanos();
  invokeAddress(address, RequestCode::HEART_BEAT, protocol::NoHeader{}, body, apiDeadline(),
                base::Completion<protocol::RemotingCommand>::of([i = base::Ref<MQClientInstance>(this), broker_name,
                                                                 address, round = std::move(round),
                                                                 sent_at](Result<protocol::RemotingCommand>&& answer) {
                  const base::Ref<route::BrokerState> state = i->faults_.broker(broker_name);
                  const std::int64_t now = i->engine_->monotonicNanos();
                  const route::Outcome outcome = answer ? route::Outcome::kAnswered : route::outcomeOf(answer.error());
                  if (i->faults_.record(*state, now, now - sent_at, outcome)) {
                    i->event(EventKind::kBrokerIsolated, broker_name,
                             "no answer to a heartbeat: " + (answer ? std::string() : answer.error().message()));
                  }
                  i->strand_.post(i->self(), [raw = i.get(), broker_name, address, round, answer = std::move(answer)] {
                    raw->heartbeatAnswered(broker_name, address, answer);
                    if (!round) return;
                    if (!answer) return round->answered(&answer.error());
                    if (answer->responseCode() == ResponseCode::SUCCESS) return round->answered(nullptr);
                    const Error refused = responseError(*answer, "heartbeat to " + broker_name + " (" + address + ")");
                    round->answered(&refused);
                  });
                }));
}

void MQClientInstance::heartbeatAnswered(const std::string& broker_name, const std::string& address,
                                         const Result<protocol::RemotingCommand>& answer) {
  const auto under_way = heartbeats_under_way_.extract(address);
  if (closing_) return;
  if (!answer) {
    log_->writeLimited(LogLevel::kWarn, kComponent, address, kLogEvery, answer.error().message());
    return;
  }
  const bool over_new_connection = !under_way.empty() && under_way.mapped();
  if (!over_new_connection || answer->responseCode() != ResponseCode::SUCCESS) return;
  for (const auto& hooks : consumers()) hooks->onBrokerConnected(broker_name);
}

void MQClientInstance::onConnected(const std::string& address) {
  if (closing_) return;
  const std::map<std::string, std::string> targets = heartbeatTargets();
  const auto target = targets.find(address);
  if (target == targets.end()) return;
  event(EventKind::kBrokerUp, target->second, "connected to " + target->second + " (" + address + ")");
  const auto under_way = heartbeats_under_way_.find(address);
  if (under_way != heartbeats_under_way_.end()) {
    under_way->second = true;
    return;
  }
  if (const std::optional<base::Slice> body = heartbeatBody()) {
    heartbeatTo(target->second, address, *body, nullptr);
    heartbeats_under_way_[address] = true;
  }
}

void MQClientInstance::onDisconnected(const std::string& address, const Error& why) {
  if (closing_) return;
  const auto brokers = brokers_.get();
  if (!brokers) return;
  for (const auto& [name, addresses] : *brokers) {
    for (const auto& [id, known] : addresses) {
      if (known == address)
        event(EventKind::kBrokerDown, name, "lost " + name + " (" + address + "): " + why.message());
    }
  }
}

// ---- health

Health MQClientInstance::health() const {
  Health health;
  const std::int64_t now = engine_->monotonicNanos();
  const auto since = [now](std::int64_t then) {
    return std::chrono::duration_cast<base::Millis>(base::Nanos(then == 0 ? 0 : now - then));
  };
  std::map<std::string, base::SteadyTime> newest_route;
  {
    base::MutexLock lock(groups_mutex_);
    for (const auto& [topic, time] : route_times_) {
      const RoutePtr route = routes_.route(topic);
      if (!route) continue;
      for (const protocol::BrokerData& broker : route->brokerDatas) {
        auto& newest = newest_route[broker.brokerName];
        newest = std::max(newest, time);
      }
    }
  }
  const std::map<std::string, std::string> master_of = masters();
  for (const auto& state : faults_.all()) {
    BrokerHealth row;
    row.brokerName = state->name();
    const auto master = master_of.find(state->name());
    if (master != master_of.end()) row.address = master->second;
    row.sinceLastAnswer = since(state->lastAnswer());
    row.rtt = std::chrono::duration_cast<base::Millis>(base::Nanos(state->rtt()));
    row.isolatedFor =
        std::chrono::duration_cast<base::Millis>(base::Nanos(std::max<std::int64_t>(0, state->blockedUntil() - now)));
    const auto route = newest_route.find(state->name());
    if (route != newest_route.end())
      row.routeAge = std::chrono::duration_cast<base::Millis>(engine_->now() - route->second);
    switch (state->lastOutcome()) {
      case route::Outcome::kAnswered:
        row.state = state->availableAt(now) ? BrokerState::kUp : BrokerState::kSlow;
        break;
      case route::Outcome::kBusy:
        row.state = BrokerState::kSlow;
        row.why = "it said that it is busy";
        break;
      case route::Outcome::kBrokerError:
        row.state = BrokerState::kIsolated;
        row.why = "it answered with an error of its own";
        break;
      case route::Outcome::kNoAnswer:
        row.state = BrokerState::kIsolated;
        row.why = "it did not answer in time, or the connection ended";
        break;
      case route::Outcome::kUnreachable:
        row.state = BrokerState::kDown;
        row.why = "no connection could be made";
        break;
    }
    health.brokers.push_back(std::move(row));
  }
  for (const auto& [topic, route] : routes_.all()) {
    for (const protocol::QueueData& q : route->queueDatas) {
      if (q.readQueueNums >= q.writeQueueNums) continue;
      health.warnings.push_back(topic + " on " + q.brokerName + ": read " + std::to_string(q.readQueueNums) +
                                " < write " + std::to_string(q.writeQueueNums) + ": queues " +
                                std::to_string(q.readQueueNums) + "-" + std::to_string(q.writeQueueNums - 1) +
                                " are never read");
    }
  }
  return health;
}

void MQClientInstance::event(EventKind kind, std::string subject, std::string text) {
  if (!options_.onEvent) return;
  engine_->callbacks().submit(self(), [this, event = ClientEvent{kind, std::move(subject), std::move(text)}] {
    try {
      options_.onEvent(event);
    } catch (...) {
      log_->write(LogLevel::kError, kComponent,
                  "onEvent threw: " + mqclient::detail::errorOfException(std::current_exception()).message());
    }
  });
}

}  // namespace mqclient::client
