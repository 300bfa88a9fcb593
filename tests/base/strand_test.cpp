// S1–S3, S7 with real threads; the systematic interleavings are strand_steps/.
#include "base/strand.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "tests/base/helpers.h"

namespace mqclient::base {
namespace {

using testing::Count;
using testing::ModelEngine;
using testing::Owner;
using testing::threadedEngine;

TEST(Strand, IsThreeWordsAndItsTaskIsCallersMemory) {
  EXPECT_EQ(sizeof(Strand), 3 * sizeof(void*));
}

TEST(Strand, RunsOnThePostingThreadWhenIdle) {
  auto engine = makeRef<ModelEngine>();
  auto owner = makeRef<Owner>(Ref<Engine>(engine));
  bool ran = false;
  owner->strand.post(Ref<Object>(owner),
                     [&] { ran = owner->strand.isCurrent() && Activation::ofThisThread().inside(); });
  EXPECT_TRUE(ran);
  EXPECT_FALSE(owner->strand.isCurrent());
  EXPECT_FALSE(Activation::ofThisThread().inside());
  EXPECT_TRUE(engine->submitted.empty());
}

TEST(Strand, APostFromInsideRunsAfterTheCurrentTaskOnTheSameStackLevel) {
  auto engine = makeRef<ModelEngine>();
  auto a = makeRef<Owner>(Ref<Engine>(engine));
  auto b = makeRef<Owner>(Ref<Engine>(engine));
  std::string order;
  a->strand.post(Ref<Object>(a), [&] {
    b->strand.post(Ref<Object>(b), [&] { order += "b"; });
    a->strand.post(Ref<Object>(a), [&] { order += "2"; });
    order += "1";
  });
  EXPECT_EQ(order, "12b");
}

struct NotedSleeper final : Sleeper {
  void wake() noexcept override { ++woken; }
  int woken = 0;
};

TEST(Strand, SleepersAreWokenAfterTheTurnAndBeforeTheNextOne) {
  auto engine = makeRef<ModelEngine>();
  auto a = makeRef<Owner>(Ref<Engine>(engine));
  auto b = makeRef<Owner>(Ref<Engine>(engine));
  const auto sleeper = makeRef<NotedSleeper>();
  int at_the_end = -1;
  int in_the_next = -1;
  a->strand.post(Ref<Object>(a), [&] {
    Activation::ofThisThread().wakeAfterTurn(*sleeper);
    b->strand.post(Ref<Object>(b), [&] { in_the_next = sleeper->woken; });
    a->strand.post(Ref<Object>(a), [&] { at_the_end = sleeper->woken; });
  });
  EXPECT_EQ(at_the_end, 0);
  EXPECT_EQ(in_the_next, 1);
  EXPECT_EQ(sleeper->woken, 1);
}

TEST(Strand, MoreSleepersThanAreKeptAreAllWoken) {
  auto engine = makeRef<ModelEngine>();
  auto owner = makeRef<Owner>(Ref<Engine>(engine));
  std::vector<Ref<NotedSleeper>> sleepers(1'000);
  for (auto& sleeper : sleepers) sleeper = makeRef<NotedSleeper>();
  owner->strand.post(Ref<Object>(owner), [&] {
    for (const auto& sleeper : sleepers) Activation::ofThisThread().wakeAfterTurn(*sleeper);
  });
  for (const auto& sleeper : sleepers) ASSERT_EQ(sleeper->woken, 1);
}

/// Has another one woken after the turn, when it is woken itself.
struct ChainedSleeper final : Sleeper {
  void wake() noexcept override {
    ++woken;
    if (woken == 1 && next) Activation::ofThisThread().wakeAfterTurn(*next);
  }
  Ref<ChainedSleeper> next;
  int woken = 0;
};

TEST(Strand, ASleeperThatIsWokenMayBringAnother) {
  auto engine = makeRef<ModelEngine>();
  auto owner = makeRef<Owner>(Ref<Engine>(engine));
  std::vector<Ref<ChainedSleeper>> sleepers(300);
  for (std::size_t i = sleepers.size(); i-- > 0;) {
    sleepers[i] = makeRef<ChainedSleeper>();
    if (i + 100 < sleepers.size()) sleepers[i]->next = sleepers[i + 100];
  }
  owner->strand.post(Ref<Object>(owner), [&] {
    for (std::size_t i = 0; i < 100; ++i) Activation::ofThisThread().wakeAfterTurn(*sleepers[i]);
  });
  for (const auto& sleeper : sleepers) ASSERT_EQ(sleeper->woken, 1);
}

constexpr std::int64_t kAMinute = 60'000'000'000;

struct WhoRan final : Task {
  Next run() noexcept override {
    thread = std::this_thread::get_id();
    return Next::kDone;
  }
  std::thread::id thread;
};

TEST(Strand, APatientPosterWaitsForAnotherThreadAndRunsItsTaskItself) {
  auto engine = makeRef<ModelEngine>();
  auto owner = makeRef<Owner>(Ref<Engine>(engine));
  std::atomic<bool> entered{false};
  std::atomic<bool> leave{false};
  std::thread other([&] {
    owner->strand.post(Ref<Object>(owner), [&] {
      entered = true;
      while (!leave) std::this_thread::yield();
    });
  });
  while (!entered) std::this_thread::yield();
  WhoRan hurried;
  owner->strand.postPatiently(hurried, 0);  // comes after the other's task, on its thread
  EXPECT_EQ(hurried.thread, std::thread::id());
  WhoRan patient;
  std::thread release([&] { leave = true; });
  owner->strand.postPatiently(patient, kAMinute);
  EXPECT_EQ(patient.thread, std::this_thread::get_id());
  const std::thread::id id_of_other = other.get_id();
  release.join();
  other.join();
  EXPECT_EQ(hurried.thread, id_of_other);
}

TEST(Strand, APatientPosterDoesNotWaitForItself) {
  auto engine = makeRef<ModelEngine>();
  auto outer = makeRef<Owner>(Ref<Engine>(engine));
  auto inner = makeRef<Owner>(Ref<Engine>(engine));
  std::array<WhoRan, 3> tasks;
  outer->strand.post(Ref<Object>(outer), [&] {
    inner->strand.post(tasks[0]);                     // owned by this thread, and waiting
    inner->strand.postPatiently(tasks[1], kAMinute);  // would wait for what only this thread can run
    outer->strand.postPatiently(tasks[2], kAMinute);
  });
  for (const WhoRan& t : tasks) EXPECT_EQ(t.thread, std::this_thread::get_id());
}

TEST(Strand, WhatIsEnqueuedHasItsPlaceAndRunsWhenWhoFoundItIdleSaysSo) {
  struct Note final : Task {
    Note(std::string& to, char c) noexcept : order(to), name(c) {}
    Next run() noexcept override {
      order += name;
      return Next::kDone;
    }
    std::string& order;
    const char name;
  };
  auto engine = makeRef<ModelEngine>();
  auto owner = makeRef<Owner>(Ref<Engine>(engine));
  std::string order;
  Note a(order, 'a');
  Note b(order, 'b');
  a.alive = b.alive = Ref<Object>(owner);
  ASSERT_TRUE(owner->strand.enqueue(a));
  EXPECT_FALSE(owner->strand.enqueue(b)) << "somebody is to run it already";
  owner->strand.post(Ref<Object>(owner), [&] { order += 'c'; });
  EXPECT_EQ(order, "");
  owner->strand.resume();
  EXPECT_EQ(order, "abc");
  EXPECT_TRUE(engine->submitted.empty());
}

TEST(Strand, ATaskSeesWhetherAnythingWaitsBehindIt) {
  auto engine = makeRef<ModelEngine>();
  auto owner = makeRef<Owner>(Ref<Engine>(engine));
  std::vector<bool> alone;
  const auto look = [&] { alone.push_back(owner->strand.nothingWaits()); };
  owner->strand.post(Ref<Object>(owner), [&] {
    look();
    owner->strand.post(Ref<Object>(owner), look);
    owner->strand.post(Ref<Object>(owner), look);
    look();
  });
  EXPECT_EQ(alone, (std::vector<bool>{true, false, false, true}));
}

TEST(Strand, AgainGoesBehindWhatWaits) {
  auto engine = makeRef<ModelEngine>();
  auto owner = makeRef<Owner>(Ref<Engine>(engine));
  std::string order;
  int left = 3;
  owner->strand.post(Ref<Object>(owner), [&] {
    owner->strand.post(Ref<Object>(owner), [&] {
      order += "a";
      return --left > 0 ? Next::kAgain : Next::kDone;
    });
    owner->strand.post(Ref<Object>(owner), [&] { order += "b"; });
  });
  EXPECT_EQ(order, "abaa");
}

TEST(Strand, KeepsItsObjectUntilItWasLeft) {
  auto engine = makeRef<ModelEngine>();
  int ends = 0;
  bool alive_inside = false;
  {
    auto owner = makeRef<Owner>(Ref<Engine>(engine), [&] { ++ends; });
    Owner& o = *owner;
    Ref<Object> alive(owner);
    o.strand.post(std::move(alive), [&, mine = std::move(owner)]() mutable {
      mine.reset();  // the last share is now the task's own
      alive_inside = ends == 0;
    });
  }
  EXPECT_TRUE(alive_inside);
  EXPECT_EQ(ends, 1);
}

TEST(Strand, ATaskOutsideAnyStrandRunsAfterTheActivation) {
  auto engine = makeRef<ModelEngine>();
  auto owner = makeRef<Owner>(Ref<Engine>(engine));
  std::string order;
  const Strand* current = nullptr;
  owner->strand.post(Ref<Object>(owner), [&] {
    after(*engine, Ref<Object>(owner), [&] {
      order += "after";
      current = Activation::ofThisThread().current();
      EXPECT_TRUE(Activation::ofThisThread().inside());  // no await here either
    });
    order += "strand ";
  });
  EXPECT_EQ(order, "strand after");
  EXPECT_EQ(current, nullptr);
}

TEST(Strand, ALaneThreadRunsNoStrand) {
  auto engine = threadedEngine();
  auto owner = makeRef<Owner>(engine);
  Count done;
  Role ran_on = Role::kForeign;
  ASSERT_TRUE(engine->runOnLane(LaneKind::kNet, [&] {
    owner->strand.post(Ref<Object>(owner), [&] {
      ran_on = Activation::ofThisThread().role();
      done.add();
    });
  }));
  ASSERT_TRUE(done.reaches(1));
  EXPECT_EQ(ran_on, Role::kReactor);
}

/// Threads that post numbered tasks to a few strands, each task to the next strand from inside: every strand sees each
/// thread's numbers in order, never two at a time, and all of them. Under ThreadSanitizer the plain members prove that
/// the next owner sees what the last one wrote.
TEST(Strand, ManyThreadsKeepOneOrderEach) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 20'000;
  constexpr std::size_t kStrands = 3;
  struct Station final : Object {
    explicit Station(Ref<Engine> e) : engine(std::move(e)), strand(*engine) {}
    Ref<Engine> engine;
    Strand strand;
    bool active = false;
    std::array<int, kThreads> last{};
    int seen = 0;
    int disorder = 0;
  };
  auto engine = threadedEngine();
  std::array<Ref<Station>, kStrands> stations;
  for (auto& s : stations) s = makeRef<Station>(engine);
  Count done;
  const auto visit = [&done](Station& s, int thread, int number) {
    if (s.active || s.last[static_cast<std::size_t>(thread)] >= number) ++s.disorder;
    s.active = true;
    s.last[static_cast<std::size_t>(thread)] = number;
    s.active = false;
    if (++s.seen == kThreads * kPosts) done.add();
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int n = 1; n <= kPosts; ++n) {
        Station& first = *stations[0];
        first.strand.post(Ref<Object>(&first), [&, t, n] {
          visit(*stations[0], t, n);
          stations[1]->strand.post(Ref<Object>(stations[1]), [&, t, n] {
            visit(*stations[1], t, n);
            stations[2]->strand.post(Ref<Object>(stations[2]), [&, t, n] { visit(*stations[2], t, n); });
          });
        });
      }
    });
  }
  for (auto& t : threads) t.join();
  ASSERT_TRUE(done.reaches(kStrands)) << "a task was lost";
  for (const auto& s : stations) {
    Count read;
    s->strand.post(Ref<Object>(s), [&] {
      EXPECT_EQ(s->disorder, 0);
      EXPECT_EQ(s->seen, kThreads * kPosts);
      read.add();
    });
    EXPECT_TRUE(read.reaches(1));
  }
}

TEST(Strand, ItsObjectMayDieOnAnyThread) {
  constexpr int kRounds = 5'000;
  auto engine = threadedEngine();
  Count ended;
  for (int i = 0; i < kRounds; ++i) {
    auto owner = makeRef<Owner>(engine, [&] { ended.add(); });
    Count posted;
    std::thread other;
    if (i % 100 == 0) {
      other = std::thread([o = owner] { o->strand.post(Ref<Object>(o), [] {}); });
    }
    engine->callbacks().submit(Ref<Object>(), [o = owner] { o->strand.post(Ref<Object>(o), [] {}); });
    owner->strand.post(Ref<Object>(owner), [] {});
    owner.reset();
    if (other.joinable()) other.join();
  }
  EXPECT_TRUE(ended.reaches(kRounds));
}

}  // namespace
}  // namespace mqclient::base
