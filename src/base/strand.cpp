#include "base/strand.h"

#include <algorithm>

#include "base/engine.h"
#include "base/parker.h"
#include "base/sleep_row.h"

namespace mqclient::base {

namespace {
constinit thread_local Activation t_activation;
constinit std::atomic<TurnWatch> g_turn_watch{nullptr};

/// Looks at a strand's word between two readings of the clock, each of which takes as long as some of them.
constexpr int kLooksPerClock = 16;
/// Tasks of a turn between two readings of the clock, once they take so little.
constexpr int kShortTasksPerClock = 4;
constexpr std::int64_t kShortTaskNanos = 5'000;

/// For loops that wait for another core.
inline void relaxCore() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}
}  // namespace

Activation& Activation::ofThisThread() noexcept {
  return t_activation;
}

void watchTurns(TurnWatch watch) noexcept {
  g_turn_watch.store(watch, std::memory_order_relaxed);
}

bool Strand::isCurrent() const noexcept {
  return t_activation.current() == this;
}

bool Strand::push(Task& t) noexcept {
  std::uintptr_t seen = word_.load(std::memory_order_relaxed);
  for (;;) {
    if (seen == kIdle) {  // ours from here on: the task need not go through the word
      if (!word_.compare_exchange_weak(seen, kBusy, std::memory_order_acq_rel, std::memory_order_relaxed)) continue;
      t.next = nullptr;
      pending_ = &t;
      return true;
    }
    t.next = seen > kBusy ? reinterpret_cast<Task*>(seen) : nullptr;
    if (word_.compare_exchange_weak(seen, reinterpret_cast<std::uintptr_t>(&t), std::memory_order_acq_rel,
                                    std::memory_order_relaxed)) {
      return false;
    }
  }
}

Task* Strand::takeAll() noexcept {
  const std::uintptr_t taken = word_.exchange(kBusy, std::memory_order_acquire);
  Task* newest = taken > kBusy ? reinterpret_cast<Task*>(taken) : nullptr;
  Task* in_order = nullptr;
  std::uint32_t waited = 0;
  while (newest) {
    Task* older = newest->next;
    newest->next = in_order;
    in_order = newest;
    newest = older;
    ++waited;
  }
  engine_->noteStrandQueue(waited);
  return in_order;
}

void Strand::post(Task& t) noexcept {
  if (push(t)) resume();
}

void Strand::postPatiently(Task& t, std::int64_t nanos) noexcept {
  if (word_.load(std::memory_order_relaxed) != kIdle && t_activation.role() == Role::kForeign) awaitIdle(nanos);
  post(t);
}

void Strand::awaitIdle(std::int64_t nanos) const noexcept {
  // What this thread has on its stack or before it would never leave; in virtual time nobody else runs.
  if (isCurrent() || t_activation.keeps(*this) || engine_->isVirtualTime()) return;
  const std::int64_t until = steadyNanos() + nanos;
  do {
    for (int i = 0; i < kLooksPerClock; ++i) {
      if (word_.load(std::memory_order_relaxed) == kIdle) return;
      relaxCore();
    }
  } while (steadyNanos() < until);
}

void Strand::resume() noexcept {
  Engine& engine = *engine_;
  Activation& here = t_activation;
  if (!engine.mayRunHere() || !here.append(engine, Runnable(*this))) {
    engine.submit(Runnable(*this));
    return;
  }
  here.run();
}

bool Strand::runTurn() noexcept {
  Engine& engine = *engine_;
  Ref<Object> keep;  // the object of the task run last: alive until the strand has been left
  Task* list = std::exchange(pending_, nullptr);
  if (list) {
    engine.noteStrandQueue(1);
  } else {
    list = takeAll();
  }
  int tasks = 0;
  int look_at = 1;  // the clock, after so many tasks: often costs as much as some of them
  std::int64_t started = 0;
  std::int64_t looked = 0;
  for (;;) {
    while (list) {
      Task* t = list;
      list = t->next;
      pending_ = list;
      Ref<Object> alive = std::move(t->alive);
      if (t->run() == Next::kAgain) {
        t->alive = alive;
        push(*t);
      }
      keep = std::move(alive);
      ++tasks;
      if (!list && word_.load(std::memory_order_relaxed) == kBusy) break;  // nothing waits: try to leave below
      if (tasks >= kTasksPerTurn) return true;
      if (tasks < look_at) continue;  // an uncontended post costs no clock
      const std::int64_t now = engine.monotonicNanos();
      if (started == 0) started = now;
      if (now - started >= kTurnNanos) return true;
      const bool short_ones = looked != 0 && now - looked < kShortTaskNanos;
      looked = now;
      look_at = tasks + (short_ones ? kShortTasksPerClock : 1);
    }
    std::uintptr_t expected = kBusy;
    if (word_.compare_exchange_strong(expected, kIdle, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      return false;
    }
    list = takeAll();
  }
}

bool Activation::append(Engine& engine, Runnable r) noexcept {
  if (count_ == kReadyPerThread || (role_ == Role::kLane && engine.hasExecutor())) return false;
  ready_[(head_ + count_) % kReadyPerThread] = Entry{&engine, r};
  ++count_;
  return true;
}

bool Activation::keeps(const Strand& s) const noexcept {
  for (std::uint32_t i = 0; i < count_; ++i) {
    const Runnable& r = ready_[(head_ + i) % kReadyPerThread].what;
    if (!r.isTask() && &r.strand() == &s) return true;
  }
  return false;
}

bool Activation::strandsMayPass() const noexcept {
  if (turns_left_ <= static_cast<int>(count_)) return false;
  for (std::uint32_t i = 0; i < count_; ++i) {
    if (!ready_[(head_ + i) % kReadyPerThread].what.isTask()) return true;
  }
  return false;
}

void Activation::wakeAfterTurn(Sleeper& s) noexcept {
  if (wakes_ == kWakesAtOnce) wakeSleepers();
  s.retain();
  to_wake_[wakes_++] = &s;
}

void Activation::wakeAfterTurn(SleepRow& row, std::uint32_t bits) noexcept {
  const auto end = rows_to_wake_.begin() + rows_;
  const auto known = std::find_if(rows_to_wake_.begin(), end, [&](const RowToWake& r) { return r.row == &row; });
  if (known != end) {
    known->bits |= bits;
    return;
  }
  if (rows_ == kRowsAtOnce) wakeSleepers();
  rows_to_wake_[rows_++] = {&row, bits};
}

void Activation::wakeSleepers() noexcept {
  // One that is woken may bring others.
  while (wakes_ > 0) Ref<Sleeper>::adopt(to_wake_[--wakes_])->wake();
  while (rows_ > 0) {
    const RowToWake r = rows_to_wake_[--rows_];
    r.row->wake(r.bits);
  }
}

void Activation::runOne(Engine& engine, Runnable r) noexcept {
  runTurnOf(engine, r);
  if (wakes_ + rows_ > 0) wakeSleepers();
}

void Activation::runTurnOf(Engine& engine, Runnable r) noexcept {
  if (r.isTask()) {
    Task& t = r.task();
    Ref<Object> alive = std::move(t.alive);
    if (t.run() == Next::kAgain) {
      t.alive = std::move(alive);
      engine.submit(r);
    }
    return;
  }
  Strand& s = r.strand();
  const TurnWatch watch = g_turn_watch.load(std::memory_order_relaxed);
  if (watch) watch(true);
  current_ = &s;
  turn_nanos_ = 0;
  const bool left = s.runTurn();
  current_ = nullptr;
  if (watch) watch(false);
  // The rest is this thread's as long as its call has turns left, behind what waits here: elsewhere it would find
  // nothing of what it works on in the cache, and wake a thread that takes the core from whoever posts.
  if (left && !(engine.hasExecutor() && append(engine, r))) engine.submit(r);
}

int Activation::runReady(int budget) noexcept {
  int turns = 0;
  while (count_ > 0) {
    const Entry e = ready_[head_];
    head_ = (head_ + 1) % kReadyPerThread;
    --count_;
    // Without an executor nobody else would: whoever posts runs until nothing is left.
    if (e.engine->hasExecutor() && turns >= budget) {
      e.engine->submit(e.what);
    } else {
      ++turns;
      turns_left_ = budget - turns;
      runOne(*e.engine, e.what);
    }
  }
  return turns;
}

void Activation::run() noexcept {
  if (inside_) return;
  inside_ = true;
  runReady(kTurnsPerCall);
  inside_ = false;
}

int Activation::run(Engine& engine, Runnable r, int budget) noexcept {
  assert(!inside_ && budget >= 1);
  inside_ = true;
  turns_left_ = budget - 1;
  runOne(engine, r);
  const int turns = 1 + runReady(budget - 1);
  inside_ = false;
  return turns;
}

void after(Engine& engine, Task& t) noexcept {
  Activation& here = t_activation;
  if (!engine.mayRunHere() || !here.append(engine, Runnable(t))) {
    engine.submit(Runnable(t));
    return;
  }
  here.run();
}

}  // namespace mqclient::base
