// The word and the details behind it: whoever enters and leaves must not see which of them counts.
#include "producer/flow_gate.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <thread>
#include <vector>

#include "base/wait.h"

namespace mqclient::producer {
namespace {

using Entry = FlowGate::Entry;
using Left = FlowGate::Left;

FlowGate::Place entered(FlowGate& gate, std::size_t messages = 1, std::size_t bytes = 0) {
  FlowGate::Place place;
  EXPECT_EQ(gate.enter(messages, bytes, place), Entry::kAccepted);
  return place;
}

/// A completion that counts into `done`, whatever it hears.
base::Completion<void> counted(int& done) {
  return base::Completion<void>::of([&done](Result<void>&&) { ++done; });
}

TEST(FlowGate, TellsWhoComesFirstAndWhoLeavesLast) {
  FlowGate gate({.messages_max = 10, .bytes_max = 100});
  const auto a = entered(gate);
  const auto b = entered(gate, 3, 20);
  EXPECT_TRUE(a.first);
  EXPECT_FALSE(b.first);
  EXPECT_EQ(gate.underWay(), 4u);
  EXPECT_EQ(gate.leave(a), Left::kOthers);
  EXPECT_EQ(gate.leave(b), Left::kNothing);
  EXPECT_TRUE(entered(gate).first);
}

TEST(FlowGate, TellsTheSameWhileSomebodyWaits) {
  FlowGate gate({.messages_max = 10, .bytes_max = 100});
  int flushed = 0;
  const auto a = entered(gate);
  gate.flush(counted(flushed));
  const auto b = entered(gate);
  EXPECT_FALSE(b.first);
  EXPECT_EQ(gate.leave(b), Left::kOthers);
  EXPECT_EQ(flushed, 0);
  EXPECT_EQ(gate.leave(a), Left::kNothing);
  EXPECT_EQ(flushed, 1);
}

TEST(FlowGate, BoundsHoldByTheWordAndBehindTheLock) {
  FlowGate gate({.messages_max = 2, .bytes_max = 10});
  FlowGate::Place place;
  const auto a = entered(gate, 1, 4);
  EXPECT_EQ(gate.enter(2, 0, place), Entry::kFull);
  EXPECT_EQ(gate.enter(1, 7, place), Entry::kFull);
  int flushed = 0;
  gate.flush(counted(flushed));  // from here on the details count
  EXPECT_EQ(gate.enter(2, 0, place), Entry::kFull);
  EXPECT_EQ(gate.enter(1, 7, place), Entry::kFull);
  const auto b = entered(gate, 1, 6);
  EXPECT_EQ(gate.enter(1, 0, place), Entry::kFull);
  gate.leave(a);
  gate.leave(b);
  EXPECT_EQ(gate.enter(5, 50, place), Entry::kAccepted) << "alone anything goes";
  EXPECT_EQ(gate.underWay(), 5u);
}

TEST(FlowGate, AFlushWaitsForWhatEnteredBeforeItAndForNothingElse) {
  FlowGate gate({.messages_max = 10, .bytes_max = 100});
  int first = 0;
  int second = 0;
  const auto by_word = entered(gate);
  gate.flush(counted(first));
  const auto between = entered(gate);
  gate.flush(counted(second));
  const auto after = entered(gate);
  gate.leave(between);
  EXPECT_EQ(first + second, 0) << "a later flush is never over before an earlier one";
  gate.leave(by_word);
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 1);
  int third = 0;
  gate.flush(counted(third));
  EXPECT_EQ(third, 0);
  gate.leave(after);
  EXPECT_EQ(third, 1);
}

TEST(FlowGate, APlaceTakenUnderTheLockIsGivenBackByTheWord) {
  FlowGate gate({.messages_max = 10, .bytes_max = 100});
  int flushed = 0;
  const auto before = entered(gate);
  gate.flush(counted(flushed));
  const auto during = entered(gate);
  gate.leave(before);  // nobody waits any more: back to the word
  ASSERT_EQ(flushed, 1);
  const auto after = entered(gate);
  gate.flush(counted(flushed));  // and to the details again, where both belong to what the flush waits for
  EXPECT_EQ(gate.leave(during), Left::kOthers);
  EXPECT_EQ(flushed, 1);
  EXPECT_EQ(gate.leave(after), Left::kNothing);
  EXPECT_EQ(flushed, 2);
}

TEST(FlowGate, AClosedGateLetsNobodyInAndEverybodyOut) {
  FlowGate gate({.messages_max = 10, .bytes_max = 100});
  const auto a = entered(gate, 2);
  EXPECT_EQ(gate.close(), 2u);
  FlowGate::Place place;
  EXPECT_EQ(gate.enter(1, 0, place), Entry::kClosed);
  EXPECT_EQ(gate.leave(a), Left::kNothing);
  EXPECT_EQ(gate.underWay(), 0u);
}

TEST(FlowGate, ThreadsThatEnterLeaveFlushAndWaitLoseNothing) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  constexpr int kFlushEvery = 97;
  FlowGate gate({.messages_max = 8, .bytes_max = 1'000});
  std::atomic<int> firsts{0};
  std::atomic<int> lasts{0};
  std::atomic<int> flushes{0};
  std::atomic<int> flushed{0};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      std::deque<FlowGate::Place> mine;
      const auto leaveOne = [&] {
        if (gate.leave(mine.front()) == Left::kNothing) ++lasts;
        mine.pop_front();
      };
      for (int i = 0; i < kRounds; ++i) {
        FlowGate::Place place;
        if (gate.enter(1, 10, place) == Entry::kAccepted) {
          if (place.first) ++firsts;
          mine.push_back(place);
        } else if (!mine.empty()) {
          leaveOne();
        } else {
          const auto slot = base::makeRef<base::WaitSlot>();
          gate.whenRoom(1, 10, slot);
          slot->parkUntil(base::SteadyTime::max());
        }
        if (i % kFlushEvery == 0) {
          ++flushes;
          gate.flush(base::Completion<void>::of([&](Result<void>&&) { ++flushed; }));
        }
        if (mine.size() == 3) leaveOne();
      }
      while (!mine.empty()) leaveOne();
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(gate.underWay(), 0u);
  EXPECT_EQ(flushed, flushes);
  EXPECT_EQ(firsts, lasts) << "whoever comes first is paid for by whoever leaves last";
  EXPECT_GT(firsts, 0);
}

}  // namespace
}  // namespace mqclient::producer
