#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/buffer.h"
#include "base/engine.h"
#include "mqclient/function.h"

namespace mqclient::sim {

/// What a simulated engine is made of. The defaults are the manual clock of the tests.
struct SimOptions {
  enum class Schedule {
    kInline,  ///< posts run on the calling thread at once, the rest in order of arrival: predictable by a reader
    kSeeded,  ///< the seed chooses what runs next, here or queued, lane delays and ties of timers (M2)
  };
  enum class Time {
    kByHand,       ///< moves only inside advance(), advanceToNextTimer() and pumpUntil()
    kAutoAdvance,  ///< jumps to the next due time whenever somebody waits and nothing is ready (M3)
  };

  std::uint64_t seed{1};
  Schedule schedule{Schedule::kInline};
  Time time{Time::kByHand};
  base::WallTime wall_start{std::chrono::milliseconds(1'704'067'200'000)};  ///< 2024-01-01T00:00:00Z
  base::Environment environment{};        ///< what the process says about itself; process_salt 0: drawn from the seed
  base::Nanos lane_delay_max{5'000'000};  ///< kSeeded: a job on a lane lasts 0 to this; kInline: nothing
  base::Millis stuck_after{30'000};       ///< kInline: real time without progress before a wait is given up (A3)
  /// kSeeded: how many events may run at one moment of virtual time before it is called a livelock and reported like a
  /// stuck wait: work that makes itself ready again for ever would otherwise hang a run without a word.
  std::uint64_t livelock_events{10'000'000};
  /// Told why nothing can go on any more, just before the process is aborted: to print the replay line of a seed.
  std::function<void(const std::string& report)> on_stuck{};
};

/// An Engine without an operating system: virtual time, one thread at a time, every choice made by a seed.
///
/// Baton    Exactly one thread runs: the one that holds the baton. It is given up only inside a call that waits
///          (Engine::waitFor, so Future::get, and the pump calls below). The waiting thread then runs what is ready on
///          its own stack: strands, after-tasks, timers, lane jobs. User code (listener jobs, spawned bodies) may wait
///          itself and therefore always gets a worker thread of the engine, so two waits never lie on one stack (M1).
/// Threads  kSeeded: the creator holds the baton from the start; Enter moves it to another thread; spawn() starts
///          further ones. Any other thread that posts, arms or waits aborts the process with a message: its order
///          could not come from the seed. kInline: any thread may call anything; a thread outside a call runs beside
///          the others, and the order between such threads is the operating system's.
/// Work     What posts do not run at once (kSeeded: half of it; listener jobs: all) runs inside the next call that
///          waits. A caller keeps a reference to the engine across each of its calls.
/// Stuck    Nothing ready, no time to move to, somebody waits: the report of pendingReport() goes to on_stuck and
/// stderr,
///          then the process is aborted, because a wait without deadline has no other answer. kSeeded: at once.
///          kInline: after stuck_after of real time, since a thread from outside may still bring the result.
class SimEngine : public base::Engine {
 public:
  // ---- pump calls: legal where await is (no strand on the stack), in bodies and listeners too
  /// Runs until nothing is ready. Time stands still.
  virtual void runUntilIdle() = 0;
  /// Moves time by `by`, stopping at everything that falls due on the way and running until idle each time. On return
  /// nothing is ready. Nested calls (from a body) overlap: each returns at its own time.
  virtual void advance(base::Nanos by) = 0;
  /// Runs until idle, then advances to the next due time (timer, deadline of a wait, lane job). False: there is none.
  virtual bool advanceToNextTimer() = 0;
  /// Runs event by event, moving time when nothing is ready, until `done` answers true; it is asked before the first
  /// event and after each one, on the calling thread, and may itself wait. False: `limit` of virtual time has passed.
  virtual bool pumpUntil(UniqueFunction<bool()> done, base::Nanos limit) = 0;
  /// The wall clock jumps, steady time does not notice.
  virtual void stepWallClock(base::Millis by) noexcept = 0;

  // ---- bodies
  /// Starts `body` on a baton thread of its own at the next pump: a foreign thread as far as the library can tell.
  virtual void spawn(std::string name, UniqueFunction<void()> body) = 0;
  /// Bodies spawned and not yet ended.
  virtual std::size_t bodies() const noexcept = 0;

  // ---- trace
  /// Adds an event with the current time to the trace. Links call it for every frame.
  virtual void traceEvent(std::uint64_t kind, std::span<const std::byte> bytes) noexcept = 0;
  virtual void traceEvent(std::uint64_t kind, const base::Chain& bytes) noexcept = 0;
  /// Over kind, time and bytes of every event so far: equal for equal seeds, in every process.
  virtual std::uint64_t traceHash() const noexcept = 0;
  /// Over every choice of the scheduler so far: tells where two runs part before their frames do.
  virtual std::uint64_t scheduleHash() const noexcept = 0;

  // ---- inspection
  /// Everything that is still to happen: who waits since when, timers, lanes, groups, ready work.
  virtual std::string pendingReport() const = 0;
  virtual std::size_t armedTimers() const noexcept = 0;
  /// Events run so far (activations, timers, jobs, resumptions).
  virtual std::uint64_t events() const noexcept = 0;
  /// Threads of the engine, parked ones included: grows with user code that waits at the same time, else not.
  virtual std::size_t workers() const noexcept = 0;

  bool isVirtualTime() const noexcept final { return true; }

  /// kSeeded: this thread is the outer one for the scope's life, and what it posts and awaits without a runtime of its
  /// own belongs to the engine. Only while no other thread is inside the engine. kInline: only the latter.
  class Enter {
   public:
    explicit Enter(SimEngine& engine) noexcept;
    ~Enter();
    Enter(const Enter&) = delete;
    Enter& operator=(const Enter&) = delete;

   private:
    SimEngine& engine_;
    base::Engine* home_before_;
    std::uintptr_t holder_before_;
  };

 protected:
  using Engine::Engine;
  virtual std::uintptr_t exchangeHolder(std::uintptr_t thread) noexcept = 0;
};

base::Ref<SimEngine> makeSimEngine(SimOptions options = {});

/// Threads of one engine; beyond it user code that waits is a leak, not a test.
inline constexpr std::size_t kWorkersMax = 2'000;
/// Jobs waiting for one lane; beyond it runOnLane() refuses.
inline constexpr std::size_t kLaneQueueMax = 1'024;

}  // namespace mqclient::sim
