#include "mqclient/testing/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "mqclient/mqclient.h"
#include "mqclient/testing/matchers.h"

namespace mqclient {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Two brokers, links that lose replies now and then, five messages sent with retries: everything that passed.
std::string runOf(World& world) {
  Fault lost =
      world.cluster
          .inject({.code = RequestCode::SEND_MESSAGE_V2, .probability = 0.3}, FaultAction::applyThenDropReply())
          .value();
  lost.optional();
  auto producer = DefaultMQProducer::start("shop", world.client()).value();
  for (int i = 0; i < 5; ++i) static_cast<void>(producer.send(Message("orders", std::to_string(i))));
  return world.cluster.trace();
}

std::string traceOf(std::uint64_t seed) {
  std::string trace;
  simulate(seed, {.brokers = 2, .recordFromStart = true}, [&](World& world) { trace = runOf(world); }).value();
  return trace;
}

/// MQCLIENT_SEED for the test's time.
struct OnlySeed {
  explicit OnlySeed(const char* seed) { ::setenv("MQCLIENT_SEED", seed, 1); }  // NOLINT(concurrency-mt-unsafe)
  ~OnlySeed() { ::unsetenv("MQCLIENT_SEED"); }                                 // NOLINT(concurrency-mt-unsafe)
};

TEST(Simulate, TheSameSeedIsTheSameRunAndOthersAreOthers) {
  std::set<std::string> runs;
  constexpr std::uint64_t kSeeds = 8;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const std::string trace = traceOf(seed);
    EXPECT_EQ(trace, traceOf(seed)) << seed;
    runs.insert(trace);
  }
  EXPECT_GE(runs.size(), kSeeds / 2);
}

TEST(Simulate, WhatTheScenarioThrowsIsItsError) {
  const auto thrown = simulate(1, {}, [](World&) { throw std::runtime_error("the sum is wrong"); });
  EXPECT_THAT(thrown, IsError(ErrorCode::kUserCode, HasSubstr("the sum is wrong")));
  const auto unwrapped =
      simulate(1, {}, [](World& world) { DefaultMQProducer::start("bad group", world.client()).value(); });
  EXPECT_THAT(unwrapped, IsError(ErrorCode::kInvalidArgument, HasSubstr("bad group")));
  EXPECT_THAT(simulate(1, {.brokers = 0}, [](World&) { FAIL(); }), IsError(ErrorCode::kInvalidArgument));
}

TEST(ForEachSeed, StopsAtTheFirstThatFailsAndSaysHowToRunItAlone) {
  std::vector<std::uint64_t> seeds;
  const auto ran = forEachSeed(10, {}, [&](World& world) {
    seeds.push_back(world.seed);
    if (world.seed == 3) throw std::runtime_error("the sum is wrong");
  });
  EXPECT_THAT(seeds, ElementsAre(1, 2, 3));
  EXPECT_THAT(ran, IsError(ErrorCode::kUserCode, AllOf(HasSubstr("seed 3: "), HasSubstr("the sum is wrong"),
                                                       HasSubstr("again: MQCLIENT_SEED=3"))));
}

TEST(ForEachSeed, RunsOnlyTheSeedThatTheEnvironmentNames) {
  const OnlySeed only("7");
  std::vector<std::uint64_t> seeds;
  EXPECT_THAT(forEachSeed(10, {}, [&](World& world) { seeds.push_back(world.seed); }), IsOk());
  EXPECT_THAT(seeds, ElementsAre(7));
}

TEST(ForEachSeed, ASeedThatIsNoNumberIsRefused) {
  const OnlySeed only("seven");
  EXPECT_THAT(forEachSeed(10, {}, [](World&) { FAIL(); }),
              IsError(ErrorCode::kInvalidArgument, HasSubstr("MQCLIENT_SEED is 'seven'")));
}

TEST(HoldsForEachSeed, AnAmbiguousAcknowledgementNeverLosesAMessage) {
  Sometimes lost("a reply is lost");
  EXPECT_TRUE(holdsForEachSeed(50, {.brokers = 2}, [&](World& world) {
    Fault fault =
        world.cluster
            .inject({.code = RequestCode::SEND_MESSAGE_V2, .probability = 0.3}, FaultAction::applyThenDropReply())
            .value();
    fault.optional();
    auto producer = DefaultMQProducer::start("shop", world.client()).value();
    for (int i = 0; i < 5; ++i) {
      const std::string body = std::to_string(i);
      const auto sent = producer.send(Message("orders", body));
      if (!sent) continue;
      EXPECT_THAT(world.cluster, Stored("orders", ::testing::Contains(HasBody(body))));
    }
    lost.happened(static_cast<std::uint64_t>(fault.fired()));
  }));
}

TEST(HoldsForEachSeed, AFailedExpectationEndsTheBatchAndNamesItsSeed) {
  static std::uint64_t ran = 0;  // as an expectation's failure would, it stays
  const auto held = holdsForEachSeed(
      5, {}, [](World& world) { ran = world.seed; }, [] { return ran == 2; });
  EXPECT_FALSE(held);
  EXPECT_EQ(ran, 2u);
  EXPECT_THAT(held.message(), AllOf(HasSubstr("seed 2: "), HasSubstr("an expectation failed")));
}

TEST(Sometimes, WhatNeverHappensFails) {
  EXPECT_NONFATAL_FAILURE(Sometimes("a reply is lost"), "never in all runs: a reply is lost");
  Sometimes once("a reply is lost");
  once.happened();
  EXPECT_EQ(once.times(), 1u);
}

}  // namespace
}  // namespace mqclient
