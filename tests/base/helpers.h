#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/engine.h"
#include "base/parker.h"
#include "base/strand.h"
#include "base/timer_wheel.h"

namespace mqclient::base::testing {

/// No test waits longer for an event; reached only when the event is lost.
inline constexpr std::chrono::seconds kBound{30};

/// A number that threads raise and a test awaits.
class Count {
 public:
  void add(int n = 1) {
    // Notified under the lock: the waiter may destroy this as soon as it has the number.
    const std::lock_guard lock(mutex_);
    value_ += n;
    changed_.notify_all();
  }
  int get() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }
  /// False: the bound passed first.
  bool reaches(int wanted) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kBound, [&] { return value_ >= wanted; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  int value_ = 0;
};

/// An object with a strand, and something to see its end by.
struct Owner final : Object {
  explicit Owner(Ref<Engine> e, std::function<void()> on_end = {})
      : engine(std::move(e)), strand(*engine), ended(std::move(on_end)) {}
  ~Owner() override {
    if (ended) ended();
  }
  Ref<Engine> engine;
  Strand strand;
  std::function<void()> ended;
};

/// An engine without threads: what is submitted waits for runOne(), the clock stands until it is moved. The strands'
/// and timers' own code, everything around them in the test's hand.
class ModelEngine final : public Engine {
 public:
  explicit ModelEngine(bool has_executor = true) noexcept : Engine(/*seeded=*/false, has_executor), wheel_(kStart) {}

  void submit(Runnable r) noexcept override { submitted.push_back(r); }
  /// Runs the submitted one in front, as an executor would; false: none.
  bool runOne(int budget = Activation::kTurnsPerCall) {
    if (submitted.empty()) return false;
    const Runnable r = submitted.front();
    submitted.erase(submitted.begin());
    Activation::ofThisThread().run(*this, r, budget);
    return true;
  }
  /// Moves the clock and fires what is due.
  void advance(Nanos by) {
    nanos += by.count();
    fire();
  }
  void fire() {
    Timer* due[1];
    while (wheel_.expire(nanos, due) == 1) due[0]->strand().post(*due[0]);
  }
  /// Takes one due timer out of the wheel without posting it yet: its post is on the way.
  Timer* takeDue() {
    Timer* due[1];
    return wheel_.expire(nanos, due) == 1 ? due[0] : nullptr;
  }

  std::int64_t monotonicNanos() const noexcept override { return nanos; }
  WallTime wallNow() const noexcept override { return {}; }
  Ref<ListenerGroup> makeListenerGroup(std::string, int) override { return nullptr; }
  ListenerGroup& callbacks() noexcept override { std::abort(); }
  ListenerGroup& awaitedSteps() noexcept override { std::abort(); }
  std::shared_ptr<CallbackTarget> callbackTarget() noexcept override { return nullptr; }
  bool runOnLane(LaneKind, UniqueFunction<void()>) override { return false; }
  bool waitFor(WaitSlot&, SteadyTime) override { return false; }
  std::uint64_t random() noexcept override { return 4; }
  const Environment& environment() const noexcept override { return environment_; }
  std::uint64_t nextId() noexcept override { return 1; }
  std::int32_t nextOpaque() noexcept override { return 1; }

  static constexpr std::int64_t kStart = 1'000'000'000;
  std::int64_t nanos = kStart;
  std::vector<Runnable> submitted;

 protected:
  void armTimer(Timer& t, SteadyTime due) noexcept override { wheel_.arm(t, due.time_since_epoch().count()); }
  bool cancelTimer(Timer& t) noexcept override { return wheel_.cancel(t); }

 private:
  TimerWheel wheel_;
  Environment environment_;
};

inline Ref<Engine> threadedEngine(ThreadedEngineOptions options = {}) {
  return *makeThreadedEngine(std::move(options));
}

}  // namespace mqclient::base::testing
