// C1–C3, A2: whoever settles, settles once; whoever waits, is told; whatever races.
#include "base/completion.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/random.h"
#include "base/wait.h"
#include "tests/base/helpers.h"

namespace mqclient::base {
namespace {

using testing::Count;
using testing::kBound;
using testing::Owner;
using testing::threadedEngine;

TEST(Completion, IsOneWordAndMovesItsDuty) {
  EXPECT_EQ(sizeof(Completion<int>), sizeof(void*));
  int calls = 0;
  auto a = Completion<int>::of([&](Result<int>&& r) {
    ++calls;
    EXPECT_EQ(*r, 7);
  });
  Completion<int> b = std::move(a);
  EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): that is the promise
  EXPECT_TRUE(b);
  std::move(b)(7);
  EXPECT_FALSE(b);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(calls, 1);
}

TEST(Completion, DroppedUncalledItAnswersAbandoned) {
  std::optional<ErrorCode> code;
  {
    const auto c = Completion<int>::of([&](Result<int>&& r) { code = r.error().code(); });
  }
  EXPECT_EQ(code, ErrorCode::kAbandoned);
}

TEST(Completion, AssignedOverItAnswersAbandonedFirst) {
  std::string order;
  auto a = Completion<int>::of([&](Result<int>&& r) { order += r ? "a" : "dropped-a "; });
  auto b = Completion<int>::of([&](Result<int>&& r) { order += r ? "b" : "dropped-b"; });
  a = std::move(b);
  std::move(a)(1);
  EXPECT_EQ(order, "dropped-a b");
}

TEST(Completion, SettlesItsFuture) {
  auto engine = threadedEngine();
  auto op = makeOperation<int>(engine->callbackTarget());
  EXPECT_FALSE(op.future.isReady());
  std::move(op.completion)(41);
  EXPECT_TRUE(op.future.isReady());
  EXPECT_EQ(*std::move(op.future).get(), 41);
}

/// Counts how it ended; lives as long as the test.
struct Later final : Deferred<int> {
  Result<int> take() noexcept override {
    ++taken;
    taken_by = std::this_thread::get_id();
    return 7;
  }
  void drop() noexcept override { ++dropped; }
  int taken = 0;
  int dropped = 0;
  std::thread::id taken_by;
};

TEST(Completion, ADeferredResultIsMadeByWhoTakesIt) {
  Later later;
  Operation<int> operation = makeOperation<int>(nullptr);
  std::thread([&] { std::move(operation.completion)(later); }).join();
  EXPECT_TRUE(operation.future.isReady());
  EXPECT_EQ(later.taken, 0);
  EXPECT_EQ(*std::move(operation.future).get(), 7);
  EXPECT_EQ(later.taken, 1);
  EXPECT_EQ(later.taken_by, std::this_thread::get_id());
  EXPECT_EQ(later.dropped, 0);
}

TEST(Completion, ADeferredResultIsMadeOnTheCallbacksThread) {
  Later later;
  auto engine = threadedEngine();
  Operation<int> operation = makeOperation<int>(engine->callbackTarget());
  Count done;
  std::thread::id called_on;
  std::move(operation.future).then([&](const Result<int>& r) {
    EXPECT_EQ(*r, 7);
    called_on = std::this_thread::get_id();
    done.add();
  });
  std::move(operation.completion)(later);
  ASSERT_TRUE(done.reaches(1));
  EXPECT_EQ(later.taken, 1);
  EXPECT_EQ(later.taken_by, called_on);
}

TEST(Completion, ADeferredResultThatNobodyTakesIsDropped) {
  Later later;
  {
    Operation<int> operation = makeOperation<int>(nullptr);
    std::move(operation.completion)(later);
  }
  EXPECT_EQ(later.dropped, 1);
  Completion<int> called = Completion<int>::of([](Result<int>&&) {});
  std::move(called)(1);
  std::move(called)(later);  // NOLINT(bugprone-use-after-move): too late
  EXPECT_EQ(later.dropped, 2);
  EXPECT_EQ(later.taken, 0);
}

TEST(Completion, AReceiverThatCannotKeepADeferredResultTakesItAtOnce) {
  Later later;
  int got = 0;
  Completion<int>::of([&](Result<int>&& r) { got = *r; })(later);
  EXPECT_EQ(got, 7);
  EXPECT_EQ(later.taken, 1);
}

TEST(Completion, DroppedWithItsOperationWakesTheWaiter) {
  auto engine = threadedEngine();
  auto op = makeOperation<int>(engine->callbackTarget());
  std::thread dropper([c = std::move(op.completion)]() mutable { const Completion<int> dropped = std::move(c); });
  EXPECT_EQ(std::move(op.future).get().error().code(), ErrorCode::kAbandoned);
  dropper.join();
}

/// C1: a reply, a timer, a close, a cancel and a drop race for one operation.
TEST(Completion, AMillionOperationsAreSettledOnceEach) {
  constexpr int kOperations = 1'000'000;
  constexpr int kThreads = 4;
  constexpr int kBatch = 1'000;
  auto engine = threadedEngine();
  const auto context = engine->callbackTarget();
  struct Shared {
    std::atomic<int> delivered{0};
    std::atomic<int> doubled{0};
    std::atomic<int> winners{0};
  } shared;
  Count done;
  std::array<std::thread, kThreads> threads;
  std::array<std::atomic<mqclient::detail::FutureState<int>*>, kBatch> open{};
  std::atomic<int> round{0};
  std::atomic<int> arrived{0};
  const auto meet = [&](int r) {
    if (arrived.fetch_add(1) + 1 == kThreads * (r + 1)) {
      round.store(r + 1);
      round.notify_all();
    } else {
      for (int seen = round.load(); seen <= r; seen = round.load()) round.wait(seen);
    }
  };
  for (int t = 0; t < kThreads; ++t) {
    threads[static_cast<std::size_t>(t)] = std::thread([&, t] {
      Xoshiro256 random(static_cast<std::uint64_t>(t));
      int meetings = 0;
      for (int b = 0; b < kOperations / kBatch; ++b) {
        if (t == 0) {
          for (auto& slot : open) {
            auto* state = new mqclient::detail::FutureState<int>(context);
            for (int share = 0; share < kThreads; ++share) state->retain();
            auto ran = std::make_shared<std::atomic<bool>>(false);
            state->setCallback([&shared, ran](const Result<int>&) {
              if (ran->exchange(true)) ++shared.doubled;
              ++shared.delivered;
            });
            slot = state;
          }
        }
        meet(meetings++);
        // Each thread in its own order and at its own pace; one of them settles by dropping a completion.
        const std::size_t begin = random.below(kBatch);
        for (std::size_t i = 0; i < kBatch; ++i) {
          auto* state = open[(begin + i) % kBatch].load();
          if (t == 3) {
            const Completion<int> dropped(*state);
          } else {
            if (state->set(Result<int>(t))) ++shared.winners;
            state->release();
          }
        }
        meet(meetings++);
      }
    });
  }
  for (auto& t : threads) t.join();
  while (shared.delivered.load() < kOperations) std::this_thread::yield();
  EXPECT_EQ(shared.delivered.load(), kOperations);
  EXPECT_EQ(shared.doubled.load(), 0);
  EXPECT_LE(shared.winners.load(), kOperations);
  EXPECT_GT(shared.winners.load(), 0);
}

/// A2: a settlement after the deadline touches the counted slot only.
TEST(WaitSlot, GivenUpItMayBeSettledLate) {
  auto engine = threadedEngine();
  auto slot = makeRef<WaitSlot>();
  EXPECT_FALSE(engine->waitFor(*slot, engine->now() - Millis(1)));
  EXPECT_FALSE(engine->waitFor(*slot, engine->now() + Millis(1)));
  std::thread late([s = slot] { s->settle(); });
  slot.reset();
  late.join();
}

TEST(WaitSlot, WakesAParkedThreadAndAnswersSettledAtOnce) {
  auto engine = threadedEngine();
  for (int i = 0; i < 2'000; ++i) {
    auto slot = makeRef<WaitSlot>();
    engine->callbacks().submit(Ref<Object>(), [slot] { slot->settle(); });
    ASSERT_TRUE(engine->waitFor(*slot, engine->now() + kBound));
    ASSERT_TRUE(slot->settled());
    ASSERT_TRUE(engine->waitFor(*slot, engine->now() - Millis(1))) << "settled beats the deadline";
  }
}

TEST(WaitSlot, ManySettledInOneTurnAreAllWoken) {
  constexpr int kSleepers = 300;  // on more words than are kept until the end of a turn
  auto engine = threadedEngine();
  const Ref<Owner> owner = makeRef<Owner>(engine);
  std::vector<Ref<WaitSlot>> slots;
  std::vector<std::thread> sleepers;
  for (int i = 0; i < kSleepers; ++i) {
    slots.push_back(makeRef<WaitSlot>());
    sleepers.emplace_back(
        [&engine, slot = slots.back()] { EXPECT_TRUE(engine->waitFor(*slot, engine->now() + kBound)); });
  }
  owner->strand.post(owner, [&] {
    for (const Ref<WaitSlot>& slot : slots) slot->settle();
  });
  for (std::thread& t : sleepers) t.join();
}

TEST(WaitSlot, EachOfManyWaitersIsWokenForItsOwn) {
  constexpr std::size_t kWaiters = 40;  // more than sleep on one word
  constexpr int kRounds = 300;
  auto engine = threadedEngine();
  std::array<Ref<Owner>, 2> owners{makeRef<Owner>(engine), makeRef<Owner>(engine)};
  std::atomic<int> late{0};
  std::vector<std::thread> waiters;
  for (std::size_t w = 0; w < kWaiters; ++w) {
    waiters.emplace_back([&, w] {
      for (int i = 0; i < kRounds; ++i) {
        const auto slot = makeRef<WaitSlot>();
        owners[w % 2]->strand.post(owners[w % 2], [slot] { slot->settle(); });  // here, or by whoever is inside
        if (!engine->waitFor(*slot, engine->now() + kBound)) ++late;
      }
    });
  }
  for (std::thread& t : waiters) t.join();
  EXPECT_EQ(late, 0);
}

TEST(WaitSlot, AWatcherIsToldOnceOrNotAtAll) {
  auto slot = makeRef<WaitSlot>();
  int told = 0;
  EXPECT_TRUE(slot->setOnSettle([&] { ++told; }));
  slot->settle();
  slot->settle();
  EXPECT_EQ(told, 1);
  EXPECT_FALSE(slot->setOnSettle([&] { ++told; })) << "settled already";
  slot->reset();
  EXPECT_TRUE(slot->setOnSettle([&] { ++told; }));
  slot->clearOnSettle();
  slot->settle();
  EXPECT_EQ(told, 1);
}

// ---- C3: where callbacks run

/// A callback that notes its thread.
struct Seen {
  Count count;
  std::atomic<Role> role{Role::kReactor};
  std::atomic<std::thread::id> thread{};
  std::atomic<bool> inside{true};
  void note() {
    role = Activation::ofThisThread().role();
    inside = Activation::ofThisThread().inside();
    thread = std::this_thread::get_id();
    count.add();
  }
};

TEST(CallbackTarget, RunsCallbacksOnListenerThreadsOutsideStrands) {
  auto engine = threadedEngine();
  auto owner = makeRef<Owner>(engine);
  auto op = makeOperation<int>(engine->callbackTarget());
  Seen seen;
  std::move(op.future).then([&](Result<int>) { seen.note(); });
  owner->strand.post(Ref<Object>(owner), [c = std::move(op.completion)]() mutable { std::move(c)(1); });
  ASSERT_TRUE(seen.count.reaches(1));
  EXPECT_EQ(seen.role, Role::kListener);
  EXPECT_FALSE(seen.inside);
}

TEST(CallbackTarget, AfterTheEngineCallbacksRunOnTheSettlingThread) {
  auto engine = threadedEngine();
  auto op = makeOperation<int>(engine->callbackTarget());
  Seen seen;
  std::move(op.future).then([&](Result<int>) { seen.note(); });
  engine.reset();
  std::move(op.completion)(1);
  EXPECT_EQ(seen.count.get(), 1);
  EXPECT_EQ(seen.thread.load(), std::this_thread::get_id());
}

TEST(CallbackTarget, WhatWaitsAtTheEndRunsBeforeTheEndIsOver) {
  for (int round = 0; round < 200; ++round) {
    constexpr int kCallbacks = 50;
    auto engine = threadedEngine();
    std::atomic<int> ran{0};
    for (int i = 0; i < kCallbacks; ++i) {
      auto op = makeOperation<int>(engine->callbackTarget());
      std::move(op.future).then([&](Result<int>) { ++ran; });
      std::move(op.completion)(i);
    }
    engine.reset();
    ASSERT_EQ(ran.load(), kCallbacks);
  }
}

TEST(CallbackTarget, AUsersExecutorGetsTheCallbacks) {
  std::mutex mutex;
  std::vector<UniqueFunction<void()>> queue;
  Count queued;
  Role called_on = Role::kReactor;
  auto engine = threadedEngine({.callback_executor = [&](UniqueFunction<void()> f) {
    const std::lock_guard lock(mutex);
    called_on = Activation::ofThisThread().role();
    queue.push_back(std::move(f));
    queued.add();
  }});
  auto owner = makeRef<Owner>(engine);
  Seen seen;
  auto op = makeOperation<int>(engine->callbackTarget());
  std::move(op.future).then([&](Result<int>) { seen.note(); });
  owner->strand.post(Ref<Object>(owner), [c = std::move(op.completion)]() mutable { std::move(c)(1); });
  ASSERT_TRUE(queued.reaches(1));
  EXPECT_EQ(called_on, Role::kListener) << "the executor is user code: not inside a strand (R2)";
  EXPECT_EQ(seen.count.get(), 0);
  queue.front()();
  EXPECT_EQ(seen.thread.load(), std::this_thread::get_id());
  queue.clear();
  EXPECT_EQ(seen.count.get(), 1);
}

TEST(CallbackTarget, ATaskTheUsersExecutorDropsComesBackToOurPool) {
  std::atomic<int> offered{0};
  auto engine = threadedEngine({.callback_executor = [&](UniqueFunction<void()> f) {
    if (++offered % 2 == 0) throw std::runtime_error("full");
    const UniqueFunction<void()> dropped = std::move(f);
  }});
  Seen seen;
  for (int i = 0; i < 4; ++i) {
    auto op = makeOperation<int>(engine->callbackTarget());
    std::move(op.future).then([&](Result<int>) { seen.note(); });
    std::move(op.completion)(i);
  }
  ASSERT_TRUE(seen.count.reaches(4));
  EXPECT_EQ(seen.role, Role::kListener);
  EXPECT_EQ(offered, 4);
}

TEST(CallbackTarget, KnowsItsEngineOnlyWhileItLives) {
  auto engine = threadedEngine();
  const auto target = engine->callbackTarget();
  EXPECT_EQ(target->engine().get(), engine.get());
  engine.reset();
  EXPECT_EQ(target->engine().get(), nullptr);
}

}  // namespace
}  // namespace mqclient::base
