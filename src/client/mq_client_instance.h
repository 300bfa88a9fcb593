#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/completion.h"
#include "base/engine.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/snapshot.h"
#include "base/strand.h"
#include "base/timer.h"
#include "client/home.h"
#include "client/nameserver_discovery.h"
#include "mqclient/client.h"
#include "protocol/remoting_command.h"
#include "remoting/remoting_client.h"
#include "route/fault_strategy.h"
#include "route/nameserver_list.h"
#include "route/route_fetch.h"
#include "route/route_table.h"

namespace mqclient::protocol {
struct ConsumerData;
}

namespace mqclient::client {

using route::RoutePtr;

/// What a consumer group gives the instance it sits on. Held by the instance until unregisterConsumer.
/// The on… functions run inside the instance's strand: they post to the consumer's own strand and return.
class ConsumerHooks : public base::Object {
 public:
  virtual const std::string& group() const noexcept = 0;
  /// What heartbeats tell about the group now. Any thread (reads a snapshot of the consumer's).
  virtual protocol::ConsumerData heartbeatData() const = 0;
  /// A broker says that the members of a group of this instance changed (code 40).
  virtual void onConsumerIdsChanged() noexcept = 0;
  /// The route of a watched topic became known or changed. `route` is never null, and never without brokers.
  virtual void onRouteChanged(const std::string& topic, const RoutePtr& route) noexcept = 0;
  /// A new connection to this broker is open and the broker has been told of the group over it.
  virtual void onBrokerConnected(const std::string& broker_name) noexcept = 0;
};

/// Which broker of a broker group a request is for.
enum class OnlyThis { kNo, kYes };
struct BrokerTarget {
  std::string broker_name;
  std::int64_t broker_id = 0;  ///< 0: the master
  /// kNo: a missing slave id may be answered by id + 1 or by any broker of the name (spec of
  /// findBrokerAddressInSubscribe, MQClientInstance.java).
  OnlyThis only_this = OnlyThis::kYes;
};
struct BrokerAddress {
  std::string address;
  std::int64_t broker_id = 0;
};

class InstanceLease;

/// What the clients of one identity share: connections, routes, heartbeats, answers to broker requests.
///
/// Owner    leases (InstanceLease), one a client; the last one closes the instance.
/// Threads  every public member from any thread, strands included, unless it says otherwise; completions run inside the
///          instance's strand or a connection's: they post and return.
/// State    strand_ guards what changes together (watches, heartbeats, closing); readers use snapshots and tables with
///          short locks.
class MQClientInstance final : public base::Object {
 public:
  /// The instance for these options: a shared one if instanceName is given and the rest is equal, else a fresh one with
  /// a client id of its own.
  /// Errors  kInvalidArgument, kNoNameServer, kUnsupported of resolveHome; nothing on the network is waited for.
  static Result<InstanceLease> acquire(const ClientOptions& options);

  base::Engine& engine() const noexcept { return *engine_; }
  const base::Ref<base::Engine>& engineRef() const noexcept { return engine_; }
  base::Log& log() const noexcept { return *log_; }
  const base::Ref<base::Log>& logRef() const noexcept { return log_; }
  base::Strand& strand() noexcept { return strand_; }
  remoting::RemotingClient& remoting() noexcept { return *remoting_; }
  /// ip@pid#counter, or ip@instanceName; with @unitName behind it if there is one.
  const std::string& clientId() const noexcept { return client_id_; }
  /// mqClientApiTimeout: route fetch, heartbeat, unregister.
  base::Millis apiTimeout() const noexcept { return options_.mqClientApiTimeout; }
  base::SteadyTime apiDeadline() const noexcept { return engine_->now() + options_.mqClientApiTimeout; }

  // ---- routes (src/route)
  /// The cached route, or null. Never empty of brokers.
  RoutePtr route(std::string_view topic) const { return routes_.route(topic); }
  /// A place where the topic's route appears and changes; made if it is not there. For who reads it often, and watches
  /// the topic: given back by unwatchTopic(topic, kYes).
  base::Ref<route::RouteSlot> holdRoute(std::string_view topic) { return routes_.hold(topic); }
  /// Asks the nameservers now, every one of them if need be, within `deadline`; who asks for a topic that is being
  /// asked for shares the answer. Of a watched topic a good answer goes to the cache and to the hooks first; others are
  /// only passed on. Errors  kNoRoute (responseCode 17: no nameserver that answered knows the topic), kNoNameServer
  /// (none answered),
  ///         kTimeout, kClosed. The cached route, if any, stays as it is.
  void fetchRoute(std::string topic, base::SteadyTime deadline, base::Completion<RoutePtr> done);
  /// Keeps the topic's route fresh: asked now, each second until known, then each pollNameServerInterval (± 10 %).
  /// Counted: as many unwatchTopic as watchTopic.
  void watchTopic(std::string topic);
  enum class RouteHeld { kNo, kYes };
  void unwatchTopic(std::string topic, RouteHeld held = RouteHeld::kNo);

  // ---- brokers
  /// Where a broker is, from all cached routes; nullopt: in none of them.
  std::optional<BrokerAddress> findBroker(const BrokerTarget& target) const;
  /// A broker that has the topic: a random master, else any; for requests that every broker can answer.
  std::optional<BrokerAddress> anyBrokerOf(std::string_view topic) const;
  /// Master addresses of all known brokers (brokerName → address).
  std::map<std::string, std::string> masters() const;

  /// Encodes and sends one request; completes with the answer whatever its code (see responseError), or an error that
  /// names broker, address and request. A broker in no route: kNoRoute at once.
  template <class Header>
  void invokeBroker(const BrokerTarget& target, RequestCode code, const Header& header, base::Chain body,
                    base::SteadyTime deadline, base::Completion<protocol::RemotingCommand> done) {
    const std::optional<BrokerAddress> to = findBroker(target);
    if (!to) return std::move(done)(unknownBroker(target, code));
    invokeAddress(to->address, code, header, std::move(body), deadline, std::move(done));
  }
  template <class Header>
  void invokeAddress(const std::string& address, RequestCode code, const Header& header, base::Chain body,
                     base::SteadyTime deadline, base::Completion<protocol::RemotingCommand> done) {
    const std::int32_t opaque = engine_->nextOpaque();
    remoting_->invoke(
        address, opaque,
        protocol::encodeRequest(protocol::RequestHead{.code = code, .opaque = opaque}, header, std::move(body)),
        deadline, std::move(done));
  }
  /// One-way: completes when the frame has its place in the output.
  template <class Header>
  void invokeBrokerOneway(const BrokerTarget& target, RequestCode code, const Header& header, base::Chain body,
                          base::SteadyTime deadline, base::Completion<void> done) {
    const std::optional<BrokerAddress> to = findBroker(target);
    if (!to) return std::move(done)(unknownBroker(target, code));
    const std::int32_t opaque = engine_->nextOpaque();
    remoting_->invokeOneway(
        to->address,
        protocol::encodeRequest(protocol::RequestHead{.code = code, .opaque = opaque, .oneway = protocol::Oneway::kYes},
                                header, std::move(body)),
        deadline, std::move(done));
  }
  Error unknownBroker(const BrokerTarget& target, RequestCode code) const;
  /// The key to limit log lines about a failed request by: the broker's address if it did not answer, so that all who
  /// need it together cost one line; else `own`.
  std::string logKey(const std::string& broker_name, const Error& why, std::string own) const;

  // ---- groups
  /// kInvalidArgument: a consumer of the group is on this instance already. Heartbeats follow at once.
  Result<void> registerConsumer(base::Ref<ConsumerHooks> hooks);
  void registerProducer(const std::string& group);
  /// Forgets the group, then tells every broker (35); completes when all have answered or `deadline` has passed.
  /// Without any error: a broker that cannot be told finds out by itself.
  void unregisterConsumer(std::string group, base::SteadyTime deadline, base::Completion<void> done);
  void unregisterProducer(std::string group, base::SteadyTime deadline, base::Completion<void> done);
  /// Tells every broker of all groups, in parallel; completes when all have answered, ok if at least one accepted or
  /// there is nobody to tell, else the first error.
  void heartbeatNow(base::Completion<void> done);

  // ---- health
  /// What is known about brokers' latency and availability; shared by all clients of the instance.
  route::FaultStrategy& faults() noexcept { return faults_; }
  /// A request to this broker failed with `why`: for avoidance, health and events.
  void noteOutcome(route::BrokerState& broker, std::int64_t asked_at, const Error& why);
  Health health() const;
  /// Tells the user's onEvent on a callback thread; nothing without one.
  void event(EventKind kind, std::string subject, std::string text);
  /// True on a thread that runs the user's log hook or onEvent of this instance now: closing must not wait there.
  bool insideHook() const noexcept;
  std::size_t watchedTopics() const;  ///< for tests

 private:
  friend class InstanceLease;
  class Watch;
  class FetchWaiter;
  class HeartbeatRound;
  class Inbound;
  class ConnectionEvents;
  struct Registry;
  static Registry& registry();

  MQClientInstance(const ClientOptions& options, Home home, std::string client_id);
  ~MQClientInstance() override;
  void start();
  void giveBack(base::Completion<void> done);
  void closeOnStrand(base::Completion<void> done);
  /// No hook of the user's is called any more; completes when none runs. What they captured may then go.
  void closeHooks(base::Completion<void> done);
  void eventEnded();
  static Error closedError();
  struct Fetch;
  static void settle(Fetch& fetch, const Result<RoutePtr>& result);

  // routes, on the strand
  void fetchOnStrand(std::string topic, base::SteadyTime deadline, base::Completion<RoutePtr> done);
  void askFor(const std::string& topic, Fetch& fetch);
  static void armWaiter(const Fetch& fetch, const base::Ref<FetchWaiter>& waiter);
  Error noRouteInTime(const std::string& topic) const;
  void onNameservers(std::vector<std::string> addresses);
  void onFetched(const std::string& topic, Result<route::RouteAnswer>&& answer);
  void applyRoute(const std::string& topic, const RoutePtr& route);
  void rebuildBrokers(const RoutePtr& newest);
  void tellRoute(const std::string& topic, const RoutePtr& route);
  static void endWatch(Watch& watch);

  // heartbeats, on the strand
  void heartbeatOnStrand(base::Completion<void> done);
  void heartbeatTo(const std::string& broker_name, std::int64_t broker_id, const std::string& address,
                   const base::Slice& body, const base::Ref<HeartbeatRound>& round);
  void onHeartbeatAnswer(const std::string& broker_name, std::int64_t broker_id, const std::string& address,
                         std::int64_t asked_at, Result<protocol::RemotingCommand>&& answer);
  std::optional<base::Slice> heartbeatBody() const;
  void armHeartbeat();
  void onConnected(const std::string& address);
  void onDisconnected(const std::string& address, const Error& why);
  void onConsumerIdsChanged(const std::string& group);  // empty: all of them
  std::vector<base::Ref<ConsumerHooks>> consumerHooks() const;
  void unregister(std::string producer_group, std::string consumer_group, base::SteadyTime deadline,
                  base::Completion<void> done);

  /// brokerName → broker id → address
  using BrokerAddrs = std::map<std::string, std::map<std::int64_t, std::string>, std::less<>>;
  struct Connection {
    bool open = false;
    bool told = false;  // the consumers know that the broker knows them
  };
  struct Fetch {
    std::uint64_t list = 0;  // of the nameservers that were asked; 0: none is known yet
    base::SteadyTime deadline = base::SteadyTime::max();
    std::vector<base::Ref<FetchWaiter>> waiters;
  };

  const ClientOptions options_;
  const Home home_;
  const base::Ref<base::Engine> engine_;
  const std::string client_id_;
  std::string registry_key_;  // empty: not shared
  std::size_t leases_ = 1;    // guarded by the registry's mutex
  base::Ref<base::Log> log_;
  base::Strand strand_;
  base::Ref<remoting::RemotingClient> remoting_;
  route::RouteTable routes_;
  route::FaultStrategy faults_;
  base::Snapshot<BrokerAddrs> brokers_;  // written on the strand; never null
  std::atomic<std::size_t> watched_{0};
  base::Mutex hooks_mutex_;
  std::size_t events_waiting_ MQ_GUARDED_BY(hooks_mutex_) = 0;
  bool hooks_closed_ MQ_GUARDED_BY(hooks_mutex_) = false;
  base::Completion<void> events_ended_ MQ_GUARDED_BY(hooks_mutex_);

  mutable base::Mutex groups_mutex_;
  std::map<std::string, base::Ref<ConsumerHooks>> consumers_ MQ_GUARDED_BY(groups_mutex_);
  std::map<std::string, int> producers_ MQ_GUARDED_BY(groups_mutex_);  // a group's producers on this instance

  // strand only
  enum class State { kRunning, kClosed };
  State state_ = State::kRunning;
  route::NameserverList nameservers_;
  std::uint64_t list_ = 0;                        // counts the lists of nameservers; 0: none is known yet
  std::optional<NameserverDiscovery> discovery_;  // of a home that has an address server
  std::map<std::string, base::Ref<Watch>> watches_;
  std::map<std::string, Fetch> fetches_;             // under way
  std::map<std::string, int> heartbeats_under_way_;  // by address
  std::map<std::string, Connection> connections_;    // by address of a broker that was connected once
  base::FunctionTimer heartbeat_timer_;
};

/// A client's share of an instance: move-only. The last share to go closes the instance: timers, connections.
class InstanceLease {
 public:
  InstanceLease() noexcept = default;
  explicit InstanceLease(base::Ref<MQClientInstance> instance) noexcept : instance_(std::move(instance)) {}
  InstanceLease(InstanceLease&&) noexcept = default;
  InstanceLease& operator=(InstanceLease&& o) noexcept;
  ~InstanceLease();

  explicit operator bool() const noexcept { return static_cast<bool>(instance_); }
  MQClientInstance* operator->() const noexcept { return instance_.get(); }
  MQClientInstance& operator*() const noexcept { return *instance_; }
  const base::Ref<MQClientInstance>& ref() const noexcept { return instance_; }
  /// Gives the share back; completes when the connections have ended, if this was the last share, else at once.
  void release(base::Completion<void> done);

 private:
  base::Ref<MQClientInstance> instance_;
};

}  // namespace mqclient::client
