// The routes of an instance: who waits for one, who watches one, what follows when one changes.
#include <algorithm>
#include <set>
#include <utility>

#include "base/buggify.h"
#include "client/instance_parts.h"
#include "client/mq_client_instance.h"
#include "mqclient/codes.h"
#include "protocol/body/route.h"
#include "protocol/names.h"

namespace mqclient::client {
namespace {

/// A watched topic that nobody knows yet is asked for so often; a known one each pollNameServerInterval.
constexpr base::Millis kUnknownRouteInterval{1000};

}  // namespace

// ---- fetching

MQClientInstance::FetchWaiter::FetchWaiter(base::Ref<MQClientInstance> owner, std::string topic, base::SteadyTime until,
                                           base::Completion<RoutePtr> completion)
    : instance(std::move(owner)),
      deadline(until),
      done(std::move(completion)),
      timer(instance->strand_, [this, topic = std::move(topic)] {
        if (done) std::move(done)(instance->noRouteInTime(topic));
      }) {}

Error MQClientInstance::noRouteInTime(const std::string& topic) const {
  if (list_ == 0) return Error(ErrorCode::kNoNameServer, discovery_->trouble());
  std::string asked;
  for (const std::string& address : nameservers_.inOrderOfTrying()) asked += (asked.empty() ? "" : ";") + address;
  return Error(ErrorCode::kTimeout, "no nameserver of " + asked + " has answered in time for topic '" + topic +
                                        "': check namesrvAddr and whether it is up");
}

void MQClientInstance::settle(Fetch& fetch, const Result<RoutePtr>& result) {
  for (const base::Ref<FetchWaiter>& waiter : fetch.waiters) {
    waiter->timer.cancel();
    if (waiter->done) std::move(waiter->done)(Result<RoutePtr>(result));
  }
  fetch.waiters.clear();
}

void MQClientInstance::fetchRoute(std::string topic, base::SteadyTime deadline, base::Completion<RoutePtr> done) {
  strand_.post(base::Ref<MQClientInstance>(this),
               [this, topic = std::move(topic), deadline, done = std::move(done)]() mutable {
                 fetchOnStrand(std::move(topic), deadline, std::move(done));
               });
}

void MQClientInstance::fetchOnStrand(std::string topic, base::SteadyTime deadline, base::Completion<RoutePtr> done) {
  if (state_ != State::kRunning) {
    if (done) std::move(done)(closedError());
    return;
  }
  const auto [it, fresh] = fetches_.try_emplace(topic);
  Fetch& fetch = it->second;
  const bool waits = static_cast<bool>(done);
  if (waits) {
    std::erase_if(fetch.waiters, [](const base::Ref<FetchWaiter>& waiter) { return !waiter->done; });
    fetch.waiters.push_back(
        base::makeRef<FetchWaiter>(base::Ref<MQClientInstance>(this), topic, deadline, std::move(done)));
  }
  if (fresh && list_ > 0) {
    askFor(topic, fetch);
  } else if (waits) {
    armWaiter(fetch, fetch.waiters.back());
  }
}

void MQClientInstance::askFor(const std::string& topic, Fetch& fetch) {
  fetch.list = list_;
  fetch.deadline = apiDeadline();
  for (const base::Ref<FetchWaiter>& waiter : fetch.waiters) armWaiter(fetch, waiter);
  route::askNameservers(
      engine_, log_, remoting_, nameservers_.inOrderOfTrying(), topic, fetch.deadline,
      base::Completion<route::RouteAnswer>::of(
          [me = base::Ref<MQClientInstance>(this), topic = topic](Result<route::RouteAnswer>&& answer) mutable {
            MQClientInstance* const instance = me.get();
            instance->strand_.post(std::move(me),
                                   [instance, topic = std::move(topic), answer = std::move(answer)]() mutable {
                                     instance->onFetched(topic, std::move(answer));
                                   });
          }));
}

void MQClientInstance::armWaiter(const Fetch& fetch, const base::Ref<FetchWaiter>& waiter) {
  // Who has less time than the request itself is told by a timer of its own.
  if (waiter->done && waiter->deadline < fetch.deadline) waiter->timer.arm(waiter, waiter->deadline);
}

void MQClientInstance::onFetched(const std::string& topic, Result<route::RouteAnswer>&& answer) {
  if (state_ != State::kRunning) return;
  const auto asked = fetches_.find(topic);
  if (asked != fetches_.end() && asked->second.list != list_) return askFor(topic, asked->second);  // of others now
  auto found = fetches_.extract(topic);
  const auto watch = watches_.find(topic);
  const bool watched = watch != watches_.end();
  if (answer) {
    nameservers_.prefer(answer->nameserver);
    const bool later = watched && routes_.route(topic) && MQ_BUGGIFY(*engine_, kNewRouteIsSeenLater);
    if (watched && !later) applyRoute(topic, answer->route);
  } else if (watched && !routes_.route(topic) && answer.error().code() != ErrorCode::kNoNameServer) {
    // Nameservers that do not answer have had their line each.
    log_->writeLimited(LogLevel::kWarn, "route", "route " + topic, base::Millis(30'000), answer.error().message());
  }
  if (watched) {
    const bool known = routes_.route(topic) != nullptr;
    watch->second->timer.armAfter(watch->second, jittered(known ? base::Nanos(options_.pollNameServerInterval)
                                                                : base::Nanos(kUnknownRouteInterval),
                                                          engine_->random()));
  }
  if (!found.empty()) {
    settle(found.mapped(), answer ? Result<RoutePtr>(answer->route) : Result<RoutePtr>(std::move(answer).error()));
  }
}

void MQClientInstance::applyRoute(const std::string& topic, const RoutePtr& route) {
  const std::int64_t now = engine_->monotonicNanos();
  for (const protocol::BrokerData& broker : route->brokerDatas) faults_.broker(broker.brokerName)->named(now);
  const base::Ref<route::RouteSlot> slot = routes_.slot(topic);
  const RoutePtr old = slot->get();
  if (old && route::sameRoute(*old, *route)) return;
  slot->set(route);
  rebuildBrokers(route);
  log_->write(LogLevel::kInfo, "route",
              "topic '" + topic + "' " + (old ? "changed" : "found") + ": " + route->encode());
  if (old) event(EventKind::kRouteChanged, topic, "the route of topic '" + topic + "' changed");
  tellRoute(topic, route);
}

void MQClientInstance::tellRoute(const std::string& topic, const RoutePtr& route) {
  for (const base::Ref<ConsumerHooks>& consumer : consumerHooks()) consumer->onRouteChanged(topic, route);
}

void MQClientInstance::rebuildBrokers(const RoutePtr& newest) {
  auto next = std::make_shared<BrokerAddrs>();
  const auto add = [&next](const protocol::TopicRouteData& route) {
    for (const protocol::BrokerData& broker : route.brokerDatas)
      next->try_emplace(broker.brokerName, broker.brokerAddrs);
  };
  if (newest) add(*newest);  // a broker's addresses are those of the latest route that names it
  for (const auto& [topic, route] : routes_.all()) add(*route);

  std::set<std::string> addresses;
  std::vector<std::string> names;
  for (const auto& [name, by_id] : *next) {
    names.push_back(name);
    for (const auto& [id, address] : by_id) addresses.insert(address);
  }
  const std::shared_ptr<const BrokerAddrs> before = brokers_.get();
  bool grown = false;
  std::set<std::string> known;
  for (const auto& [name, by_id] : *before) {
    for (const auto& [id, address] : by_id) {
      known.insert(address);
      if (!addresses.contains(address)) {
        connections_.erase(address);
        remoting_->forget(address);
      }
    }
  }
  for (const std::string& address : addresses) grown = grown || !known.contains(address);
  faults_.keepOnly(names);
  brokers_.set(std::move(next));
  if (grown) heartbeatOnStrand({});
}

void MQClientInstance::onNameservers(std::vector<std::string> addresses) {
  for (const std::string& gone : nameservers_.replace(std::move(addresses), engine_->random())) {
    if (!connections_.contains(gone)) remoting_->forget(gone);  // a proxy may be nameserver and broker at one address
  }
  ++list_;
  // What is under way to the ones before is asked again once it has ended: a wrong answer must not be the last word.
  for (auto& [topic, fetch] : fetches_) {
    if (fetch.list == 0) askFor(topic, fetch);
  }
  for (const auto& [topic, watch] : watches_) fetchOnStrand(topic, apiDeadline(), {});
}

// ---- watching

MQClientInstance::Watch::Watch(base::Ref<MQClientInstance> owner, std::string name)
    : instance(std::move(owner)), topic(std::move(name)), timer(instance->strand_, [this] {
        if (count > 0) instance->fetchOnStrand(topic, instance->apiDeadline(), {});
      }) {}

void MQClientInstance::endWatch(Watch& watch) {
  watch.count = 0;
  watch.timer.cancel();
}

void MQClientInstance::watchTopic(std::string topic) {
  strand_.post(base::Ref<MQClientInstance>(this), [this, topic = std::move(topic)]() mutable {
    if (state_ != State::kRunning) return;
    base::Ref<Watch>& watch = watches_[topic];
    if (watch) {
      ++watch->count;
      // The new watcher has seen no change of it yet.
      if (const RoutePtr route = routes_.route(topic)) tellRoute(topic, route);
      return;
    }
    watch = base::makeRef<Watch>(base::Ref<MQClientInstance>(this), topic);
    watch->count = 1;
    watched_.fetch_add(1, std::memory_order_relaxed);
    fetchOnStrand(std::move(topic), apiDeadline(), {});
  });
}

void MQClientInstance::unwatchTopic(std::string topic, RouteHeld held) {
  strand_.post(base::Ref<MQClientInstance>(this), [this, topic = std::move(topic), held] {
    if (held == RouteHeld::kYes) routes_.letGo(topic);
    const auto found = watches_.find(topic);
    if (found == watches_.end() || --found->second->count > 0) return;
    endWatch(*found->second);
    watches_.erase(found);
    watched_.fetch_sub(1, std::memory_order_relaxed);
    if (routes_.forget(topic)) rebuildBrokers(nullptr);
  });
}

std::size_t MQClientInstance::watchedTopics() const {
  return watched_.load(std::memory_order_relaxed);
}

// ---- looking up

std::optional<BrokerAddress> MQClientInstance::findBroker(const BrokerTarget& target) const {
  const std::shared_ptr<const BrokerAddrs> brokers = brokers_.get();
  const auto found = brokers->find(target.broker_name);
  if (found == brokers->end() || found->second.empty()) return std::nullopt;
  const auto& by_id = found->second;
  auto it = by_id.find(target.broker_id);
  if (it == by_id.end() && target.only_this == OnlyThis::kNo) {
    if (target.broker_id != protocol::kMasterId) it = by_id.find(target.broker_id + 1);
    if (it == by_id.end()) it = by_id.begin();
  }
  if (it == by_id.end()) return std::nullopt;
  return BrokerAddress{it->second, it->first};
}

std::optional<BrokerAddress> MQClientInstance::anyBrokerOf(std::string_view topic) const {
  const RoutePtr route = routes_.route(topic);
  if (!route) return std::nullopt;
  std::vector<const protocol::BrokerData*> candidates;
  for (const protocol::BrokerData& broker : route->brokerDatas) {
    if (!broker.brokerAddrs.empty()) candidates.push_back(&broker);
  }
  if (candidates.empty()) return std::nullopt;
  const auto drawn = base::Xoshiro256::boundedBy(engine_->random(), candidates.size());
  const auto& by_id = candidates[static_cast<std::size_t>(drawn)]->brokerAddrs;
  const auto master = by_id.find(protocol::kMasterId);
  const auto it = master != by_id.end() ? master : by_id.begin();
  return BrokerAddress{it->second, it->first};
}

std::map<std::string, std::string> MQClientInstance::masters() const {
  std::map<std::string, std::string> all;
  const std::shared_ptr<const BrokerAddrs> brokers = brokers_.get();
  for (const auto& [name, by_id] : *brokers) {
    const auto master = by_id.find(protocol::kMasterId);
    if (master != by_id.end()) all.emplace(name, master->second);
  }
  return all;
}

Error MQClientInstance::unknownBroker(const BrokerTarget& target, RequestCode code) const {
  std::string known;
  const std::shared_ptr<const BrokerAddrs> brokers = brokers_.get();
  for (const auto& [name, by_id] : *brokers) known += (known.empty() ? "" : ", ") + name;
  return Error(ErrorCode::kNoRoute, std::string(toString(code)) + " not sent: broker '" + target.broker_name +
                                        "' (id " + std::to_string(target.broker_id) +
                                        ") is in no route; known are: " + (known.empty() ? "none" : known));
}

}  // namespace mqclient::client
