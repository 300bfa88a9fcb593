// C2: what was accepted is delivered without memory. Whoever settles, cancels, drops or fires, on whatever thread,
// while operator new gives nothing to anybody: each callback runs once, each waiter returns.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "base/completion.h"
#include "base/thread_set.h"
#include "base/timer.h"
#include "tests/base/helpers.h"
#include "tests/base/out_of_memory/allocator.h"

namespace mqclient::base {
namespace {

using testing::Count;
using testing::OutOfMemory;
using testing::Owner;
using testing::threadedEngine;

using State = mqclient::detail::FutureState<int>;

/// Awaited without memory: the tests' Count would do as well, but looks are all that is needed here.
void awaitAtLeast(const std::atomic<int>& number, int wanted) {
  const auto bound = std::chrono::steady_clock::now() + testing::kBound;
  while (number.load() < wanted && std::chrono::steady_clock::now() < bound) std::this_thread::yield();
}

/// Operations with callbacks: accepted, so all that their delivery needs is theirs.
class Accepted {
 public:
  Accepted(Engine& engine, int operations, int shares) : delivered_(static_cast<std::size_t>(operations)) {
    for (int i = 0; i < operations; ++i) {
      auto* state = new State(engine.callbackTarget());
      for (int s = 0; s < shares; ++s) state->retain();
      state->setCallback([this, at = static_cast<std::size_t>(i)](const Result<int>& r) {
        if (delivered_[at].fetch_add(1) == 0) by_code[r ? 0 : static_cast<std::size_t>(r.error().code())] += 1;
        ++calls;
      });
      states.push_back(state);
    }
  }
  bool eachOnce() const {
    for (const auto& n : delivered_) {
      if (n.load() != 1) return false;
    }
    return true;
  }
  int count() const { return static_cast<int>(states.size()); }

  std::vector<State*> states;
  std::atomic<int> calls{0};
  std::array<std::atomic<int>, 32> by_code{};  // of the first call; 0: a value

 private:
  std::vector<std::atomic<int>> delivered_;
};

/// So that every listener thread that callbacks may have is there: to try for one more while there is no memory is no
/// part of delivering.
void warmUp(Engine& engine) {
  const int threads = std::max(4, usableCores());
  Count arrived;
  for (int t = 0; t < threads; ++t) {
    engine.callbacks().submit(Ref<Object>(), [&, threads] {
      arrived.add();
      arrived.reaches(threads);
    });
  }
  ASSERT_TRUE(arrived.reaches(threads));
  // The last one may still be in the callable above, which looks at `arrived`.
  const auto bound = std::chrono::steady_clock::now() + testing::kBound;
  while (engine.callbacks().running() > 0 && std::chrono::steady_clock::now() < bound) std::this_thread::yield();
}

/// Threads that are there before the memory goes and wait for the word.
class Runners {
 public:
  template <class F>
  Runners(int threads, F body) {
    for (int t = 0; t < threads; ++t) {
      threads_.emplace_back([this, t, body] {
        go_.wait(false);
        body(t);
        ++ended_;
      });
    }
  }
  ~Runners() {
    for (auto& t : threads_) t.join();
  }
  void go() {
    go_ = true;
    go_.notify_all();
  }
  void finish() { awaitAtLeast(ended_, static_cast<int>(threads_.size())); }

 private:
  std::atomic<bool> go_{false};
  std::atomic<int> ended_{0};
  std::vector<std::thread> threads_;
};

TEST(OutOfMemory, IsNoticedByThisTest) {
  bool thrown = false;
  std::int64_t refused = 0;
  {
    const OutOfMemory now;
    try {
      ::operator delete(::operator new(1));  // a new-expression might be left out by the compiler
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    refused = now.refused();
  }
  EXPECT_TRUE(thrown);
  EXPECT_EQ(refused, 1);
}

TEST(Delivery, SettledAndCancelledInARaceNeedsNoMemory) {
  constexpr int kOperations = 50'000;
  constexpr int kThreads = 4;
  auto engine = threadedEngine();
  warmUp(*engine);
  Accepted accepted(*engine, kOperations, kThreads);
  std::int64_t refused = -1;
  {
    Runners runners(kThreads, [&](int t) {
      // Each thread in an order of its own, so that they meet.
      const std::size_t n = accepted.states.size();
      for (std::size_t i = 0; i < n; ++i) {
        State* state = accepted.states[(t % 2 == 0) ? i : n - 1 - i];
        if (t < 2) {
          state->onResult(t);
        } else {
          state->onResult(Error(ErrorCode::kCancelled, "cancelled"));
        }
      }
    });
    const OutOfMemory now;
    runners.go();
    runners.finish();
    awaitAtLeast(accepted.calls, kOperations);
    refused = now.refused();
  }
  EXPECT_EQ(refused, 0) << "delivery asked for memory";
  EXPECT_EQ(accepted.calls, kOperations);
  EXPECT_TRUE(accepted.eachOnce());
}

TEST(Delivery, InsideAStrandAndFromTimersNeedsNoMemory) {
  constexpr std::size_t kTimers = 200;
  struct Settling final : Timer {
    explicit Settling(Strand& s) noexcept : Timer(s) {}
    void onTimer() noexcept override { state->onResult(1); }
    State* state = nullptr;
  };
  struct Arming final : Task {
    Next run() noexcept override {
      for (Settling* t : *timers) t->armAfter(owner, Millis(5));
      return Next::kDone;
    }
    std::vector<Settling*>* timers = nullptr;
    Ref<Object> owner;
  };
  auto engine = threadedEngine();
  warmUp(*engine);
  Accepted accepted(*engine, static_cast<int>(kTimers), 1);
  auto owner = makeRef<Owner>(engine);
  std::vector<std::unique_ptr<Settling>> kept;
  std::vector<Settling*> timers;
  for (State* s : accepted.states) {
    kept.push_back(std::make_unique<Settling>(owner->strand));
    kept.back()->state = s;
    timers.push_back(kept.back().get());
  }
  Arming arming;
  arming.timers = &timers;
  arming.owner = Ref<Object>(owner);
  arming.alive = Ref<Object>(owner);
  std::int64_t refused = -1;
  {
    const OutOfMemory now;
    owner->strand.post(arming);
    awaitAtLeast(accepted.calls, accepted.count());
    refused = now.refused();
  }
  EXPECT_EQ(refused, 0);
  EXPECT_TRUE(accepted.eachOnce());
}

TEST(Delivery, DroppedWithoutMemoryItAnswersAbandonedAllTheSame) {
  constexpr int kOperations = 5'000;
  auto engine = threadedEngine();
  warmUp(*engine);
  Accepted accepted(*engine, kOperations, 1);
  auto promise = std::make_unique<Promise<int>>(engine->callbackTarget());
  std::atomic<int> promise_called{0};
  promise->future().then([&](const Result<int>& r) { promise_called += r ? 100 : 1; });
  std::int64_t refused = -1;
  {
    const OutOfMemory now;
    for (State* s : accepted.states) const Completion<int> dropped(*s);
    promise.reset();
    awaitAtLeast(accepted.calls, kOperations);
    awaitAtLeast(promise_called, 1);
    refused = now.refused();
  }
  EXPECT_EQ(refused, kOperations + 1) << "the text of the error, which then is a shorter one";
  EXPECT_TRUE(accepted.eachOnce());
  EXPECT_EQ(accepted.by_code[static_cast<std::size_t>(ErrorCode::kAbandoned)], kOperations);
  EXPECT_EQ(promise_called, 1);
}

TEST(Delivery, ThroughAUsersExecutorNeedsNoMemory) {
  constexpr int kOperations = 2'000;
  std::atomic<int> offered{0};
  auto engine = threadedEngine({.callback_executor = [&](UniqueFunction<void()> f) {
    if (++offered % 4 == 0) throw std::bad_alloc();  // it comes back to our pool
    f();
  }});
  warmUp(*engine);
  Accepted accepted(*engine, kOperations, 1);
  struct Settle final : Task {
    Next run() noexcept override {
      for (State* s : *states) s->onResult(1);
      return Next::kDone;
    }
    std::vector<State*>* states = nullptr;
  } settle;
  auto owner = makeRef<Owner>(engine);
  settle.states = &accepted.states;
  settle.alive = Ref<Object>(owner);
  std::int64_t refused = -1;
  {
    const OutOfMemory now;
    owner->strand.post(settle);
    awaitAtLeast(accepted.calls, kOperations);
    refused = now.refused();
  }
  EXPECT_EQ(refused, 0);
  EXPECT_TRUE(accepted.eachOnce());
}

/// A2: a thread keeps the slot it waits on, so only its first wait needs memory.
TEST(Delivery, AWaiterWaitsAndWakesWithoutMemory) {
  constexpr int kFirstWaits = 50;  // one that did wait is enough; a result that is there already needs no slot
  constexpr int kWaits = 200;
  constexpr int kYields = 200;
  auto engine = threadedEngine();
  std::vector<Operation<int>> operations;
  for (int i = 0; i < kFirstWaits + kWaits; ++i) operations.push_back(makeOperation<int>(engine->callbackTarget()));
  std::atomic<int> begun{0};
  std::atomic<int> got{0};
  std::int64_t refused = -1;
  {
    Runners waiter(1, [&](int) {
      for (auto& op : operations) {
        ++begun;
        if (const Result<int> r = std::move(op.future).get()) got += *r;
      }
    });
    waiter.go();
    for (int i = 0; i < kFirstWaits; ++i) {
      awaitAtLeast(begun, i + 1);
      for (int y = 0; y < kYields; ++y) std::this_thread::yield();
      std::move(operations[static_cast<std::size_t>(i)].completion)(1);
    }
    awaitAtLeast(got, kFirstWaits);
    const OutOfMemory now;
    for (int i = kFirstWaits; i < kFirstWaits + kWaits; ++i) {
      awaitAtLeast(begun, i + 1);
      std::move(operations[static_cast<std::size_t>(i)].completion)(1);
      awaitAtLeast(got, i + 1);
    }
    waiter.finish();
    refused = now.refused();
  }
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(got, kFirstWaits + kWaits);
}

/// No listener thread lives, and none can be made: the callbacks wait in their places until one can.
TEST(Delivery, WithoutAThreadToRunItWaitsForMemoryAndRunsOnce) {
  constexpr int kOperations = 100;
  auto engine = threadedEngine();
  Accepted accepted(*engine, kOperations, 1);
  int called_without = 0;
  std::int64_t refused = 0;
  {
    const OutOfMemory now;
    for (State* s : accepted.states) s->onResult(1);
    called_without = accepted.calls;
    refused = now.refused();
  }
  EXPECT_EQ(called_without, 0);
  EXPECT_GT(refused, 0) << "a thread was asked for";
  awaitAtLeast(accepted.calls, kOperations);
  EXPECT_EQ(accepted.calls, kOperations);
  EXPECT_TRUE(accepted.eachOnce());
}

TEST(Delivery, ACallbackThatFailsForWantOfMemoryIsContained) {
  constexpr int kOperations = 100;
  auto engine = threadedEngine();
  warmUp(*engine);
  std::vector<Operation<int>> operations;
  std::atomic<int> called{0};
  for (int i = 0; i < kOperations; ++i) {
    operations.push_back(makeOperation<int>(engine->callbackTarget()));
    std::move(operations.back().future).then([&](const Result<int>&) {
      ++called;
      ::operator delete(::operator new(64));  // the user's own need
    });
  }
  {
    const OutOfMemory now;
    for (auto& op : operations) std::move(op.completion)(1);
    awaitAtLeast(called, kOperations);
  }
  EXPECT_EQ(called, kOperations);
}

}  // namespace
}  // namespace mqclient::base
