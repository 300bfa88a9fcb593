#include "base/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace mqclient::base {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

TEST(Backoff, DoublesUpToItsLimit) {
  const Backoff b{.first = milliseconds(100), .limit = milliseconds(1'000), .jitter_percent = 0};
  const std::vector<int> expected{100, 200, 400, 800, 1'000, 1'000};
  for (int failures = 1; failures <= 6; ++failures) {
    EXPECT_EQ(backoffDelay(b, failures, 0), milliseconds(expected[static_cast<std::size_t>(failures) - 1]));
  }
  EXPECT_EQ(backoffDelay(b, 2'000'000'000, 0), milliseconds(1'000));
}

TEST(Backoff, SpreadsWithinItsJitterAndNoFurther) {
  const Backoff b{.first = milliseconds(1'000), .limit = milliseconds(30'000), .jitter_percent = 20};
  EXPECT_EQ(backoffDelay(b, 1, 0), milliseconds(800));
  EXPECT_EQ(backoffDelay(b, 1, ~std::uint64_t{0}), milliseconds(1'200));
  Xoshiro256 random(1);
  nanoseconds least{nanoseconds::max()};
  nanoseconds most{0};
  for (int i = 0; i < 10'000; ++i) {
    const nanoseconds d = backoffDelay(b, 3, random.next());
    least = std::min(least, d);
    most = std::max(most, d);
  }
  EXPECT_GE(least, milliseconds(3'200));
  EXPECT_LE(most, milliseconds(4'800));
  EXPECT_LT(least, milliseconds(3'210));
  EXPECT_GT(most, milliseconds(4'790));
}

TEST(Xoshiro256, GivesTheReferenceSequence) {
  // xoshiro256** 1.0 from the state {1, 2, 3, 4}; first values of the authors' C code.
  Xoshiro256 r({1, 2, 3, 4});
  EXPECT_EQ(r.next(), 11520U);
  EXPECT_EQ(r.next(), 0U);
  EXPECT_EQ(r.next(), 1509978240U);
  EXPECT_EQ(r.next(), 1215971899390074240U);
}

TEST(Xoshiro256, TheSameSeedGivesTheSameSequenceAndBoundsHold) {
  Xoshiro256 a(42);
  Xoshiro256 b(42);
  Xoshiro256 c(43);
  std::vector<int> buckets(10);
  int differing = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t v = a.next();
    ASSERT_EQ(v, b.next());
    differing += v != c.next();
    ++buckets[Xoshiro256::boundedBy(v, 10)];
  }
  EXPECT_EQ(differing, 100'000);
  for (const int n : buckets) {
    EXPECT_GT(n, 9'500);
    EXPECT_LT(n, 10'500);
  }
  EXPECT_EQ(Xoshiro256::boundedBy(~std::uint64_t{0}, 1), 0U);
}

}  // namespace
}  // namespace mqclient::base
