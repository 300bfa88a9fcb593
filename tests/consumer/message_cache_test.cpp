#include "consumer/message_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "consumer/commit_rule.h"

namespace mqclient::consumer {
namespace {

TEST(MessageCache, CountsWhatIsNotFinished) {
  MessageCache cache;
  EXPECT_TRUE(cache.empty());
  EXPECT_EQ(cache.span(), 0);
  EXPECT_EQ(cache.newest(), -1);
  const auto a = cache.add(10, 100);
  const auto b = cache.add(11, 200);
  const auto c = cache.add(20, 300);
  EXPECT_EQ(cache.count(), 3u);
  EXPECT_EQ(cache.bytes(), 600u);
  EXPECT_EQ(cache.span(), 10);
  EXPECT_TRUE(cache.finish(*b));
  EXPECT_EQ(cache.firstUnfinished(), 10);
  EXPECT_EQ(cache.bytes(), 400u);
  EXPECT_TRUE(cache.finish(*a));
  EXPECT_EQ(cache.firstUnfinished(), 20) << "11 was finished before";
  EXPECT_EQ(cache.span(), 0);
  EXPECT_TRUE(cache.finish(*c));
  EXPECT_TRUE(cache.empty());
  EXPECT_EQ(cache.bytes(), 0u);
  EXPECT_EQ(cache.newest(), 20);
}

TEST(MessageCache, FinishingTwiceCountsOnce) {
  MessageCache cache;
  const auto a = cache.add(1, 10);
  const auto b = cache.add(2, 10);
  EXPECT_TRUE(cache.finish(*b));
  EXPECT_FALSE(cache.finish(*b));
  EXPECT_TRUE(cache.finish(*a));
  EXPECT_FALSE(cache.finish(*a));
  EXPECT_FALSE(cache.finish(*b));
  EXPECT_FALSE(cache.finish(99));
  EXPECT_EQ(cache.count(), 0u);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(MessageCache, AnOffsetThatWasHereDoesNotComeAgain) {
  MessageCache cache;
  const auto a = cache.add(5, 1);
  ASSERT_TRUE(a);
  EXPECT_FALSE(cache.add(5, 1));
  EXPECT_FALSE(cache.add(4, 1));
  cache.finish(*a);
  EXPECT_FALSE(cache.add(5, 1)) << "finished, not forgotten";
  EXPECT_TRUE(cache.add(6, 1));
}

/// I1 and I7 against a plain set, in any order of finishing.
TEST(MessageCache, TheCommitNeverPassesAnUnfinishedMessage) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    MessageCache cache;
    std::set<std::int64_t> unfinished;
    std::vector<std::pair<MessageCache::Key, std::int64_t>> keys;
    std::int64_t offset = 100;
    std::int64_t next = 100;
    std::size_t bytes = 0;
    for (int i = 0; i < 60; ++i) {
      if (random() % 2 == 0) {
        offset += 1 + static_cast<std::int64_t>(random() % 3);
        keys.emplace_back(*cache.add(offset, 10), offset);
        unfinished.insert(offset);
        bytes += 10;
        next = offset + 1;
      } else if (!keys.empty()) {
        const std::size_t which = random() % keys.size();
        cache.finish(keys[which].first);
        unfinished.erase(keys[which].second);
        keys.erase(keys.begin() + static_cast<std::ptrdiff_t>(which));
        bytes -= 10;
      }
      EXPECT_EQ(committableOffset(cache, next), unfinished.empty() ? next : *unfinished.begin());
      EXPECT_EQ(cache.count(), unfinished.size());
      EXPECT_EQ(cache.bytes(), bytes);
    }
  }
}

}  // namespace
}  // namespace mqclient::consumer
