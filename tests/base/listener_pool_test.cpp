// L1, L2: groups, caps, turns, growth.
#include "base/listener_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>

#include "tests/base/helpers.h"
#include "tests/support/process_threads.h"

namespace mqclient::base {
namespace {

using testing::Count;
using testing::ModelEngine;
using testing::threadedEngine;

/// Jobs wait here until the test lets them go.
struct Latch {
  Count arrived;
  Count opened;
  void pass() {
    arrived.add();
    opened.reaches(1);
  }
};

TEST(ListenerPool, TwentyListenersOnOneLatchAllStart) {
  Latch latch;
  Count done;
  auto engine = threadedEngine();
  auto group = engine->makeListenerGroup("latch", 20);
  for (int i = 0; i < 20; ++i) {
    group->submit(Ref<Object>(), [&] {
      latch.pass();
      done.add();
    });
  }
  EXPECT_TRUE(latch.arrived.reaches(20));
  EXPECT_EQ(group->running(), 20);
  EXPECT_EQ(group->waiting(), 0U);
  latch.opened.add();
  EXPECT_TRUE(done.reaches(20));
}

TEST(ListenerPool, AStreamOfShortJobsRunsInOrderAndWholly) {
  constexpr int kJobs = 100'000;
  Count done;
  auto engine = threadedEngine();
  auto group = engine->makeListenerGroup("stream", 1);
  int next = 0;
  std::atomic<int> wrong{0};
  for (int i = 0; i < kJobs; ++i) {
    group->submit(Ref<Object>(), [&, i] {
      if (next++ != i) ++wrong;
      done.add();
    });
    if (i % 1'000 == 0) std::this_thread::yield();
  }
  EXPECT_TRUE(done.reaches(kJobs));
  EXPECT_EQ(wrong, 0);
}

TEST(ListenerPool, AfterAStreamAJobThatBlocksHoldsNobodyElses) {
  Latch latch;
  Count done;
  auto engine = threadedEngine();
  auto group = engine->makeListenerGroup("stream", 4);
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 2'000; ++i) group->submit(Ref<Object>(), [&] { done.add(); });
    group->setCap(1 + round % 4);  // also while a thread lingers
  }
  group->setCap(4);
  for (int i = 0; i < 3; ++i) group->submit(Ref<Object>(), [&] { latch.pass(); });
  EXPECT_TRUE(latch.arrived.reaches(3));
  group->submit(Ref<Object>(), [&] { done.add(); });
  EXPECT_TRUE(done.reaches(20 * 2'000 + 1));
  latch.opened.add();
}

TEST(ListenerPool, AGroupNeverRunsMoreThanItsCap) {
  Latch latch;
  Count done;
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  auto engine = threadedEngine();
  auto group = engine->makeListenerGroup("capped", 3);
  auto other = engine->makeListenerGroup("other", 8);
  for (int i = 0; i < 8; ++i) other->submit(Ref<Object>(), [&] { latch.pass(); });  // threads there are enough
  ASSERT_TRUE(latch.arrived.reaches(8));
  latch.opened.add();
  for (int i = 0; i < 2'000; ++i) {
    group->submit(Ref<Object>(), [&] {
      const int now = inside.fetch_add(1) + 1;
      int seen = most.load();
      while (now > seen && !most.compare_exchange_weak(seen, now)) {
      }
      std::this_thread::yield();
      inside.fetch_sub(1);
      done.add();
    });
  }
  EXPECT_TRUE(done.reaches(2'000));
  EXPECT_LE(most.load(), 3);
}

TEST(ListenerPool, ACapOfOneKeepsTheOrderOfSubmission) {
  Count done;
  int last = -1;
  int disorder = 0;
  auto engine = threadedEngine();
  auto group = engine->makeListenerGroup("ordered", 1);
  for (int i = 0; i < 5'000; ++i) {
    group->submit(Ref<Object>(), [&, i] {
      if (i != last + 1) ++disorder;
      last = i;
      done.add();
    });
  }
  EXPECT_TRUE(done.reaches(5'000));
  EXPECT_EQ(disorder, 0);
}

TEST(ListenerPool, ALongJobHoldsNobodyElses) {
  Latch latch;
  Count others;
  Count long_done;
  auto engine = threadedEngine();
  auto group = engine->makeListenerGroup("mixed", 2);
  group->submit(Ref<Object>(), [&] {
    latch.pass();
    long_done.add();
  });
  for (int i = 0; i < 40; ++i) group->submit(Ref<Object>(), [&] { others.add(); });
  EXPECT_TRUE(others.reaches(40)) << "more than a turn of jobs, behind one that blocks";
  latch.opened.add();
  EXPECT_TRUE(long_done.reaches(1));
}

TEST(ListenerPool, GroupsAreServedInTurn) {
  Latch latch;
  Count done;
  std::mutex mutex;
  std::string order;
  // One thread for three groups: what the big one queued first must not come before the small ones' first jobs.
  auto engine = makeRef<ModelEngine>();
  struct Nobody final : ListenerPool::Supervisor {
    void superviseListenersAt(std::int64_t) noexcept override {}
  } nobody;
  auto pool = makeRef<ListenerPool>(*engine, nobody);
  auto big = pool->makeGroup("big", 1);
  auto small1 = pool->makeGroup("small1", 1);
  auto small2 = pool->makeGroup("small2", 1);
  big->submit(Ref<Object>(), [&] { latch.pass(); });
  ASSERT_TRUE(latch.arrived.reaches(1));
  const auto note = [&](char c) {
    {
      const std::lock_guard lock(mutex);
      order += c;
    }
    done.add();
  };
  for (int i = 0; i < 100; ++i) big->submit(Ref<Object>(), [&] { note('b'); });
  small1->submit(Ref<Object>(), [&] { note('1'); });
  small2->submit(Ref<Object>(), [&] { note('2'); });
  latch.opened.add();
  ASSERT_TRUE(done.reaches(102));
  EXPECT_EQ(pool->threads(), 1);
  EXPECT_LE(order.find('1'), 16U) << order;
  EXPECT_LE(order.find('2'), 17U) << order;
  pool->close();
}

TEST(ListenerPool, GrowsByTheRuleAndNeverBeyondTheSumOfTheCaps) {
  Latch latch;
  auto engine = makeRef<ModelEngine>();
  struct Noted final : ListenerPool::Supervisor {
    void superviseListenersAt(std::int64_t when) noexcept override {
      at = when;
      ++asked;
    }
    std::atomic<std::int64_t> at{0};
    std::atomic<int> asked{0};
  } supervisor;
  auto pool = makeRef<ListenerPool>(*engine, supervisor);
  auto group = pool->makeGroup("g", 3);
  EXPECT_EQ(pool->threads(), 0);
  EXPECT_EQ(pool->threadLimit(), 3);
  group->submit(Ref<Object>(), [&] { latch.pass(); });
  EXPECT_EQ(pool->threads(), 1) << "the first job starts a thread at once";
  ASSERT_TRUE(latch.arrived.reaches(1));
  EXPECT_EQ(supervisor.asked, 0);
  for (int i = 0; i < 4; ++i) group->submit(Ref<Object>(), [&] { latch.pass(); });
  EXPECT_EQ(supervisor.asked, 1);
  EXPECT_EQ(pool->threads(), 1);
  // A job waits, no thread is idle, the process sleeps: one more thread a millisecond. The times are the test's own;
  // far ahead of the real clock, so that the CPU used meanwhile counts for nothing.
  std::int64_t now = supervisor.at;
  now += 10'000'000'000;
  EXPECT_EQ(pool->supervise(now), now + 1'000'000);
  EXPECT_EQ(pool->threads(), 2);
  ASSERT_TRUE(latch.arrived.reaches(2));
  pool->supervise(now + 900'000);
  EXPECT_EQ(pool->threads(), 2) << "not yet a millisecond";
  pool->supervise(now + 10'000'000'000);
  EXPECT_EQ(pool->threads(), 3);
  ASSERT_TRUE(latch.arrived.reaches(3));
  EXPECT_EQ(pool->supervise(now + 20'000'000'000), kNoDeadline) << "the caps are reached";
  EXPECT_EQ(pool->threads(), 3);
  group->setCap(4);
  EXPECT_EQ(pool->threadLimit(), 4);
  latch.opened.add();
  ASSERT_TRUE(latch.arrived.reaches(5));
  group.reset();
  EXPECT_LE(pool->threads(), 4);
  pool->close();
  EXPECT_EQ(pool->threads(), 0);
  EXPECT_EQ(pool->threadLimit(), 0);
}

TEST(ListenerPool, BusyProcessorsSlowItsGrowth) {
  Latch latch;
  auto engine = makeRef<ModelEngine>();
  struct Noted final : ListenerPool::Supervisor {
    void superviseListenersAt(std::int64_t when) noexcept override { at = when; }
    std::atomic<std::int64_t> at{0};
  } supervisor;
  auto pool = makeRef<ListenerPool>(*engine, supervisor);
  auto group = pool->makeGroup("g", 8);
  for (int i = 0; i < 8; ++i) group->submit(Ref<Object>(), [&] { latch.pass(); });
  ASSERT_TRUE(latch.arrived.reaches(1));
  // The supervisor's own times stand still while this thread uses CPU: by them every core is busy.
  const std::int64_t asked_for = supervisor.at;
  const std::int64_t begun = steadyNanos();
  while (steadyNanos() - begun < 20'000'000) {
  }
  const int threads = pool->threads();
  pool->supervise(asked_for);
  EXPECT_EQ(pool->threads(), threads) << "at full load no further thread within 100 ms of the last";
  latch.opened.add();
  pool->close();
}

TEST(ListenerPool, RaisingTheCapStartsWhatWaits) {
  Latch latch;
  auto engine = threadedEngine();
  auto group = engine->makeListenerGroup("g", 1);
  for (int i = 0; i < 3; ++i) group->submit(Ref<Object>(), [&] { latch.pass(); });
  ASSERT_TRUE(latch.arrived.reaches(1));
  EXPECT_EQ(group->waiting(), 2U);
  group->setCap(3);
  EXPECT_TRUE(latch.arrived.reaches(3));
  latch.opened.add();
}

TEST(ListenerPool, AJobMaySubmitAndDropItsGroup) {
  Count done;
  auto engine = threadedEngine();
  {
    auto group = engine->makeListenerGroup("gone", 2);
    for (int i = 0; i < 100; ++i) {
      group->submit(Ref<Object>(), [&, group] { group->submit(Ref<Object>(), [&] { done.add(); }); });
    }
  }
  EXPECT_TRUE(done.reaches(100));
}

TEST(ListenerPool, ManySubmittersManyGroupsLoseNothing) {
  Count done;
  std::atomic<int> ran{0};
  constexpr int kGroups = 8;
  constexpr int kThreads = 4;
  constexpr int kJobs = 20'000;
  auto engine = threadedEngine();
  std::array<Ref<ListenerGroup>, kGroups> groups;
  for (auto& g : groups) g = engine->makeListenerGroup("g", 2);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kJobs; ++i) {
        groups[static_cast<std::size_t>(i + t) % kGroups]->submit(Ref<Object>(), [&] {
          if (++ran == kThreads * kJobs) done.add();
        });
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_TRUE(done.reaches(1)) << ran.load();
}

/// A thread goes to sleep at about each submission: a lost wake would leave the job waiting.
TEST(ListenerPool, NoWakeIsLost) {
  std::atomic<int> seen{0};
  auto engine = threadedEngine();
  for (int i = 1; i <= 10'000; ++i) {
    engine->callbacks().submit(Ref<Object>(), [&] {
      ++seen;
      seen.notify_one();
    });
    if (i % 64 == 0) std::this_thread::yield();
    for (int now = seen.load(); now < i; now = seen.load()) seen.wait(now);
  }
}

TEST(ListenerPool, AfterItsEndJobsRunWhereTheyAreSubmitted) {
  std::thread::id ran_on;
  auto engine = threadedEngine();
  auto group = engine->makeListenerGroup("late", 1);
  engine.reset();
  group->submit(Ref<Object>(), [&] { ran_on = std::this_thread::get_id(); });
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  EXPECT_TRUE(mqclient::testing::libraryThreads().empty());
}

}  // namespace
}  // namespace mqclient::base
