#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cache_line.h"
#include "base/engine.h"
#include "base/mutex.h"
#include "base/ref.h"
#include "mqclient/error.h"

namespace mqclient::route {

/// How one request to a broker ended, as far as the broker's health goes.
enum class Outcome {
  kAnswered,     ///< including refusals that are the message's or the caller's fault
  kBusy,         ///< the broker says that it has too much to do
  kBrokerError,  ///< the broker is there but cannot serve
  kNoAnswer,     ///< connected, but no answer in time, or the connection ended
  kUnreachable,  ///< no connection
};

/// What `error` says about the broker; nullopt-like kAnswered when it says nothing bad.
Outcome outcomeOf(const Error& error) noexcept;
/// The broker was not reached, or gave no answer that can be understood.
bool notAnswered(const Error& error) noexcept;

/// One broker group's latency and availability. Written by whoever got an answer, read on every queue choice: atomics
/// only. Times are Engine::monotonicNanos(). Any thread.
class BrokerState final : public base::Object {
 public:
  explicit BrokerState(std::string name) : name_(std::move(name)) {}
  const std::string& name() const noexcept { return name_; }
  bool availableAt(std::int64_t now) const noexcept { return blocked_until_.load(std::memory_order_relaxed) <= now; }
  std::int64_t blockedUntil() const noexcept { return blocked_until_.load(std::memory_order_relaxed); }
  std::int64_t lastAnswer() const noexcept { return last_answer_.load(std::memory_order_relaxed); }  ///< 0: never
  std::int64_t rtt() const noexcept { return rtt_.load(std::memory_order_relaxed); }
  Outcome lastOutcome() const noexcept { return last_outcome_.load(std::memory_order_relaxed); }
  std::int64_t lastNamed() const noexcept { return last_named_.load(std::memory_order_relaxed); }  ///< by a nameserver
  void named(std::int64_t now) noexcept { last_named_.store(now, std::memory_order_relaxed); }
  /// What went wrong last; for people.
  std::string why() const {
    base::MutexLock lock(why_mutex_);
    return why_;
  }
  void setWhy(std::string why) {
    base::MutexLock lock(why_mutex_);
    why_ = std::move(why);
  }

 private:
  friend class FaultStrategy;
  const std::string name_;
  std::atomic<std::int64_t> blocked_until_{0};  // read on every choice, apart from what every answer writes
  alignas(base::kCacheLine) std::atomic<std::int64_t> last_answer_{0};
  std::atomic<std::int64_t> rtt_{0};
  std::atomic<std::int64_t> last_named_{0};
  std::atomic<Outcome> last_outcome_{Outcome::kAnswered};
  mutable base::Mutex why_mutex_;
  std::string why_ MQ_GUARDED_BY(why_mutex_);
};

/// Which brokers to avoid for a while (MQFaultStrategy.java): slow ones by a table of latencies, failing ones for
/// kIsolation. Errors that a message caused never count against its broker; a quick answer ends the isolation at once.
class FaultStrategy {
 public:
  /// A broker that failed is treated as one with a latency of 10 s (MQFaultStrategy.java, updateFaultItem).
  static constexpr base::Millis kIsolation{10'000};
  /// A busy broker gets a pause, not a quarantine: it answers, and soon can again.
  static constexpr base::Millis kBusyPause{500};

  /// kOff: brokers are watched (health) but never avoided.
  enum class Avoid { kOff, kOn };
  explicit FaultStrategy(Avoid avoid) noexcept : avoid_(avoid) {}
  bool avoids() const noexcept { return avoid_ == Avoid::kOn; }

  /// The broker's state, made if it is new; it lives as long as anybody holds it.
  base::Ref<BrokerState> broker(std::string_view name);
  /// Forgets brokers that are in no route any more.
  void keepOnly(const std::vector<std::string>& names);
  std::vector<base::Ref<BrokerState>> all() const;

  /// True: the broker was available and is isolated from now on.
  bool record(BrokerState& broker, std::int64_t now, std::int64_t rtt, Outcome outcome) noexcept;

  /// How long a broker with this latency is left alone: 50 and 100 ms: not at all; 550: 2 s; 1,800: 5 s; 3,000: 6 s;
  /// 5,000: 10 s; 15,000: 30 s.
  static base::Millis unavailableFor(base::Nanos latency) noexcept;

 private:
  const Avoid avoid_;
  mutable base::Mutex mutex_;
  std::map<std::string, base::Ref<BrokerState>, std::less<>> brokers_ MQ_GUARDED_BY(mutex_);
};

}  // namespace mqclient::route
