#include "route/fault_strategy.h"

#include <algorithm>
#include <array>

#include "mqclient/codes.h"

namespace mqclient::route {

namespace {

struct Step {
  base::Millis latency;
  base::Millis unavailable;
};
// MQFaultStrategy.java: latencyMax and notAvailableDuration.
constexpr std::array<Step, 7> kSteps{{{base::Millis(50), base::Millis(0)},
                                      {base::Millis(100), base::Millis(0)},
                                      {base::Millis(550), base::Millis(2'000)},
                                      {base::Millis(1'800), base::Millis(5'000)},
                                      {base::Millis(3'000), base::Millis(6'000)},
                                      {base::Millis(5'000), base::Millis(10'000)},
                                      {base::Millis(15'000), base::Millis(30'000)}}};

}  // namespace

Outcome outcomeOf(const Error& error) noexcept {
  switch (error.code()) {
    case ErrorCode::kTimeout:
    case ErrorCode::kConnectionLost:
    case ErrorCode::kCorrupt:
      return Outcome::kNoAnswer;
    case ErrorCode::kUnreachable:
      return Outcome::kUnreachable;
    case ErrorCode::kFlowControl:
      return Outcome::kBusy;
    case ErrorCode::kBroker:
      switch (static_cast<ResponseCode>(error.responseCode())) {
        case ResponseCode::SYSTEM_ERROR:
        case ResponseCode::SERVICE_NOT_AVAILABLE:
          return Outcome::kBrokerError;
        default:
          return Outcome::kAnswered;
      }
    default:
      return Outcome::kAnswered;
  }
}

bool notAnswered(const Error& error) noexcept {
  const Outcome outcome = outcomeOf(error);
  return outcome == Outcome::kUnreachable || outcome == Outcome::kNoAnswer;
}

base::Ref<BrokerState> FaultStrategy::broker(std::string_view name) {
  base::MutexLock lock(mutex_);
  const auto found = brokers_.find(name);
  if (found != brokers_.end()) return found->second;
  auto state = base::makeRef<BrokerState>(std::string(name));
  brokers_.emplace(std::string(name), state);
  return state;
}

void FaultStrategy::keepOnly(const std::vector<std::string>& names) {
  base::MutexLock lock(mutex_);
  std::erase_if(brokers_, [&](const auto& entry) { return std::ranges::find(names, entry.first) == names.end(); });
}

std::vector<base::Ref<BrokerState>> FaultStrategy::all() const {
  std::vector<base::Ref<BrokerState>> states;
  base::MutexLock lock(mutex_);
  for (const auto& [name, state] : brokers_) states.push_back(state);
  return states;
}

bool FaultStrategy::record(BrokerState& broker, std::int64_t now, std::int64_t rtt, Outcome outcome) noexcept {
  broker.last_outcome_.store(outcome, std::memory_order_relaxed);
  if (outcome == Outcome::kAnswered || outcome == Outcome::kBusy || outcome == Outcome::kBrokerError) {
    broker.last_answer_.store(now, std::memory_order_relaxed);
    broker.rtt_.store(rtt, std::memory_order_relaxed);
  }
  base::Millis pause{};
  switch (outcome) {
    case Outcome::kAnswered:
      pause = unavailableFor(base::Nanos(rtt));
      break;
    case Outcome::kBusy:
      pause = kBusyPause;
      break;
    case Outcome::kBrokerError:
    case Outcome::kNoAnswer:
    case Outcome::kUnreachable:
      pause = kIsolation;
      break;
  }
  const std::int64_t until = pause.count() == 0 ? 0 : now + base::Nanos(pause).count();
  const std::int64_t before = broker.blocked_until_.load(std::memory_order_relaxed);
  if (until == 0) {
    if (before != 0) broker.blocked_until_.store(0, std::memory_order_relaxed);
    return false;
  }
  if (until > before) broker.blocked_until_.store(until, std::memory_order_relaxed);
  return before <= now;
}

base::Millis FaultStrategy::unavailableFor(base::Nanos latency) noexcept {
  base::Millis pause{0};
  for (const Step& step : kSteps) {
    if (latency >= step.latency) pause = step.unavailable;
  }
  return pause;
}

}  // namespace mqclient::route
