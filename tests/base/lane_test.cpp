// X2: lanes hold only their own share.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "base/completion.h"
#include "base/lane_set.h"
#include "tests/base/helpers.h"

namespace mqclient::base {
namespace {

using testing::Count;
using testing::threadedEngine;

TEST(Lanes, AHungLaneHoldsOnlyItsOwnCap) {
  Count started;
  Count release;
  Count other_lanes;
  auto engine = threadedEngine();
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(engine->runOnLane(LaneKind::kNet, [&] {
      started.add();
      release.reaches(1);
    }));
  }
  ASSERT_TRUE(started.reaches(4));
  for (const LaneKind k : {LaneKind::kFiles, LaneKind::kFlush, LaneKind::kRead}) {
    ASSERT_TRUE(engine->runOnLane(k, [&] { other_lanes.add(); }));
  }
  EXPECT_TRUE(other_lanes.reaches(3));
  EXPECT_EQ(started.get(), 4) << "net's cap";
  release.add();
  EXPECT_TRUE(started.reaches(6));
}

TEST(Lanes, FlushAndFilesRunOneAtATimeInOrder) {
  auto engine = threadedEngine();
  for (const LaneKind k : {LaneKind::kFiles, LaneKind::kFlush}) {
    Count done;
    std::atomic<int> inside{0};
    int last = 0;
    int broken = 0;
    for (int i = 1; i <= 200; ++i) {
      ASSERT_TRUE(engine->runOnLane(k, [&, i] {
        if (++inside != 1 || last + 1 != i) ++broken;
        last = i;
        --inside;
        done.add();
      }));
    }
    ASSERT_TRUE(done.reaches(200));
    EXPECT_EQ(broken, 0);
  }
}

TEST(Lanes, AFullLaneRefuses) {
  Count started;
  Count release;
  std::atomic<int> ran{0};
  Count after;
  auto engine = threadedEngine();
  ASSERT_TRUE(engine->runOnLane(LaneKind::kFiles, [&] {
    started.add();
    release.reaches(1);
  }));
  ASSERT_TRUE(started.reaches(1));
  for (std::size_t i = 0; i < LaneSet::kQueued; ++i) {
    ASSERT_TRUE(engine->runOnLane(LaneKind::kFiles, [&] { ++ran; }));
  }
  EXPECT_FALSE(engine->runOnLane(LaneKind::kFiles, [&] { ++ran; }));
  EXPECT_TRUE(engine->runOnLane(LaneKind::kFlush, [&] { started.add(); })) << "the others go on";
  ASSERT_TRUE(started.reaches(2));
  release.add();
  while (!engine->runOnLane(LaneKind::kFiles, [&] { after.add(); })) std::this_thread::yield();
  ASSERT_TRUE(after.reaches(1));
  EXPECT_EQ(ran, static_cast<int>(LaneSet::kQueued));
}

TEST(Lanes, OneThreadServesAllOfThemInTurn) {
  Count done;
  auto engine = threadedEngine({.blocking_threads = 1});
  for (int i = 0; i < 20; ++i) {
    for (const LaneKind k : {LaneKind::kNet, LaneKind::kFiles, LaneKind::kFlush, LaneKind::kRead}) {
      ASSERT_TRUE(engine->runOnLane(k, [&] { done.add(); }));
    }
  }
  EXPECT_TRUE(done.reaches(80));
}

TEST(Lanes, WhatWaitsAtTheEndIsDroppedAndAnswersAbandoned) {
  Count started;
  Count release;
  std::atomic<int> abandoned{0};
  auto engine = threadedEngine();
  ASSERT_TRUE(engine->runOnLane(LaneKind::kFlush, [&] {
    started.add();
    release.reaches(1);
  }));
  ASSERT_TRUE(started.reaches(1));
  for (int i = 0; i < 10; ++i) {
    auto c = Completion<int>::of([&](Result<int>&& r) {
      if (!r && r.error().code() == ErrorCode::kAbandoned) {
        if (++abandoned == 10) release.add();  // the end drops what waits before it waits for what runs
      }
    });
    ASSERT_TRUE(engine->runOnLane(LaneKind::kFlush, [c = std::move(c)]() mutable { std::move(c)(1); }));
  }
  engine.reset();
  EXPECT_EQ(abandoned, 10);
}

TEST(Lanes, RolesSayWhatTheyMayDo) {
  Count done;
  Role role = Role::kForeign;
  bool may_await = true;
  Engine* home = nullptr;
  auto engine = threadedEngine();
  ASSERT_TRUE(engine->runOnLane(LaneKind::kRead, [&] {
    role = Activation::ofThisThread().role();
    may_await = Activation::ofThisThread().mayAwait();
    home = Activation::ofThisThread().home();
    done.add();
  }));
  ASSERT_TRUE(done.reaches(1));
  EXPECT_EQ(role, Role::kLane);
  EXPECT_FALSE(may_await);
  EXPECT_EQ(home, engine.get());
}

}  // namespace
}  // namespace mqclient::base
