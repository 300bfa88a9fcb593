#include "mock_broker/broker/registration.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "protocol/body/register_broker.h"
#include "protocol/hash.h"
#include "protocol/headers/namesrv.h"

namespace mqclient::broker {

Registration::Registration(base::Object& owner, base::Strand& tables, const BrokerOptions& options,
                           const TopicTable& topics, base::Ref<remoting::RemotingClient> client,
                           base::Ref<base::Log> log)
    : owner_(owner),
      tables_(tables),
      options_(options),
      topics_(topics),
      client_(std::move(client)),
      log_(std::move(log)),
      timer_(tables, [this] { onTimer(); }) {
  for (const std::string& address : options.namesrvAddrs) {
    Nameserver nameserver;
    nameserver.address = address;
    nameservers_.push_back(std::move(nameserver));
  }
}

void Registration::start() {
  if (stopped_ || nameservers_.empty()) return;
  next_period_ = tables_.engine().now() + options_.registerNameServerPeriod;
  for (std::size_t i = 0; i < nameservers_.size(); ++i) {
    nameservers_[i].wanted = true;
    sendTo(i);
  }
  armTimer();
}

void Registration::announce(const std::string& topic) {
  if (stopped_) return;
  ++generation_;
  for (std::size_t i = 0; i < nameservers_.size(); ++i) {
    nameservers_[i].changed.insert(topic);
    nameservers_[i].wanted = true;
    if (!nameservers_[i].failed) sendTo(i);  // one that failed has its time
  }
}

base::Chain Registration::frameFor(const Nameserver& nameserver, std::int32_t opaque) const {
  protocol::RegisterBrokerBody body;
  auto& wrapper = body.topicConfigSerializeWrapper;
  wrapper.dataVersion = topics_.version();
  const auto add = [&](const Topic& topic) {
    wrapper.topicConfigTable.emplace(topic.config.topicName, toWire(topic.config, options_.brokerPermission));
  };
  if (nameserver.full) {
    for (const auto& topic : topics_.all()) add(*topic);
  } else {
    for (const std::string& name : nameserver.changed) {
      if (const auto topic = topics_.find(name)) add(*topic);
    }
  }
  std::string text = body.encode();
  protocol::RegisterBrokerRequestHeader header;
  header.brokerName = options_.brokerName;
  header.brokerAddr = options_.address;
  header.clusterName = options_.brokerClusterName;
  header.haServerAddr = options_.address;
  header.brokerId = options_.brokerId;
  header.bodyCrc32 = static_cast<std::int32_t>(protocol::crc32Masked(text));
  return protocol::encodeRequest({.code = RequestCode::REGISTER_BROKER, .opaque = opaque}, header,
                                 base::Slice::of(std::move(text)));
}

void Registration::sendTo(std::size_t index) {
  Nameserver& nameserver = nameservers_[index];
  if (nameserver.under_way || !nameserver.wanted || stopped_) return;
  const std::int32_t opaque = tables_.engine().nextOpaque();
  base::Chain frame = frameFor(nameserver, opaque);
  nameserver.under_way = true;
  nameserver.wanted = false;
  nameserver.full = false;
  nameserver.changed.clear();
  nameserver.sent = generation_;
  client_->invoke(
      nameserver.address, opaque, std::move(frame), tables_.engine().now() + options_.registerBrokerTimeoutMills,
      base::Completion<protocol::RemotingCommand>::of([this, index, keep = base::Ref<base::Object>(&owner_)](
                                                          Result<protocol::RemotingCommand>&& answer) {
        tables_.post(keep, [this, index, answer = std::move(answer)]() mutable { ended(index, std::move(answer)); });
      }));
}

void Registration::ended(std::size_t index, Result<protocol::RemotingCommand> answer) {
  Nameserver& nameserver = nameservers_[index];
  nameserver.under_way = false;
  nameserver.done = nameserver.sent;
  const bool registered = answer && answer->responseCode() == ResponseCode::SUCCESS;
  nameserver.failed = !registered;
  if (registered) {
    nameserver.retry_after = kRetryAfter;
    nameserver.known = true;
  } else if (!stopped_) {
    const std::string why = answer ? std::string(answer->remark()) : answer.error().message();
    log_->writeLimited(LogLevel::kWarn, "broker", "register " + nameserver.address, base::kLogPeriod,
                       options_.brokerName + " could not register with nameserver " + nameserver.address + ": " + why);
    nameserver.full = true;
    nameserver.wanted = true;
    nameserver.retry_at = tables_.engine().now() + nameserver.retry_after;
    nameserver.retry_after = std::min(nameserver.retry_after * 2, kRetryAfterMax);
  }
  settleWaiters();
  settleKnownWaiters();
  if (registered) sendTo(index);
  armTimer();
}

void Registration::whenAnnounced(base::Nanos wait, base::Completion<void> done) {
  waiters_.push_back({generation_, tables_.engine().now() + wait, std::move(done)});
  settleWaiters();
  armTimer();
}

void Registration::settleWaiters() {
  const base::SteadyTime now = tables_.engine().now();
  const auto waits = [&](const Waiter& waiter) {
    return !stopped_ && now < waiter.until &&
           std::any_of(nameservers_.begin(), nameservers_.end(), [&](const Nameserver& n) {
             // One that failed and waits for its retry is not waited for.
             return n.done < waiter.generation && !(n.failed && !n.under_way);
           });
  };
  const auto ready = std::stable_partition(waiters_.begin(), waiters_.end(), waits);
  std::vector<Waiter> settled(std::make_move_iterator(ready), std::make_move_iterator(waiters_.end()));
  waiters_.erase(ready, waiters_.end());
  for (Waiter& waiter : settled) std::move(waiter.done)(Result<void>());
}

void Registration::whenKnownTo(std::string nameserver, base::Completion<void> done) {
  known_waiters_.push_back({std::move(nameserver), std::move(done)});
  settleKnownWaiters();
}

void Registration::settleKnownWaiters() {
  const auto known = [this](const KnownWaiter& waiter) {
    return std::any_of(nameservers_.begin(), nameservers_.end(), [&](const Nameserver& n) {
      return n.known && (waiter.nameserver.empty() || waiter.nameserver == n.address);
    });
  };
  for (std::size_t i = 0; i < known_waiters_.size();) {
    const bool is_known = known(known_waiters_[i]);
    if (!is_known && !stopped_) {
      ++i;
      continue;
    }
    base::Completion<void> done = std::move(known_waiters_[i].done);
    known_waiters_.erase(known_waiters_.begin() + static_cast<std::ptrdiff_t>(i));
    std::move(done)(is_known ? Result<void>()
                             : Result<void>(Error(ErrorCode::kClosed, options_.brokerName + " has stopped")));
  }
}

void Registration::armTimer() {
  if (stopped_) return;
  base::SteadyTime due = nameservers_.empty() ? base::SteadyTime::max() : next_period_;
  for (const Nameserver& nameserver : nameservers_) {
    if (nameserver.failed && !nameserver.under_way) due = std::min(due, nameserver.retry_at);
  }
  for (const Waiter& waiter : waiters_) due = std::min(due, waiter.until);
  if (due == base::SteadyTime::max()) return;
  if (!timer_.armed() || timer_.due() != due) timer_.arm(base::Ref<base::Object>(&owner_), due);
}

void Registration::onTimer() {
  const base::SteadyTime now = tables_.engine().now();
  const bool period = now >= next_period_ && !nameservers_.empty();
  if (period) next_period_ = now + options_.registerNameServerPeriod;
  for (std::size_t i = 0; i < nameservers_.size(); ++i) {
    Nameserver& nameserver = nameservers_[i];
    if (period) nameserver.full = nameserver.wanted = true;
    if (period || (nameserver.failed && now >= nameserver.retry_at)) sendTo(i);
  }
  settleWaiters();
  armTimer();
}

void Registration::stop(Farewell farewell, base::Completion<void> done) {
  stopped_ = true;
  timer_.cancel();
  settleWaiters();
  settleKnownWaiters();
  // Settles when the last share goes: with the last answer, or at once without nameservers.
  struct All {
    explicit All(base::Completion<void> d) : done(std::move(d)) {}
    ~All() { std::move(done)(Result<void>()); }
    base::Completion<void> done;
  };
  const auto all = std::make_shared<All>(std::move(done));
  protocol::UnRegisterBrokerRequestHeader header;
  header.brokerName = options_.brokerName;
  header.brokerAddr = options_.address;
  header.clusterName = options_.brokerClusterName;
  header.brokerId = options_.brokerId;
  for (Nameserver& nameserver : nameservers_) {
    if (farewell == Farewell::kNone || (!nameserver.known && !nameserver.under_way)) continue;
    nameserver.known = false;  // hears it once
    const std::int32_t opaque = tables_.engine().nextOpaque();
    client_->invoke(nameserver.address, opaque,
                    protocol::encodeRequest({.code = RequestCode::UNREGISTER_BROKER, .opaque = opaque}, header),
                    tables_.engine().now() + kUnregisterTimeout,
                    base::Completion<protocol::RemotingCommand>::of([all](Result<protocol::RemotingCommand>&&) {}));
  }
}

}  // namespace mqclient::broker
