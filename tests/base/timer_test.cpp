// W1, W2 on a clock moved by hand: the wheel against a plain model, and the timer's promises to its owner.
#include "base/timer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/random.h"
#include "base/timer_wheel.h"
#include "tests/base/helpers.h"

namespace mqclient::base {
namespace {

using testing::ModelEngine;
using testing::Owner;

struct Plain final : Timer {
  using Timer::Timer;
  void onTimer() noexcept override {}
};

class TimerWheelTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kMs = TimerWheel::kTickNanos;
  std::vector<Timer*> expire(std::int64_t now) {
    std::vector<Timer*> all;
    Timer* some[7];
    for (std::size_t n = 0; (n = wheel.expire(now, some)) > 0;) all.insert(all.end(), some, some + n);
    return all;
  }
  std::unique_ptr<Plain> timer() { return std::make_unique<Plain>(owner->strand); }

  Ref<Owner> owner = makeRef<Owner>(Ref<Engine>(makeRef<ModelEngine>()));
  TimerWheel wheel{1000 * kMs};
};

TEST_F(TimerWheelTest, NeverEarlyAndAtMostATickLate) {
  auto t = timer();
  wheel.arm(*t, 1010 * kMs + 1);
  EXPECT_TRUE(expire(1010 * kMs + 1).empty()) << "its tick is not over";
  EXPECT_TRUE(expire(1011 * kMs - 1).empty());
  EXPECT_EQ(expire(1011 * kMs).size(), 1U);
  EXPECT_TRUE(wheel.empty());
}

TEST_F(TimerWheelTest, DueInThePastFiresAtTheNextLook) {
  auto t = timer();
  wheel.arm(*t, 1);
  EXPECT_EQ(expire(1000 * kMs).size(), 1U);
}

TEST_F(TimerWheelTest, CancelTellsWhetherItWasLinked) {
  auto t = timer();
  EXPECT_FALSE(wheel.cancel(*t));
  wheel.arm(*t, 1500 * kMs);
  EXPECT_TRUE(wheel.cancel(*t));
  EXPECT_FALSE(wheel.cancel(*t));
  EXPECT_TRUE(expire(5000 * kMs).empty());
  wheel.arm(*t, 6000 * kMs);
  EXPECT_EQ(expire(6000 * kMs).size(), 1U);
  EXPECT_FALSE(wheel.cancel(*t)) << "it is out: its post is on the way";
}

TEST_F(TimerWheelTest, PlansTheExactWakeAndIsToldOfEarlierOnesOnly) {
  EXPECT_EQ(wheel.planWake(), kNoDeadline);
  auto far = timer();
  auto near = timer();
  auto nearer = timer();
  EXPECT_TRUE(wheel.arm(*far, 100'000 * kMs)) << "somebody sleeps without a plan";
  EXPECT_EQ(wheel.planWake(), 100'000 * kMs) << "and not the begin of a far slot";
  EXPECT_TRUE(wheel.arm(*near, 90'000 * kMs));
  EXPECT_FALSE(wheel.arm(*nearer, 95'000 * kMs)) << "the planned wake comes before";
  wheel.dropPlan();
  EXPECT_TRUE(wheel.cancel(*nearer));
  EXPECT_FALSE(wheel.arm(*nearer, 1001 * kMs)) << "awake: nobody needs to be woken";
  EXPECT_EQ(wheel.planWake(), 1001 * kMs);
  EXPECT_EQ(expire(1'000'000 * kMs).size(), 3U);
}

TEST_F(TimerWheelTest, TheEndOfTimeNeverComesAndCostsNothing) {
  auto t = timer();
  wheel.arm(*t, INT64_MAX);
  EXPECT_GT(wheel.planWake(), INT64_MAX / 2);
  EXPECT_TRUE(expire(std::int64_t{1} << 60).empty());
  EXPECT_TRUE(wheel.cancel(*t));
}

TEST_F(TimerWheelTest, AgreesWithAModelOverRandomUse) {
  constexpr std::size_t kTimers = 300;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Xoshiro256 random(seed);
    std::int64_t now = 1000 * kMs + static_cast<std::int64_t>(random.below(1u << 30));
    TimerWheel w(now);
    std::vector<std::unique_ptr<Plain>> timers;
    for (std::size_t i = 0; i < kTimers; ++i) timers.push_back(timer());
    std::map<Timer*, std::int64_t> due;
    for (int step = 0; step < 4'000; ++step) {
      Timer& t = *timers[random.below(kTimers)];
      switch (random.below(4)) {
        case 0:
        case 1:
          if (!due.contains(&t)) {
            // From a fraction of a tick to 40 days, each magnitude as often as the others.
            const auto delay = static_cast<std::int64_t>(random.next() >> (12 + random.below(44)));
            w.arm(t, now + delay);
            due[&t] = now + delay;
          }
          break;
        case 2:
          EXPECT_EQ(w.cancel(t), due.erase(&t) > 0);
          break;
        default: {
          now += static_cast<std::int64_t>(random.next() >> (14 + random.below(44)));
          Timer* out[5];
          for (std::size_t n = 0; (n = w.expire(now, out)) > 0;) {
            for (std::size_t i = 0; i < n; ++i) {
              ASSERT_TRUE(due.contains(out[i])) << "seed " << seed;
              ASSERT_LE(due[out[i]], now) << "early, seed " << seed;
              due.erase(out[i]);
            }
          }
          const std::int64_t this_tick = now / kMs * kMs;
          std::int64_t next = INT64_MAX;
          for (const auto& [timer, at] : due) {
            ASSERT_GT(at, this_tick) << "late by more than its tick, seed " << seed;
            next = std::min(next, at);
          }
          const std::int64_t planned = w.planWake();
          if (!due.empty()) {
            ASSERT_GT(planned, now) << "seed " << seed;
            ASSERT_LE(planned, (next + kMs - 1) / kMs * kMs) << "sleeps too long, seed " << seed;
          }
          w.dropPlan();
        }
      }
    }
    for (const auto& [timer, at] : due) EXPECT_TRUE(w.cancel(*timer));
  }
}

// ---- the timer's promises to its owner

struct Noted final : Timer {
  Noted(Strand& s, int& n) : Timer(s), fired(n) {}
  void onTimer() noexcept override {
    ++fired;
    if (again.count() > 0) armAfter(Ref<Object>(keep), again);
  }
  int& fired;
  Nanos again{0};
  Object* keep = nullptr;
};

class TimerTest : public ::testing::Test {
 protected:
  void inStrand(UniqueFunction<void()> f) { owner->strand.post(Ref<Object>(owner), std::move(f)); }
  Ref<Object> alive() { return Ref<Object>(owner); }

  Ref<ModelEngine> engine = makeRef<ModelEngine>();
  int ends = 0;
  Ref<Owner> owner = makeRef<Owner>(Ref<Engine>(engine), [this] { ++ends; });
  int fired = 0;
  Noted timer{owner->strand, fired};
};

TEST_F(TimerTest, FiresInsideItsStrandWhenDueAndNotBefore) {
  inStrand([&] { timer.armAfter(alive(), Millis(50)); });
  EXPECT_TRUE(timer.armed());
  engine->advance(Millis(49));
  EXPECT_EQ(fired, 0);
  engine->advance(Millis(1));
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(timer.armed());
}

TEST_F(TimerTest, CancelledInTimeNeverRunsAndReleasesItsOwner) {
  inStrand([&] {
    timer.armAfter(alive(), Millis(5));
    EXPECT_TRUE(timer.cancel());
    EXPECT_FALSE(timer.cancel());
  });
  engine->advance(Millis(10));
  EXPECT_EQ(fired, 0);
  owner.reset();
  EXPECT_EQ(ends, 1) << "no share is left with the timer";
}

TEST_F(TimerTest, CancelledWhileItsPostIsOnTheWayDoesNothing) {
  inStrand([&] { timer.armAfter(alive(), Millis(5)); });
  engine->nanos += 5'000'000;
  Timer* due = engine->takeDue();
  ASSERT_EQ(due, &timer);
  inStrand([&] { EXPECT_FALSE(timer.cancel()) << "too late to say it will not run"; });
  due->strand().post(*due);
  EXPECT_EQ(fired, 0);
  EXPECT_FALSE(timer.armed());
}

TEST_F(TimerTest, ArmedAgainWhileItsPostIsOnTheWayFiresAtTheNewTimeOnly) {
  inStrand([&] { timer.armAfter(alive(), Millis(5)); });
  engine->nanos += 5'000'000;
  Timer* due = engine->takeDue();
  ASSERT_EQ(due, &timer);
  inStrand([&] { timer.armAfter(alive(), Millis(20)); });
  due->strand().post(*due);
  EXPECT_EQ(fired, 0) << "the stale post";
  engine->advance(Millis(19));
  EXPECT_EQ(fired, 0);
  engine->advance(Millis(1));
  EXPECT_EQ(fired, 1);
}

TEST_F(TimerTest, ArmingAgainReplacesTheEarlierTime) {
  inStrand([&] {
    timer.armAfter(alive(), Millis(5));
    timer.armAfter(alive(), Millis(50));
  });
  engine->advance(Millis(49));
  EXPECT_EQ(fired, 0);
  engine->advance(Millis(1));
  EXPECT_EQ(fired, 1);
}

TEST_F(TimerTest, MayArmItselfFromItsOwnCall) {
  timer.again = Millis(10);
  timer.keep = owner.get();
  inStrand([&] { timer.armAfter(alive(), Millis(10)); });
  for (int i = 0; i < 10; ++i) engine->advance(Millis(10));
  EXPECT_EQ(fired, 10);
  timer.again = Nanos(0);
  engine->advance(Millis(10));
  EXPECT_EQ(fired, 11);
}

TEST_F(TimerTest, KeepsItsOwnerWhileArmedAndReleasesItAfterwards) {
  bool called = false;
  auto held = std::make_unique<FunctionTimer>(owner->strand, [&] { called = true; });
  inStrand([&] { held->armAfter(alive(), Millis(1)); });
  owner.reset();
  EXPECT_EQ(ends, 0);
  engine->advance(Millis(1));
  EXPECT_TRUE(called);
  EXPECT_EQ(ends, 1);
}

TEST_F(TimerTest, AnEndlessDelayIsNoOverflow) {
  inStrand([&] { timer.armAfter(alive(), Nanos::max()); });
  EXPECT_EQ(timer.due(), SteadyTime::max());
  engine->advance(std::chrono::hours(24 * 365));
  EXPECT_EQ(fired, 0);
  inStrand([&] { EXPECT_TRUE(timer.cancel()); });
}

}  // namespace
}  // namespace mqclient::base
