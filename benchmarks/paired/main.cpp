// mqbench_paired: what the test kit costs on each way of a message while no fault is set.
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "apart.h"
#include "pairs.h"

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
  std::vector<mqpaired::Path> paths = mqpaired::inProcessPaths();
  for (mqpaired::Path& path : mqpaired::tcpPaths()) paths.push_back(std::move(path));
  const char* json_file = nullptr;
  std::string only;
  int pairs = kPairs;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--help" || arg == "-h") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    if (arg == "--list") {
      for (const mqpaired::Path& path : paths) std::puts(path.name.c_str());
      return 0;
    }
    if (arg == "--serve" && i + 1 < argc) {  // for our own tcp.* ways
      return mqpaired::serve(std::string_view(argv[i + 1]) == "with" ? mqpaired::Kit::kWith : mqpaired::Kit::kWithout);
    }
    const char* const value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (value && arg == "--json") {
      json_file = argv[++i];
    } else if (value && arg == "--row") {
      only = argv[++i];
    } else if (value && arg == "--pairs" && pairsIn(value)) {
      pairs = *pairsIn(argv[++i]);
    } else {
      std::fprintf(stderr, "mqbench_paired: '%s' is not understood\n%s", arg.c_str(), kUsage);
      return 2;
    }
  }
  FILE* json = nullptr;
  if (json_file && !(json = std::fopen(json_file, "w"))) {
    std::fprintf(stderr, "mqbench_paired: cannot write %s\n", json_file);
    return 2;
  }
  bool all_met = true;
  bool failed = false;
  int run = 0;
  for (const mqpaired::Path& path : paths) {
    if (!only.empty() && path.name != only) continue;
    ++run;
    std::string how;
    const auto lines = mqbench::runApart(
        [&] {
          const mqbench::Row row = mqpaired::compare(path, pairs);
          return mqbench::Lines{row.text(), row.json(), row.met().value_or(false) ? "met" : "missed"};
        },
        how);
    if (!lines || lines->size() != 3) {
      std::printf("%-38s FAILED (%s)\n", path.name.c_str(), how.c_str());
      failed = true;
      continue;
    }
    std::puts((*lines)[0].c_str());
    std::fflush(stdout);
    if (json) std::fprintf(json, "%s\n", (*lines)[1].c_str());
    all_met = all_met && (*lines)[2] == "met";
  }
  if (json) std::fclose(json);
  if (run == 0) {
    std::fprintf(stderr, "mqbench_paired: there is no way %s; see --list\n", only.c_str());
    return 2;
  }
  if (failed) return 3;
  std::puts(all_met ? "every must is met" : "at least one must is MISSED");
  return all_met ? 0 : 1;
}
