#include "client/mq_client_instance.h"

#include <algorithm>
#include <utility>

#include "base/runtime.h"
#include "client/client_options.h"
#include "client/instance_parts.h"
#include "mqclient/codes.h"
#include "protocol/body/heartbeat.h"
#include "protocol/headers/client.h"

namespace mqclient::client {

/// Instances that clients share on purpose (instanceName given), known weakly: an entry lives as long as it has a
/// lease.
struct MQClientInstance::Registry {
  base::Mutex mutex;
  std::map<std::string, MQClientInstance*> shared MQ_GUARDED_BY(mutex);
};

MQClientInstance::Registry& MQClientInstance::registry() {
  static Registry* const all = new Registry;  // never destroyed: clients may end in static destructors
  return *all;
}

/// Requests that brokers send to this client. Holds the instance until the connections have ended.
class MQClientInstance::Inbound final : public remoting::RequestHandler {
 public:
  explicit Inbound(base::Ref<MQClientInstance> instance) : instance_(std::move(instance)) {}
  void handle(remoting::Request&& request, remoting::Responder&& responder) noexcept override {
    if (request.command.requestCode() == RequestCode::NOTIFY_CONSUMER_IDS_CHANGED) {
      std::move(responder).discard(remoting::Discard::kOneway);
      const auto header = protocol::decodeHeader<protocol::NotifyConsumerIdsChangedRequestHeader>(request.command.ext);
      MQClientInstance* const me = instance_.get();
      return me->strand_.post(
          instance_, [me, group = header ? header->consumerGroup : std::string()] { me->onConsumerIdsChanged(group); });
    }
    // Silence would leave an administrator's tool waiting.
    std::move(responder).answer(ResponseCode::REQUEST_CODE_NOT_SUPPORTED,
                                "this client does not answer request code " + std::to_string(request.command.code));
  }

 private:
  const base::Ref<MQClientInstance> instance_;
};

class MQClientInstance::ConnectionEvents final : public remoting::RemotingClient::Events {
 public:
  explicit ConnectionEvents(base::Ref<MQClientInstance> instance) : instance_(std::move(instance)) {}
  void onConnected(const std::string& address) noexcept override {
    MQClientInstance* const me = instance_.get();
    me->strand_.post(instance_, [me, address] { me->onConnected(address); });
  }
  void onDisconnected(const std::string& address, const Error& why) noexcept override {
    MQClientInstance* const me = instance_.get();
    me->strand_.post(instance_, [me, address, why] { me->onDisconnected(address, why); });
  }

 private:
  const base::Ref<MQClientInstance> instance_;
};

namespace {

/// Those who ask bound what they ask for (producers' FlowGate, one pull a queue): this only stops what has gone wrong.
/// A lower bound would let a busy producer shut out heartbeats.
constexpr std::size_t kRequestsUnderWayMax = std::size_t{1} << 25;

std::string clientIdOf(const ClientOptions& options, base::Engine& engine) {
  const base::Environment& environment = engine.environment();
  std::string id = environment.host_ip + "@";
  if (options.instanceName.empty()) {
    id += std::to_string(environment.pid) + "#" + std::to_string(engine.nextId());
  } else {
    id += options.instanceName;
  }
  if (!options.unitName.empty()) id += "@" + options.unitName;
  return id;
}

/// The user's log hook, which tells the thread that it runs for this instance. Empty without one.
base::LogHook hookOf(const base::LogHook& hook, const MQClientInstance* instance) {
  if (!hook) return nullptr;
  return [hook, instance](LogLevel level, std::string_view component, std::string_view line) {
    const InsideHook inside(*instance);
    hook(level, component, line);
  };
}

/// Clients with hooks of their own share nothing: a hook must not be called after its client has ended.
std::string sharingKey(const ClientOptions& options, const Home& home) {
  if (options.instanceName.empty() || options.log || options.onEvent) return {};
  std::string key = std::to_string(reinterpret_cast<std::uintptr_t>(home.engine.get())) + "|" + home.identity;
  for (const std::string& nameserver : home.nameservers) key += "|" + nameserver;
  return key + "|" + options.instanceName + "|" + options.unitName;
}

}  // namespace

Result<InstanceLease> MQClientInstance::acquire(const ClientOptions& options) {
  if (const std::string wrong = complaintsAbout(options); !wrong.empty()) {
    return Error(ErrorCode::kInvalidArgument, wrong);
  }
  Result<base::Ref<base::Engine>> engine = detail::RuntimeAccess::engine(options.runtime);
  if (!engine) return std::move(engine).error();
  Result<Home> home = resolveHome(options.namesrvAddr, *engine, options.unitName);
  if (!home) return std::move(home).error();
  const std::string key = sharingKey(options, *home);
  if (!key.empty()) {
    base::MutexLock lock(registry().mutex);
    const auto found = registry().shared.find(key);
    if (found != registry().shared.end()) {
      ++found->second->leases_;
      return InstanceLease(base::Ref<MQClientInstance>(found->second));
    }
  }
  std::string client_id = clientIdOf(options, *home->engine);
  auto made = base::Ref<MQClientInstance>::adopt(new MQClientInstance(options, *std::move(home), std::move(client_id)));
  made->start();
  if (!key.empty()) {
    base::Ref<MQClientInstance> other;
    {
      base::MutexLock lock(registry().mutex);
      const auto [it, fresh] = registry().shared.try_emplace(key, made.get());
      if (fresh) {
        made->registry_key_ = key;
      } else {
        ++it->second->leases_;
        other = base::Ref<MQClientInstance>(it->second);
      }
    }
    if (other) {  // somebody was quicker: ours was never used
      made->giveBack({});
      return InstanceLease(std::move(other));
    }
  }
  return InstanceLease(std::move(made));
}

MQClientInstance::MQClientInstance(const ClientOptions& options, Home home, std::string client_id)
    : options_(options),
      home_(std::move(home)),
      engine_(home_.engine),
      client_id_(std::move(client_id)),
      log_(base::Log::make(*engine_, options_.logLevel, hookOf(options_.log, this))),
      strand_(*engine_),
      remoting_(
          remoting::RemotingClient::make(engine_, home_.transport, log_, {.in_flight_max = kRequestsUnderWayMax})),
      faults_(options_.sendLatencyEnable ? route::FaultStrategy::Avoid::kOn : route::FaultStrategy::Avoid::kOff),
      brokers_(std::make_shared<const BrokerAddrs>()),
      nameservers_(home_.nameservers, engine_->random()),
      heartbeat_timer_(strand_, [this] {
        heartbeatOnStrand({});
        armHeartbeat();
      }) {
  if (!home_.addressing) {
    list_ = 1;
  } else {
    discovery_.emplace(*this, strand_, *engine_, *log_, home_.addressing, home_.addressing_period,
                       [this](std::vector<std::string> addresses) { onNameservers(std::move(addresses)); });
  }
}

MQClientInstance::~MQClientInstance() = default;

Error MQClientInstance::closedError() {
  return Error(ErrorCode::kClosed, "the client was closed");
}

void MQClientInstance::start() {
  const base::Ref<MQClientInstance> me(this);
  remoting_->setRequestHandler(base::makeRef<Inbound>(me));
  remoting_->setEvents(base::makeRef<ConnectionEvents>(me));
  strand_.post(me, [this] {
    armHeartbeat();
    if (discovery_) discovery_->ask();
  });
}

void MQClientInstance::giveBack(base::Completion<void> done) {
  bool last = false;
  {
    base::MutexLock lock(registry().mutex);
    last = --leases_ == 0;
    if (last && !registry_key_.empty()) registry().shared.erase(registry_key_);
  }
  if (!last) {
    if (done) std::move(done)(Result<void>());
    return;
  }
  strand_.post(base::Ref<MQClientInstance>(this),
               [this, done = std::move(done)]() mutable { closeOnStrand(std::move(done)); });
}

InstanceLease& InstanceLease::operator=(InstanceLease&& o) noexcept {
  if (this != &o) {
    if (instance_) release({});
    instance_ = std::move(o.instance_);
  }
  return *this;
}

InstanceLease::~InstanceLease() {
  if (instance_) release({});
}

void InstanceLease::release(base::Completion<void> done) {
  const base::Ref<MQClientInstance> instance = std::move(instance_);
  if (instance) {
    instance->giveBack(std::move(done));
  } else if (done) {
    std::move(done)(Result<void>());
  }
}

// ---- groups

Result<void> MQClientInstance::registerConsumer(base::Ref<ConsumerHooks> hooks) {
  const std::string group = hooks->group();
  {
    base::MutexLock lock(groups_mutex_);
    if (!consumers_.try_emplace(group, std::move(hooks)).second) {
      return Error(ErrorCode::kInvalidArgument, "consumer group '" + group + "' was started before on client " +
                                                    client_id_ +
                                                    ": members of a group need different instanceNames, or none");
    }
  }
  heartbeatNow({});
  return {};
}

void MQClientInstance::registerProducer(const std::string& group) {
  {
    base::MutexLock lock(groups_mutex_);
    ++producers_[group];
  }
  heartbeatNow({});
}

void MQClientInstance::unregisterConsumer(std::string group, base::SteadyTime deadline, base::Completion<void> done) {
  base::Ref<ConsumerHooks> gone;  // dies outside the lock
  {
    base::MutexLock lock(groups_mutex_);
    const auto found = consumers_.find(group);
    if (found != consumers_.end()) {
      gone = std::move(found->second);
      consumers_.erase(found);
    }
  }
  unregister({}, std::move(group), deadline, std::move(done));
}

void MQClientInstance::unregisterProducer(std::string group, base::SteadyTime deadline, base::Completion<void> done) {
  {
    base::MutexLock lock(groups_mutex_);
    const auto found = producers_.find(group);
    if (found != producers_.end() && --found->second > 0) {
      group.clear();  // another producer of the group stays
    } else if (found != producers_.end()) {
      producers_.erase(found);
    }
  }
  if (group.empty()) {
    if (done) std::move(done)(Result<void>());
    return;
  }
  unregister(std::move(group), {}, deadline, std::move(done));
}

std::vector<base::Ref<ConsumerHooks>> MQClientInstance::consumerHooks() const {
  std::vector<base::Ref<ConsumerHooks>> hooks;
  base::MutexLock lock(groups_mutex_);
  hooks.reserve(consumers_.size());
  for (const auto& [group, consumer] : consumers_) hooks.push_back(consumer);
  return hooks;
}

void MQClientInstance::onConsumerIdsChanged(const std::string& group) {
  if (state_ != State::kRunning) return;
  for (const base::Ref<ConsumerHooks>& consumer : consumerHooks()) {
    if (group.empty() || consumer->group() == group) consumer->onConsumerIdsChanged();
  }
}

// ---- closing

void MQClientInstance::closeOnStrand(base::Completion<void> done) {
  state_ = State::kClosed;
  heartbeat_timer_.cancel();
  if (discovery_) discovery_->close();
  for (auto& [topic, watch] : watches_) endWatch(*watch);
  watches_.clear();
  watched_.store(0, std::memory_order_relaxed);
  auto fetches = std::move(fetches_);
  fetches_.clear();
  for (auto& [topic, fetch] : fetches) settle(fetch, closedError());
  {
    std::map<std::string, base::Ref<ConsumerHooks>> gone;
    base::MutexLock lock(groups_mutex_);
    gone.swap(consumers_);
    producers_.clear();
  }
  remoting_->close(base::Completion<void>::of([me = base::Ref<MQClientInstance>(this), done = std::move(done)](
                                                  Result<void>&&) mutable { me->closeHooks(std::move(done)); }));
}

}  // namespace mqclient::client
