// S4, S5, S8, X1: how long one strand, one caller, one executor turn may take.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>

#include "base/strand.h"
#include "tests/base/helpers.h"

namespace mqclient::base {
namespace {

using testing::Count;
using testing::ModelEngine;
using testing::Owner;
using testing::threadedEngine;

struct Counted final : Task {
  Next run() noexcept override {
    ++*runs;
    if (clock) *clock += costs;
    return Next::kDone;
  }
  int* runs = nullptr;
  std::int64_t* clock = nullptr;
  std::int64_t costs = 0;
};

class StrandFairness : public ::testing::Test {
 protected:
  /// Posts n tasks from inside the strand, so that they wait together, and before them one to another strand.
  void fill(int n, std::int64_t costs = 0) {
    tasks = std::make_unique<Counted[]>(static_cast<std::size_t>(n));
    owner->strand.post(Ref<Object>(owner), [=, this] {
      other->strand.post(Ref<Object>(other), [this] { runs_at_others_turn = runs; });
      for (int i = 0; i < n; ++i) {
        Counted& t = tasks[static_cast<std::size_t>(i)];
        t.runs = &runs;
        t.clock = costs ? &engine->nanos : nullptr;
        t.costs = costs;
        t.alive = Ref<Object>(owner);
        owner->strand.post(t);
      }
    });
  }

  Ref<ModelEngine> engine = makeRef<ModelEngine>();
  /// More tasks than a caller runs: one turn is the other strand's, and one task the one that posted them.
  static constexpr int kInOneCall = Strand::kTasksPerTurn * (Activation::kTurnsPerCall - 1) - 1;

  Ref<Owner> owner = makeRef<Owner>(Ref<Engine>(engine));
  Ref<Owner> other = makeRef<Owner>(Ref<Engine>(engine));
  std::unique_ptr<Counted[]> tasks;
  int runs = 0;
  int runs_at_others_turn = -1;
};

TEST_F(StrandFairness, AnActivationEndsAfter32Tasks) {
  fill(100);
  EXPECT_EQ(runs_at_others_turn, Strand::kTasksPerTurn - 1);  // and the one that posted them
  EXPECT_EQ(runs, 100) << "the rest comes behind the other strand, on the same thread";
  EXPECT_TRUE(engine->submitted.empty());
}

TEST_F(StrandFairness, AnActivationEndsAfter50Microseconds) {
  fill(10, /*costs=*/20'000);
  // The clock is first read behind the task that posted: three tasks of 20 µs reach the 50.
  EXPECT_EQ(runs_at_others_turn, 3);
  EXPECT_EQ(runs, 10);
  EXPECT_TRUE(engine->submitted.empty());
}

TEST_F(StrandFairness, OneStrandAloneEndsWithTheTurnsOfTheCall) {
  fill(kInOneCall + 100);
  EXPECT_EQ(runs, kInOneCall);
  ASSERT_EQ(engine->submitted.size(), 1U) << "the strand, still owned, waits for the executor once";
  engine->runOne();
  EXPECT_EQ(runs, kInOneCall + 100);
}

TEST_F(StrandFairness, AStrandIsInOneReadyQueueAtMost) {
  fill(kInOneCall + 100);
  ASSERT_EQ(engine->submitted.size(), 1U);
  int later = 0;
  for (int i = 0; i < 50; ++i) owner->strand.post(Ref<Object>(owner), [&] { ++later; });
  EXPECT_EQ(engine->submitted.size(), 1U) << "posts to an owned strand queue nothing";
  EXPECT_EQ(later, 0) << "and run nothing here";
  while (engine->runOne()) {
  }
  EXPECT_EQ(later, 50);
}

// ---- S8: how much waited

TEST_F(StrandFairness, TheHighWaterMarkIsWhatWaitedForOneStrand) {
  EXPECT_EQ(engine->strandQueueHighWater(), 0U);
  int ran = 0;
  owner->strand.post(Ref<Object>(owner), [&] { ++ran; });
  EXPECT_EQ(engine->strandQueueHighWater(), 1U);
  fill(100);
  EXPECT_EQ(engine->strandQueueHighWater(), 100U);
  while (engine->runOne()) {
  }
  fill(40);
  while (engine->runOne()) {
  }
  EXPECT_EQ(engine->strandQueueHighWater(), 100U) << "a mark, not the last figure";
}

TEST_F(StrandFairness, WhatComesWhileAStrandWorksCountsAtItsNextLook) {
  fill(80, /*costs=*/20'000);  // three or four tasks a turn
  ASSERT_EQ(engine->submitted.size(), 1U);
  int later = 0;
  for (int i = 0; i < 90; ++i) owner->strand.post(Ref<Object>(owner), [&] { ++later; });
  EXPECT_EQ(engine->strandQueueHighWater(), 80U);
  while (engine->runOne()) {
  }
  EXPECT_EQ(later, 90);
  EXPECT_EQ(engine->strandQueueHighWater(), 90U);
}

TEST_F(StrandFairness, EveryEngineHasAMarkOfItsOwn) {
  auto second = makeRef<ModelEngine>();
  fill(50);
  while (engine->runOne()) {
  }
  EXPECT_EQ(engine->strandQueueHighWater(), 50U);
  EXPECT_EQ(second->strandQueueHighWater(), 0U);
}

// ---- S5

/// A ring of strands, each posting to the next for ever: one strand is ready at any time, so no queue grows and only
/// the bound on turns ends the caller's call.
struct Ring {
  explicit Ring(const Ref<Engine>& engine) {
    for (auto& o : owners) o = makeRef<Owner>(engine);
  }
  void post(std::size_t i) {
    owners[i % owners.size()]->strand.post(Ref<Object>(owners[i % owners.size()]), [this, i] {
      ++turns;
      if (turns < limit) post(i + 1);
    });
  }
  std::array<Ref<Owner>, 3> owners;
  int turns = 0;
  int limit = 1'000'000;
};

TEST_F(StrandFairness, AForeignThreadRuns16ActivationsPerCall) {
  Ring ring{Ref<Engine>(engine)};
  ring.post(0);
  EXPECT_EQ(ring.turns, Activation::kTurnsPerCall);
  EXPECT_EQ(engine->submitted.size(), 1U);
  ring.limit = 0;
  while (engine->runOne()) {
  }
}

TEST_F(StrandFairness, AnExecutorGetsItsThreadBackAfterItsBudget) {
  Ring ring{Ref<Engine>(engine)};
  ring.post(0);
  ring.turns = 0;
  Activation& here = Activation::ofThisThread();
  here.setRole(Role::kReactor);
  const Runnable r = engine->submitted.front();
  engine->submitted.clear();
  EXPECT_EQ(here.run(*engine, r, 5), 5);
  EXPECT_EQ(ring.turns, 5);
  EXPECT_EQ(engine->submitted.size(), 1U);
  ring.limit = 0;
  while (engine->runOne()) {
  }
  here.setRole(Role::kForeign);
}

/// What a caller waits for is there after four turns, and others never stop being ready: the caller runs on for them
/// (docs/decisions/0004-turns-of-a-caller.md), but no further than the bound of any call.
TEST_F(StrandFairness, WithItsResultThereACallerStillRunsNoMoreThanItsTurns) {
  Ring greedy{Ref<Engine>(engine)};
  std::array<Ref<Owner>, 4> path;
  for (auto& o : path) o = makeRef<Owner>(Ref<Engine>(engine));
  int turns_of_mine = 0;
  int others_when_settled = -1;
  std::function<void(std::size_t)> step = [&](std::size_t i) {
    path[i]->strand.post(Ref<Object>(path[i]), [&, i] {
      ++turns_of_mine;
      if (i == 0) greedy.post(0);
      if (i + 1 < path.size()) return step(i + 1);
      others_when_settled = greedy.turns;
    });
  };
  step(0);
  EXPECT_EQ(turns_of_mine, 4);
  EXPECT_EQ(others_when_settled, 3) << "in turn with the greedy one, not behind it";
  EXPECT_EQ(turns_of_mine + greedy.turns, Activation::kTurnsPerCall);
  EXPECT_EQ(engine->submitted.size(), 1U) << "the rest is the executor's";
  greedy.limit = 0;
  while (engine->runOne()) {
  }
}

TEST_F(StrandFairness, WithoutExecutorThePosterRunsUntilEmpty) {
  auto manual = makeRef<ModelEngine>(/*has_executor=*/false);
  Ring ring{Ref<Engine>(manual)};
  ring.limit = 10'000;
  ring.post(0);
  EXPECT_EQ(ring.turns, 10'000);
  EXPECT_TRUE(manual->submitted.empty());
}

TEST_F(StrandFairness, MoreStrandsThanAThreadKeepsGoToTheExecutor) {
  std::vector<Ref<Owner>> many;
  int ran = 0;
  for (int i = 0; i < 40; ++i) many.push_back(makeRef<Owner>(Ref<Engine>(engine)));
  owner->strand.post(Ref<Object>(owner), [&] {
    for (auto& o : many) o->strand.post(Ref<Object>(o), [&] { ++ran; });
  });
  EXPECT_EQ(ran + static_cast<int>(engine->submitted.size()), 40);
  EXPECT_LE(ran, static_cast<int>(Activation::kReadyPerThread));
  while (engine->runOne()) {
  }
  EXPECT_EQ(ran, 40);
}

/// X1 on one real reactor: a strand that is always ready, and nine that come and go; the nine are served in turn.
TEST(ExecutorFairness, OneGreedyStrandDoesNotStarveNine) {
  constexpr int kVisits = 200;
  auto engine = threadedEngine({.io_threads = 1});
  auto greedy = makeRef<Owner>(engine);
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> greedy_steps{0};
  Count stopped;
  greedy->strand.post(Ref<Object>(greedy), [&] {
    greedy_steps.fetch_add(1, std::memory_order_relaxed);
    if (!stop.load(std::memory_order_relaxed)) return Next::kAgain;
    stopped.add();
    return Next::kDone;
  });
  struct Visitor {
    Ref<Owner> owner;
    int left = kVisits;
  };
  std::array<Visitor, 9> nine;
  Count done;
  std::function<void(Visitor&)> visit = [&](Visitor& v) {
    v.owner->strand.post(Ref<Object>(v.owner), [&] {
      if (--v.left == 0) return done.add();
      // Back through the executor's queue, behind the greedy one.
      engine->callbacks().submit(Ref<Object>(), [&] { visit(v); });
    });
  };
  for (Visitor& v : nine) {
    v.owner = makeRef<Owner>(engine);
    visit(v);
  }
  EXPECT_TRUE(done.reaches(9));
  stop = true;
  EXPECT_TRUE(stopped.reaches(1));
  EXPECT_GT(greedy_steps.load(), 0);
}

/// X1 proper: timers are looked at between two batches of ready strands, however many are always ready.
TEST(ExecutorFairness, TimersFireWhileStrandsAreAlwaysReady) {
  struct Once final : Timer {
    Once(Strand& s, Count& c) : Timer(s), fired(c) {}
    void onTimer() noexcept override { fired.add(); }
    Count& fired;
  };
  auto engine = threadedEngine({.io_threads = 1});
  std::atomic<bool> stop{false};
  Count stopped;
  std::array<Ref<Owner>, 40> busy;
  for (auto& o : busy) {
    o = makeRef<Owner>(engine);
    engine->callbacks().submit(Ref<Object>(), [&, o] {
      o->strand.post(Ref<Object>(o), [&] {
        if (!stop.load(std::memory_order_relaxed)) return Next::kAgain;
        stopped.add();
        return Next::kDone;
      });
    });
  }
  Count fired;
  std::array<Ref<Owner>, 9> timed;
  std::array<std::unique_ptr<Once>, 9> timers;
  for (std::size_t i = 0; i < timed.size(); ++i) {
    timed[i] = makeRef<Owner>(engine);
    timers[i] = std::make_unique<Once>(timed[i]->strand, fired);
    timed[i]->strand.post(Ref<Object>(timed[i]), [&, i] { timers[i]->armAfter(Ref<Object>(timed[i]), Millis(1)); });
  }
  EXPECT_TRUE(fired.reaches(9));
  stop = true;
  EXPECT_TRUE(stopped.reaches(static_cast<int>(busy.size())));
}

}  // namespace
}  // namespace mqclient::base
