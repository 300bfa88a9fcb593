#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ref.h"
#include "base/strand.h"
#include "mqclient/error.h"
#include "mqclient/function.h"

namespace mqclient::base {

using Millis = std::chrono::milliseconds;
using Nanos = std::chrono::nanoseconds;
/// Steady time of an Engine: only differences and comparisons with now() of the same engine mean something.
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, Nanos>;
using WallTime = std::chrono::system_clock::time_point;

class Timer;
class WaitSlot;
class CallbackTarget;
class IoReactor;

/// User code waiting for a listener thread, linked into its group's queue by itself. Runs exactly once, or is
/// abandoned (refused) exactly once when the pool is gone and run() cannot happen any more.
struct Job {
  Job* next = nullptr;
  Ref<Object> alive;
  virtual void run() noexcept = 0;

 protected:
  Job() = default;
  ~Job() = default;
};

/// A share of the listener pool: a consumer (cap consumeThreadMax) or the callbacks of a runtime (L1).
/// Jobs start in order of submission; up to `cap` run at a time. Groups below their cap are served in turn.
class ListenerGroup : public Object {
 public:
  virtual void submit(Job& job) noexcept = 0;
  template <class F>
  void submit(Ref<Object> alive, F f);
  /// At most this many jobs of the group at a time from now on; >= 1.
  virtual void setCap(int cap) noexcept = 0;
  virtual int running() const noexcept = 0;  ///< jobs being executed now
  virtual std::size_t waiting() const noexcept = 0;
};

/// Where a call that blocks (DNS, HTTP, disk) may run: a bounded FIFO with a thread cap (X2).
enum class LaneKind { kNet, kFiles, kFlush, kRead };

/// What the process and the machine say about themselves; scripted in simulation so that a seed decides all of it.
struct Environment {
  std::string host_ip{"127.0.0.1"};                       ///< what client ids and UNIQ_KEYs carry
  std::vector<std::uint8_t> host_ip_bytes{127, 0, 0, 1};  ///< 4 or 16 bytes
  std::uint32_t pid{0};
  std::uint32_t process_salt{0};                          ///< UNIQ_KEY's "class loader hash": any per-process number
  std::function<std::string(const char* name)> variable;  ///< environment variable or ""
};

/// One bundle of the seams: executor, listener pool, lanes, timers, clocks, chance, environment. The public Runtime is
/// a handle to one.
///
/// Owner    everything that runs on it holds a Ref; it never refers upwards. The last reference may be dropped on any
///          thread: threads are joined by the releasing thread if that may block, else by a reaper.
/// Threads  every member from any thread unless it says otherwise.
class Engine : public Object {
 public:
  // ---- executor (X1)
  /// Queues a strand (owned, with tasks) or an after-task for the executor; wakes one parked reactor.
  virtual void submit(Runnable r) noexcept = 0;
  /// Whether a post may run on the calling thread now (else it is queued): always in reality, a seeded choice in
  /// simulation.
  bool mayRunHere() noexcept { return !seeded_ || chooseHere(); }
  /// False: there are no executor threads; who posts runs everything (manual clock).
  bool hasExecutor() const noexcept { return has_executor_; }
  /// The most tasks that ever waited for one strand of this engine when it began to take them (S8); those that came
  /// while it worked count at its next look, so the true peak is at most twice that.
  std::uint32_t strandQueueHighWater() const noexcept { return strand_queue_max_.load(std::memory_order_relaxed); }
  /// For strands: `tasks` waited. A load of a line that the post has read anyway, unless it is a new peak.
  void noteStrandQueue(std::uint32_t tasks) noexcept {
    std::uint32_t most = strand_queue_max_.load(std::memory_order_relaxed);
    while (tasks > most && !strand_queue_max_.compare_exchange_weak(most, tasks, std::memory_order_relaxed)) {
    }
  }

  // ---- clocks and timers (W1, W2)
  SteadyTime now() const noexcept { return SteadyTime(Nanos(monotonicNanos())); }
  virtual std::int64_t monotonicNanos() const noexcept = 0;
  /// The same clock, up to a few milliseconds late but several times cheaper: for marks that seconds are counted from.
  virtual std::int64_t coarseNanos() const noexcept { return monotonicNanos(); }
  SteadyTime coarseNow() const noexcept { return SteadyTime(Nanos(coarseNanos())); }
  /// now(), read once in a turn of a strand: for what need not be more exact than a turn is long, never for deadlines.
  /// It may lie before what another thread read meanwhile.
  SteadyTime turnNow() const noexcept {
    std::int64_t* const nanos = Activation::ofThisThread().turnNanos();
    if (!nanos) return now();
    if (*nanos == 0) *nanos = monotonicNanos();
    return SteadyTime(Nanos(*nanos));
  }
  virtual WallTime wallNow() const noexcept = 0;
  std::int64_t wallMillis() const noexcept {
    return std::chrono::duration_cast<Millis>(wallNow().time_since_epoch()).count();
  }
  /// wallMillis() at `now`, which the calling thread has just read: one clock instead of two, where many ask within a
  /// millisecond. A wall clock that was set is seen after one.
  virtual std::int64_t wallMillisAt(SteadyTime now) const noexcept {
    static_cast<void>(now);
    return wallMillis();
  }

  // ---- user code
  virtual Ref<ListenerGroup> makeListenerGroup(std::string name, int cap) = 0;
  /// The group of callbacks (cap max(4, cores)), lives as long as the engine. The reference is borrowed from the
  /// engine.
  virtual ListenerGroup& callbacks() noexcept = 0;
  /// User code that a step of ours waits for: a queue selector, an allocation strategy, the end of a listener. A group
  /// of its own with the same cap: callbacks may wait for what such a step completes, and must not keep it from
  /// running.
  virtual ListenerGroup& awaitedSteps() noexcept = 0;
  /// Where Future callbacks go; shared with futures that may outlive the engine.
  virtual std::shared_ptr<CallbackTarget> callbackTarget() noexcept = 0;

  // ---- calls that block
  /// Runs `work` on a lane thread. False: the lane's queue is full. The result comes back as a post made by `work`
  /// itself.
  virtual bool runOnLane(LaneKind lane, UniqueFunction<void()> work) = 0;

  // ---- sockets (N1). See base/io.h.
  /// The reactor that a new socket lives on: the one with the fewest; started if need be. Null: this engine has no
  /// sockets (virtual time). The socket ends with IoReactor::leave().
  virtual IoReactor* joinIo() noexcept { return nullptr; }

  // ---- blocking (A1-A3). See base/wait.h.
  /// Blocks the calling thread until the slot is settled or `deadline` (SteadyTime::max(): none) has passed.
  /// True: settled. Legal only where Activation::mayAwait(); the caller checks that first.
  virtual bool waitFor(WaitSlot& slot, SteadyTime deadline) = 0;

  // ---- chance and environment
  virtual std::uint64_t random() noexcept = 0;  ///< 64 uniform bits
  virtual const Environment& environment() const noexcept = 0;
  /// Next value of the engine-wide counter behind client ids and the like: 1, 2, 3, ...
  virtual std::uint64_t nextId() noexcept = 0;
  /// Next request number: all clients of an engine share it, as in RocketMQ; wraps.
  virtual std::int32_t nextOpaque() noexcept = 0;

  /// Nobody but the caller refers to this engine: dropped now, on a thread of its own, it ends there and then.
  bool isLastReference() const noexcept { return shares() == 1; }

  /// True on an engine whose time moves only by hand or by the simulation.
  virtual bool isVirtualTime() const noexcept { return false; }

 protected:
  friend class Timer;
  Engine(bool seeded, bool has_executor) noexcept : seeded_(seeded), has_executor_(has_executor) {}
  virtual bool chooseHere() noexcept { return true; }
  // Timer's back side: see base/timer.h. Called with the timer's state already decided.
  virtual void armTimer(Timer& timer, SteadyTime due) noexcept = 0;
  virtual bool cancelTimer(Timer& timer) noexcept = 0;

  const bool seeded_;
  const bool has_executor_;

 private:
  std::atomic<std::uint32_t> strand_queue_max_{0};
};

/// A callback executor that outlives its engine: after the engine's end callbacks run on the thread that settles (C3).
class CallbackTarget {
 public:
  virtual ~CallbackTarget() = default;
  virtual void submit(Job& job) noexcept = 0;
  /// The engine for await, or null when it is gone.
  virtual Ref<Engine> engine() noexcept = 0;
};

/// The target whose callback the calling thread runs now, or null: for who must not wait for itself.
const CallbackTarget* runningCallbackOf() noexcept;

/// The real engine: threads on the OS clocks.
struct ThreadedEngineOptions {
  int io_threads{0};         ///< reactors; 0: min(cores, 4)
  int blocking_threads{16};  ///< lanes together
  /// Where callbacks go instead of our own callback group; may be empty. A task it drops comes back to our pool.
  std::function<void(UniqueFunction<void()>)> callback_executor{};
};
Result<Ref<Engine>> makeThreadedEngine(ThreadedEngineOptions options);
/// The process's shared engine: a weak slot, made when nobody holds one (O1).
Result<Ref<Engine>> defaultEngine();
/// Waits until engines whose last reference was dropped on one of their own threads have been joined. False: not in
/// time.
bool quiesceEngines(Millis wait);

namespace detail {
template <class F>
struct FunctionJob final : Job {
  explicit FunctionJob(F&& f) : call(std::move(f)) {}
  void run() noexcept override {
    call();
    delete this;
  }
  F call;
};
}  // namespace detail

template <class F>
void ListenerGroup::submit(Ref<Object> alive, F f) {
  auto* job = new detail::FunctionJob<F>(std::move(f));
  job->alive = std::move(alive);
  submit(*job);
}

}  // namespace mqclient::base
