// soak: the promises with figures, one line each, as docs/promises.md numbers them.
#include <cstdio>
#include <string>

#include "apart.h"
#include "arguments.h"
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
bool keep(const Promise& promise, Extent extent, const mqbench::Arguments& arguments) {
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
    for (std::size_t i = 2; i < lines->size(); ++i) arguments.json((*lines)[i]);
  } else {
    std::printf("%-3s FAILED  %s: %s\n", promise.name.c_str(), promise.text.c_str(), how.c_str());
  }
  std::fflush(stdout);
  return ended && lines->front() == "met";
}

}  // namespace

int main(int argc, char** argv) {
  std::string only;
  bool ci = false;
  bool list = false;
  mqbench::Arguments arguments("soak", kUsage);
  arguments.flag("--ci", ci);
  arguments.flag("--list", list);
  arguments.value("--only", only);
  if (const auto status = arguments.read(argc, argv)) return *status;
  if (list) {
    for (const Promise& promise : all()) std::printf("%-3s %s\n", promise.name.c_str(), promise.text.c_str());
    return 0;
  }
  int passed = 0;
  int failed = 0;
  for (const Promise& promise : all()) {
    if (!only.empty() && promise.name != only) continue;
    keep(promise, ci ? Extent::kCi : Extent::kFull, arguments) ? ++passed : ++failed;
  }
  if (passed + failed == 0) return arguments.wrong("there is no promise " + only + "; see --list\n");
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
