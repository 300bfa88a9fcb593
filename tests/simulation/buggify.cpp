#include "buggify.h"

#include <array>
#include <cstddef>

#include "base/buggify.h"
#include "base/engine.h"
#include "sim/random.h"

namespace mqclient {

namespace {

/// Of so many passes an acting point acts in one.
constexpr std::uint64_t kOneIn = 12;
constexpr std::uint64_t kStream = 0x62756767;

constexpr std::array<const char*, base::kBuggifyPoints> kNames = {
    "pullAnswersOneMessage", "pullIsNotHeld",      "idleConnectionCloses", "periodicCommitIsLate",
    "retryStaysAtTheBroker", "heartbeatIsSkipped", "rebalanceIsLate",      "newRouteIsSeenLater"};

/// Whoever holds the simulation's baton.
struct {
  std::array<bool, base::kBuggifyPoints> acts{};
  std::array<std::uint64_t, base::kBuggifyPoints> times{};
} run;

}  // namespace

namespace base {

bool buggify(Engine& engine, BuggifyPoint point) noexcept {
  const auto i = static_cast<std::size_t>(point);
  if (!run.acts[i] || engine.random() % kOneIn != 0) return false;
  ++run.times[i];
  return true;
}

}  // namespace base

namespace simulation {

void Buggify::begin(std::uint64_t seed) {
  sim::SeededRandom chance(seed, kStream);
  for (bool& acts : run.acts) acts = chance.below(2) == 0;
  run.times = {};
}

void Buggify::end() {
  run.acts = {};
}

std::map<std::string, std::uint64_t> Buggify::counts() {
  std::map<std::string, std::uint64_t> counts;
  for (std::size_t i = 0; i < kNames.size(); ++i) counts[kNames[i]] = run.times[i];
  return counts;
}

}  // namespace simulation
}  // namespace mqclient
