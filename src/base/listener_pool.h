#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/engine.h"
#include "base/mutex.h"
#include "base/parker.h"
#include "base/thread_set.h"

namespace mqclient::base {

/// The threads that run user code, shared by the groups of an engine (L1, L2).
///
/// Shape    jobs wait in their group's own list, in order; a group that has waiting jobs and is below its cap is in
///          the pool's turn list, once. A thread takes the group in front, runs up to kJobsPerTurn of its jobs (one
///          only is taken at a time: a job that blocks holds nobody else's) and puts it back behind the others.
/// Waking   a group that no thread serves gets one at once: the thread that is looking for work already, else an idle
///          one. A group that has a thread gets a second one at once only if its jobs take longer than a wake costs
///          (kWorthAThread; unknown: they do). Else its own thread will come to them, and supervise() sees within two
///          milliseconds if it does not. One thread looks at a time: whoever takes a turn wakes the next.
/// Streams  a thread that finds nothing left of a stream of short jobs lingers a moment before it looks again, as long
///          as that gathers several; submitters touch only the group's intake meanwhile. It keeps its core awake as
///          long as there is one to spare, and sleeps where the process needs all of them for something else.
/// Growth   the first job with no thread starts one at once. Later, while a group waits and no thread is idle,
///          supervise() adds one a millisecond if the process used less than 80 % of its cores over the last 5 ms,
///          else one per 100 ms; never more than the sum of the caps of the living groups. Idle for 10 s: it ends.
/// Locks    group.mutex_ before pool mutex_, never both at once but in setCap(). Jobs run under neither.
/// Lifetime groups hold the pool. After close() jobs run on the thread that submits them (C3).
class ListenerPool final : public Object {
 public:
  /// Asked, under the pool's lock, to call supervise() at about `when` (steadyNanos) on a thread of the engine.
  class Supervisor {
   public:
    virtual void superviseListenersAt(std::int64_t when) noexcept = 0;

   protected:
    ~Supervisor() = default;
  };

  ListenerPool(Engine& home, Supervisor& supervisor);

  Ref<ListenerGroup> makeGroup(std::string name, int cap);
  /// Adds a thread if the rule says so. Answers when to be called again, or kNoDeadline.
  std::int64_t supervise(std::int64_t now) noexcept;
  /// Runs what waits, ends and joins the threads, then what came meanwhile on the calling thread. Not from a thread
  /// of the pool.
  void close() noexcept;

  int threads() const noexcept;      ///< living ones
  int threadLimit() const noexcept;  ///< sum of the caps of the living groups

 private:
  class Group;
  enum class Wake {
    kAnother,  // at once
    kIfStuck,  // if supervise() finds that nobody comes
    kNobody,   // the calling thread is one of the pool and takes a turn next
  };
  struct Worker {
    Parker parker;
    Worker* below = nullptr;  // on the idle stack
    bool idle = false;
    bool looking = false;  // counted in looking_
  };
  struct CpuSample {
    std::int64_t at;
    std::int64_t used;
  };

  static constexpr int kJobsPerTurn = 16;
  static constexpr std::int64_t kTurnNanos = 50'000;
  static constexpr std::int64_t kIdleNanos = 10'000'000'000;
  static constexpr std::int64_t kWorthAThread = 5'000;
  static constexpr std::int64_t kLookNanos = 20'000;
  static constexpr std::int64_t kLingerNanos = 15'000;
  static constexpr std::int64_t kRestNanos = 200'000;
  static constexpr std::int64_t kLoadNanos = 1'000'000;
  static constexpr std::int64_t kGrowNanos = 1'000'000;
  static constexpr std::int64_t kGrowBusyNanos = 100'000'000;
  static constexpr std::int64_t kCpuWindowNanos = 5'000'000;
  static constexpr int kBusyPercent = 80;
  static constexpr std::size_t kCpuSamples = 8;

  ~ListenerPool() override = default;
  /// `group` has just become due for a turn (its listed_ is set by the caller): into the turn list, and a thread for
  /// it.
  void schedule(Group& group, Wake wake) noexcept MQ_EXCLUDES(mutex_);
  void work() noexcept;
  /// The next group, with a running place in it taken; null: none waits. `self`: the pool's thread that asks, if any.
  Ref<Group> takeTurn(Worker* self) noexcept;
  void runTurn(Group& group) noexcept;
  /// An idle thread, off its stack and looking: to be woken outside the lock. Null: there is none.
  Worker* takeIdle() noexcept MQ_REQUIRES(mutex_);
  /// Lets jobs of a stream gather: taking each as it comes would move the lines it lies in from core to core for one.
  void linger() noexcept;
  /// This process used most of its cores in the last millisecond or so.
  bool coresTaken(std::int64_t now) noexcept;
  bool isBusy(std::int64_t used, std::int64_t elapsed) const noexcept;
  /// Looks for work a little while. Nobody need be woken meanwhile.
  void look(Worker& self) noexcept;
  /// Sleeps until woken; false: idle for too long, the thread ends.
  bool idle(Worker& self) noexcept;
  bool startThread() noexcept;  // a place in threads_ is taken already
  void askForSupervision() noexcept MQ_REQUIRES(mutex_);
  bool busy(std::int64_t now) noexcept MQ_REQUIRES(mutex_);
  void drainHere() noexcept;

  Engine& home_;
  Supervisor& supervisor_;  // valid until closed_
  const int cores_;
  struct {
    std::atomic<std::int64_t> at{0};  // when somebody looked
    std::atomic<std::int64_t> used{0};
    std::atomic<bool> high{false};
  } load_;
  std::atomic<int> turns_waiting_{0};  // groups in the list, for threads that ask without the lock

  mutable Mutex mutex_;
  Group* first_ MQ_GUARDED_BY(mutex_) = nullptr;  // turn list, each with a share
  Group* last_ MQ_GUARDED_BY(mutex_) = nullptr;
  Worker* idle_ MQ_GUARDED_BY(mutex_) = nullptr;        // the one idle for the shortest time first: its cache is warm
  int looking_ MQ_GUARDED_BY(mutex_) = 0;               // threads that look for work, or are on their way to
  int urgent_ MQ_GUARDED_BY(mutex_) = 0;                // groups in the list that want a thread at once
  std::uint64_t turns_ MQ_GUARDED_BY(mutex_) = 0;       // taken from the list
  std::uint64_t turns_seen_ MQ_GUARDED_BY(mutex_) = 0;  // by the last supervise()
  int threads_ MQ_GUARDED_BY(mutex_) = 0;
  int cap_sum_ MQ_GUARDED_BY(mutex_) = 0;
  int next_name_ MQ_GUARDED_BY(mutex_) = 0;
  bool supervised_ MQ_GUARDED_BY(mutex_) = false;
  bool closed_ MQ_GUARDED_BY(mutex_) = false;
  bool ended_ MQ_GUARDED_BY(mutex_) = false;  // close() is over: who submits runs
  std::int64_t last_start_ MQ_GUARDED_BY(mutex_) = 0;
  std::vector<CpuSample> cpu_ MQ_GUARDED_BY(mutex_);  // oldest first, at most kCpuSamples
  ThreadSet set_;
};

}  // namespace mqclient::base
