// The whole system under seeds: the same scenario that `./dev simulate` runs a thousand times.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "mqclient/testing/simulation.h"
#include "scenario.h"

namespace mqclient::simulation {
namespace {

constexpr std::uint64_t kSeeds = 20;

class Seeds : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  /// Once all seeds have run: each kind of fault happened in one of them.
  static void TearDownTestSuite() {
    if (ran_ < kSeeds) return;
    for (const auto& [kind, times] : faults_) Sometimes(kind).happened(times);
  }
  static void count(const Figures& figures) {
    ++ran_;
    for (const auto& [kind, times] : figures.faults) faults_[kind] += times;
  }

 private:
  static inline std::uint64_t ran_ = 0;
  static inline std::map<std::string, std::uint64_t> faults_{};
};
INSTANTIATE_TEST_SUITE_P(System, Seeds, ::testing::Range<std::uint64_t>(1, kSeeds + 1));

TEST_P(Seeds, KeepsEveryPromise) {
  const Figures figures = runSeed(GetParam());
  count(figures);
  for (const std::string& violation : figures.violations) {
    ADD_FAILURE() << violation << "\nreplay: ./dev simulate --seed " << GetParam();
  }
  EXPECT_GE(figures.messages, kMessagesMin);
  EXPECT_GE(figures.membership_changes, kMembershipChangesMin);
  EXPECT_GE(figures.link_faults, kLinkFaultsMin);
  EXPECT_GE(figures.virtual_millis, kVirtualMillisMin);
  EXPECT_GT(figures.abrupt_leaves, 0u);
  EXPECT_GT(figures.repeated, 0u) << "nothing was ever repeated: the run was too kind to show anything";
}

TEST(SeedsOfOneProcess, OneSeedIsOneRun) {
  std::set<std::uint64_t> traces;
  for (std::uint64_t seed = kSeeds + 1; seed <= kSeeds + 3; ++seed) {
    const Figures first = runSeed(seed);
    const Figures second = runSeed(seed);
    EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed;
    EXPECT_EQ(first.schedule_hash, second.schedule_hash) << "seed " << seed;
    EXPECT_EQ(first.deliveries, second.deliveries) << "seed " << seed;
    traces.insert(first.trace_hash);
  }
  EXPECT_EQ(traces.size(), 3u);
}

}  // namespace
}  // namespace mqclient::simulation
