#include "remoting/output_bytes.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <thread>
#include <vector>

namespace mqclient::remoting {
namespace {

TEST(OutputBytes, OnlyWhatIsBeyondTheFirstPartCountsForTheRuntime) {
  std::atomic<std::int64_t> runtime{0};
  OutputBytes output(runtime);
  output.add(OutputBytes::kUncounted);
  EXPECT_EQ(runtime, 0);
  output.add(10);
  EXPECT_EQ(runtime, 10);
  EXPECT_EQ(output.remove(OutputBytes::kUncounted), 10u);
  EXPECT_EQ(runtime, 0);
}

// Taking away may overtake adding in the runtime's count. Counted without a sign, the rest of a moment was taken for
// 16 EiB, and sends of a few hundred kilobytes were refused.
TEST(OutputBytes, AMomentsDebtIsNoFullness) {
  std::atomic<std::int64_t> owing{-5};
  EXPECT_TRUE(OutputBytes(owing).hasRoom(1));
  constexpr int kThreads = 2;
  constexpr int kTimes = 200'000;
  constexpr std::size_t kFrame = 1'300;
  std::atomic<std::int64_t> runtime{0};
  OutputBytes output(runtime);
  output.add(OutputBytes::kUncounted - kFrame / 2);
  std::atomic<int> refused{0};
  std::barrier<> go(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      go.arrive_and_wait();
      for (int i = 0; i < kTimes; ++i) {
        if (!output.hasRoom(kFrame)) refused.fetch_add(1);
        output.add(kFrame);
        output.remove(kFrame);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(runtime, 0);
}

}  // namespace
}  // namespace mqclient::remoting
