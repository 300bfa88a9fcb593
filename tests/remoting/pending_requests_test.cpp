#include "remoting/pending_requests.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <set>

namespace mqclient::remoting {
namespace {

base::SteadyTime at(std::int64_t ns) {
  return base::SteadyTime(base::Nanos(ns));
}

TEST(OpaqueTable, AgreesWithAMapOverRandomWork) {
  std::mt19937 random(1);
  std::deque<PendingRequest> nodes;
  std::map<std::int32_t, PendingRequest*> reference;
  OpaqueTable table;
  for (int i = 0; i < 200'000; ++i) {
    const auto opaque = static_cast<std::int32_t>(random() % 20'000 - 10'000);
    if (random() % 2 == 0) {
      nodes.emplace_back(opaque, at(i), base::Completion<protocol::RemotingCommand>());
      ASSERT_EQ(table.insert(nodes.back()), reference.emplace(opaque, &nodes.back()).second);
    } else {
      const auto found = reference.find(opaque);
      ASSERT_EQ(table.take(opaque), found == reference.end() ? nullptr : found->second);
      if (found != reference.end()) reference.erase(found);
    }
    ASSERT_EQ(table.size(), reference.size());
  }
  const std::vector<PendingRequest*> all = table.takeAll();
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(all.size(), reference.size());
  EXPECT_TRUE(std::ranges::is_sorted(all, std::less(), [](const PendingRequest* r) { return r->deadline; }));
  EXPECT_EQ(table.take(reference.begin()->first), nullptr);
}

TEST(OpaqueTable, ExpiresWhatIsDueInStepsAndSaysWhatIsNext) {
  std::deque<PendingRequest> nodes;
  OpaqueTable table;
  for (int i = 0; i < 1'000; ++i) {
    nodes.emplace_back(i * 16, at(i % 100), base::Completion<protocol::RemotingCommand>());  // all meet in few slots
    ASSERT_TRUE(table.insert(nodes.back()));
  }
  std::array<PendingRequest*, 64> expired;
  std::size_t count = 0;
  std::set<PendingRequest*> gone;
  while (table.expire(at(49), expired, count) <= at(49)) {
    ASSERT_EQ(count, expired.size());
    gone.insert(expired.begin(), expired.end());
  }
  gone.insert(expired.begin(), expired.begin() + static_cast<std::ptrdiff_t>(count));
  EXPECT_EQ(gone.size(), 500u);
  for (const PendingRequest* r : gone) EXPECT_LE(r->deadline, at(49));
  EXPECT_EQ(table.expire(at(49), expired, count), at(50));
  EXPECT_EQ(count, 0u);
  for (PendingRequest& r : nodes) EXPECT_EQ(table.take(r.opaque), gone.contains(&r) ? nullptr : &r);
  EXPECT_EQ(table.expire(at(1'000), expired, count), base::SteadyTime::max());
}

TEST(DeadlineHeap, AgreesWithASetOverRandomWork) {
  std::mt19937 random(2);
  std::deque<PendingRequest> nodes;
  std::vector<PendingRequest*> in;
  std::multiset<base::SteadyTime> reference;
  DeadlineHeap heap;
  for (int i = 0; i < 200'000; ++i) {
    const unsigned what = random() % 8;
    if (what < 4 || in.empty()) {
      nodes.emplace_back(i, at(static_cast<std::int64_t>(random() % 10'000)),
                         base::Completion<protocol::RemotingCommand>());
      in.push_back(&nodes.back());
      reference.insert(nodes.back().deadline);
      heap.add(nodes.back());
    } else {
      const std::size_t which =
          what == 4 ? static_cast<std::size_t>(std::find(in.begin(), in.end(), heap.earliest()) - in.begin())
                    : random() % in.size();
      PendingRequest* gone = in[which];
      in[which] = in.back();
      in.pop_back();
      reference.erase(reference.find(gone->deadline));
      heap.remove(*gone);
    }
    ASSERT_EQ(heap.empty(), reference.empty());
    if (heap.empty()) continue;
    ASSERT_EQ(heap.earliest()->deadline, *reference.begin());
  }
}

TEST(DeadlineHeap, EmptiesInOrder) {
  std::deque<PendingRequest> nodes;
  DeadlineHeap heap;
  for (int i = 0; i < 10'000; ++i) {
    nodes.emplace_back(i, at(i * 7'919 % 10'007), base::Completion<protocol::RemotingCommand>());
    heap.add(nodes.back());
  }
  base::SteadyTime before = at(-1);
  for (int i = 0; i < 10'000; ++i) {
    PendingRequest& first = *heap.earliest();
    ASSERT_LE(before, first.deadline);
    before = first.deadline;
    heap.remove(first);
  }
  EXPECT_TRUE(heap.empty());
}

TEST(RequestList, KeepsOrderThroughRemovalAndSplice) {
  std::deque<PendingRequest> nodes;
  for (int i = 0; i < 6; ++i) nodes.emplace_back(i, at(0), base::Completion<protocol::RemotingCommand>());
  RequestList a;
  RequestList b;
  for (int i = 0; i < 3; ++i) a.append(nodes[static_cast<std::size_t>(i)]);
  for (int i = 3; i < 6; ++i) b.append(nodes[static_cast<std::size_t>(i)]);
  a.remove(nodes[1]);
  b.remove(nodes[5]);
  a.splice(b);
  EXPECT_TRUE(b.empty());
  a.splice(b);
  std::vector<int> order;
  for (PendingRequest* p = a.front(); p; p = p->list_after) order.push_back(p->opaque);
  EXPECT_EQ(order, (std::vector<int>{0, 2, 3, 4}));
  while (!a.empty()) a.remove(*a.front());
  b.append(nodes[1]);
  a.splice(b);
  EXPECT_EQ(a.front(), &nodes[1]);
}

}  // namespace
}  // namespace mqclient::remoting
