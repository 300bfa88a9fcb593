#include "sim/scheduler.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace mqclient::sim {

using base::Activation;
using base::Job;
using base::LaneKind;
using base::Object;
using base::Ref;
using base::Role;
using base::Runnable;
using base::Timer;
using base::WaitSlot;

namespace {

constexpr std::int64_t kSteadyStart = 1'000'000'000'000;  // virtual steady time begins here, so that 0 is never "now"
constexpr std::uintptr_t kNobody = 0;
constexpr std::uintptr_t kOnTheWay = 1;
constexpr int kNetCap = 4;
constexpr int kReadCap = 4;

thread_local const Scheduler* t_worker_of = nullptr;
thread_local const std::string* t_name = nullptr;

/// What the thread is for while it runs one event, whoever's thread it is.
class RoleScope {
 public:
  RoleScope(base::Engine& engine, Role role) noexcept
      : here_(Activation::ofThisThread()), role_(here_.role()), home_(here_.home()) {
    here_.setRole(role);
    here_.setHome(&engine);
  }
  ~RoleScope() {
    here_.setRole(role_);
    here_.setHome(home_);
  }
  RoleScope(const RoleScope&) = delete;
  RoleScope& operator=(const RoleScope&) = delete;

 private:
  Activation& here_;
  const Role role_;
  base::Engine* const home_;
};

/// For the report: whose code runs on this thread.
class NameScope {
 public:
  explicit NameScope(const std::string& name) noexcept : before_(std::exchange(t_name, &name)) {}
  ~NameScope() { t_name = before_; }
  NameScope(const NameScope&) = delete;
  NameScope& operator=(const NameScope&) = delete;

 private:
  const std::string* const before_;
};

}  // namespace

SimListenerGroup::SimListenerGroup(Scheduler& scheduler, Ref<base::Engine> keep, std::string name, int cap)
    : keep_(std::move(keep)), scheduler_(scheduler), name_(std::move(name)), cap_(std::max(cap, 1)) {}
void SimListenerGroup::submit(Job& job) noexcept {
  scheduler_.submit(*this, job);
}
void SimListenerGroup::setCap(int cap) noexcept {
  scheduler_.setCap(*this, cap);
}
int SimListenerGroup::running() const noexcept {
  return scheduler_.runningOf(*this);
}
std::size_t SimListenerGroup::waiting() const noexcept {
  return scheduler_.waitingOf(*this);
}

void Scheduler::Due::setPlace(std::uint32_t place) const noexcept {
  if (kind == Kind::kTimer) {
    base::Timer::Node& node = static_cast<Timer*>(what)->node;
    node.slot = place;
    node.linked = place != DueHeap<Due>::kNoPlace;
  } else if (kind == Kind::kWait) {
    static_cast<Wait*>(what)->place = place;
  }
}

Scheduler::Scheduler(SimEngine& engine, const SimOptions& options)
    : engine_(engine),
      seeded_(options.schedule == SimOptions::Schedule::kSeeded),
      auto_advance_(options.time == SimOptions::Time::kAutoAdvance),
      lane_delay_max_(seeded_ ? std::max<std::int64_t>(options.lane_delay_max.count(), 0) : 0),
      stuck_after_(options.stuck_after),
      livelock_events_(options.livelock_events),
      on_stuck_(options.on_stuck),
      holder_(seeded_ ? thisThread() : kNobody),
      now_(kSteadyStart),
      chance_(options.seed, 1),
      library_chance_(options.seed, 2) {
  lanes_[static_cast<std::size_t>(LaneKind::kNet)].cap = kNetCap;
  lanes_[static_cast<std::size_t>(LaneKind::kRead)].cap = kReadCap;
}

Scheduler::~Scheduler() {
  {
    const Lock lock(lock_);
    stopping_ = true;
    for (const auto& w : workers_) w->parker.wake();
  }
  for (const auto& w : workers_) w->thread.join();
  for (Body* b : new_bodies_) delete b;
  for (const Due& d : due_.items()) {
    if (d.kind == Due::Kind::kLane) {
      delete static_cast<LaneJob*>(d.what);
    } else if (d.kind == Due::Kind::kTimer) {
      static_cast<Timer*>(d.what)->node.linked = false;
    }
  }
}

std::uintptr_t Scheduler::thisThread() noexcept {
  thread_local char place;
  return reinterpret_cast<std::uintptr_t>(&place);
}

std::uintptr_t Scheduler::exchangeHolder(std::uintptr_t thread) noexcept {
  return seeded_ ? holder_.exchange(thread) : kNobody;
}

void Scheduler::requireBaton(const char* what) const noexcept {
  if (!seeded_ || holder_.load(std::memory_order_relaxed) == thisThread()) return;
  std::fprintf(stderr,
               "sim: a thread that does not hold the baton %s; in a seeded simulation threads are started with "
               "SimEngine::spawn() or enter with SimEngine::Enter\n",
               what);
  std::abort();
}

// ---- work

void Scheduler::workArrived() noexcept {
  if (!seeded_) idle_.notify_one();
}

void Scheduler::submit(Runnable r) noexcept {
  requireBaton("hands over work");
  const Lock lock(lock_);
  ready_.push_back(r);
  workArrived();
}

void Scheduler::arm(Timer& timer, std::int64_t due) noexcept {
  requireBaton("arms a timer");
  const Lock lock(lock_);
  due_.push(Due{due, tie(), &timer, Due::Kind::kTimer});
  workArrived();
}

bool Scheduler::cancel(Timer& timer) noexcept {
  const Lock lock(lock_);
  if (!timer.node.linked) return false;
  due_.remove(timer.node.slot);
  return true;
}

void Scheduler::list(SimListenerGroup& group) {
  if (group.listed_ || group.jobs_.empty() || group.running_ >= group.cap_) return;
  group.listed_ = true;
  groups_.push_back(&group);
}

void Scheduler::submit(SimListenerGroup& group, Job& job) noexcept {
  requireBaton("submits user code");
  group.retain();  // given up when the job has run
  const Lock lock(lock_);
  group.jobs_.push_back(&job);
  list(group);
  workArrived();
}

void Scheduler::setCap(SimListenerGroup& group, int cap) noexcept {
  const Lock lock(lock_);
  group.cap_ = std::max(cap, 1);
  list(group);
  if (group.listed_ && group.running_ >= group.cap_) {
    group.listed_ = false;
    groups_.erase(std::find(groups_.begin(), groups_.end(), &group));
  }
  workArrived();
}

int Scheduler::runningOf(const SimListenerGroup& group) noexcept {
  const Lock lock(lock_);
  return group.running_;
}

std::size_t Scheduler::waitingOf(const SimListenerGroup& group) noexcept {
  const Lock lock(lock_);
  return group.jobs_.size();
}

bool Scheduler::submit(LaneKind kind, UniqueFunction<void()> work) {
  requireBaton("submits to a lane");
  const Lock lock(lock_);
  Lane& lane = lanes_[static_cast<std::size_t>(kind)];
  if (lane.waiting.size() >= kLaneQueueMax) return false;
  lane.waiting.push_back(std::move(work));
  startLaneJobs(kind);
  workArrived();
  return true;
}

/// A lane's thread is busy for the drawn delay and does its work at the end of it.
void Scheduler::startLaneJobs(LaneKind kind) {
  Lane& lane = lanes_[static_cast<std::size_t>(kind)];
  while (!lane.waiting.empty() && lane.in_service < lane.cap) {
    auto job = std::make_unique<LaneJob>(LaneJob{kind, std::move(lane.waiting.front())});
    lane.waiting.pop_front();
    ++lane.in_service;
    const std::int64_t delay = lane_delay_max_ > 0 ? chance_.between(0, lane_delay_max_) : 0;
    due_.push(Due{now() + delay, tie(), job.get(), Due::Kind::kLane});
    static_cast<void>(job.release());  // owned by its place in due_
  }
}

void Scheduler::spawn(std::string name, UniqueFunction<void()> body) {
  requireBaton("spawns a body");
  const Lock lock(lock_);
  new_bodies_.push_back(new Body{std::move(name), std::move(body)});
  ++bodies_;
  workArrived();
}

bool Scheduler::chooseHere() noexcept {
  requireBaton("posts");
  return chance_.coin();
}

// ---- choosing

/// The next event; moves time when nothing is ready and somebody allows it. Called by the holder.
Scheduler::Choice Scheduler::choose(Lock& lock) {
  auto give_up = std::chrono::steady_clock::time_point::max();
  for (;;) {
    for (Wait* w : pumps_) {
      if (w->kind == WaitKind::kPredicate && w->seen != events_) {
        w->seen = events_;
        return resume(*w);
      }
    }
    const bool due = !due_.empty() && due_.top().due <= now();
    const std::size_t count =
        ready_.size() + ready_waits_.size() + groups_.size() + new_bodies_.size() + (due ? 1u : 0u);
    if (count > 0) {
      if (seeded_ && events_ - events_at_move_ > livelock_events_) {
        fail(lock, "livelock: too many events at one moment of virtual time");
      }
      const std::size_t index = seeded_ && count > 1 ? chance_.below(count) : 0;
      if (seeded_) schedule_.add(index * 64 + count);
      return take(index);
    }
    for (Wait* w : pumps_) {
      if (now() >= w->until) {
        w->limit_reached = true;
        return resume(*w);
      }
    }
    if (!moveTime()) whenStuck(lock, give_up);
  }
}

/// The index-th of everything ready. The order of the kinds matters without a seed only: who waited first goes on
/// first, so that a busy listener cannot keep a test from its next line.
Scheduler::Choice Scheduler::take(std::size_t index) {
  const auto pick = [&index, this](auto& queue) {
    auto what = queue[index];
    if (seeded_) {
      queue[index] = queue.back();  // order is the seed's business: no need to keep it
      queue.pop_back();
    } else {
      queue.pop_front();
    }
    return what;
  };
  if (index < ready_waits_.size()) {
    Wait* w = pick(ready_waits_);
    return resume(*w);
  }
  index -= ready_waits_.size();
  Choice c;
  if (index < ready_.size()) {
    c.kind = Choice::Kind::kRunnable;
    c.runnable = pick(ready_);
    return c;
  }
  index -= ready_.size();
  if (index < groups_.size()) {
    SimListenerGroup* group = pick(groups_);
    group->listed_ = false;
    c.kind = Choice::Kind::kJob;
    c.group = group;
    c.what = group->jobs_.front();
    group->jobs_.pop_front();
    ++group->running_;
    list(*group);
    return c;
  }
  index -= groups_.size();
  if (index < new_bodies_.size()) {
    c.kind = Choice::Kind::kBody;
    c.what = pick(new_bodies_);
    return c;
  }
  return takeDue();
}

Scheduler::Choice Scheduler::takeDue() {
  const Due top = due_.top();
  due_.pop();
  Choice c;
  switch (top.kind) {
    case Due::Kind::kWait:
      return resume(*static_cast<Wait*>(top.what));
    case Due::Kind::kTimer:
      c.kind = Choice::Kind::kTimer;
      break;
    case Due::Kind::kLane:
      c.kind = Choice::Kind::kLane;
      break;
  }
  c.what = top.what;
  return c;
}

Scheduler::Choice Scheduler::resume(Wait& wait) {
  end(wait);
  Choice c;
  c.kind = Choice::Kind::kResume;
  c.what = &wait;
  return c;
}

bool Scheduler::moveTime() {
  std::int64_t next = kNever;
  for (const Wait* w : pumps_) next = std::min(next, w->until);
  if (pumps_.empty() && !auto_advance_) return false;
  if (!due_.empty()) next = std::min(next, due_.top().due);
  if (next == kNever) return false;
  now_.store(next, std::memory_order_relaxed);
  events_at_move_ = ++events_;
  return true;
}

/// kSeeded: nobody else exists, so nothing can change. kInline: waits for threads from outside, in real time (A3).
void Scheduler::whenStuck(Lock& lock, std::chrono::steady_clock::time_point& give_up) {
  if (seeded_) {
    fail(lock, auto_advance_ ? "stuck: nothing is ready, nothing falls due, and somebody waits"
                             : "stuck: nothing is ready and somebody waits, but time moves only by hand");
  }
  const auto real_now = std::chrono::steady_clock::now();
  if (give_up == std::chrono::steady_clock::time_point::max()) give_up = real_now + stuck_after_;
  if (real_now >= give_up) {
    fail(lock, "stuck: " + std::to_string(stuck_after_.count()) + " ms of real time without progress");
  }
  idle_.wait_until(lock, give_up);
}

// ---- waiting

void Scheduler::begin(Wait& w) {
  w.since = now();
  w.foreign = t_worker_of != this;
  w.who = t_name && !w.foreign ? *t_name : "a thread from outside";
  w.listed = true;
  w.limit_reached = false;
  waits_.push_back(&w);
  if (w.kind != WaitKind::kSlot) {
    pumps_.push_back(&w);
  } else if (w.settled) {
    ready_waits_.push_back(&w);
  } else if (w.until != kNever) {
    due_.push(Due{w.until, tie(), &w, Due::Kind::kWait});
  }
}

void Scheduler::end(Wait& w) {
  w.listed = false;
  waits_.erase(std::find(waits_.begin(), waits_.end(), &w));
  if (w.kind != WaitKind::kSlot) pumps_.erase(std::find(pumps_.begin(), pumps_.end(), &w));
  if (w.place != DueHeap<Due>::kNoPlace) due_.remove(w.place);
  if (w.settled) std::erase(ready_waits_, &w);
}

void Scheduler::settled(Wait& w) noexcept {
  requireBaton("settles an operation");
  const Lock lock(lock_);
  if (w.settled) return;
  w.settled = true;
  if (!w.listed) return;
  ready_waits_.push_back(&w);
  workArrived();
}

bool Scheduler::wait(WaitSlot& slot, std::int64_t deadline) {
  requireBaton("waits");
  Wait w{.kind = WaitKind::kSlot, .until = deadline};
  if (!slot.setOnSettle([this, &w] { settled(w); })) return true;
  {
    Lock lock(lock_);
    leave(lock, enter(lock, w));
  }
  slot.clearOnSettle();
  return slot.settled();
}

void Scheduler::pumpIdle(std::int64_t until) {
  requireBaton("pumps");
  Wait w{.kind = WaitKind::kIdle, .until = until};
  Lock lock(lock_);
  leave(lock, enter(lock, w));
}

bool Scheduler::pumpUntil(UniqueFunction<bool()>& done, std::int64_t until) {
  requireBaton("pumps");
  Wait w{.kind = WaitKind::kPredicate, .until = until};
  Lock lock(lock_);
  const bool took = enter(lock, w);  // comes back at once to be asked
  for (;;) {
    const bool last = w.limit_reached;
    lock.unlock();
    const bool is_done = done();
    lock.lock();
    if (is_done || last) {
      leave(lock, took);
      return is_done;
    }
    w.seen = events_;
    begin(w);
    runWhileWaiting(lock, w);
  }
}

std::int64_t Scheduler::nextDue() {
  const Lock lock(lock_);
  return due_.empty() ? kNever : due_.top().due;
}

void Scheduler::drain() {
  holder_.store(seeded_ ? thisThread() : kNobody);
  {
    const Lock lock(lock_);
    if (ready_.empty() && groups_.empty()) return;
  }
  Wait w{.kind = WaitKind::kIdle, .until = kAtOnce};
  Lock lock(lock_);
  if (Activation::ofThisThread().mayAwait()) return leave(lock, enter(lock, w));
  // The last reference was dropped inside a strand: user code may not run here, and no other thread needs this strand.
  begin(w);
  handOver(lock, takeWorker(lock, Choice{}).parker, w.parker);
  leave(lock, true);
}

bool Scheduler::enter(Lock& lock, Wait& w) {
  const std::uintptr_t me = thisThread();
  const std::uintptr_t holder = holder_.load(std::memory_order_relaxed);
  begin(w);
  if (w.kind == WaitKind::kPredicate) w.seen = events_ - 1;  // asked before the first event
  if (holder == me) {
    runWhileWaiting(lock, w);
    return false;
  }
  if (holder == kNobody) {
    holder_.store(me, std::memory_order_relaxed);
    runWhileWaiting(lock, w);
  } else {
    workArrived();  // the holder may have run out of work, and this pump may move time
    park(lock, w.parker);
  }
  return true;
}

/// kInline: a thread from outside leaves its call. If others of its kind still wait, a worker goes on for them.
void Scheduler::leave(Lock& lock, bool took) noexcept {
  if (!took || seeded_) return;
  if (std::none_of(waits_.begin(), waits_.end(), [](const Wait* w) { return w->foreign; })) {
    holder_.store(kNobody, std::memory_order_relaxed);
    return;
  }
  Worker& next = takeWorker(lock, Choice{});
  holder_.store(kOnTheWay, std::memory_order_relaxed);
  lock.unlock();
  next.parker.wake();
}

/// Runs events on this stack until `w` is chosen. What may wait itself goes to a worker, and the baton with it.
void Scheduler::runWhileWaiting(Lock& lock, Wait& w) {
  for (;;) {
    const Choice c = choose(lock);
    switch (c.kind) {
      case Choice::Kind::kResume: {
        Wait* chosen = static_cast<Wait*>(c.what);
        if (chosen == &w) return;
        return handOver(lock, chosen->parker, w.parker);
      }
      case Choice::Kind::kJob:
      case Choice::Kind::kBody:
        return handOver(lock, takeWorker(lock, c).parker, w.parker);
      default:
        execute(lock, c);
    }
  }
}

/// Gives the baton away and waits for it. The wake comes after the unlock: on one processor the woken thread would else
/// run into the lock and the switch be paid twice.
void Scheduler::handOver(Lock& lock, base::Parker& to, base::Parker& here) {
  holder_.store(kOnTheWay, std::memory_order_relaxed);
  lock.unlock();
  to.wake();
  here.park(base::kNoDeadline);
  lock.lock();
  holder_.store(thisThread(), std::memory_order_relaxed);
}

void Scheduler::park(Lock& lock, base::Parker& here) {
  lock.unlock();
  here.park(base::kNoDeadline);
  lock.lock();
  holder_.store(thisThread(), std::memory_order_relaxed);
}

// ---- running

void Scheduler::execute(Lock& lock, const Choice& c) {
  lock.unlock();
  if (c.kind == Choice::Kind::kLane) {
    const std::unique_ptr<LaneJob> job(static_cast<LaneJob*>(c.what));
    {
      const RoleScope scope(engine_, Role::kLane);
      job->work();
      job->work.reset();
    }
    lock.lock();
    --lanes_[static_cast<std::size_t>(job->lane)].in_service;
    startLaneJobs(job->lane);
  } else {
    const RoleScope scope(engine_, Role::kReactor);
    if (c.kind == Choice::Kind::kTimer) {
      Timer& timer = *static_cast<Timer*>(c.what);
      timer.strand().post(timer);
    } else {
      Activation::ofThisThread().run(engine_, c.runnable);
    }
    lock.lock();
  }
  ++events_;
}

void Scheduler::runJob(Lock& lock, const Choice& c) {
  Job& job = *static_cast<Job*>(c.what);
  lock.unlock();
  {
    const RoleScope scope(engine_, Role::kListener);
    const NameScope name(c.group->name_);
    const Ref<Object> alive = std::move(job.alive);
    job.run();
  }
  lock.lock();
  --c.group->running_;
  list(*c.group);
  ++events_;
  lock.unlock();
  c.group->release();
  lock.lock();
}

void Scheduler::runBody(Lock& lock, const Choice& c) {
  std::unique_ptr<Body> body(static_cast<Body*>(c.what));
  lock.unlock();
  {
    const RoleScope scope(engine_, Role::kForeign);
    const NameScope name(body->name);
    body->run();
    body.reset();
  }
  lock.lock();
  --bodies_;
  ++events_;
}

Scheduler::Worker& Scheduler::takeWorker(Lock& lock, const Choice& first) {
  if (parked_workers_.empty()) {
    if (workers_.size() >= kWorkersMax) fail(lock, "too many threads: that many listeners and bodies wait at once");
    auto worker = std::make_unique<Worker>();
    Worker& w = *worker;
    workers_.push_back(std::move(worker));
    Result<base::Thread> started =
        base::Thread::start("mq-sim", Role::kReactor, &engine_, [this, &w] { workerMain(w); });
    if (!started) fail(lock, "cannot start a thread: " + started.error().message());
    w.thread = std::move(*started);
    w.first = first;
    return w;
  }
  Worker& w = *parked_workers_.back();
  parked_workers_.pop_back();
  w.first = first;
  return w;
}

void Scheduler::workerMain(Worker& me) {
  t_worker_of = this;
  me.parker.park(base::kNoDeadline);
  Lock lock(lock_);
  while (!stopping_) {
    holder_.store(thisThread(), std::memory_order_relaxed);
    Choice c = me.first;
    while (c.kind != Choice::Kind::kResume) {
      if (c.kind == Choice::Kind::kJob) {
        runJob(lock, c);
      } else if (c.kind == Choice::Kind::kBody) {
        runBody(lock, c);
      } else if (c.kind != Choice::Kind::kContinue) {
        execute(lock, c);
      }
      c = choose(lock);
    }
    parked_workers_.push_back(&me);
    handOver(lock, static_cast<Wait*>(c.what)->parker, me.parker);
  }
}

// ---- clock, chance, trace

std::uint64_t Scheduler::random() noexcept {
  const Lock lock(lock_);
  return library_chance_.next();
}

void Scheduler::trace(std::uint64_t kind, std::span<const std::byte> bytes) noexcept {
  const Lock lock(lock_);
  trace_.add(static_cast<std::uint64_t>(now()));
  trace_.add(kind);
  trace_.add(bytes);
}

void Scheduler::trace(std::uint64_t kind, const base::Chain& bytes) noexcept {
  const Lock lock(lock_);
  trace_.add(static_cast<std::uint64_t>(now()));
  trace_.add(kind);
  TraceHash::Bytes stream(trace_, bytes.size());
  for (std::size_t i = 0; i < bytes.count(); ++i) stream.part(bytes[i].bytes());
}

std::uint64_t Scheduler::traceHash() noexcept {
  const Lock lock(lock_);
  return trace_.value();
}

std::uint64_t Scheduler::scheduleHash() noexcept {
  const Lock lock(lock_);
  return schedule_.value();
}

}  // namespace mqclient::sim
