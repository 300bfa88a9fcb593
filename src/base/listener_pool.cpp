#include "base/listener_pool.h"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/cache_line.h"

namespace mqclient::base {

namespace {

std::int64_t processCpuNanos() noexcept {
  return clockNanos(CLOCK_PROCESS_CPUTIME_ID);
}

}  // namespace

class ListenerPool::Group final : public ListenerGroup {
 public:
  Group(Ref<ListenerPool> pool, std::string name, int cap)
      : pool_(std::move(pool)), name_(std::move(name)), cap_(std::max(1, cap)) {
    MutexLock lock(pool_->mutex_);
    pool_->cap_sum_ += cap_;
  }

  void submit(Job& job) noexcept override {
    Job* top = intake_.load(std::memory_order_relaxed);
    do {
      job.next = top;
    } while (!intake_.compare_exchange_weak(top, &job, std::memory_order_acq_rel, std::memory_order_relaxed));
    if (top) return;  // whoever laid the first one there sees to all
    Wake wake = Wake::kAnother;
    {
      MutexLock lock(mutex_);
      if (!becomesDue()) return;
      wake = wakeFor();
    }
    pool_->schedule(*this, wake);
  }

  void setCap(int cap) noexcept override {
    bool due = false;
    {
      MutexLock lock(mutex_);
      const int was = std::exchange(cap_, std::max(1, cap));
      due = becomesDue();
      MutexLock pool_lock(pool_->mutex_);
      pool_->cap_sum_ += cap_ - was;
    }
    if (due) pool_->schedule(*this, Wake::kAnother);
  }

  int running() const noexcept override {
    MutexLock lock(mutex_);
    return running_;
  }
  std::size_t waiting() const noexcept override {
    MutexLock lock(mutex_);
    std::size_t count = 0;
    for (const Job* job = first_; job; job = job->next) ++count;
    for (const Job* job = intake_.load(std::memory_order_acquire); job; job = job->next) ++count;
    return count;
  }

  /// Out of the turn list. True: a running place is taken.
  bool beginTurn() noexcept {
    MutexLock lock(mutex_);
    listed_ = false;
    if (!hasWork() || running_ >= cap_) return false;
    ++running_;
    return true;
  }
  /// The next job of a turn. `wake`: the group goes to the turn list for another thread.
  Job* take(std::optional<Wake>& wake) noexcept {
    MutexLock lock(mutex_);
    wake.reset();
    if (running_ > cap_) return nullptr;
    if (!first_) takeIntake();
    Job* const job = first_;
    if (!job) return nullptr;
    first_ = job->next;
    if (!first_) last_ = nullptr;
    ++streak_;
    if (becomesDue()) wake = wakeFor();
    return job;
  }
  /// Nothing is left for a turn that is not over. True: jobs came in a stream, so the thread lets some gather and looks
  /// again; until endLinger() nobody else is asked.
  bool beginLinger() noexcept {
    MutexLock lock(mutex_);
    if (running_ > cap_ || hasWork()) return false;
    const bool worth = !lingered_ || streak_ - streak_at_linger_ >= kWorthLingering;
    if (!worth) streak_ = 0;
    lingered_ = worth && streak_ >= kStream && typical_ < kWorthAThread;
    lingering_ = lingered_;
    streak_at_linger_ = streak_;
    return lingered_;
  }
  void endLinger() noexcept {
    MutexLock lock(mutex_);
    lingering_ = false;
  }
  /// `job_nanos`: what a job of the turn took on average. True: due again.
  bool endTurn(std::int64_t job_nanos) noexcept {
    MutexLock lock(mutex_);
    --running_;
    // A step of two at most: one turn that lost its core for a while says little about the jobs.
    typical_ = typical_ == kUnknown ? job_nanos : std::clamp(job_nanos, typical_ / 2, typical_ * 2 + 1);
    return becomesDue();
  }

  Group* next = nullptr;  // in the turn list; the pool's lock
  bool urgent = false;    // counted in urgent_; the pool's lock

 private:
  ~Group() override {
    MutexLock lock(pool_->mutex_);
    pool_->cap_sum_ -= cap_;
  }
  static constexpr std::int64_t kUnknown = -1;
  static constexpr std::uint64_t kStream = 32;
  static constexpr std::uint64_t kWorthLingering = 3;

  bool hasWork() const noexcept MQ_REQUIRES(mutex_) {
    return first_ || intake_.load(std::memory_order_acquire) != nullptr;
  }
  /// What came since the last time, in order.
  void takeIntake() noexcept MQ_REQUIRES(mutex_) {
    Job* newest = intake_.exchange(nullptr, std::memory_order_acquire);
    last_ = newest;
    while (newest) {
      Job* const older = newest->next;
      newest->next = first_;
      first_ = newest;
      newest = older;
    }
  }

  Wake wakeFor() const noexcept MQ_REQUIRES(mutex_) {
    return running_ == 0 || typical_ == kUnknown || typical_ >= kWorthAThread ? Wake::kAnother : Wake::kIfStuck;
  }
  bool becomesDue() noexcept MQ_REQUIRES(mutex_) {
    if (listed_ || lingering_ || !hasWork() || running_ >= cap_) return false;
    listed_ = true;
    return true;
  }

  const Ref<ListenerPool> pool_;
  const std::string name_;
  alignas(kCacheLine) std::atomic<Job*> intake_{
      nullptr};  // newest first; all that submitters touch while some are there
  alignas(kCacheLine) mutable Mutex mutex_;
  Job* first_ MQ_GUARDED_BY(mutex_) = nullptr;  // older than what is in intake_
  Job* last_ MQ_GUARDED_BY(mutex_) = nullptr;
  int cap_ MQ_GUARDED_BY(mutex_);
  int running_ MQ_GUARDED_BY(mutex_) = 0;                  // threads in a turn of this group
  bool listed_ MQ_GUARDED_BY(mutex_) = false;              // in the turn list, or on the way into it
  std::int64_t typical_ MQ_GUARDED_BY(mutex_) = kUnknown;  // nanoseconds a job takes
  std::uint64_t streak_ MQ_GUARDED_BY(mutex_) = 0;         // jobs since the last time that lingering was not worth it
  std::uint64_t streak_at_linger_ MQ_GUARDED_BY(mutex_) = 0;
  bool lingered_ MQ_GUARDED_BY(mutex_) = false;   // streak_at_linger_ counts
  bool lingering_ MQ_GUARDED_BY(mutex_) = false;  // a thread comes back in a moment
};

ListenerPool::ListenerPool(Engine& home, Supervisor& supervisor)
    : home_(home), supervisor_(supervisor), cores_(usableCores()) {
  cpu_.reserve(kCpuSamples);
}

Ref<ListenerGroup> ListenerPool::makeGroup(std::string name, int cap) {
  return makeRef<Group>(Ref<ListenerPool>(this), std::move(name), cap);
}

void ListenerPool::schedule(Group& group, Wake wake) noexcept {
  Worker* woken = nullptr;
  bool start = false;
  bool run_here = false;
  group.retain();
  {
    MutexLock lock(mutex_);
    group.next = nullptr;
    if (last_) {
      last_->next = &group;
    } else {
      first_ = &group;
    }
    last_ = &group;
    turns_waiting_.fetch_add(1, std::memory_order_relaxed);
    group.urgent = wake == Wake::kAnother;
    if (group.urgent) ++urgent_;
    if (closed_) {
      run_here = ended_ && wake != Wake::kNobody;
    } else if (wake == Wake::kIfStuck) {
      askForSupervision();
    } else if (wake == Wake::kAnother && looking_ == 0) {
      woken = takeIdle();
      if (!woken && threads_ == 0) {
        ++threads_;
        start = true;
        last_start_ = steadyNanos();
      } else if (!woken && threads_ < cap_sum_) {
        askForSupervision();
      }
    }
  }
  if (woken) woken->parker.wake();
  if (start) startThread();
  if (run_here) drainHere();
}

ListenerPool::Worker* ListenerPool::takeIdle() noexcept {
  Worker* const w = idle_;
  if (!w) return nullptr;
  idle_ = w->below;
  w->idle = false;
  w->looking = true;
  ++looking_;
  return w;
}

void ListenerPool::askForSupervision() noexcept {
  if (supervised_) return;
  supervised_ = true;
  const std::int64_t now = steadyNanos();
  cpu_.assign(1, CpuSample{now, processCpuNanos()});
  supervisor_.superviseListenersAt(now + kGrowNanos);
}

bool ListenerPool::isBusy(std::int64_t used, std::int64_t elapsed) const noexcept {
  return used * 100 >= elapsed * cores_ * kBusyPercent;
}

bool ListenerPool::busy(std::int64_t now) noexcept {
  const std::int64_t used = processCpuNanos();
  while (cpu_.size() > 1 && (cpu_.size() == kCpuSamples || now - cpu_[1].at >= kCpuWindowNanos)) {
    cpu_.erase(cpu_.begin());
  }
  const CpuSample& oldest = cpu_.front();
  const bool is_busy = isBusy(used - oldest.used, now - oldest.at);
  cpu_.push_back(CpuSample{now, used});
  return is_busy;
}

std::int64_t ListenerPool::supervise(std::int64_t now) noexcept {
  Worker* woken = nullptr;
  bool start = false;
  {
    MutexLock lock(mutex_);
    if (closed_ || !first_ || (!idle_ && threads_ >= cap_sum_)) {
      supervised_ = false;  // the next group that finds no thread asks again
      return kNoDeadline;
    }
    const bool moves = std::exchange(turns_seen_, turns_) != turns_;
    if (looking_ == 0 && (urgent_ > 0 || !moves)) {
      woken = takeIdle();
      if (!woken && (threads_ == 0 || now - last_start_ >= (busy(now) ? kGrowBusyNanos : kGrowNanos))) {
        ++threads_;
        start = true;
        last_start_ = now;
      }
    }
  }
  if (woken) woken->parker.wake();
  if (start) startThread();
  return now + kGrowNanos;
}

bool ListenerPool::startThread() noexcept {
  int number = 0;
  {
    MutexLock lock(mutex_);
    number = next_name_++;
  }
  const Result<void> started =
      set_.start("mq-cb-" + std::to_string(number), Role::kListener, &home_, [this] { work(); });
  if (started) return true;
  MutexLock lock(mutex_);
  --threads_;
  if (!closed_) askForSupervision();  // it tries again: the jobs stay where they are
  return false;
}

Ref<ListenerPool::Group> ListenerPool::takeTurn(Worker* self) noexcept {
  for (;;) {
    Ref<Group> group;
    Worker* woken = nullptr;
    {
      MutexLock lock(mutex_);
      if (!first_) return nullptr;
      group = Ref<Group>::adopt(first_);
      first_ = group->next;
      if (!first_) last_ = nullptr;
      turns_waiting_.fetch_sub(1, std::memory_order_relaxed);
      ++turns_;
      if (std::exchange(group->urgent, false)) --urgent_;
      if (self && std::exchange(self->looking, false)) --looking_;
      if (urgent_ > 0 && looking_ == 0 && !closed_) {
        woken = takeIdle();
        if (!woken && threads_ < cap_sum_) askForSupervision();
      }
    }
    if (woken) woken->parker.wake();
    if (group->beginTurn()) return group;
  }
}

void ListenerPool::runTurn(Group& group) noexcept {
  const std::int64_t started = steadyNanos();
  int jobs = 0;
  while (jobs < kJobsPerTurn) {
    std::optional<Wake> wake;
    Job* job = group.take(wake);
    if (wake) schedule(group, *wake);
    if (!job) {
      if (!group.beginLinger()) break;
      linger();
      group.endLinger();
      continue;
    }
    ++jobs;
    {
      const Ref<Object> alive = std::move(job->alive);
      job->run();
    }
    if (turns_waiting_.load(std::memory_order_relaxed) > 0 && steadyNanos() - started >= kTurnNanos) break;
  }
  const std::int64_t took = steadyNanos() - started;
  if (group.endTurn(took / std::max(1, jobs))) schedule(group, Wake::kNobody);  // this thread takes a turn next
}

void ListenerPool::linger() noexcept {
  const std::int64_t now = steadyNanos();
  if (coresTaken(now)) {
    const timespec rest{.tv_sec = 0, .tv_nsec = kRestNanos};
    nanosleep(&rest, nullptr);
    return;
  }
  do {
    sched_yield();
  } while (steadyNanos() - now < kLingerNanos);
}

bool ListenerPool::coresTaken(std::int64_t now) noexcept {
  std::int64_t last = load_.at.load(std::memory_order_relaxed);
  // One thread of those that ask looks.
  if (now - last >= kLoadNanos &&
      load_.at.compare_exchange_strong(last, now, std::memory_order_acq_rel, std::memory_order_relaxed)) {
    const std::int64_t used = processCpuNanos();
    const std::int64_t before = load_.used.exchange(used, std::memory_order_relaxed);
    load_.high.store(isBusy(used - before, now - last), std::memory_order_relaxed);
  }
  return load_.high.load(std::memory_order_relaxed);
}

void ListenerPool::look(Worker& self) noexcept {
  {
    MutexLock lock(mutex_);
    if (first_ || closed_ || looking_ > 0) return;
    self.looking = true;
    ++looking_;
  }
  const std::int64_t until = steadyNanos() + kLookNanos;
  while (turns_waiting_.load(std::memory_order_relaxed) == 0 && steadyNanos() < until) sched_yield();
}

bool ListenerPool::idle(Worker& self) noexcept {
  {
    MutexLock lock(mutex_);
    if (first_) return true;
    if (std::exchange(self.looking, false)) --looking_;
    if (closed_) return false;
    self.below = idle_;
    self.idle = true;
    idle_ = &self;
  }
  if (self.parker.park(steadyNanos() + kIdleNanos)) return true;
  {
    MutexLock lock(mutex_);
    if (self.idle) {
      Worker** at = &idle_;
      while (*at != &self) at = &(*at)->below;
      *at = self.below;
      return false;
    }
  }
  // Taken from the stack already: its wake is on the way, and must not find this worker gone.
  while (!self.parker.park(kNoDeadline)) {
  }
  return true;
}

void ListenerPool::work() noexcept {
  Worker self;
  for (;;) {
    while (const Ref<Group> group = takeTurn(&self)) runTurn(*group);
    look(self);
    if (!idle(self)) break;
  }
  MutexLock lock(mutex_);
  --threads_;
}

void ListenerPool::drainHere() noexcept {
  Activation& here = Activation::ofThisThread();
  const Role role = here.role();
  here.setRole(Role::kListener);  // user code may wait here too
  while (const Ref<Group> group = takeTurn(nullptr)) runTurn(*group);
  here.setRole(role);
}

void ListenerPool::close() noexcept {
  {
    MutexLock lock(mutex_);
    closed_ = true;
    while (Worker* w = idle_) {
      idle_ = w->below;
      w->idle = false;
      w->parker.wake();
    }
  }
  drainHere();  // helps, so that what waits starts even if every thread is in a long call
  set_.joinAll();
  {
    MutexLock lock(mutex_);
    ended_ = true;
  }
  drainHere();
}

int ListenerPool::threads() const noexcept {
  MutexLock lock(mutex_);
  return threads_;
}

int ListenerPool::threadLimit() const noexcept {
  MutexLock lock(mutex_);
  return cap_sum_;
}

}  // namespace mqclient::base
