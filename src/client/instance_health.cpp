// What an instance tells its users: health and events.
#include <algorithm>
#include <utility>

#include "client/instance_parts.h"
#include "client/mq_client_instance.h"
#include "protocol/body/route.h"
#include "protocol/names.h"

namespace mqclient::client {
namespace {

/// Answers slower than this make a broker slow: the first row of MQFaultStrategy.java's table that has a pause.
constexpr base::Millis kSlowFrom{550};
/// Events waiting for the user's hook; more are dropped, and the log says so.
constexpr std::size_t kEventsWaitingMax = 1'024;

mqclient::BrokerState stateOf(const route::BrokerState& broker, std::int64_t now, bool avoids) {
  if (broker.lastOutcome() == route::Outcome::kUnreachable || broker.lastOutcome() == route::Outcome::kNoAnswer) {
    return mqclient::BrokerState::kDown;
  }
  if (avoids && !broker.availableAt(now)) return mqclient::BrokerState::kIsolated;
  return broker.rtt() >= base::Nanos(kSlowFrom).count() ? mqclient::BrokerState::kSlow : mqclient::BrokerState::kUp;
}

base::Millis since(std::int64_t then, std::int64_t now) {
  return then == 0 ? base::Millis::max() : std::chrono::duration_cast<base::Millis>(base::Nanos(now - then));
}

/// "4-7", "4".
std::string queueRange(int from, int to) {
  return from + 1 == to ? "queue " + std::to_string(from)
                        : "queues " + std::to_string(from) + "-" + std::to_string(to - 1);
}

}  // namespace

Health MQClientInstance::health() const {
  Health health;
  const std::int64_t now = engine_->monotonicNanos();
  const std::map<std::string, std::string> addresses = masters();
  for (const base::Ref<route::BrokerState>& broker : faults_.all()) {
    const auto address = addresses.find(broker->name());
    BrokerHealth one;
    one.brokerName = broker->name();
    if (address != addresses.end()) one.address = address->second;
    one.state = stateOf(*broker, now, faults_.avoids());
    if (one.state != mqclient::BrokerState::kUp) one.why = broker->why();
    one.sinceLastAnswer = since(broker->lastAnswer(), now);
    one.rtt = std::chrono::duration_cast<base::Millis>(base::Nanos(broker->rtt()));
    if (faults_.avoids() && !broker->availableAt(now)) {
      one.isolatedFor = std::chrono::ceil<base::Millis>(base::Nanos(broker->blockedUntil() - now));
    }
    one.routeAge = since(broker->lastNamed(), now);
    health.brokers.push_back(std::move(one));
  }
  for (const auto& [topic, route] : routes_.all()) {
    for (const protocol::QueueData& queues : route->queueDatas) {
      const int read = protocol::isReadable(queues.perm) ? queues.readQueueNums : 0;
      const int write = protocol::isWriteable(queues.perm) ? queues.writeQueueNums : 0;
      if (read < write) {
        health.warnings.push_back(topic + " on " + queues.brokerName + ": read " + std::to_string(read) + " < write " +
                                  std::to_string(write) + ": " + queueRange(read, write) + " are never read");
      } else if (write < read && write > 0) {
        health.warnings.push_back(topic + " on " + queues.brokerName + ": write " + std::to_string(write) + " < read " +
                                  std::to_string(read) + ": " + queueRange(write, read) + " receive nothing");
      }
    }
  }
  return health;
}

void MQClientInstance::event(EventKind kind, std::string subject, std::string text) {
  if (!options_.onEvent) return;
  bool full = false;
  {
    base::MutexLock lock(hooks_mutex_);
    if (hooks_closed_) return;
    full = events_waiting_ >= kEventsWaitingMax;
    if (!full) ++events_waiting_;
  }
  if (full) {
    log_->writeLimited(LogLevel::kWarn, "event", "events dropped", base::Millis(30'000),
                       "onEvent is too slow: events are dropped");
    return;
  }
  engine_->callbacks().submit(base::Ref<base::Object>(this),
                              [this, told = ClientEvent{kind, std::move(subject), std::move(text)}] {
                                const InsideHook inside(*this);
                                try {
                                  options_.onEvent(told);
                                } catch (...) {
                                  detail::reportUserException(std::current_exception());
                                }
                                eventEnded();
                              });
}

void MQClientInstance::eventEnded() {
  base::Completion<void> ended;
  {
    base::MutexLock lock(hooks_mutex_);
    if (--events_waiting_ == 0) ended = std::move(events_ended_);
  }
  if (ended) std::move(ended)(Result<void>());
}

void MQClientInstance::closeHooks(base::Completion<void> done) {
  auto events_ended = base::Completion<void>::of(
      [me = base::Ref<MQClientInstance>(this), done = std::move(done)](Result<void>&&) mutable {
        me->log_->close([done = std::move(done)]() mutable {
          if (done) std::move(done)(Result<void>());
        });
      });
  {
    base::MutexLock lock(hooks_mutex_);
    hooks_closed_ = true;
    if (events_waiting_ > 0) events_ended_ = std::move(events_ended);
  }
  // Kept for later it is empty, which is what is asked here.
  if (events_ended) std::move(events_ended)(Result<void>());  // NOLINT(bugprone-use-after-move)
}

bool MQClientInstance::insideHook() const noexcept {
  return InsideHook::of() == this;
}

}  // namespace mqclient::client
