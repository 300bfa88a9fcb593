#pragma once

#include <array>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "base/ref.h"

// tests/base/strand_steps compiles this floor's strand with an atomic whose every access is a scheduling point.
#if defined(MQCLIENT_STRAND_WORD_HEADER)
#include MQCLIENT_STRAND_WORD_HEADER
#else
namespace mqclient::base {
using StrandWord = std::atomic<std::uintptr_t>;
}
#endif

namespace mqclient::base {

class Engine;
class Strand;
struct SleepRow;

/// What a task answers: finished, or once more at the back of its strand's queue (a loop works in steps, S6).
enum class Next { kDone, kAgain };

/// One step of work, linked into a queue by itself: posting allocates nothing.
/// `alive` keeps the object that the strand guards; it is moved out before run() and dropped after the strand was left,
/// so the object (with its strand) cannot die under the activation. A task may delete or re-post itself inside run()
/// when it answers kDone; it is not touched afterwards.
struct Task {
  Task* next = nullptr;
  Ref<Object> alive;
  virtual Next run() noexcept = 0;

 protected:
  Task() = default;
  ~Task() = default;
};

/// The one concurrency primitive for stateful things: runs its tasks one at a time, in the order of post() over all
/// threads.
///
/// Shape    three words, no heap, no thread. Who finds it idle owns it and runs it as soon as no strand is on that
///          thread's stack, for at most kTasksPerTurn tasks or kTurnNanos; what is left stays owned and comes again
///          behind the strands that wait on that thread, or with the executor once the call's turns are used up.
/// Threads  post(): any, never blocks, never runs a task before the caller's own strand step has ended.
/// Memory   push is a CAS (acq_rel), taking all an exchange (acquire), leaving a CAS (acq_rel): the next owner sees
///          everything the last one wrote. Read-modify-writes only, no fences (ThreadSanitizer cannot see fences).
/// Rule     never post while holding a mutex: the post may run the strand right here.
class Strand {
 public:
  static constexpr int kTasksPerTurn = 32;
  static constexpr std::int64_t kTurnNanos = 50'000;

  explicit Strand(Engine& engine) noexcept : engine_(&engine) {}
  ~Strand() { assert(word_.load(std::memory_order_relaxed) == kIdle); }
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;

  /// `t` has its place in the order before this returns. t.alive must be set unless the caller keeps the strand alive.
  void post(Task& t) noexcept;
  /// The same. A user's thread that finds another one at work in the strand first waits up to `nanos` of real time for
  /// it to leave: what the task works on then stays in this core's cache, instead of piling up before the other one.
  void postPatiently(Task& t, std::int64_t nanos) noexcept;
  /// The same, but nothing runs. True: the strand was idle and is the caller's, who sees to it that resume() follows.
  [[nodiscard]] bool enqueue(Task& t) noexcept { return push(t); }
  /// What post() does with a strand that it found idle: runs it here, or gives it to the executor.
  void resume() noexcept;
  /// The same with a callable, in a task of its own on the heap: f() → void or Next.
  template <class F>
  void post(Ref<Object> alive, F f);

  Engine& engine() const noexcept { return *engine_; }
  /// True while the calling thread runs a task of this very strand. For assertions.
  bool isCurrent() const noexcept;
  /// Asked inside one of its tasks: nothing waits behind it now.
  bool nothingWaits() const noexcept { return !pending_ && word_.load(std::memory_order_relaxed) == kBusy; }

 private:
  friend class Activation;
  static constexpr std::uintptr_t kIdle = 0;
  static constexpr std::uintptr_t kBusy = 1;

  bool push(Task& t) noexcept;
  void awaitIdle(std::int64_t nanos) const noexcept;
  /// Everything that waits, in order; tells the engine how much it was (Engine::strandQueueHighWater).
  Task* takeAll() noexcept;
  /// Runs one turn. True: tasks are left, the strand is still owned and must come to another turn.
  bool runTurn() noexcept;

  StrandWord word_{kIdle};   // kIdle | kBusy | newest Task*, linked to the older ones
  Task* pending_ = nullptr;  // taken, or posted to the idle strand, but not yet begun; owner only, in order
  Engine* engine_;
};
static_assert(sizeof(Strand) == 3 * sizeof(void*));

/// Something an executor can run: a strand's turn, or one task outside any strand. One tagged word.
class Runnable {
 public:
  Runnable() noexcept = default;
  explicit Runnable(Strand& s) noexcept : word_(reinterpret_cast<std::uintptr_t>(&s)) {}
  explicit Runnable(Task& t) noexcept : word_(reinterpret_cast<std::uintptr_t>(&t) | 1) {}
  explicit operator bool() const noexcept { return word_ != 0; }
  bool isTask() const noexcept { return (word_ & 1) != 0; }
  Strand& strand() const noexcept { return *reinterpret_cast<Strand*>(word_); }
  Task& task() const noexcept { return *reinterpret_cast<Task*>(word_ & ~std::uintptr_t{1}); }

 private:
  std::uintptr_t word_ = 0;
};

/// What a thread is here for (R1). Decides whether it may block and run user code.
enum class Role : std::uint8_t { kForeign, kReactor, kLane, kListener };

/// What wake() ends: as a rule the sleep of a thread, or what was put off for the turn.
class Sleeper : public Object {
 public:
  virtual void wake() noexcept = 0;
};

/// Per thread: which strands it still has to run, and whether one is on its stack. Trivially destructible.
class Activation {
 public:
  static constexpr std::size_t kReadyPerThread = 16;  ///< strands a thread keeps for itself before it asks the executor
  static constexpr int kTurnsPerCall = 16;  ///< S5, X1: turns per call, and per executor's look at its sockets

  static Activation& ofThisThread() noexcept;

  Role role() const noexcept { return role_; }
  void setRole(Role r) noexcept { role_ = r; }
  /// A strand (or an after-task) is on this stack: no await, no user code (S6).
  bool inside() const noexcept { return inside_; }
  const Strand* current() const noexcept { return current_; }
  /// The engine whose thread this is (reactor, lane, listener, a simulation's body); null on foreign threads.
  Engine* home() const noexcept { return home_; }
  void setHome(Engine* e) noexcept { home_ = e; }
  /// Blocking is allowed here (A1).
  bool mayAwait() const noexcept { return !inside_ && (role_ == Role::kForeign || role_ == Role::kListener); }

  /// The engine's clock as it was read first in this turn of a strand; 0: not yet. Null outside one. For
  /// Engine::turnNow().
  std::int64_t* turnNanos() noexcept { return current_ ? &turn_nanos_ : nullptr; }

  /// Takes `r` if there is room and this thread runs strands (a lane does not); false: give it to the executor.
  /// Runs nothing.
  bool append(Engine& engine, Runnable r) noexcept;
  /// `s` is among what was appended and has not run yet.
  bool keeps(const Strand& s) const noexcept;
  /// Asked by what runs here: strands wait behind it, and if it came once more behind all that waits now, it would
  /// still be within this call's turns.
  bool strandsMayPass() const noexcept;
  /// Asked inside: `s` is woken once the turn is over, together with others. One by one each would run against the
  /// strand that goes on, and cost an interrupt of another core of its own.
  void wakeAfterTurn(Sleeper& s) noexcept;
  /// The same for the threads that have these bits in `row`.
  void wakeAfterTurn(SleepRow& row, std::uint32_t bits) noexcept;
  /// Runs what was appended, unless a strand is on the stack already (then the outermost run() will). After
  /// kTurnsPerCall turns the rest goes to the executor; not sooner, also if what the caller waits for is there by then
  /// (docs/decisions/0004-turns-of-a-caller.md).
  void run() noexcept;
  /// Runs `r` now on this thread, which must have no strand on its stack, then what it left here: together at most
  /// `budget` turns (>= 1), the rest goes to the executor. Answers the turns run. For executors.
  int run(Engine& engine, Runnable r, int budget = kTurnsPerCall) noexcept;

 private:
  struct Entry {
    Engine* engine;
    Runnable what;
  };
  static constexpr std::uint32_t kWakesAtOnce = 64;
  static constexpr std::uint32_t kRowsAtOnce = 8;

  void runOne(Engine& engine, Runnable r) noexcept;
  void runTurnOf(Engine& engine, Runnable r) noexcept;
  void wakeSleepers() noexcept;
  int runReady(int budget) noexcept;

  std::array<Entry, kReadyPerThread> ready_{};
  std::uint32_t head_ = 0;
  std::uint32_t count_ = 0;
  std::array<Sleeper*, kWakesAtOnce> to_wake_{};  // with a share each
  std::uint32_t wakes_ = 0;
  struct RowToWake {
    SleepRow* row;
    std::uint32_t bits;
  };
  std::array<RowToWake, kRowsAtOnce> rows_to_wake_{};
  std::uint32_t rows_ = 0;
  const Strand* current_ = nullptr;
  std::int64_t turn_nanos_ = 0;
  int turns_left_ = 0;  // of the call, after the one that runs
  Engine* home_ = nullptr;
  bool inside_ = false;
  Role role_ = Role::kForeign;
};

/// For tests: called on the running thread before (`begins`) and after every turn, process-wide; null: nobody. The S6
/// watchdog measures with it how long strands hold their threads.
using TurnWatch = void (*)(bool begins) noexcept;
void watchTurns(TurnWatch watch) noexcept;

/// Runs `t` outside any strand, after the current activation: here, or on the executor when this thread has enough to
/// do. For decoding, scanning, filtering: work that needs no strand and should not hold one. t.alive must be set.
void after(Engine& engine, Task& t) noexcept;

namespace detail {
template <class F>
struct FunctionTask final : Task {
  explicit FunctionTask(F&& f) : call(std::move(f)) {}
  Next run() noexcept override {
    if constexpr (std::is_same_v<std::invoke_result_t<F&>, Next>) {
      const Next n = call();
      if (n == Next::kDone) delete this;
      return n;
    } else {
      call();
      delete this;
      return Next::kDone;
    }
  }
  F call;
};
}  // namespace detail

template <class F>
void Strand::post(Ref<Object> alive, F f) {
  auto* t = new detail::FunctionTask<F>(std::move(f));
  t->alive = std::move(alive);
  post(*t);
}

/// after() with a callable in a task of its own.
template <class F>
void after(Engine& engine, Ref<Object> alive, F f) {
  auto* t = new detail::FunctionTask<F>(std::move(f));
  t->alive = std::move(alive);
  after(engine, *t);
}

}  // namespace mqclient::base
