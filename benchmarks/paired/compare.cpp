#include <algorithm>
#include <cmath>

#include "pairs.h"

namespace mqpaired {

namespace {

constexpr double kMust = 1.05;
constexpr int kWarmUpRounds = 3;
/// Half the width of a 95 % interval in standard deviations.
constexpr double kNormal95 = 1.96;

}  // namespace

mqbench::Row compare(const Path& path, int pairs) {
  // Both on one core, and their brokers with them: on two a round lasts as long as the scheduler's placing of threads
  // and the machine's wakes make it, and that varies more than what is sought.
  if (!mqbench::pinToOneCore()) mqbench::fail("the process cannot be bound to one core");
  const Round without = path.make(Kit::kWithout);
  const Round with = path.make(Kit::kWith);
  for (int i = 0; i < kWarmUpRounds; ++i) {
    without();
    with();
  }
  std::vector<double> ratios;
  for (int i = 0; i < pairs; ++i) {
    // Who comes first changes: what grows with time is nobody's.
    const double first = i % 2 == 0 ? without() : with();
    const double second = i % 2 == 0 ? with() : without();
    ratios.push_back(i % 2 == 0 ? second / first : first / second);
  }
  std::ranges::sort(ratios);
  const double half = kNormal95 * std::sqrt(pairs) / 2;
  const int rank = std::max(1, static_cast<int>(std::floor(pairs / 2.0 - half)));
  const auto at = [&](int i) { return ratios[static_cast<std::size_t>(i)]; };
  mqbench::Row row{
      .name = "paired." + path.name, .value = at(pairs - rank), .unit = "x", .bound = mqbench::atMost(kMust)};
  row.note = "time a message with the kit, no fault set, over that without it: median " +
             mqbench::number(at(pairs / 2)) + ", 95 % of it " + mqbench::number(at(rank - 1)) + " to " +
             mqbench::number(at(pairs - rank)) + ", " + std::to_string(pairs) + " pairs";
  return row;
}

}  // namespace mqpaired
