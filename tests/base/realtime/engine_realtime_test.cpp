// What must measure real time: how late timers are, that an idle engine sleeps, that idle threads end.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/timer.h"
#include "base/wait.h"
#include "tests/base/helpers.h"
#include "tests/support/process_threads.h"

namespace mqclient::base {
namespace {

using testing::Count;
using testing::Owner;
using testing::threadedEngine;

/// Times that threads of ours gave up their core of their own will, together.
long sleepsOfLibraryThreads() {
  long sum = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (!name.starts_with("mq-")) continue;
    std::ifstream status(task.path() / "status");
    constexpr std::string_view kKey = "voluntary_ctxt_switches:";
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(kKey)) sum += std::stol(line.substr(kKey.size()));
    }
  }
  return sum;
}

void pause(Engine& engine, Millis time) {
  const auto never = makeRef<WaitSlot>();
  engine.waitFor(*never, engine.now() + time);
}

struct Lateness final : Timer {
  Lateness(Owner& o, Count& c) : Timer(o.strand), owner(o), fired(c) {}
  void onTimer() noexcept override {
    late = (owner.engine->now() - due()).count();
    fired.add();
  }
  Owner& owner;
  Count& fired;
  std::int64_t late = -1;
};

TEST(TimerRealtime, NeverEarlyAndLateByATickPlusQueueing) {
  constexpr int kTimers = 2'000;
  Count fired;
  auto engine = threadedEngine();
  std::vector<Ref<Owner>> owners;
  std::vector<std::unique_ptr<Lateness>> timers;
  for (int i = 0; i < kTimers; ++i) {
    owners.push_back(makeRef<Owner>(engine));
    timers.push_back(std::make_unique<Lateness>(*owners.back(), fired));
    Lateness& t = *timers.back();
    t.owner.strand.post(Ref<Object>(&t.owner),
                        [&t, i] { t.armAfter(Ref<Object>(&t.owner), std::chrono::microseconds(1'000 + i * 977)); });
  }
  ASSERT_TRUE(fired.reaches(kTimers));
  std::vector<std::int64_t> late;
  for (const auto& t : timers) late.push_back(t->late);
  std::sort(late.begin(), late.end());
  std::printf("timers late: least %.3f ms, median %.3f ms, 99 %% %.3f ms, most %.3f ms\n",
              static_cast<double>(late.front()) / 1e6, static_cast<double>(late[late.size() / 2]) / 1e6,
              static_cast<double>(late[late.size() * 99 / 100]) / 1e6, static_cast<double>(late.back()) / 1e6);
  EXPECT_GE(late.front(), 0);
  EXPECT_LE(late[late.size() / 2], 2'000'000) << "one tick and the machine's own";
}

TEST(EngineRealtime, AnIdleEngineWakesOnlyForWhatIsDue) {
  Count fired;
  auto engine = threadedEngine();
  auto owner = makeRef<Owner>(engine);
  Lateness timer(*owner, fired);
  // One timer far away, on a high level of the wheel, and one in two seconds.
  Lateness far(*owner, fired);
  owner->strand.post(Ref<Object>(owner), [&] {
    far.armAfter(Ref<Object>(owner), std::chrono::hours(1));
    timer.armAfter(Ref<Object>(owner), std::chrono::seconds(2));
  });
  pause(*engine, Millis(200));
  const long before = sleepsOfLibraryThreads();
  ASSERT_TRUE(fired.reaches(1));
  const long wakes = sleepsOfLibraryThreads() - before;
  EXPECT_LE(wakes, 3) << "in 1.8 s with one timer due";
  owner->strand.post(Ref<Object>(owner), [&] { far.cancel(); });
}

TEST(EngineRealtime, IdleListenerAndLaneThreadsEndAfterTenSeconds) {
  Count done;
  auto engine = threadedEngine({.io_threads = 1});
  engine->callbacks().submit(Ref<Object>(), [&] { done.add(); });
  ASSERT_TRUE(engine->runOnLane(LaneKind::kNet, [&] { done.add(); }));
  ASSERT_TRUE(done.reaches(2));
  const std::int64_t begun = steadyNanos();
  // A reactor that had nothing to do yet may not have begun to run, and a thread gives itself its name.
  while (mqclient::testing::libraryThreads().size() < 3 && steadyNanos() - begun < 5'000'000'000)
    pause(*engine, Millis(1));
  EXPECT_EQ(mqclient::testing::libraryThreads().size(), 3U);
  while (mqclient::testing::libraryThreads().size() > 1 && steadyNanos() - begun < 15'000'000'000) {
    pause(*engine, Millis(20));
  }
  EXPECT_EQ(mqclient::testing::libraryThreads(), std::vector<std::string>{"mq-io-0"});
  EXPECT_GE(steadyNanos() - begun, 9'500'000'000);
  // And start again when needed.
  engine->callbacks().submit(Ref<Object>(), [&] { done.add(); });
  EXPECT_TRUE(done.reaches(3));
}

TEST(ListenerPoolRealtime, TwentyBlockedListenersAllStartWithinMilliseconds) {
  Count arrived;
  Count opened;
  auto engine = threadedEngine();
  auto group = engine->makeListenerGroup("latch", 20);
  const std::int64_t begun = steadyNanos();
  for (int i = 0; i < 20; ++i) {
    group->submit(Ref<Object>(), [&] {
      arrived.add();
      opened.reaches(1);
    });
  }
  ASSERT_TRUE(arrived.reaches(20));
  const double ms = static_cast<double>(steadyNanos() - begun) / 1e6;
  std::printf("20 blocked listeners started in %.1f ms\n", ms);
  EXPECT_LE(ms, 500.0);
  opened.add();
}

}  // namespace
}  // namespace mqclient::base
