#include "base/free_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace mqclient::base {
namespace {

TEST(FreeQueue, OneWritersValuesKeepTheirOrder) {
  FreeQueue<int> q;
  int v = 0;
  EXPECT_FALSE(q.tryPop(v));
  for (int i = 0; i < 100; ++i) q.push(i);
  EXPECT_EQ(q.sizeApprox(), 100U);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(q.tryPop(v));
    EXPECT_EQ(v, i);
  }
  EXPECT_FALSE(q.tryPop(v));
}

TEST(FreeQueue, ManyWritersAndReadersLoseAndDoubleNothing) {
  constexpr int kEach = 50'000;
  constexpr std::size_t kWriters = 3;
  struct Value {
    std::size_t writer = 0;
    const int* written = nullptr;  // what the writer did before push() is seen by the reader
  };
  FreeQueue<Value> q;
  std::vector<std::vector<int>> memory(kWriters, std::vector<int>(kEach));
  std::array<std::atomic<std::int64_t>, kWriters> sums{};
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (std::size_t w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      for (std::size_t i = 0; i < kEach; ++i) {
        memory[w][i] = static_cast<int>(i) + 1;
        q.push({w, &memory[w][i]});
      }
    });
  }
  for (int r = 0; r < 2; ++r) {
    threads.emplace_back([&] {
      Value v;
      while (taken.load() < static_cast<int>(kWriters) * kEach) {
        if (!q.tryPop(v)) {
          std::this_thread::yield();
          continue;
        }
        sums[v.writer] += *v.written;
        ++taken;
      }
    });
  }
  for (auto& t : threads) t.join();
  for (const auto& s : sums) EXPECT_EQ(s.load(), std::int64_t{kEach} * (kEach + 1) / 2);
}

}  // namespace
}  // namespace mqclient::base
