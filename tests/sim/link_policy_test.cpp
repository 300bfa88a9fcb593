#include "sim/link_policy.h"

#include <gtest/gtest.h>

#include "sim_support.h"

namespace mqclient::sim {
namespace {

using remoting::LinkVerdict;
using Kind = LinkVerdict::Kind;

LinkVerdict frame(SeededLinkPolicy& policy, std::uint64_t link, bool to_server = true) {
  return policy.onFrame(link, "c", "s", to_server, base::Chain(base::Slice::copyOf("frame")));
}

TEST(SeededLinkPolicy, DelaysWithinItsBoundsAndTracesEveryFrame) {
  const Ref<SimEngine> engine = seeded(1);
  SeededLinkPolicy policy(engine, {.delay_min = 1ms, .delay_max = 2ms});
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t before = engine->traceHash();
    const LinkVerdict v = frame(policy, 1);
    EXPECT_EQ(v.kind, Kind::kDeliver);
    EXPECT_GE(v.delay, 1ms);
    EXPECT_LE(v.delay, 2ms);
    EXPECT_NE(engine->traceHash(), before);
  }
  EXPECT_EQ(policy.counters().delivered, 200u);
  EXPECT_EQ(policy.counters().faults(), 0u);
}

TEST(SeededLinkPolicy, ABlackHoleSwallowsBothDirectionsAndEndsWithACut) {
  const Ref<SimEngine> engine = seeded(1);
  SeededLinkPolicy policy(engine, {.blackhole_min = base::Millis(100), .blackhole_max = base::Millis(100)});
  policy.silenceSoon(1);
  EXPECT_EQ(frame(policy, 1).kind, Kind::kDrop);
  EXPECT_EQ(frame(policy, 2).kind, Kind::kDeliver);
  engine->advance(99ms);
  EXPECT_EQ(frame(policy, 1, false).kind, Kind::kDrop);
  engine->advance(1ms);
  EXPECT_EQ(frame(policy, 1, false).kind, Kind::kCut);
  EXPECT_EQ(policy.counters().blackholes, 1u);
  EXPECT_EQ(policy.counters().dropped, 2u);
  EXPECT_EQ(policy.counters().cuts, 0u);
}

TEST(SeededLinkPolicy, RatesAndCalm) {
  const Ref<SimEngine> engine = seeded(1);
  SeededLinkPolicy policy(engine, {.cuts_per_million = 100'000, .refusals_per_million = 500'000});
  for (std::uint64_t i = 0; i < 1000; ++i) frame(policy, i);
  EXPECT_GT(policy.counters().cuts, 50u);
  EXPECT_LT(policy.counters().cuts, 200u);
  for (int i = 0; i < 100; ++i) policy.onConnect("s");
  EXPECT_GT(policy.counters().refusals, 20u);
  policy.cutSoon(1);
  policy.calm();
  const std::uint64_t before = policy.counters().faults();
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(frame(policy, 5000 + i).kind, Kind::kDeliver);
  EXPECT_EQ(policy.counters().faults(), before);
}

TEST(SeededLinkPolicy, TheSeedDecides) {
  const auto run = [](std::uint64_t seed) {
    const Ref<SimEngine> engine = seeded(seed);
    SeededLinkPolicy policy(engine, {.cuts_per_million = 50'000, .blackholes_per_million = 50'000});
    for (std::uint64_t i = 0; i < 300; ++i) frame(policy, i % 7);
    return engine->traceHash();
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

}  // namespace
}  // namespace mqclient::sim
