// Heartbeats of an instance: who is told, when, and what answers and connections mean.
#include <utility>

#include "base/buggify.h"
#include "client/instance_parts.h"
#include "client/mq_client_instance.h"
#include "client/response_error.h"
#include "mqclient/codes.h"
#include "protocol/body/heartbeat.h"
#include "protocol/headers/client.h"
#include "protocol/names.h"

namespace mqclient::client {

void MQClientInstance::armHeartbeat() {
  if (state_ == State::kRunning) {
    heartbeat_timer_.armAfter(base::Ref<MQClientInstance>(this), options_.heartbeatBrokerInterval);
  }
}

void MQClientInstance::heartbeatNow(base::Completion<void> done) {
  strand_.post(base::Ref<MQClientInstance>(this),
               [this, done = std::move(done)]() mutable { heartbeatOnStrand(std::move(done)); });
}

std::optional<base::Slice> MQClientInstance::heartbeatBody() const {
  protocol::HeartbeatData data;
  data.clientID = client_id_;
  for (const base::Ref<ConsumerHooks>& consumer : consumerHooks())
    data.consumerDataSet.push_back(consumer->heartbeatData());
  {
    base::MutexLock lock(groups_mutex_);
    for (const auto& [group, count] : producers_) data.producerDataSet.push_back({group});
  }
  if (data.consumerDataSet.empty() && data.producerDataSet.empty()) return std::nullopt;
  return base::Slice::of(data.encode());
}

void MQClientInstance::heartbeatOnStrand(base::Completion<void> done) {
  if (state_ != State::kRunning) {
    if (done) std::move(done)(closedError());
    return;
  }
  const bool periodic = !done;
  const base::Ref<HeartbeatRound> round = base::makeRef<HeartbeatRound>();
  round->done = std::move(done);
  if (const std::optional<base::Slice> body = heartbeatBody()) {
    bool consumers = false;
    {
      base::MutexLock lock(groups_mutex_);
      consumers = !consumers_.empty();
    }
    const std::shared_ptr<const BrokerAddrs> brokers = brokers_.get();
    for (const auto& [name, by_id] : *brokers) {
      for (const auto& [id, address] : by_id) {
        if (periodic && MQ_BUGGIFY(*engine_, kHeartbeatIsSkipped)) continue;
        // Slaves serve consumers only.
        if (consumers || id == protocol::kMasterId) heartbeatTo(name, id, address, *body, round);
      }
    }
  }
  round->end();
}

void MQClientInstance::heartbeatTo(const std::string& broker_name, std::int64_t broker_id, const std::string& address,
                                   const base::Slice& body, const base::Ref<HeartbeatRound>& round) {
  if (round) ++round->outstanding;
  ++heartbeats_under_way_[address];
  const std::int64_t asked_at = engine_->monotonicNanos();
  invokeAddress(address, RequestCode::HEART_BEAT, protocol::NoHeader{}, base::Chain(body), apiDeadline(),
                base::Completion<protocol::RemotingCommand>::of(
                    [me = base::Ref<MQClientInstance>(this), broker_name = broker_name, broker_id, address = address,
                     round = round, asked_at](Result<protocol::RemotingCommand>&& answer) mutable {
                      MQClientInstance* const instance = me.get();
                      instance->strand_.post(std::move(me), [instance, broker_name = std::move(broker_name), broker_id,
                                                             address = std::move(address), round = std::move(round),
                                                             asked_at, answer = std::move(answer)]() mutable {
                        if (round) {
                          if (answer && answer->code == static_cast<int>(ResponseCode::SUCCESS)) {
                            round->accepted = true;
                          } else if (!round->first_error) {
                            round->first_error =
                                answer ? responseError(*answer, "heartbeat to " + broker_name + " (" + address + ")")
                                       : answer.error();
                          }
                        }
                        instance->onHeartbeatAnswer(broker_name, broker_id, address, asked_at, std::move(answer));
                        if (round) round->end();
                      });
                    }));
}

void MQClientInstance::onHeartbeatAnswer(const std::string& broker_name, std::int64_t broker_id,
                                         const std::string& address, std::int64_t asked_at,
                                         Result<protocol::RemotingCommand>&& answer) {
  if (const auto under_way = heartbeats_under_way_.find(address);
      under_way != heartbeats_under_way_.end() && --under_way->second == 0) {
    heartbeats_under_way_.erase(under_way);
  }
  if (state_ != State::kRunning) return;
  const bool accepted = answer && answer->code == static_cast<int>(ResponseCode::SUCCESS);
  if (!accepted) {
    const Error why = answer ? responseError(*answer, "heartbeat to " + broker_name + " (" + address + ")")
                             : std::move(answer).error();
    if (why.code() == ErrorCode::kClosed) return;
    log_->writeLimited(LogLevel::kWarn, "heartbeat", address, base::kLogPeriod,
                       "no heartbeat to " + broker_name + ": " + why.message());
    // A slave's silence says nothing about the master that sends go to.
    if (broker_id == protocol::kMasterId) noteOutcome(*faults_.broker(broker_name), asked_at, why);
    return;
  }
  if (broker_id == protocol::kMasterId) {
    const std::int64_t now = engine_->monotonicNanos();
    faults_.record(*faults_.broker(broker_name), now, now - asked_at, route::Outcome::kAnswered);
  }
  const auto connection = connections_.find(address);
  if (connection != connections_.end() && connection->second.open && !connection->second.told) {
    connection->second.told = true;
    for (const base::Ref<ConsumerHooks>& consumer : consumerHooks()) consumer->onBrokerConnected(broker_name);
  }
}

std::string MQClientInstance::logKey(const std::string& broker_name, const Error& why, std::string own) const {
  if (!route::notAnswered(why)) return own;
  const std::optional<BrokerAddress> at = findBroker({broker_name, protocol::kMasterId, OnlyThis::kNo});
  return at ? at->address : own;
}

void MQClientInstance::noteOutcome(route::BrokerState& broker, std::int64_t asked_at, const Error& why) {
  const std::int64_t now = engine_->monotonicNanos();
  const route::Outcome outcome = route::outcomeOf(why);
  if (outcome == route::Outcome::kAnswered) {
    faults_.record(broker, now, now - asked_at, outcome);
    return;
  }
  broker.setWhy(why.message());
  if (faults_.record(broker, now, now - asked_at, outcome)) {
    event(EventKind::kBrokerIsolated, broker.name(),
          "sends avoid broker " + broker.name() + " for a while: " + why.message());
  }
}

// ---- connections

void MQClientInstance::onConnected(const std::string& address) {
  if (state_ != State::kRunning) return;
  const std::shared_ptr<const BrokerAddrs> brokers = brokers_.get();
  for (const auto& [name, by_id] : *brokers) {
    for (const auto& [id, broker_address] : by_id) {
      if (broker_address != address) continue;
      const auto [connection, first] = connections_.try_emplace(address);
      connection->second = Connection{.open = true, .told = false};
      if (!first) event(EventKind::kBrokerUp, name, "connected again to " + address);
      // The broker knows a client by its connection: over a new one it has to be told again. A heartbeat that is under
      // way has waited for this connection.
      if (heartbeats_under_way_.contains(address)) return;
      if (const std::optional<base::Slice> body = heartbeatBody()) heartbeatTo(name, id, address, *body, nullptr);
      return;
    }
  }
}

void MQClientInstance::onDisconnected(const std::string& address, const Error& why) {
  const auto connection = connections_.find(address);
  if (state_ != State::kRunning || connection == connections_.end()) return;
  connection->second.open = false;
  const std::shared_ptr<const BrokerAddrs> brokers = brokers_.get();
  for (const auto& [name, by_id] : *brokers) {
    for (const auto& [id, broker_address] : by_id) {
      if (broker_address != address) continue;
      event(EventKind::kBrokerDown, name, "the connection to " + address + " ended: " + why.message());
      return;
    }
  }
}

// ---- leaving

void MQClientInstance::unregister(std::string producer_group, std::string consumer_group, base::SteadyTime deadline,
                                  base::Completion<void> done) {
  auto work = [this, producer_group = std::move(producer_group), consumer_group = std::move(consumer_group), deadline,
               done = std::move(done)]() mutable {
    const base::Ref<HeartbeatRound> round = base::makeRef<HeartbeatRound>();
    round->done = std::move(done);
    round->accepted = true;  // a broker that cannot be told finds out by itself
    if (state_ == State::kRunning) {
      protocol::UnregisterClientRequestHeader header;
      header.clientID = client_id_;
      header.producerGroup = std::move(producer_group);
      header.consumerGroup = std::move(consumer_group);
      const base::SteadyTime until = std::min(deadline, apiDeadline());
      const std::shared_ptr<const BrokerAddrs> brokers = brokers_.get();
      for (const auto& [name, by_id] : *brokers) {
        for (const auto& [id, address] : by_id) {
          // Only who was told of the group over a connection that stands knows it.
          const auto connection = connections_.find(address);
          if (connection == connections_.end() || !connection->second.open) continue;
          ++round->outstanding;
          invokeAddress(
              address, RequestCode::UNREGISTER_CLIENT, header, {}, until,
              base::Completion<protocol::RemotingCommand>::of(
                  [me = base::Ref<MQClientInstance>(this), round = round](Result<protocol::RemotingCommand>&&) mutable {
                    MQClientInstance* const instance = me.get();
                    instance->strand_.post(std::move(me), [round = std::move(round)] { round->end(); });
                  }));
        }
      }
    }
    round->end();
  };
  strand_.post(base::Ref<MQClientInstance>(this), std::move(work));
}

}  // namespace mqclient::client
