#include "base/ref.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/snapshot.h"

namespace mqclient::base {
namespace {

struct Thing : Object {
  explicit Thing(int& ends) : ends_(ends) {}
  ~Thing() override { ++ends_; }
  int& ends_;
};
struct Special final : Thing {
  using Thing::Thing;
};

TEST(Ref, TheLastOneEndsTheObject) {
  int ends = 0;
  auto a = makeRef<Special>(ends);
  const Ref<Thing> b = a;
  const Ref<Object> c(b);
  EXPECT_TRUE(a == a);
  a.reset();
  EXPECT_FALSE(a);
  EXPECT_EQ(ends, 0);
  { const Ref<Thing> moved = makeRef<Special>(ends); }
  EXPECT_EQ(ends, 1);
  Ref<Object> d = c;
  Object* raw = d.leak();
  EXPECT_FALSE(d);
  raw->release();
  EXPECT_EQ(ends, 1);
}

TEST(Ref, AssignmentReleasesTheOldOne) {
  int first = 0;
  int second = 0;
  auto r = makeRef<Thing>(first);
  r = makeRef<Thing>(second);
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
  r = nullptr;
  EXPECT_EQ(second, 1);
}

TEST(RefStock, HandsOutSharesAndGivesBackWhatIsLeft) {
  constexpr int kMoreThanOneFilling = 700;
  int ends = 0;
  std::vector<Ref<Thing>> handed;
  {
    RefStock<Thing> stock(makeRef<Thing>(ends));
    for (int i = 0; i < kMoreThanOneFilling; ++i) handed.push_back(stock.take());
    RefStock<Thing> moved = std::move(stock);
    EXPECT_FALSE(stock);  // NOLINT(bugprone-use-after-move): that is what is asked
    handed.push_back(moved.take());
  }
  EXPECT_EQ(ends, 0);
  handed.clear();
  EXPECT_EQ(ends, 1);
}

TEST(RefStock, AnotherObjectEndsTheStockOfTheFirst) {
  int first = 0;
  int second = 0;
  RefStock<Thing> stock(makeRef<Thing>(first));
  { const Ref<Thing> one = stock.take(); }
  stock = RefStock<Thing>(makeRef<Thing>(second));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
}

TEST(Ref, CountsByItsOwnNamesWhateverTheClassCallsSo) {
  // Something that can be borrowed, with words of its own for it: they hide Object's.
  struct Pooled final : Object {
    explicit Pooled(int& ends) : ends_(ends) {}
    ~Pooled() override { ++ends_; }
    void retain() noexcept { ++borrowed; }
    void release() noexcept { --borrowed; }
    int borrowed = 0;
    int& ends_;
  };
  int ends = 0;
  auto r = makeRef<Pooled>(ends);
  {
    const Ref<Pooled> copy = r;
    const Ref<Pooled> shared(r.get());
    const Ref<Object> as_object = r;
    EXPECT_EQ(r->borrowed, 0);
  }
  EXPECT_EQ(r->borrowed, 0);
  EXPECT_EQ(ends, 0);
  r->release();
  EXPECT_EQ(ends, 0);
  r.reset();
  EXPECT_EQ(ends, 1);
}

TEST(Ref, AWeakHolderGetsAShareOnlyWhileOneIsLeft) {
  struct Kept final : Object {
    bool* gone = nullptr;
    void lastReferenceGone() noexcept override { *gone = true; }  // the memory stays: this test looks at the count
    ~Kept() override = default;
  };
  Kept* k = new Kept;
  bool gone = false;
  k->gone = &gone;
  EXPECT_TRUE(k->tryRetain());
  k->release();
  k->release();
  EXPECT_TRUE(gone);
  EXPECT_FALSE(k->tryRetain());
  delete k;
}

TEST(Ref, CountsAcrossThreads) {
  int ends = 0;
  auto r = makeRef<Thing>(ends);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([r] {
      for (int i = 0; i < 10'000; ++i) const Ref<Thing> copy = r;
    });
  }
  r.reset();
  for (auto& t : threads) t.join();
  threads.clear();
  EXPECT_EQ(ends, 1);
}

TEST(Snapshot, ReadersKeepTheVersionTheyGot) {
  Snapshot<std::vector<int>> s;
  EXPECT_EQ(s.get(), nullptr);
  s.set(std::make_shared<const std::vector<int>>(3, 1));
  const auto old = s.get();
  const std::uint64_t version = s.version();
  std::thread writer([&] {
    for (int i = 0; i < 1'000; ++i) s.set(std::make_shared<const std::vector<int>>(3, i));
  });
  for (int i = 0; i < 1'000; ++i) {
    const auto now = s.get();
    ASSERT_EQ((*now)[0], (*now)[2]);
  }
  writer.join();
  EXPECT_EQ(*old, (std::vector<int>{1, 1, 1}));
  EXPECT_EQ((*s.get())[0], 999);
  EXPECT_EQ(s.version(), version + 1'000);
}

}  // namespace
}  // namespace mqclient::base
