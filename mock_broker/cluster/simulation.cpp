#include "mqclient/simulation.h"

#include <charconv>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "base/environment.h"

namespace mqclient {
inline namespace v1 {

namespace {

constexpr const char* kSeedVariable = "MQCLIENT_SEED";

/// The seed that MQCLIENT_SEED names; none: it is not set.
Result<std::optional<std::uint64_t>> chosenSeed() {
  const std::string text = base::realEnvironment().variable(kSeedVariable);
  if (text.empty()) return std::optional<std::uint64_t>();
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error(ErrorCode::kInvalidArgument,
                 std::string(kSeedVariable) + " is '" + text + "', it must be a seed: a number");
  }
  return std::optional(seed);
}

Result<void> simulateNamed(std::uint64_t seed, const MockClusterOptions& options,
                           const std::function<void(World&)>& scenario) {
  const std::string number = std::to_string(seed);
  Result<void> ran = simulate(seed, options, scenario);
  if (ran) return ran;
  const Error& e = ran.error();
  return Error(e.code(), "seed " + number + ": " + e.message() + "; again: " + kSeedVariable + "=" + number,
               e.responseCode(), e.applied());
}

}  // namespace

Result<void> simulate(std::uint64_t seed, MockClusterOptions options, const std::function<void(World&)>& scenario) {
  options.time = MockTime::kVirtual;
  options.seed = seed;
  Result<MockCluster> cluster = MockCluster::start(options);
  if (!cluster) return std::move(cluster).error();
  World world{*cluster, seed};
  try {
    scenario(world);
  } catch (...) {
    return detail::errorOfException(std::current_exception());
  }
  return {};
}

Result<void> forEachSeed(std::uint64_t count, const MockClusterOptions& options,
                         const std::function<void(World&)>& scenario) {
  const auto only = chosenSeed();
  if (!only) return only.error();
  if (*only) return simulateNamed(**only, options, scenario);
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    if (Result<void> ran = simulateNamed(seed, options, scenario); !ran) return ran;
  }
  return {};
}

}  // namespace v1
}  // namespace mqclient
