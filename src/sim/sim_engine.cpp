#include "sim/sim_engine.h"

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/mutex.h"
#include "base/timer.h"
#include "base/wait.h"
#include "sim/scheduler.h"

namespace mqclient::sim {

using base::Activation;
using base::CallbackTarget;
using base::Engine;
using base::Environment;
using base::Job;
using base::LaneKind;
using base::ListenerGroup;
using base::Millis;
using base::Nanos;
using base::Object;
using base::Ref;
using base::SteadyTime;
using base::Timer;
using base::WaitSlot;
using base::WallTime;

namespace {

/// cap max(4, cores) of the callbacks (L1), with the cores taken out: a run must not depend on the machine.
constexpr int kCallbackCap = 4;

/// The futures' weak way to the engine (C3).
class SimCallbackTarget final : public CallbackTarget {
 public:
  explicit SimCallbackTarget(Engine& engine) noexcept : engine_(&engine) {}

  void submit(Job& job) noexcept override {
    if (const Ref<Engine> engine = this->engine()) return engine->callbacks().submit(job);
    const Ref<Object> alive = std::move(job.alive);
    job.run();
  }
  Ref<Engine> engine() noexcept override {
    base::MutexLock lock(mutex_);
    return engine_ && engine_->tryRetain() ? Ref<Engine>::adopt(engine_) : Ref<Engine>();
  }
  void engineEnds() noexcept {
    base::MutexLock lock(mutex_);
    engine_ = nullptr;
  }

 private:
  base::Mutex mutex_;
  Engine* engine_ MQ_GUARDED_BY(mutex_);
};

class SimEngineImpl final : public SimEngine {
 public:
  explicit SimEngineImpl(SimOptions options)
      : SimEngine(options.schedule == SimOptions::Schedule::kSeeded, options.schedule == SimOptions::Schedule::kSeeded),
        environment_(std::move(options.environment)),
        wall_offset_(std::chrono::duration_cast<Nanos>(options.wall_start.time_since_epoch()).count()),
        scheduler_(*this, options),
        steady_start_(scheduler_.now()),
        callbacks_(base::makeRef<SimListenerGroup>(scheduler_, Ref<Engine>(), "callbacks", kCallbackCap)),
        awaited_steps_(base::makeRef<SimListenerGroup>(scheduler_, Ref<Engine>(), "steps", kCallbackCap)),
        target_(std::make_shared<SimCallbackTarget>(*this)) {
    if (environment_.process_salt == 0) environment_.process_salt = static_cast<std::uint32_t>(scheduler_.random());
    if (environment_.pid == 0) environment_.pid = kScriptedPid;
    if (!environment_.variable) environment_.variable = [](const char*) { return std::string(); };
  }

  // ---- Engine
  void submit(base::Runnable r) noexcept override { scheduler_.submit(r); }
  std::int64_t monotonicNanos() const noexcept override { return scheduler_.now(); }
  WallTime wallNow() const noexcept override {
    const Nanos wall = Nanos(wall_offset_.load(std::memory_order_relaxed)) + Nanos(scheduler_.now() - steady_start_);
    return WallTime(std::chrono::duration_cast<WallTime::duration>(wall));
  }
  Ref<ListenerGroup> makeListenerGroup(std::string name, int cap) override {
    return base::makeRef<SimListenerGroup>(scheduler_, Ref<Engine>(this), std::move(name), cap);
  }
  ListenerGroup& callbacks() noexcept override { return *callbacks_; }
  ListenerGroup& awaitedSteps() noexcept override { return *awaited_steps_; }
  std::shared_ptr<CallbackTarget> callbackTarget() noexcept override { return target_; }
  bool runOnLane(LaneKind lane, UniqueFunction<void()> work) override {
    return scheduler_.submit(lane, std::move(work));
  }
  bool waitFor(WaitSlot& slot, SteadyTime deadline) override {
    requireMayAwait("waitFor");
    return scheduler_.wait(slot,
                           deadline == SteadyTime::max() ? Scheduler::kNever : deadline.time_since_epoch().count());
  }
  std::uint64_t random() noexcept override { return scheduler_.random(); }
  const Environment& environment() const noexcept override { return environment_; }
  std::uint64_t nextId() noexcept override { return ids_.fetch_add(1, std::memory_order_relaxed) + 1; }
  std::int32_t nextOpaque() noexcept override {
    return static_cast<std::int32_t>(opaque_.fetch_add(1, std::memory_order_relaxed));
  }

  // ---- SimEngine
  void runUntilIdle() override {
    requireMayAwait("runUntilIdle");
    scheduler_.pumpIdle(Scheduler::kAtOnce);
  }
  void advance(Nanos by) override {
    requireMayAwait("advance");
    scheduler_.pumpIdle(later(by));
  }
  bool advanceToNextTimer() override {
    runUntilIdle();
    const std::int64_t due = scheduler_.nextDue();
    if (due == Scheduler::kNever) return false;
    scheduler_.pumpIdle(due);
    return true;
  }
  bool pumpUntil(UniqueFunction<bool()> done, Nanos limit) override {
    requireMayAwait("pumpUntil");
    return scheduler_.pumpUntil(done, later(limit));
  }
  void stepWallClock(Millis by) noexcept override {
    wall_offset_.fetch_add(std::chrono::duration_cast<Nanos>(by).count(), std::memory_order_relaxed);
  }
  void spawn(std::string name, UniqueFunction<void()> body) override {
    scheduler_.spawn(std::move(name), std::move(body));
  }
  std::size_t bodies() const noexcept override { return scheduler_.bodies(); }
  void traceEvent(std::uint64_t kind, std::span<const std::byte> bytes) noexcept override {
    scheduler_.trace(kind, bytes);
  }
  void traceEvent(std::uint64_t kind, const base::Chain& chain) noexcept override { scheduler_.trace(kind, chain); }
  std::uint64_t traceHash() const noexcept override { return scheduler_.traceHash(); }
  std::uint64_t scheduleHash() const noexcept override { return scheduler_.scheduleHash(); }
  std::string pendingReport() const override { return scheduler_.report(); }
  std::size_t armedTimers() const noexcept override { return scheduler_.armedTimers(); }
  std::uint64_t events() const noexcept override { return scheduler_.events(); }
  std::size_t workers() const noexcept override { return scheduler_.workers(); }

 private:
  static constexpr std::uint32_t kScriptedPid = 4711;

  ~SimEngineImpl() override = default;

  void lastReferenceGone() noexcept override {
    if (!std::exchange(ending_, true)) {
      // Once more alive while what is left runs; the second end, maybe by somebody's later hand, is the real one.
      target_->engineEnds();
      retain();
      scheduler_.drain();
      release();
      return;
    }
    delete this;
  }
  bool chooseHere() noexcept override { return scheduler_.chooseHere(); }
  void armTimer(Timer& timer, SteadyTime due) noexcept override {
    scheduler_.arm(timer, due.time_since_epoch().count());
  }
  bool cancelTimer(Timer& timer) noexcept override { return scheduler_.cancel(timer); }
  std::uintptr_t exchangeHolder(std::uintptr_t thread) noexcept override { return scheduler_.exchangeHolder(thread); }

  std::int64_t later(Nanos by) const noexcept {
    const std::int64_t t = scheduler_.now();
    if (by.count() <= 0) return t;
    return by.count() > Scheduler::kNever - 1 - t ? Scheduler::kNever - 1 : t + by.count();
  }
  static void requireMayAwait(const char* call) noexcept {
    if (Activation::ofThisThread().mayAwait()) return;
    std::fprintf(stderr, "sim: %s() inside a strand or on a lane would wait for itself\n", call);
    std::abort();
  }

  Environment environment_;
  std::atomic<std::int64_t> wall_offset_;
  mutable Scheduler scheduler_;
  const std::int64_t steady_start_;
  const Ref<SimListenerGroup> callbacks_;
  const Ref<SimListenerGroup> awaited_steps_;
  const std::shared_ptr<SimCallbackTarget> target_;
  std::atomic<std::uint64_t> ids_{0};
  std::atomic<std::uint32_t> opaque_{0};
  bool ending_ = false;
};

}  // namespace

SimEngine::Enter::Enter(SimEngine& engine) noexcept
    : engine_(engine),
      home_before_(Activation::ofThisThread().home()),
      holder_before_(engine.exchangeHolder(Scheduler::thisThread())) {
  Activation::ofThisThread().setHome(&engine);
}

SimEngine::Enter::~Enter() {
  Activation::ofThisThread().setHome(home_before_);
  engine_.exchangeHolder(holder_before_);
}

Ref<SimEngine> makeSimEngine(SimOptions options) {
  return Ref<SimEngine>(Ref<SimEngineImpl>::adopt(new SimEngineImpl(std::move(options))));
}

}  // namespace mqclient::sim
