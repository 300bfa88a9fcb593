#include "rebalance/allocate_averagely.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "mqclient/allocate_message_queue_strategy.h"

namespace mqclient::rebalance {
namespace {

std::vector<MessageQueue> queuesOf(int n) {
  std::vector<MessageQueue> queues;
  for (int i = 0; i < n; ++i) queues.emplace_back("t", "b", i);
  return queues;
}
std::vector<std::string> membersOf(int n) {
  std::vector<std::string> members;
  for (int i = 0; i < n; ++i) members.push_back("c" + std::to_string(100 + i));
  return members;
}
std::vector<int> ids(const std::vector<MessageQueue>& queues) {
  std::vector<int> all;
  for (const MessageQueue& q : queues) all.push_back(q.queueId());
  return all;
}

/// Golden 46, and the cross-check M = 10, C = 3.
TEST(AllocateAveragely, HasJavasShares) {
  const auto share = [](int queues, int members, int self) {
    return ids(allocateAveragely(queuesOf(queues), membersOf(members), "c" + std::to_string(100 + self)));
  };
  EXPECT_EQ(share(8, 3, 0), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(share(8, 3, 1), (std::vector<int>{3, 4, 5}));
  EXPECT_EQ(share(8, 3, 2), (std::vector<int>{6, 7}));
  EXPECT_EQ(share(2, 3, 0), (std::vector<int>{0}));
  EXPECT_EQ(share(2, 3, 1), (std::vector<int>{1}));
  EXPECT_EQ(share(2, 3, 2), (std::vector<int>{}));
  EXPECT_EQ(share(10, 3, 0), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(share(10, 3, 1), (std::vector<int>{4, 5, 6}));
  EXPECT_EQ(share(10, 3, 2), (std::vector<int>{7, 8, 9}));
}

/// The formula as AllocateMessageQueueAveragely.java writes it, for every M <= 16, C <= 8.
TEST(AllocateAveragely, EqualsTheFormulaForAllSmallGroups) {
  for (int m = 1; m <= 16; ++m) {
    for (int c = 1; c <= 8; ++c) {
      const auto queues = queuesOf(m);
      const auto members = membersOf(c);
      std::vector<int> all;
      for (int index = 0; index < c; ++index) {
        const int mod = m % c;
        const int average = m <= c ? 1 : (mod > 0 && index < mod ? m / c + 1 : m / c);
        const int start = mod > 0 && index < mod ? index * average : index * average + mod;
        const int range = std::min(average, m - start);
        std::vector<int> expected;
        for (int i = 0; i < range; ++i) expected.push_back((start + i) % m);
        const auto mine = ids(allocateAveragely(queues, members, members[static_cast<std::size_t>(index)]));
        EXPECT_EQ(mine, expected) << m << " queues, member " << index << " of " << c;
        all.insert(all.end(), mine.begin(), mine.end());
      }
      std::sort(all.begin(), all.end());
      EXPECT_EQ(all, ids(queues)) << "each queue has one owner";
    }
  }
}

TEST(AllocateAveragely, AStrangerGetsNothing) {
  EXPECT_TRUE(allocateAveragely(queuesOf(4), membersOf(2), "nobody").empty());
  EXPECT_TRUE(allocateAveragely(queuesOf(4), {}, "nobody").empty());
  EXPECT_TRUE(allocateAveragely({}, membersOf(2), "c100").empty());
}

TEST(AllocateAveragely, IsTheDefaultStrategy) {
  const AllocateMessageQueueAveragely strategy;
  EXPECT_EQ(strategy.name(), "AVG");
  EXPECT_EQ(ids(strategy.allocate("g", "c101", queuesOf(3), membersOf(2))), (std::vector<int>{2}));
}

TEST(InputHashes, DifferWhenTheListsDo) {
  EXPECT_EQ(hashOf(membersOf(3)), hashOf(membersOf(3)));
  EXPECT_NE(hashOf(membersOf(3)), hashOf(membersOf(2)));
  const std::vector<std::string> ab{"ab", "c"};
  const std::vector<std::string> a_bc{"a", "bc"};
  EXPECT_NE(hashOf(ab), hashOf(a_bc)) << "borders count";
  EXPECT_NE(hashOf(queuesOf(3)), hashOf(queuesOf(4)));
}

}  // namespace
}  // namespace mqclient::rebalance
