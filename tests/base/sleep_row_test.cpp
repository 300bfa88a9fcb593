// Threads that share a word to sleep on: each has a bit of its own, and no wake is lost.
#include "base/sleep_row.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>
#include <map>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/parker.h"

namespace mqclient::base {
namespace {

constexpr std::size_t kSleepers = 100;
constexpr std::int64_t kBoundNanos = 60'000'000'000;

TEST(SleepRow, EveryThreadHasABitOfItsOwn) {
  std::array<SleepPlace, kSleepers> places;
  std::latch all(kSleepers);
  std::vector<std::thread> threads;
  for (SleepPlace& place : places) {
    threads.emplace_back([&] {
      place = SleepPlace::ofThisThread();
      all.arrive_and_wait();
    });
  }
  for (std::thread& t : threads) t.join();
  std::set<std::pair<SleepRow*, std::uint32_t>> different;
  for (const SleepPlace& place : places) {
    EXPECT_EQ(place.bit & (place.bit - 1), 0U) << place.bit;
    different.emplace(place.row, place.bit);
  }
  EXPECT_EQ(different.size(), kSleepers);
}

TEST(SleepRow, AThreadThatEndsLeavesItsBit) {
  std::set<std::pair<SleepRow*, std::uint32_t>> different;
  for (int i = 0; i < 10; ++i) {
    std::thread([&] {
      const SleepPlace place = SleepPlace::ofThisThread();
      different.emplace(place.row, place.bit);
    }).join();
  }
  EXPECT_EQ(different.size(), 1U);
}

TEST(SleepRow, OneCallWakesAllOfItsBits) {
  std::atomic<bool> over{false};
  std::atomic<int> late{0};
  std::array<SleepPlace, kSleepers> places;
  std::latch all(kSleepers + 1);
  std::vector<std::thread> threads;
  for (SleepPlace& place : places) {
    threads.emplace_back([&] {
      place = SleepPlace::ofThisThread();
      const std::int64_t until = steadyNanos() + kBoundNanos;
      all.count_down();
      for (;;) {
        const std::uint32_t turn = place.row->turn.load(std::memory_order_acquire);
        if (over.load()) return;
        if (!place.park(turn, until)) break;
      }
      ++late;
    });
  }
  all.arrive_and_wait();
  std::map<SleepRow*, std::uint32_t> rows;
  for (const SleepPlace& place : places) rows[place.row] |= place.bit;
  over = true;
  for (const auto& [row, bits] : rows) row->wake(bits);
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(late, 0);
}

/// Waits for its thread's end to have given the bit back, or comes before: both must do.
struct SleepAtThreadEnd {
  ~SleepAtThreadEnd() {
    const SleepPlace place = SleepPlace::ofThisThread();
    place.row->wake(place.bit);
    EXPECT_FALSE(place.park(place.row->turn.load(), steadyNanos())) << "its deadline is now";
  }
};

TEST(SleepRow, AThreadMaySleepWhileItEnds) {
  std::thread([] {
    thread_local const SleepAtThreadEnd after;
    static_cast<void>(&after);
    SleepPlace::ofThisThread();
    thread_local const SleepAtThreadEnd before;
    static_cast<void>(&before);
  }).join();
}

}  // namespace
}  // namespace mqclient::base
