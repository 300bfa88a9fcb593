#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "sim_support.h"

namespace mqclient::sim {
namespace {

using base::Millis;
using base::SteadyTime;

TEST(ManualClock, ATimerIsNeverEarlyAndFiresAtItsTime) {
  const Ref<SimEngine> clock = makeSimEngine();
  const auto bells = base::makeRef<Bells>(clock);
  Bells::Bell bell(*bells, "a");
  const SteadyTime start = clock->now();
  bell.armAfter(bells, 50ms);
  clock->advance(49'999'999ns);
  EXPECT_EQ(bells->names(), "");
  clock->advance(1ns);
  EXPECT_EQ(bells->names(), "a");
  EXPECT_EQ(bells->rung[0].second, start + 50ms);
}

TEST(ManualClock, TimeStandsStillUntilMoved) {
  const Ref<SimEngine> clock = makeSimEngine();
  const auto bells = base::makeRef<Bells>(clock);
  Bells::Bell bell(*bells, "a");
  const SteadyTime start = clock->now();
  bell.armAfter(bells, 1ns);
  clock->runUntilIdle();
  EXPECT_EQ(clock->now(), start);
  EXPECT_EQ(bells->names(), "");
  EXPECT_EQ(clock->armedTimers(), 1u);
  EXPECT_TRUE(clock->advanceToNextTimer());
  EXPECT_EQ(clock->now(), start + 1ns);
  EXPECT_EQ(bells->names(), "a");
  EXPECT_FALSE(clock->advanceToNextTimer());
}

TEST(ManualClock, OneAdvanceStopsAtEveryTimeInOrder) {
  const Ref<SimEngine> clock = makeSimEngine();
  const auto bells = base::makeRef<Bells>(clock);
  Bells::Bell a(*bells, "a"), b(*bells, "b"), c(*bells, "c"), nested(*bells, "n");
  const SteadyTime start = clock->now();
  c.armAfter(bells, 30ms);
  a.armAfter(bells, 10ms);
  b.armAfter(bells, 20ms);
  a.then = [&] { nested.armAfter(bells, 5ms); };  // armed by a timer, due on the way
  clock->advance(100ms);
  EXPECT_EQ(bells->names(), "anbc");
  EXPECT_EQ(bells->rung[1].second, start + 15ms);
  EXPECT_EQ(bells->rung[3].second, start + 30ms);
  EXPECT_EQ(clock->now(), start + 100ms);
}

TEST(ManualClock, TimersOfOneTimeFireInTheOrderArmed) {
  const Ref<SimEngine> clock = makeSimEngine();
  const auto bells = base::makeRef<Bells>(clock);
  Bells::Bell a(*bells, "a"), b(*bells, "b"), c(*bells, "c");
  b.armAfter(bells, 10ms);
  a.armAfter(bells, 10ms);
  c.armAfter(bells, 10ms);
  clock->advance(10ms);
  EXPECT_EQ(bells->names(), "bac");
}

TEST(ManualClock, CancelAndArmAgain) {
  const Ref<SimEngine> clock = makeSimEngine();
  const auto bells = base::makeRef<Bells>(clock);
  Bells::Bell a(*bells, "a"), b(*bells, "b");
  a.armAfter(bells, 10ms);
  b.armAfter(bells, 10ms);
  EXPECT_TRUE(a.cancel());
  EXPECT_FALSE(a.cancel());
  b.armAfter(bells, 40ms);
  clock->advance(39ms);
  EXPECT_EQ(bells->names(), "");
  b.armAfter(bells, 1ms);
  clock->advance(1ms);
  EXPECT_EQ(bells->names(), "b");
  clock->advance(1h);
  EXPECT_EQ(bells->names(), "b");
}

TEST(ManualClock, ATimerHoldsItsOwnerOnlyWhileArmed) {
  struct Owner : Actor {
    Owner(Ref<SimEngine> e, bool& g) : Actor(std::move(e)), gone(g), timer(strand, [] {}) {}
    ~Owner() override { gone = true; }
    bool& gone;
    base::FunctionTimer timer;
  };
  const Ref<SimEngine> clock = makeSimEngine();
  bool gone = false;
  {
    const auto owner = base::makeRef<Owner>(clock, gone);
    owner->timer.armAfter(owner, 10ms);
  }
  clock->advance(9ms);
  EXPECT_FALSE(gone);
  clock->advance(1ms);
  EXPECT_TRUE(gone);
}

TEST(ManualClock, ManyTimersComeSortedAndCancelledOnesNever) {
  const Ref<SimEngine> clock = makeSimEngine();
  const auto bells = base::makeRef<Bells>(clock);
  std::vector<std::unique_ptr<Bells::Bell>> all;
  std::uint64_t state = 7;
  std::size_t expected = 0;
  for (int i = 0; i < 500; ++i) {
    all.push_back(std::make_unique<Bells::Bell>(*bells, "x"));
    state = state * 6364136223846793005u + 1442695040888963407u;
    all.back()->armAfter(bells, Millis(1 + (state >> 40) % 200));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i % 3 == 0) {
      EXPECT_TRUE(all[i]->cancel());
    } else {
      ++expected;
    }
  }
  clock->advance(1s);
  ASSERT_EQ(bells->rung.size(), expected);
  EXPECT_TRUE(std::is_sorted(bells->rung.begin(), bells->rung.end(),
                             [](const auto& l, const auto& r) { return l.second < r.second; }));
}

TEST(ManualClock, WallTimeJumpsWithoutSteadyTime) {
  const Ref<SimEngine> clock = makeSimEngine();
  const SteadyTime steady = clock->now();
  const std::int64_t wall = clock->wallMillis();
  clock->advance(250ms);
  EXPECT_EQ(clock->wallMillis(), wall + 250);
  clock->stepWallClock(-1h);
  EXPECT_EQ(clock->wallMillis(), wall + 250 - 3'600'000);
  EXPECT_EQ(clock->now(), steady + 250ms);
}

TEST(ManualClock, PostsRunOnTheCallerAtOnce) {
  const Ref<SimEngine> clock = makeSimEngine();
  const auto actor = base::makeRef<Actor>(clock);
  bool ran = false;
  actor->post([&] { ran = true; });
  EXPECT_TRUE(ran);
}

TEST(ManualClock, PumpUntilStopsAtTheFirstEventThatSatisfies) {
  const Ref<SimEngine> clock = makeSimEngine();
  const auto bells = base::makeRef<Bells>(clock);
  Bells::Bell a(*bells, "a"), b(*bells, "b"), c(*bells, "c");
  const SteadyTime start = clock->now();
  a.armAfter(bells, 10ms);
  b.armAfter(bells, 20ms);
  c.armAfter(bells, 20ms);
  EXPECT_TRUE(clock->pumpUntil([&] { return bells->rung.size() == 2; }, 1s));
  EXPECT_EQ(bells->names(), "ab");
  EXPECT_EQ(clock->now(), start + 20ms);
  EXPECT_FALSE(clock->pumpUntil([&] { return bells->rung.size() == 4; }, 1s));
  EXPECT_EQ(bells->names(), "abc");
  EXPECT_EQ(clock->now(), start + 20ms + 1s);
  EXPECT_TRUE(clock->pumpUntil([] { return true; }, 0s));
}

TEST(ManualClock, APredicateMayWaitItself) {
  const Ref<SimEngine> clock = makeSimEngine();
  const auto actor = base::makeRef<Actor>(clock);
  const Ref<base::ListenerGroup> group = clock->makeListenerGroup("g", 1);
  int asked = 0;
  EXPECT_TRUE(clock->pumpUntil(
      [&] {
        auto [future, done] = operation(*clock);
        group->submit(nullptr, [d = std::make_shared<base::Completion<int>>(std::move(done)), &asked] {
          std::move (*d)(++asked);
        });
        return take(future) == 3;
      },
      1s));
  EXPECT_EQ(asked, 3);
}

TEST(ManualClock, WaitingRunsWhatIsReadyButDoesNotMoveTime) {
  const Ref<SimEngine> clock = makeSimEngine();
  const Ref<base::ListenerGroup> group = clock->makeListenerGroup("g", 1);
  const SteadyTime start = clock->now();
  auto [future, done] = operation(*clock);
  group->submit(nullptr, [d = std::make_shared<base::Completion<int>>(std::move(done))] { std::move (*d)(41); });
  EXPECT_EQ(take(future), 41);
  EXPECT_EQ(clock->now(), start);
}

TEST(ManualClock, ADeadlinePassesInVirtualTime) {
  SimOptions options;
  options.time = SimOptions::Time::kAutoAdvance;
  const Ref<SimEngine> clock = makeSimEngine(options);
  const SteadyTime start = clock->now();
  const auto slot = base::makeRef<base::WaitSlot>();
  EXPECT_FALSE(clock->waitFor(*slot, start + 3s));
  EXPECT_EQ(clock->now(), start + 3s);
  slot->settle();
  EXPECT_TRUE(clock->waitFor(*slot, start));
}

TEST(ManualClock, AThreadFromOutsideWaitsWhileTheTestMovesTime) {
  const Ref<SimEngine> clock = makeSimEngine();
  const SteadyTime start = clock->now();
  std::atomic<int> ended{0};
  std::thread outside([&] {
    const auto slot = base::makeRef<base::WaitSlot>();
    EXPECT_FALSE(clock->waitFor(*slot, start + 3s));
    ended = 1;
  });
  // Until the thread waits nothing needs time, so moving it early would be over before the deadline is known.
  while (clock->pendingReport().find("waits") == std::string::npos) std::this_thread::yield();
  clock->advance(2999ms);
  EXPECT_EQ(ended, 0);
  clock->advance(1ms);
  outside.join();
  EXPECT_EQ(ended, 1);
}

TEST(ManualClock, AThreadFromOutsideBringsTheResult) {
  const Ref<SimEngine> clock = makeSimEngine();
  auto [future, done] = operation(*clock);
  std::thread outside([d = std::make_shared<base::Completion<int>>(std::move(done)), &clock] {
    while (clock->pendingReport().find("waits") == std::string::npos) std::this_thread::yield();
    std::move (*d)(7);
  });
  EXPECT_EQ(take(future), 7);
  outside.join();
}

TEST(ManualClock, SeveralThreadsFromOutsideShareThePump) {
  const Ref<SimEngine> clock = makeSimEngine();
  const Ref<base::ListenerGroup> group = clock->makeListenerGroup("g", 2);
  std::atomic<int> sum{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        auto [future, done] = operation(*clock);
        group->submit(nullptr, [d = std::make_shared<base::Completion<int>>(std::move(done))] { std::move (*d)(1); });
        sum += take(future);
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(sum, 800);
}

TEST(ManualClock, CallbacksLeftAtTheEndRunOnTheClosingThread) {
  int called = 0;
  base::Completion<int> late;
  {
    const Ref<SimEngine> clock = makeSimEngine();
    auto [future, done] = operation(*clock);
    std::move(future).then([&](Result<int> r) { called += r.value(); });
    std::move(done)(1);
    EXPECT_EQ(called, 0);  // user code waits for a pump
    auto [second, late_done] = operation(*clock);
    std::move(second).then([&](Result<int> r) { called += r.value(); });
    late = std::move(late_done);
  }
  EXPECT_EQ(called, 1);
  std::move(late)(10);
  EXPECT_EQ(called, 11);
}

TEST(ManualClock, TheEnvironmentIsScripted) {
  const Ref<SimEngine> clock = makeSimEngine();
  EXPECT_EQ(clock->environment().host_ip, "127.0.0.1");
  EXPECT_EQ(clock->environment().variable("HOME"), "");
  EXPECT_EQ(clock->nextId(), 1u);
  EXPECT_EQ(clock->nextId(), 2u);
  EXPECT_TRUE(clock->isVirtualTime());
  const Ref<SimEngine> twin = makeSimEngine();
  EXPECT_EQ(clock->random(), twin->random());
  EXPECT_EQ(clock->environment().process_salt, twin->environment().process_salt);
}

}  // namespace
}  // namespace mqclient::sim
