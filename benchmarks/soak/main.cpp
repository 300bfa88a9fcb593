// soak: the promises with figures, one line each, as docs/promises.md numbers them.
#include <cstdio>
#include <cstring>
#include <string>

#include "apart.h"
#include "soak.h"

namespace {

using mqsoak::Extent;
using mqsoak::Promise;

constexpr const char* kUsage =
    "usage: soak [--ci] [--only ROW] [--json FILE] [--list]\n"
    "  --ci          what every CI run can wait for: at most 5 minutes in all, not 60\n"
    "  --only ROW    this promise alone (R8, ...; see --list)\n"
    "  --json FILE   one JSON object a figure: name, value, unit, reference, ratio, must, goal, met\n"
    "  --list        the promises\n"
    "Ends with `N passed, M failed`. Exit status 0: all passed. 1: not. 2: wrong arguments.\n";

/// No promise takes longer, unless something hangs.
constexpr unsigned secondsMax(Extent extent) {
  return extent == Extent::kCi ? 120 : 1'200;
}

std::vector<Promise> all() {
  std::vector<Promise> promises;
  for (const auto& family : {mqsoak::endPromises(), mqsoak::memoryPromises(), mqsoak::outagePromises(),
                             mqsoak::hostilePromises(), mqsoak::viewPromises()}) {
    promises.insert(promises.end(), family.begin(), family.end());
  }
  return promises;
}

/// Runs a promise apart and tells its line. False: a figure was missed, or it ended otherwise.
bool keep(const Promise& promise, Extent extent, FILE* json) {
  std::string how;
  const auto lines = mqbench::runApart(
      [&] {
        const auto figures = promise.run(extent);
        mqbench::Lines told{mqsoak::allMet(figures) ? "met" : "missed", mqsoak::lineOf(promise, figures)};
        for (mqbench::Row figure : figures) {
          figure.name = promise.name + "." + figure.name;
          told.push_back(figure.json());
        }
        return told;
      },
      how, secondsMax(extent));
  const bool ended = lines && lines->size() > 1;
  if (ended) {
    std::puts((*lines)[1].c_str());
    for (std::size_t i = 2; json && i < lines->size(); ++i) std::fprintf(json, "%s\n", (*lines)[i].c_str());
  } else {
    std::printf("%-3s FAILED  %s: %s\n", promise.name.c_str(), promise.text.c_str(), how.c_str());
  }
  std::fflush(stdout);
  return ended && lines->front() == "met";
}

}  // namespace

int main(int argc, char** argv) {
  Extent extent = Extent::kFull;
  const char* json_file = nullptr;
  const char* only = nullptr;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--help" || arg == "-h") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    if (arg == "--list") {
      for (const Promise& promise : all()) std::printf("%-3s %s\n", promise.name.c_str(), promise.text.c_str());
      return 0;
    }
    if (arg == "--ci") {
      extent = Extent::kCi;
    } else if (arg == "--json" && i + 1 < argc) {
      json_file = argv[++i];
    } else if (arg == "--only" && i + 1 < argc) {
      only = argv[++i];
    } else {
      std::fprintf(stderr, "soak: '%s' is not understood\n%s", arg.c_str(), kUsage);
      return 2;
    }
  }
  FILE* json = nullptr;
  if (json_file && !(json = std::fopen(json_file, "w"))) {
    std::fprintf(stderr, "soak: cannot write %s\n", json_file);
    return 2;
  }
  int passed = 0;
  int failed = 0;
  for (const Promise& promise : all()) {
    if (only && promise.name != only) continue;
    keep(promise, extent, json) ? ++passed : ++failed;
  }
  if (json) std::fclose(json);
  if (passed + failed == 0) {
    std::fprintf(stderr, "soak: there is no promise %s; see --list\n", only);
    return 2;
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
