// Blocks come and go on different threads; nothing is handed out twice, and threads leave nothing behind.
#include "base/block_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <latch>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace mqclient::base {
namespace {

struct Block {
  unsigned char* at;
  std::size_t bytes;
  unsigned char mark;
};

Block make(std::size_t bytes, unsigned char mark) {
  Block b{static_cast<unsigned char*>(BlockPool::allocate(bytes)), bytes, mark};
  std::memset(b.at, mark, bytes);
  return b;
}

bool intact(const Block& b) {
  return std::all_of(b.at, b.at + b.bytes, [&](unsigned char c) { return c == b.mark; });
}

TEST(BlockPool, BlocksOfEverySizeAreApart) {
  std::vector<Block> blocks;
  for (std::size_t bytes = 1; bytes <= BlockPool::kLargest + 100; bytes += 37) {
    blocks.push_back(make(bytes, static_cast<unsigned char>(bytes)));
  }
  for (const Block& b : blocks) EXPECT_TRUE(intact(b)) << b.bytes;
  for (const Block& b : blocks) BlockPool::free(b.at, b.bytes);
}

TEST(BlockPool, ABlockIsAlignedForEveryScalar) {
  for (const std::size_t bytes : std::initializer_list<std::size_t>{1, 63, 64, 65, 500, 2'048, 2'049}) {
    void* const p = BlockPool::allocate(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(p) % __STDCPP_DEFAULT_NEW_ALIGNMENT__, 0U) << bytes;
    BlockPool::free(p, bytes);
  }
}

TEST(BlockPool, WhatOneThreadMakesAnotherDrops) {
  constexpr std::size_t kRounds = 20'000;
  constexpr std::size_t kHeld = 500;
  std::mutex mutex;
  std::vector<Block> between;
  std::atomic<int> damaged{0};
  std::atomic<bool> over{false};
  const auto drop = [&] {
    for (;;) {
      const bool last = over.load();
      std::vector<Block> mine;
      {
        const std::scoped_lock lock(mutex);
        mine.swap(between);
      }
      for (const Block& b : mine) {
        if (!intact(b)) ++damaged;
        BlockPool::free(b.at, b.bytes);
      }
      if (mine.empty() && last) return;
      if (mine.empty()) std::this_thread::yield();
    }
  };
  std::vector<std::thread> droppers;
  for (int i = 0; i < 2; ++i) droppers.emplace_back(drop);
  std::vector<std::thread> makers;
  for (int t = 0; t < 2; ++t) {
    makers.emplace_back([&, t] {
      for (std::size_t i = 0; i < kRounds; ++i) {
        const Block b = make(1 + i % 700, static_cast<unsigned char>(i + static_cast<std::size_t>(t)));
        for (bool given = false; !given;) {
          const std::scoped_lock lock(mutex);
          given = between.size() < kHeld;
          if (given) between.push_back(b);
        }
      }
    });
  }
  for (std::thread& t : makers) t.join();
  over = true;
  for (std::thread& t : droppers) t.join();
  EXPECT_EQ(damaged, 0);
}

/// Its end comes after that of the pool's own part of the thread, or before: both must do.
struct AtThreadEnd {
  ~AtThreadEnd() {
    for (const Block& b : blocks) BlockPool::free(b.at, b.bytes);
    const Block late = make(100, 7);
    BlockPool::free(late.at, late.bytes);
  }
  std::vector<Block> blocks;
};

TEST(BlockPool, ThreadsMayMakeAndDropBlocksWhileTheyEnd) {
  for (int i = 0; i < 20; ++i) {
    std::thread([] {
      thread_local AtThreadEnd first;
      first.blocks.push_back(make(200, 1));
      BlockPool::free(make(64, 2).at, 64);
      thread_local AtThreadEnd second;
      second.blocks.push_back(make(64, 3));
    }).join();
  }
}

TEST(BlockPool, WhoHasSleptLeavesMostOfTheCommonStockToOthers) {
  if (!BlockPool::isOn()) return;                           // every block goes to the general allocator
  constexpr std::size_t kBytes = BlockPool::kLargest - 10;  // nobody else's
  constexpr std::size_t kShared = BlockPool::kBatchesAtOnce * BlockPool::kBatch;
  std::set<void*> blocks;
  while (blocks.size() <= BlockPool::kThreadBlocks) blocks.insert(BlockPool::allocate(kBytes));
  for (void* const b : blocks) BlockPool::free(b, kBytes);  // one too many for this thread
  std::vector<void*> taken;
  const auto take = [&](std::size_t count) {
    std::size_t shared = 0;
    for (std::size_t i = 0; i < count; ++i) {
      taken.push_back(BlockPool::allocate(kBytes));
      shared += blocks.contains(taken.back()) ? 1U : 0U;
    }
    return shared;
  };
  std::latch others_took(1);
  std::latch first_took(1);
  std::thread first([&] {
    EXPECT_EQ(take(BlockPool::kBatch), BlockPool::kBatch);
    BlockPool::threadSlept();
    EXPECT_EQ(take(1), 1U);
    first_took.count_down();
    others_took.wait();
  });
  first_took.wait();
  std::thread([&] {
    EXPECT_EQ(take(kShared), kShared - 2 * BlockPool::kBatch) << "all but the batches that the first one took";
  }).join();
  others_took.count_down();
  first.join();
  for (void* const b : taken) BlockPool::free(b, kBytes);
}

}  // namespace
}  // namespace mqclient::base
