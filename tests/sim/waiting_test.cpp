#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "base/wait.h"
#include "sim_support.h"

namespace mqclient::sim {
namespace {

using base::SteadyTime;

std::shared_ptr<base::Completion<int>> shared(base::Completion<int> done) {
  return std::make_shared<base::Completion<int>>(std::move(done));
}

class EachSeed : public ::testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, EachSeed, ::testing::Range<std::uint64_t>(1, 11));

TEST_P(EachSeed, AListenerMayWaitForAnotherListener) {
  const Ref<SimEngine> engine = seeded(GetParam());
  const Ref<base::ListenerGroup> group = engine->makeListenerGroup("orders", 20);
  auto first = operation(*engine);
  auto all = operation(*engine);
  auto first_done = shared(std::move(first.completion));
  auto all_done = shared(std::move(all.completion));
  auto awaited = std::make_shared<Future<int>>(std::move(first.future));
  group->submit(nullptr, [awaited, all_done] { std::move (*all_done)(take(*awaited) + 1); });
  group->submit(nullptr, [first_done] { std::move (*first_done)(1); });
  EXPECT_EQ(take(all.future), 2);
  EXPECT_LE(engine->workers(), 2u);
}

TEST_P(EachSeed, TwentyListenersWaitForEachOther) {
  const Ref<SimEngine> engine = seeded(GetParam());
  const Ref<base::ListenerGroup> group = engine->makeListenerGroup("orders", 20);
  constexpr int kListeners = 20;
  std::vector<Ref<base::WaitSlot>> slots;
  for (int i = 0; i < kListeners; ++i) slots.push_back(base::makeRef<base::WaitSlot>());
  int arrived = 0;
  int passed = 0;
  for (std::size_t i = 0; i < kListeners; ++i) {
    group->submit(nullptr, [&, i] {
      if (++arrived == kListeners) {
        for (auto& s : slots) s->settle();
      }
      EXPECT_TRUE(engine->waitFor(*slots[i], SteadyTime::max()));
      ++passed;
    });
  }
  engine->runUntilIdle();
  EXPECT_EQ(passed, kListeners);
  EXPECT_EQ(group->running(), 0);
}

TEST_P(EachSeed, TheCapOfAGroupHolds) {
  const Ref<SimEngine> engine = seeded(GetParam());
  const Ref<base::ListenerGroup> group = engine->makeListenerGroup("orders", 3);
  int running = 0;
  int most = 0;
  int ended = 0;
  const auto job = [&] {
    most = std::max(most, ++running);
    EXPECT_LE(group->running(), 5);
    const auto nap = base::makeRef<base::WaitSlot>();
    EXPECT_FALSE(engine->waitFor(*nap, engine->now() + 10ms));
    --running;
    ++ended;
  };
  for (int i = 0; i < 12; ++i) group->submit(nullptr, job);
  EXPECT_EQ(group->waiting(), 12u);
  engine->advance(5ms);
  EXPECT_EQ(group->running(), 3);
  EXPECT_EQ(group->waiting(), 9u);
  engine->advance(1s);
  EXPECT_EQ(ended, 12);
  EXPECT_EQ(most, 3);
  group->setCap(5);
  for (int i = 0; i < 12; ++i) group->submit(nullptr, job);
  engine->advance(1s);
  EXPECT_EQ(most, 5);
  EXPECT_EQ(ended, 24);
}

TEST_P(EachSeed, JobsOfAGroupStartInOrder) {
  const Ref<SimEngine> engine = seeded(GetParam());
  const Ref<base::ListenerGroup> group = engine->makeListenerGroup("orders", 1);
  std::vector<int> order;
  for (int i = 0; i < 30; ++i) group->submit(nullptr, [&order, i] { order.push_back(i); });
  engine->runUntilIdle();
  ASSERT_EQ(order.size(), 30u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_P(EachSeed, BodiesWaitOneAnotherOutInVirtualTime) {
  const Ref<SimEngine> engine = seeded(GetParam());
  const SteadyTime start = engine->now();
  std::vector<int> ended;
  for (int i : {3, 1, 2}) {
    engine->spawn("sleeper " + std::to_string(i), [&, i] {
      EXPECT_TRUE(base::Activation::ofThisThread().mayAwait());
      const auto nap = base::makeRef<base::WaitSlot>();
      EXPECT_FALSE(engine->waitFor(*nap, start + i * 1s));
      EXPECT_EQ(engine->now(), start + i * 1s);
      ended.push_back(i);
    });
  }
  EXPECT_EQ(engine->bodies(), 3u);
  EXPECT_TRUE(engine->pumpUntil([&] { return engine->bodies() == 0; }, 10s));
  EXPECT_EQ(ended, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(engine->now(), start + 3s);
}

TEST_P(EachSeed, PumpsOverlap) {
  const Ref<SimEngine> engine = seeded(GetParam());
  const SteadyTime start = engine->now();
  std::vector<int> ended;
  engine->spawn("a", [&] {
    engine->advance(2s);
    EXPECT_EQ(engine->now(), start + 2s);
    ended.push_back(2);
  });
  engine->spawn("b", [&] {
    EXPECT_FALSE(engine->pumpUntil([] { return false; }, 1s));
    EXPECT_EQ(engine->now(), start + 1s);
    ended.push_back(1);
  });
  engine->advance(3s);
  EXPECT_EQ(engine->now(), start + 3s);
  EXPECT_EQ(ended, (std::vector<int>{1, 2}));
}

TEST_P(EachSeed, ThreadsGrowWithWaitersOnly) {
  const Ref<SimEngine> engine = seeded(GetParam());
  const Ref<base::ListenerGroup> group = engine->makeListenerGroup("orders", 20);
  int ran = 0;
  for (int i = 0; i < 1000; ++i) group->submit(nullptr, [&ran] { ++ran; });
  engine->runUntilIdle();
  EXPECT_EQ(ran, 1000);
  EXPECT_EQ(engine->workers(), 1u);
}

TEST_P(EachSeed, LanesHaveCapsAndDelays) {
  const Ref<SimEngine> engine = seeded(GetParam());
  const auto actor = base::makeRef<Actor>(engine);
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(engine->runOnLane(base::LaneKind::kFlush, [&, i] {
      EXPECT_EQ(base::Activation::ofThisThread().role(), base::Role::kLane);
      EXPECT_FALSE(base::Activation::ofThisThread().mayAwait());
      actor->post([&, i] { order.push_back(i); });
    }));
  }
  engine->advance(1s);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));  // cap 1: in order
  std::size_t accepted = 0;
  while (engine->runOnLane(base::LaneKind::kFiles, [] {})) ++accepted;
  EXPECT_EQ(accepted, kLaneQueueMax + 1);  // one in service, the rest waiting
  engine->advance(10min);
}

TEST_P(EachSeed, EnteringMovesTheBaton) {
  const Ref<SimEngine> engine = seeded(GetParam());
  const auto actor = base::makeRef<Actor>(engine);
  int ran = 0;
  std::thread other([&] {
    const SimEngine::Enter enter(*engine);
    EXPECT_EQ(base::Activation::ofThisThread().home(), engine.get());
    actor->post([&] { ++ran; });
    engine->runUntilIdle();
  });
  other.join();
  EXPECT_EQ(ran, 1);
  actor->post([&] { ++ran; });
  engine->runUntilIdle();
  EXPECT_EQ(ran, 2);
}

TEST(Stuck, TheReportNamesWhoWaitsAndWhatIsArmed) {
  const Ref<SimEngine> engine = seeded(1);
  const auto bells = base::makeRef<Bells>(engine);
  Bells::Bell bell(*bells, "late");
  bell.armAfter(bells, 1h);
  const auto slot = base::makeRef<base::WaitSlot>();
  engine->spawn("the patient body", [&] { EXPECT_TRUE(engine->waitFor(*slot, SteadyTime::max())); });
  EXPECT_FALSE(engine->pumpUntil([&] { return engine->bodies() == 0; }, 1s));
  const std::string report = engine->pendingReport();
  EXPECT_NE(report.find("waits: the patient body for a result, since 1.0"), std::string::npos) << report;
  EXPECT_NE(report.find("without deadline"), std::string::npos) << report;
  EXPECT_NE(report.find("Bells::Bell in 3599.0"), std::string::npos) << report;
  slot->settle();
  EXPECT_TRUE(engine->pumpUntil([&] { return engine->bodies() == 0; }, 1s));
  bell.cancel();
}

void waitForNothing() {
  SimOptions options;
  options.schedule = SimOptions::Schedule::kSeeded;
  options.time = SimOptions::Time::kAutoAdvance;
  options.on_stuck = [](const std::string&) { std::fputs("replay: seed 1\n", stderr); };
  const Ref<SimEngine> engine = makeSimEngine(options);
  auto [future, done] = operation(*engine);
  take(future);
}

void waitOnAManualClock() {
  SimOptions options;
  options.stuck_after = 20ms;
  const Ref<SimEngine> engine = makeSimEngine(options);
  const auto slot = base::makeRef<base::WaitSlot>();
  engine->waitFor(*slot, engine->now() + 1s);
}

void postWithoutTheBaton() {
  const Ref<SimEngine> engine = seeded(1);
  const auto actor = base::makeRef<Actor>(engine);
  std::thread([&] { actor->post([] {}); }).join();
}

void runForEver() {
  SimOptions options;
  options.schedule = SimOptions::Schedule::kSeeded;
  options.livelock_events = 10'000;
  const Ref<SimEngine> engine = makeSimEngine(options);
  const auto actor = base::makeRef<Actor>(engine);
  actor->post([] { return base::Next::kAgain; });
  engine->runUntilIdle();
}

class StuckDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(StuckDeathTest, AWaitThatNothingCanEndEndsTheRunWithTheReport) {
  EXPECT_DEATH(waitForNothing(),
               "replay: seed 1(.|\n)*stuck: nothing is ready(.|\n)*waits: a thread from outside for a result");
}

TEST_F(StuckDeathTest, AManualClockGivesUpAfterRealTimeWithoutProgress) {
  EXPECT_DEATH(waitOnAManualClock(), "20 ms of real time without progress(.|\n)*until in 1.0");
}

TEST_F(StuckDeathTest, AThreadWithoutTheBatonIsRefused) {
  EXPECT_DEATH(postWithoutTheBaton(), "a thread that does not hold the baton posts");
}

TEST_F(StuckDeathTest, WorkThatMakesItselfReadyForEverIsALivelock) {
  EXPECT_DEATH(runForEver(), "livelock");
}

}  // namespace
}  // namespace mqclient::sim
