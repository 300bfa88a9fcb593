// The threaded engine's own promises: what runs where, and that its end leaves nothing behind (§10).
#include "base/engine.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "base/timer.h"
#include "mqclient/future.h"
#include "tests/base/helpers.h"
#include "tests/support/process_threads.h"

namespace mqclient::base {
namespace {

using mqclient::testing::allThreads;
using mqclient::testing::libraryThreads;
using mqclient::testing::openDescriptors;
using mqclient::testing::threadsFallTo;
using testing::Count;
using testing::Owner;
using testing::threadedEngine;

constexpr Millis kQuiesce{30'000};

TEST(ThreadedEngine, RefusesImpossibleOptions) {
  EXPECT_EQ(makeThreadedEngine({.io_threads = -1}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(makeThreadedEngine({.io_threads = 33}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(makeThreadedEngine({.blocking_threads = 0}).error().code(), ErrorCode::kInvalidArgument);
}

TEST(ThreadedEngine, StartsWithOneThreadAndOthersOnNeed) {
  auto engine = threadedEngine();
  while (libraryThreads().empty()) std::this_thread::yield();  // a thread names itself as its first act
  EXPECT_EQ(libraryThreads(), std::vector<std::string>{"mq-io-0"});
  Count done;
  engine->callbacks().submit(Ref<Object>(), [&] { done.add(); });
  ASSERT_TRUE(engine->runOnLane(LaneKind::kNet, [&] { done.add(); }));
  ASSERT_TRUE(done.reaches(2));
  const auto names = libraryThreads();
  const std::set<std::string> all(names.begin(), names.end());
  EXPECT_TRUE(all.contains("mq-cb-0"));
  EXPECT_TRUE(all.contains("mq-net"));
}

TEST(ThreadedEngine, ATurnReadsItsClockOnce) {
  auto engine = threadedEngine();
  auto owner = makeRef<Owner>(engine);
  SteadyTime first;
  const auto turn = [&](SteadyTime& seen) {
    owner->strand.post(Ref<Object>(owner), [&] {
      seen = engine->turnNow();
      while (engine->now() < seen + Millis{2}) {
      }
      EXPECT_EQ(engine->turnNow(), seen);
    });
  };
  turn(first);
  const SteadyTime between = engine->turnNow();
  EXPECT_GE(between, first + Millis{2}) << "outside a turn";
  SteadyTime second;
  turn(second);
  EXPECT_GE(second, between);
}

TEST(ThreadedEngine, TheWallClockMayBeAskedByTheSteadyOne) {
  auto engine = threadedEngine();
  for (const SteadyTime until = engine->now() + Millis{5}; engine->now() < until;) {
    const std::int64_t before = engine->wallMillis();
    const std::int64_t at = engine->wallMillisAt(engine->now());
    EXPECT_GE(at, before);
    EXPECT_LE(at, engine->wallMillis() + 1'000) << "this thread may be kept from its core between two clocks";
  }
}

TEST(ThreadedEngine, ItsThreadsBlockEverySignal) {
  auto engine = threadedEngine();
  Count done;
  std::array<sigset_t, 3> masks{};
  const auto look = [&](std::size_t i) {
    pthread_sigmask(SIG_SETMASK, nullptr, &masks[i]);
    done.add();
  };
  auto owner = makeRef<Owner>(engine);
  engine->callbacks().submit(Ref<Object>(), [&] { look(0); });
  ASSERT_TRUE(engine->runOnLane(LaneKind::kNet, [&] {
    look(1);
    owner->strand.post(Ref<Object>(owner), [&] { look(2); });
  }));
  ASSERT_TRUE(done.reaches(3));
  for (const sigset_t& m : masks) {
    for (const int s : {SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGUSR1}) EXPECT_EQ(sigismember(&m, s), 1) << s;
  }
}

TEST(ThreadedEngine, SubmittedStrandsRunOnReactorsAndNoWakeIsLost) {
  constexpr int kRounds = 20'000;
  std::atomic<int> wrong{0};
  std::atomic<int> seen{0};
  auto engine = threadedEngine();
  struct Outside final : Task {
    Outside(std::atomic<int>& w, std::atomic<int>& s) : wrong(w), seen(s) {}
    Next run() noexcept override {
      if (Activation::ofThisThread().role() != Role::kReactor) ++wrong;
      std::atomic<int>& counter = seen;  // once raised, the task is submitted again
      counter.fetch_add(1);
      counter.notify_one();
      return Next::kDone;
    }
    std::atomic<int>& wrong;
    std::atomic<int>& seen;
  } task(wrong, seen);
  // One at a time, so that a reactor is going to sleep at about each of them: a lost wake would end the test here.
  for (int i = 1; i <= kRounds; ++i) {
    engine->submit(Runnable(task));
    for (int now = seen.load(); now < i; now = seen.load()) seen.wait(now);
  }
  EXPECT_EQ(wrong, 0);
}

TEST(ThreadedEngine, ARunnableTakenBeforeItWasCountedDisturbsNoReactorsMark) {
  constexpr int kThreads = 4;
  constexpr int kEach = 50'000;
  Count done;
  auto engine = threadedEngine({.io_threads = 3});
  std::vector<std::thread> submitters;
  for (int t = 0; t < kThreads; ++t) {
    submitters.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        auto* task = new detail::FunctionTask([&] { done.add(); });
        engine->submit(Runnable(*task));
        if (i % 64 == 0) std::this_thread::yield();  // the reactors run dry, so that they are about to sleep
      }
    });
  }
  for (std::thread& t : submitters) t.join();
  ASSERT_TRUE(done.reaches(kThreads * kEach));
}

TEST(ThreadedEngine, TimersPostToTheirStrands) {
  constexpr int kTimers = 500;
  struct Once final : Timer {
    Once(Owner& o, Count& c, std::atomic<int>& e) : Timer(o.strand), owner(o), fired(c), early(e) {}
    void onTimer() noexcept override {
      if (owner.engine->now() < due()) ++early;
      fired.add();
    }
    Owner& owner;
    Count& fired;
    std::atomic<int>& early;
  };
  auto engine = threadedEngine();
  Count fired;
  std::atomic<int> early{0};
  std::vector<Ref<Owner>> owners;
  std::vector<std::unique_ptr<Once>> timers;
  for (int i = 0; i < kTimers; ++i) {
    owners.push_back(makeRef<Owner>(engine));
    timers.push_back(std::make_unique<Once>(*owners.back(), fired, early));
    Once& t = *timers.back();
    owners.back()->strand.post(Ref<Object>(owners.back()),
                               [&t, i] { t.armAfter(Ref<Object>(&t.owner), std::chrono::microseconds(i * 37)); });
  }
  EXPECT_TRUE(fired.reaches(kTimers));
  EXPECT_EQ(early, 0);
}

TEST(ThreadedEngine, ArmingAndCancellingFromManyThreadsFiresOrCancelsEachOnce) {
  struct Raced final : Timer {
    using Timer::Timer;
    void onTimer() noexcept override { ++fired; }
    int fired = 0;
  };
  struct Holder final : Object {
    explicit Holder(Ref<Engine> e) : engine(std::move(e)), strand(*engine), timer(strand) {}
    Ref<Engine> engine;
    Strand strand;
    Raced timer;
    int cancelled = 0;
    int armed = 0;
  };
  constexpr int kThreads = 3;
  constexpr int kRounds = 3'000;
  auto engine = threadedEngine();
  Count settled;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      auto h = makeRef<Holder>(engine);
      for (int i = 0; i < kRounds; ++i) {
        h->strand.post(Ref<Object>(h), [h] {
          ++h->armed;
          h->timer.armAfter(Ref<Object>(h), std::chrono::microseconds(100));
        });
        if (i % 3 != 0) std::this_thread::yield();
        Count done;
        h->strand.post(Ref<Object>(h), [&, h] {
          if (h->timer.cancel()) ++h->cancelled;
          done.add();
        });
        done.reaches(1);
      }
      Count read;
      h->strand.post(Ref<Object>(h), [&, h] {
        EXPECT_EQ(h->armed, kRounds);
        EXPECT_LE(h->timer.fired + h->cancelled, kRounds);
        EXPECT_FALSE(h->timer.armed());
        read.add();
      });
      read.reaches(1);
      settled.add();
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(settled.get(), kThreads);
}

TEST(ThreadedEngine, CountersAndChance) {
  auto engine = threadedEngine();
  EXPECT_EQ(engine->nextId(), 1U);
  EXPECT_EQ(engine->nextId(), 2U);
  EXPECT_EQ(engine->nextOpaque(), 0);
  EXPECT_EQ(engine->nextOpaque(), 1);
  EXPECT_NE(engine->random(), engine->random());
  EXPECT_FALSE(engine->isVirtualTime());
  EXPECT_TRUE(engine->hasExecutor());
}

TEST(ThreadedEngine, EnvironmentNamesThisHost) {
  auto engine = threadedEngine();
  const Environment& e = engine->environment();
  EXPECT_FALSE(e.host_ip.empty());
  EXPECT_TRUE(e.host_ip_bytes.size() == 4 || e.host_ip_bytes.size() == 16);
  EXPECT_EQ(e.pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_EQ(e.variable("MQCLIENT_SURELY_UNSET"), "");
  EXPECT_FALSE(e.variable("PATH").empty());
}

// ---- the end

TEST(EngineEnd, LeavesNoThreadAndNoDescriptorBehind) {
  threadedEngine();  // what the process allocates once
  const int threads = allThreads();
  const int descriptors = openDescriptors();
  for (int i = 0; i < 1'000; ++i) {
    auto engine = threadedEngine();
    if (i % 10 == 0) {
      Count done;
      engine->callbacks().submit(Ref<Object>(), [&] { done.add(); });
      ASSERT_TRUE(engine->runOnLane(LaneKind::kFiles, [&] { done.add(); }));
      ASSERT_TRUE(done.reaches(2));
    }
  }
  EXPECT_TRUE(threadsFallTo(threads)) << allThreads() << " threads, before " << threads;
  EXPECT_EQ(openDescriptors(), descriptors);
}

/// The last reference goes on every kind of thread, each time with others still at work.
TEST(EngineEnd, TheLastReferenceMayGoOnAnyThread) {
  constexpr int kRounds = 100;
  threadedEngine();
  const int threads = allThreads();
  for (int i = 0; i < kRounds; ++i) {
    for (int where = 0; where < 4; ++where) {
      auto engine = threadedEngine();
      auto owner = makeRef<Owner>(engine);
      auto mine = std::make_shared<Ref<Engine>>(std::move(engine));
      Engine& e = **mine;
      Count gone;
      std::shared_ptr<Ref<Owner>> last = std::make_shared<Ref<Owner>>(std::move(owner));
      const auto drop = [&gone, mine, last]() mutable {
        mine->reset();
        last->reset();
        gone.add();
      };
      mine.reset();
      switch (where) {
        case 0:
          e.callbacks().submit(Ref<Object>(), drop);
          break;
        case 1:
          ASSERT_TRUE(e.runOnLane(LaneKind::kNet, drop));
          break;
        case 2: {  // a reactor, outside the strand that it serves
          auto helper = makeRef<Owner>(Ref<Engine>(&e));
          ASSERT_TRUE(e.runOnLane(LaneKind::kNet, [h = std::move(helper), drop]() mutable {
            Strand& s = h->strand;
            Ref<Object> alive(h);
            h.reset();
            s.post(std::move(alive), drop);
          }));
          break;
        }
        default: {  // here, inside a strand
          (*last)->strand.post(Ref<Object>(*last), drop);
        }
      }
      last.reset();
      ASSERT_TRUE(gone.reaches(1));
    }
  }
  // What carried the drop may itself hold the last reference for a moment longer: only then does the reaping begin.
  const auto give_up = std::chrono::steady_clock::now() + kQuiesce;
  do {
    EXPECT_TRUE(quiesceEngines(kQuiesce));
    std::this_thread::yield();
  } while (allThreads() > threads && std::chrono::steady_clock::now() < give_up);
  EXPECT_LE(allThreads(), threads);  // fewer: a joined thread of the test before was still being taken down
}

TEST(EngineEnd, DroppedInsideAStrandOfAnotherEngineItDoesNotJoinThere) {
  auto outer = threadedEngine();
  auto owner = makeRef<Owner>(outer);
  auto inner = threadedEngine();
  Count held;
  Count release;
  inner->callbacks().submit(Ref<Object>(), [&] {
    held.add();
    release.reaches(1);
  });
  ASSERT_TRUE(held.reaches(1));
  owner->strand.post(Ref<Object>(owner), [&] { inner.reset(); });  // joining here would wait for the callback for ever
  EXPECT_FALSE(quiesceEngines(Millis(0)));
  release.add();
  EXPECT_TRUE(quiesceEngines(kQuiesce));
}

TEST(EngineEnd, TwoThreadsMayRaceForTheLastReference) {
  for (int i = 0; i < 300; ++i) {
    auto engine = threadedEngine();
    std::thread other([e = engine]() mutable { e.reset(); });
    engine.reset();
    other.join();
  }
  EXPECT_TRUE(quiesceEngines(kQuiesce));
}

TEST(EngineEnd, ACallbackThatOutlivesItsEngineMayStillWait) {
  auto engine = threadedEngine();
  Promise<int> promise(engine->callbackTarget());
  auto future = std::make_shared<Future<int>>(promise.future());
  Count started;
  Count got;
  engine->callbacks().submit(Ref<Object>(), [&, future] {
    started.add();
    got.add(*std::move(*future).get());
  });
  ASSERT_TRUE(started.reaches(1));
  std::thread setter([&] { promise.set(9); });
  engine.reset();  // waits for the callback, or leaves the end to it: a wait holds the engine
  EXPECT_TRUE(got.reaches(9));
  setter.join();
  EXPECT_TRUE(quiesceEngines(kQuiesce));
}

TEST(DefaultEngine, IsSharedWhileHeldAndMadeAnewAfterwards) {
  auto a = *defaultEngine();
  auto b = *defaultEngine();
  EXPECT_EQ(a.get(), b.get());
  const std::uint64_t id = a->nextId();
  a.reset();
  b.reset();
  EXPECT_TRUE(libraryThreads().empty());
  EXPECT_EQ((*defaultEngine())->nextId(), id) << "a fresh one counts from the start";
}

TEST(DefaultEngine, ManyThreadsAskWhileItComesAndGoes) {
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        auto e = defaultEngine();
        if (!e || (*e)->nextId() == 0) ++failed;
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace mqclient::base
