// mqbench_paired: what the test kit costs on each way of a message while no fault is set.
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "arguments.h"
#include "pairs.h"
#include "run_measurements.h"

namespace {

constexpr int kPairs = 61;
constexpr int kPairsMin = 30;
constexpr int kPairsMax = 10'000;

constexpr const char* kUsage =
    "usage: mqbench_paired [--json FILE] [--row NAME] [--pairs N] [--list]\n"
    "  --json FILE   one JSON object a line: name, value, unit, reference, ratio, must, goal, met\n"
    "  --row NAME    only this way of a message (see --list)\n"
    "  --pairs N     at least 30 (default 61)\n"
    "  --list        the ways\n"
    "Exit status 0: the 95 % interval of each median ratio lies below 1.05. 1: of one it does not. 2: wrong "
    "arguments.\n"
    "3: a measurement failed.\n";

std::optional<int> pairsIn(std::string_view text) {
  int pairs = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pairs);
  const bool number = error == std::errc() && end == text.data() + text.size();
  return number && pairs >= kPairsMin && pairs <= kPairsMax ? std::optional(pairs) : std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  std::string only;
  bool list = false;
  int pairs = kPairs;
  std::optional<mqpaired::Kit> served;
  mqbench::Arguments arguments("mqbench_paired", kUsage);
  arguments.value("--row", only);
  arguments.flag("--list", list);
  arguments.value("--pairs", [&](const std::string& text) {
    const std::optional<int> wanted = pairsIn(text);
    pairs = wanted.value_or(pairs);
    return wanted.has_value();
  });
  arguments.value("--serve", [&](const std::string& kit) {  // for our own tcp.* ways
    served = kit == "with" ? mqpaired::Kit::kWith : mqpaired::Kit::kWithout;
    return true;
  });
  if (const auto status = arguments.read(argc, argv)) return *status;
  if (served) return mqpaired::serve(*served);
  std::vector<mqbench::Measurement> measurements;
  for (const auto& paths : {mqpaired::inProcessPaths(), mqpaired::tcpPaths()}) {
    for (const mqpaired::Path& path : paths) {
      measurements.push_back({path.name, [path, pairs] { return std::vector{mqpaired::compare(path, pairs)}; }});
    }
  }
  if (!list) return mqbench::runMeasurements(measurements, only, arguments);
  for (const auto& m : measurements) std::puts(m.name.c_str());
  return 0;
}
