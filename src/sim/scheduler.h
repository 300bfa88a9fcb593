#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/engine.h"
#include "base/parker.h"
#include "base/strand.h"
#include "base/thread_set.h"
#include "base/timer.h"
#include "base/wait.h"
#include "mqclient/function.h"
#include "sim/due_heap.h"
#include "sim/random.h"
#include "sim/sim_engine.h"
#include "sim/trace_hash.h"

namespace mqclient::sim {

class Scheduler;

/// A listener group of a simulated engine: a queue of its own, served by the scheduler.
class SimListenerGroup final : public base::ListenerGroup {
 public:
  /// `keep` is null for the engine's own group of callbacks, which must not keep its owner alive.
  SimListenerGroup(Scheduler& scheduler, base::Ref<base::Engine> keep, std::string name, int cap);
  void submit(base::Job& job) noexcept override;
  void setCap(int cap) noexcept override;
  int running() const noexcept override;
  std::size_t waiting() const noexcept override;

 private:
  friend class Scheduler;
  const base::Ref<base::Engine> keep_;
  Scheduler& scheduler_;
  const std::string name_;
  // guarded by the scheduler's lock; every waiting or running job holds a reference to the group
  std::deque<base::Job*> jobs_;
  int cap_;
  int running_ = 0;
  bool listed_ = false;  // among the scheduler's groups with a job that may start
};

/// The heart of a simulated engine: what is ready, what falls due, who waits, and who holds the baton.
///
/// Invariants  At most one thread runs events: the holder. Whoever waits is in waits_ and parked on its own Parker, or
///             is the holder and runs events on its own stack. An event that may wait itself (job, body) runs on a
///             worker only, at the bottom of its stack. What is given the baton either resumes its wait or, a worker,
///             goes on choosing. Nothing is called out with the lock held.
/// Guard       lock_ guards every member unless it is const, atomic or says otherwise.
class Scheduler {
 public:
  static constexpr std::int64_t kNever = INT64_MAX;   ///< no deadline; a time nobody reaches
  static constexpr std::int64_t kAtOnce = INT64_MIN;  ///< the limit of a pump that must not move time

  Scheduler(SimEngine& engine, const SimOptions& options);
  /// Nothing waits any more; joins the workers.
  ~Scheduler();

  // ---- work
  void submit(base::Runnable r) noexcept;
  void arm(base::Timer& timer, std::int64_t due) noexcept;
  bool cancel(base::Timer& timer) noexcept;
  void submit(SimListenerGroup& group, base::Job& job) noexcept;
  void setCap(SimListenerGroup& group, int cap) noexcept;
  int runningOf(const SimListenerGroup& group) noexcept;
  std::size_t waitingOf(const SimListenerGroup& group) noexcept;
  bool submit(base::LaneKind lane, UniqueFunction<void()> work);
  void spawn(std::string name, UniqueFunction<void()> body);
  bool chooseHere() noexcept;

  // ---- waiting; times in nanoseconds of steady time
  bool wait(base::WaitSlot& slot, std::int64_t deadline);
  /// Runs until nothing is ready and time has reached `until` (kAtOnce: time stands still).
  void pumpIdle(std::int64_t until);
  bool pumpUntil(UniqueFunction<bool()>& done, std::int64_t until);
  /// The earliest due time, kNever without one.
  std::int64_t nextDue();
  /// The engine's last reference is gone: runs what is left to run, so that every job runs once (C3).
  void drain();

  // ---- clock, chance, trace
  std::int64_t now() const noexcept { return now_.load(std::memory_order_relaxed); }
  std::uint64_t random() noexcept;
  void trace(std::uint64_t kind, std::span<const std::byte> bytes) noexcept;
  void trace(std::uint64_t kind, const base::Chain& bytes) noexcept;
  std::uint64_t traceHash() noexcept;
  std::uint64_t scheduleHash() noexcept;

  // ---- inspection
  std::string report();
  std::size_t armedTimers() noexcept;
  std::size_t bodies() noexcept;
  std::uint64_t events() noexcept;
  std::size_t workers() noexcept;
  std::uintptr_t exchangeHolder(std::uintptr_t thread) noexcept;
  static std::uintptr_t thisThread() noexcept;

 private:
  using Lock = std::unique_lock<std::mutex>;

  enum class WaitKind { kSlot, kIdle, kPredicate };
  /// One call that waits; lies on the stack of its thread.
  struct Wait {
    WaitKind kind;
    std::int64_t until;     // deadline of a slot, limit of a pump
    base::Parker parker{};  // woken with the baton
    std::string who{};
    std::int64_t since = 0;
    std::uint64_t seen = 0;            // kPredicate: the events it has answered for
    std::uint32_t place = UINT32_MAX;  // of the deadline, in due_
    bool listed = false;               // in waits_
    bool settled = false;              // kSlot
    bool limit_reached = false;        // a pump: idle at `until`
    bool foreign = false;              // not on a worker
  };
  struct LaneJob {
    base::LaneKind lane;
    UniqueFunction<void()> work;
  };
  struct Lane {
    std::deque<UniqueFunction<void()>> waiting;
    int in_service = 0;
    int cap = 1;
  };
  struct Body {
    std::string name;
    UniqueFunction<void()> run;
  };
  /// An entry of due_.
  struct Due {
    enum class Kind : std::uint8_t { kTimer, kWait, kLane };
    std::int64_t due;
    std::uint64_t order;
    void* what;
    Kind kind;
    void setPlace(std::uint32_t place) const noexcept;
  };
  /// The next event.
  struct Choice {
    enum class Kind : std::uint8_t { kContinue, kRunnable, kTimer, kLane, kJob, kBody, kResume };
    Kind kind = Kind::kContinue;
    base::Runnable runnable{};
    void* what = nullptr;               // Timer, LaneJob, Job, Body or Wait, by kind
    SimListenerGroup* group = nullptr;  // of a job, with a reference
  };
  struct Worker {
    base::Parker parker;
    Choice first{};
    base::Thread thread;
  };

  void requireBaton(const char* what) const noexcept;
  std::uint64_t tie() noexcept { return seeded_ ? chance_.next() : ++arrivals_; }
  void workArrived() noexcept;
  void list(SimListenerGroup& group);
  void startLaneJobs(base::LaneKind kind);

  Choice choose(Lock& lock);
  Choice take(std::size_t index);
  Choice takeDue();
  Choice resume(Wait& wait);
  bool moveTime();
  void whenStuck(Lock& lock, std::chrono::steady_clock::time_point& give_up);
  void begin(Wait& wait);
  void end(Wait& wait);
  void settled(Wait& wait) noexcept;

  /// Holds the baton until the wait is chosen; answers whether this call took it (kInline).
  bool enter(Lock& lock, Wait& wait);
  void leave(Lock& lock, bool took) noexcept;
  void runWhileWaiting(Lock& lock, Wait& wait);
  void handOver(Lock& lock, base::Parker& to, base::Parker& here);
  void park(Lock& lock, base::Parker& here);
  void execute(Lock& lock, const Choice& choice);
  void runJob(Lock& lock, const Choice& choice);
  void runBody(Lock& lock, const Choice& choice);
  Worker& takeWorker(Lock& lock, const Choice& first);
  void workerMain(Worker& me);
  std::string reportLocked() const;
  [[noreturn]] void fail(Lock& lock, const std::string& why);

  SimEngine& engine_;
  const bool seeded_;
  const bool auto_advance_;
  const std::int64_t lane_delay_max_;
  const base::Millis stuck_after_;
  const std::uint64_t livelock_events_;
  const std::function<void(const std::string&)> on_stuck_;

  std::mutex lock_;
  std::atomic<std::uintptr_t> holder_;  // thread that holds the baton; kNobody (kInline only); kOnTheWay
  std::atomic<std::int64_t> now_;
  std::condition_variable idle_;  // kInline: the holder found nothing to do and waits for threads from outside

  std::deque<base::Runnable> ready_;
  std::deque<Wait*> ready_waits_;  // settled
  std::deque<SimListenerGroup*> groups_;
  std::deque<Body*> new_bodies_;
  DueHeap<Due> due_;
  std::vector<Wait*> waits_;  // in order of registration
  std::vector<Wait*> pumps_;  // those of waits_ that are not kSlot
  std::array<Lane, 4> lanes_;
  std::size_t bodies_ = 0;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> parked_workers_;
  bool stopping_ = false;

  SeededRandom chance_;  // the holder's only, when seeded
  SeededRandom library_chance_;
  std::uint64_t arrivals_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t events_at_move_ = 0;
  TraceHash trace_;
  TraceHash schedule_;
};

}  // namespace mqclient::sim
