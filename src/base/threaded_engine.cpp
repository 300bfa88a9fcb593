#include <sys/random.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/answer_source.h"
#include "base/engine.h"
#include "base/environment.h"
#include "base/free_queue.h"
#include "base/lane_set.h"
#include "base/listener_pool.h"
#include "base/mutex.h"
#include "base/parker.h"
#include "base/poller.h"
#include "base/process.h"
#include "base/random.h"
#include "base/thread_set.h"
#include "base/timer_wheel.h"
#include "base/wait.h"

namespace mqclient::base {

namespace {

constexpr int kDefaultReactors = 4;       // min(cores, 4)
constexpr int kMostReactors = 32;         // bits of the parked mask
constexpr int kLeastCallbackThreads = 4;  // max(4, cores)
constexpr std::size_t kTimersPerLook = 64;

/// Where callbacks go: the user's executor if there is one, else the callback group. Outlives the engine with whoever
/// holds it; then the group runs jobs on the thread that submits them.
class ThreadedCallbackTarget final : public CallbackTarget {
 public:
  ThreadedCallbackTarget(Engine& engine, Ref<ListenerGroup> group, std::function<void(UniqueFunction<void()>)> executor)
      : group_(std::move(group)), executor_(std::move(executor)), hand_over_(*this), engine_(&engine) {}

  void submit(Job& job) noexcept override {
    if (!executor_ || !engineLives()) return group_->submit(job);
    if (Activation::ofThisThread().mayAwait()) return giveToUser(job);
    // The executor is the user's code too and may block: it is called on a listener thread (R2). Its place in the
    // pool's queue is there already, and the job's own link makes the list: delivery allocates nothing (C2).
    job.next = nullptr;
    {
      MutexLock lock(mutex_);
      (last_ ? last_->next : first_) = &job;
      last_ = &job;
      if (std::exchange(handing_over_, true)) return;
    }
    hand_over_.self = self_.lock();
    group_->submit(hand_over_);
  }
  Ref<Engine> engine() noexcept override {
    MutexLock lock(mutex_);
    return engine_ && engine_->tryRetain() ? Ref<Engine>::adopt(engine_) : Ref<Engine>();
  }
  void engineGone() noexcept {
    MutexLock lock(mutex_);
    engine_ = nullptr;
  }
  void setSelf(const std::shared_ptr<ThreadedCallbackTarget>& self) { self_ = self; }

 private:
  /// A job in the user's hands. Dropped instead of called it comes back to our pool (C3).
  class Ticket {
   public:
    Ticket(Job& job, Ref<ListenerGroup> group) noexcept : job_(&job), group_(std::move(group)) {}
    Ticket(Ticket&& o) noexcept : job_(std::exchange(o.job_, nullptr)), group_(std::move(o.group_)) {}
    ~Ticket() {
      if (job_) group_->submit(*job_);
    }
    void operator()() {
      Job* job = std::exchange(job_, nullptr);
      if (!job) return;
      if (!Activation::ofThisThread().mayAwait()) return group_->submit(*job);
      const Ref<Object> alive = std::move(job->alive);
      job->run();
    }

   private:
    Job* job_;
    Ref<ListenerGroup> group_;
  };

  /// Queued with the pool while jobs wait in the list below; `self` keeps the target meanwhile.
  struct HandOver final : Job {
    explicit HandOver(ThreadedCallbackTarget& t) noexcept : target(t) {}
    void run() noexcept override { target.handOver(std::move(self)); }
    ThreadedCallbackTarget& target;
    std::shared_ptr<ThreadedCallbackTarget> self;
  };

  /// Gives one job to the user. The next ones go on first, on another thread if need be: the user's call may block.
  void handOver(std::shared_ptr<ThreadedCallbackTarget> self) noexcept {
    const std::shared_ptr<ThreadedCallbackTarget> kept = self;
    Job* job = nullptr;
    bool more = false;
    {
      MutexLock lock(mutex_);
      job = std::exchange(first_, first_->next);
      more = first_ != nullptr;
      if (!more) last_ = nullptr;
      handing_over_ = more;
    }
    if (more) {
      hand_over_.self = std::move(self);
      group_->submit(hand_over_);
    }
    giveToUser(*job);
  }

  bool engineLives() noexcept {
    MutexLock lock(mutex_);
    return engine_ != nullptr;
  }
  void giveToUser(Job& job) noexcept {
    try {
      executor_(UniqueFunction<void()>(Ticket(job, group_)));
    } catch (...) {  // the ticket has been dropped and the job is in our pool
    }
  }

  const Ref<ListenerGroup> group_;
  const std::function<void(UniqueFunction<void()>)> executor_;
  std::weak_ptr<ThreadedCallbackTarget> self_;
  HandOver hand_over_;  // its `self`: of whoever has set handing_over_
  Mutex mutex_;
  Engine* engine_ MQ_GUARDED_BY(mutex_);
  Job* first_ MQ_GUARDED_BY(mutex_) = nullptr;  // wait for hand_over_, in order
  Job* last_ MQ_GUARDED_BY(mutex_) = nullptr;
  bool handing_over_ MQ_GUARDED_BY(mutex_) = false;
};

/// The real engine.
///
/// Executor  reactors sleep on their parkers. work_ holds, in one word, how many runnables wait and which reactors
///           sleep, so "something waits" and "I go to sleep" have one order: no wake is lost, and no fence is needed.
/// Reactors  the first one starts with the engine, so that whatever is posted will run; the others when work waits and
///           nobody sleeps. Listener and lane threads start when first needed.
class ThreadedEngine final : public Engine, private ListenerPool::Supervisor {
 public:
  ThreadedEngine(int reactors, ThreadedEngineOptions& options)
      : Engine(/*seeded=*/false, /*has_executor=*/true), lanes_(*this, options.blocking_threads) {
    for (int i = 0; i < reactors; ++i) {
      reactors_.push_back(std::make_unique<Reactor>(monotonicNanos(), io_output_bytes_));
    }
    pool_ = makeRef<ListenerPool>(*this, static_cast<ListenerPool::Supervisor&>(*this));
    const int cap = std::max(kLeastCallbackThreads, usableCores());
    callbacks_ = pool_->makeGroup("callbacks", cap);
    awaited_steps_ = pool_->makeGroup("steps", cap);
    target_ = std::make_shared<ThreadedCallbackTarget>(*this, callbacks_, std::move(options.callback_executor));
    target_->setSelf(target_);
  }

  /// Before anybody else knows the engine.
  Result<void> startFirst() {
    MutexLock lock(start_mutex_);
    return startReactor();
  }
  /// Instead of a last release, when the first reactor could not start.
  void discard() noexcept { delete this; }

  void submit(Runnable r) noexcept override {
    ready_.push(r);
    std::uint64_t seen = work_.fetch_add(kOneReady, std::memory_order_acq_rel);
    // A reactor takes what it left itself, after its next look at its sockets: to wake another one for it costs more
    // than a turn, and moves what the turn works on to another core's cache.
    if (t_reactor_of == this && seen < kOwnBacklog * kOneReady) return;
    while ((seen & kParkedMask) != 0) {
      const auto i = static_cast<std::size_t>(std::countr_zero(seen & kParkedMask));
      const std::uint64_t bit = std::uint64_t{1} << i;
      seen = work_.fetch_and(~bit, std::memory_order_acq_rel);
      if (seen & bit) return reactors_[i]->parker.wake();
      seen &= ~bit;
    }
    // Nobody sleeps: whoever is awake looks at the queue again before sleeping. If something waited already, they have
    // enough to do.
    if (seen > kParkedMask && started_.load(std::memory_order_relaxed) < static_cast<int>(reactors_.size())) {
      MutexLock lock(start_mutex_);
      if (!stopping_.load(std::memory_order_relaxed)) static_cast<void>(startReactor());
    }
  }

  std::int64_t monotonicNanos() const noexcept override { return steadyNanos(); }
  std::int64_t coarseNanos() const noexcept override { return clockNanos(CLOCK_MONOTONIC_COARSE); }
  WallTime wallNow() const noexcept override { return std::chrono::system_clock::now(); }
  std::int64_t wallMillisAt(SteadyTime now) const noexcept override {
    struct Read {
      SteadyTime at{Nanos(INT64_MIN / 2)};
      Nanos wall{0};
    };
    thread_local constinit Read last;
    Nanos since = now - last.at;
    if (since < Nanos(0) || since >= Millis(1)) {
      last = {now, std::chrono::duration_cast<Nanos>(wallNow().time_since_epoch())};
      since = Nanos(0);
    }
    return std::chrono::duration_cast<Millis>(last.wall + since).count();
  }

  Ref<ListenerGroup> makeListenerGroup(std::string name, int cap) override {
    return pool_->makeGroup(std::move(name), cap);
  }
  ListenerGroup& callbacks() noexcept override { return *callbacks_; }
  ListenerGroup& awaitedSteps() noexcept override { return *awaited_steps_; }
  std::shared_ptr<CallbackTarget> callbackTarget() noexcept override { return target_; }

  bool runOnLane(LaneKind lane, UniqueFunction<void()> work) override { return lanes_.submit(lane, std::move(work)); }

  IoReactor* joinIo() noexcept override {
    MutexLock lock(start_mutex_);
    const auto fewest = std::min_element(reactors_.begin(), reactors_.end(), [](const auto& a, const auto& b) {
      return a->io.sockets() < b->io.sockets();
    });
    std::size_t index = static_cast<std::size_t>(fewest - reactors_.begin());
    while (!stopping_.load(std::memory_order_relaxed) &&
           started_.load(std::memory_order_relaxed) <= static_cast<int>(index)) {
      if (!startReactor()) index = 0;  // no thread to be had: the first one always is
    }
    reactors_[index]->io.join();
    return &reactors_[index]->io;
  }

  bool waitFor(WaitSlot& slot, SteadyTime deadline) override {
    if (const auto source = BlockingCall::take(); source.at) seats_.waitAt(*source.at, slot, deadline);
    return slot.parkUntil(deadline);
  }

  std::uint64_t random() noexcept override {
    thread_local Xoshiro256 generator(freshSeed());
    return generator.next();
  }
  const Environment& environment() const noexcept override {
    std::call_once(environment_once_, [this] { environment_ = realEnvironment(); });
    return environment_;
  }
  std::uint64_t nextId() noexcept override { return ids_.fetch_add(1, std::memory_order_relaxed) + 1; }
  std::int32_t nextOpaque() noexcept override {
    return static_cast<std::int32_t>(opaque_.fetch_add(1, std::memory_order_relaxed));
  }

 protected:
  void armTimer(Timer& timer, SteadyTime due) noexcept override {
    const std::size_t i = wheelOfThisThread();
    timer.node.wheel = static_cast<std::uint32_t>(i);
    Reactor& r = *reactors_[i];
    if (r.wheel.arm(timer, due.time_since_epoch().count())) r.parker.wake();
  }
  bool cancelTimer(Timer& timer) noexcept override { return reactors_[timer.node.wheel]->wheel.cancel(timer); }

  void lastReferenceGone() noexcept override {
    forgetDefaultEngine(*this);
    target_->engineGone();
    const Activation& here = Activation::ofThisThread();
    if (here.role() == Role::kForeign && !here.inside()) {
      end(/*self=*/nullptr);
      delete this;
      return;
    }
    // One of ours, or a strand of another engine below us: the first reactor becomes the reaper.
    engineReapingBegins();
    reap_.store(true, std::memory_order_release);
    stopping_.store(true, std::memory_order_release);
    reactors_[0]->parker.wake();
  }

 private:
  // The count is in the high half: a runnable may be taken before it was counted, and below 0 it must not borrow from
  // the marks.
  static constexpr std::uint64_t kOneReady = std::uint64_t{1} << 32;
  static constexpr std::uint64_t kOwnBacklog = 2;  // runnables that a reactor keeps to itself
  static constexpr std::uint64_t kParkedMask = kOneReady - 1;

  struct Reactor {
    Reactor(std::int64_t now, std::atomic<std::int64_t>& io_output_bytes) : wheel(now), io(parker, io_output_bytes) {}
    Parker parker;
    TimerWheel wheel;
    ReactorIo io;
    Thread thread;  // start_mutex_, until the end
  };

  ~ThreadedEngine() override = default;

  static std::uint64_t freshSeed() noexcept {
    std::uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == sizeof seed) return seed;
    return static_cast<std::uint64_t>(steadyNanos()) ^ reinterpret_cast<std::uintptr_t>(&seed);
  }

  /// Reactors arm on their own wheel and wake nobody; other threads are spread over the wheels that have a thread.
  std::size_t wheelOfThisThread() const noexcept {
    if (t_reactor_of == this) return t_reactor;
    thread_local const unsigned number = next_thread_number.fetch_add(1, std::memory_order_relaxed);
    return number % static_cast<unsigned>(started_.load(std::memory_order_acquire));
  }

  Result<void> startReactor() MQ_REQUIRES(start_mutex_) {
    const int i = started_.load(std::memory_order_relaxed);
    if (i == static_cast<int>(reactors_.size())) return {};
    const auto index = static_cast<std::size_t>(i);
    Result<Thread> t = Thread::start("mq-io-" + std::to_string(i), Role::kReactor, this,
                                     [this, index] { index == 0 ? runFirst() : runReactor(index); });
    if (!t) return std::move(t).error();
    reactors_[index]->thread = *std::move(t);
    started_.store(i + 1, std::memory_order_release);
    return {};
  }

  void runFirst() noexcept {
    runReactor(0);
    if (!reap_.load(std::memory_order_acquire)) return;
    Thread self;
    end(&self);
    delete this;
    engineReaped(std::move(self));
  }

  void runReactor(std::size_t index) noexcept {
    t_reactor_of = this;
    t_reactor = index;
    Reactor& self = *reactors_[index];
    Activation& here = Activation::ofThisThread();
    self.io.begin();
    while (!stopping_.load(std::memory_order_acquire)) {
      const bool fired = fireTimers(self);
      const std::int64_t supervise_at = index == 0 ? superviseListeners() : kNoDeadline;
      const bool ran = runReady(here);
      const bool posted = self.io.run();
      const bool rang = self.io.ring();
      if (fired || ran || posted || rang) {
        self.io.look();
      } else {
        sleep(index, std::min(supervise_at, self.io.nextAlarm()));
        self.io.deliver();
      }
    }
    t_reactor_of = nullptr;
  }

  bool fireTimers(Reactor& self) noexcept {
    std::array<Timer*, kTimersPerLook> due;
    const std::size_t n = self.wheel.expire(monotonicNanos(), due);
    for (std::size_t i = 0; i < n; ++i) due[i]->strand().post(*due[i]);
    return n > 0;
  }

  /// At most kTurnsPerCall strands between two looks at timers and sockets (X1).
  bool runReady(Activation& here) noexcept {
    int budget = Activation::kTurnsPerCall;
    Runnable r;
    while (budget > 0 && ready_.tryPop(r)) {
      work_.fetch_sub(kOneReady, std::memory_order_acq_rel);
      budget -= here.run(*this, r, budget);
    }
    return budget < Activation::kTurnsPerCall;
  }

  void sleep(std::size_t index, std::int64_t supervise_at) noexcept {
    Reactor& self = *reactors_[index];
    const std::uint64_t bit = std::uint64_t{1} << index;
    const std::int64_t until = std::min(self.wheel.planWake(), supervise_at);
    std::uint64_t seen = work_.load(std::memory_order_relaxed);
    while (seen <= kParkedMask) {
      if (work_.compare_exchange_weak(seen, seen | bit, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        self.parker.park(until);
        work_.fetch_and(~bit, std::memory_order_acq_rel);
        break;
      }
    }
    self.wheel.dropPlan();
  }

  // ---- listeners' growth, on the first reactor
  void superviseListenersAt(std::int64_t when) noexcept override {
    supervise_at_.store(when, std::memory_order_release);
    reactors_[0]->parker.wake();
  }
  std::int64_t superviseListeners() noexcept {
    std::int64_t at = supervise_at_.load(std::memory_order_acquire);
    if (at == kNoDeadline) return at;
    const std::int64_t now = monotonicNanos();
    if (now < at) return at;
    // Before the call: what supervise() asks for, or another thread meanwhile, must not be overwritten.
    supervise_at_.compare_exchange_strong(at, kNoDeadline, std::memory_order_acq_rel);
    const std::int64_t next = pool_->supervise(now);
    if (next != kNoDeadline) supervise_at_.store(next, std::memory_order_release);
    return supervise_at_.load(std::memory_order_acquire);
  }

  /// Lanes, timers, reactors, listeners; on a thread that is none of them, or on the first reactor (`self`).
  void end(Thread* self) noexcept {
    lanes_.close();
    {
      MutexLock lock(start_mutex_);
      stopping_.store(true, std::memory_order_release);
    }
    for (const auto& r : reactors_) r->parker.wake();
    for (const auto& r : reactors_) {
      if (!r->thread.joinable()) continue;
      if (self && r == reactors_[0]) {
        *self = std::move(r->thread);
      } else {
        r->thread.join();
      }
    }
    drain();
    pool_->close();
    drain();
  }

  /// What is ready after the reactors have gone: tasks that held no share of the engine.
  void drain() noexcept {
    Activation& here = Activation::ofThisThread();
    Runnable r;
    while (ready_.tryPop(r)) here.run(*this, r);
    for (const auto& reactor : reactors_) {
      while (reactor->io.run()) {
      }
    }
  }

  static inline std::atomic<unsigned> next_thread_number{0};
  static inline thread_local const ThreadedEngine* t_reactor_of = nullptr;
  static inline thread_local std::size_t t_reactor = 0;

  FreeQueue<Runnable> ready_;
  std::atomic<std::uint64_t> work_{0};  // high half: how many wait in ready_; low half: a mark per sleeping reactor
  std::atomic<int> started_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> reap_{false};
  std::atomic<std::int64_t> supervise_at_{kNoDeadline};
  Mutex start_mutex_;
  std::atomic<std::int64_t> io_output_bytes_{0};
  std::vector<std::unique_ptr<Reactor>> reactors_;
  SeatPool seats_;
  LaneSet lanes_;
  Ref<ListenerPool> pool_;
  Ref<ListenerGroup> callbacks_;
  Ref<ListenerGroup> awaited_steps_;
  std::shared_ptr<ThreadedCallbackTarget> target_;
  mutable std::once_flag environment_once_;
  mutable Environment environment_;
  std::atomic<std::uint64_t> ids_{0};
  std::atomic<std::uint32_t> opaque_{0};
};

}  // namespace

Result<Ref<Engine>> makeThreadedEngine(ThreadedEngineOptions options) {
  if (options.io_threads < 0 || options.io_threads > kMostReactors || options.blocking_threads < 1) {
    return Error(ErrorCode::kInvalidArgument, "a runtime needs 0 to " + std::to_string(kMostReactors) +
                                                  " I/O threads (0: one per core, at most 4) and at least 1 thread "
                                                  "for blocking calls; asked for " +
                                                  std::to_string(options.io_threads) + " and " +
                                                  std::to_string(options.blocking_threads));
  }
  const int reactors = options.io_threads > 0 ? options.io_threads : std::min(usableCores(), kDefaultReactors);
  auto* engine = new ThreadedEngine(reactors, options);
  if (Result<void> started = engine->startFirst(); !started) {
    engine->discard();
    return std::move(started).error();
  }
  return Ref<Engine>::adopt(engine);
}

}  // namespace mqclient::base
