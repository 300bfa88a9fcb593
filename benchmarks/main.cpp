// mqbench_foundation: the figures of the in-process path, each beside its limit and its reference of the same run.
#include <cstdio>
#include <string>

#include "apart.h"
#include "report.h"

namespace {

constexpr const char* kUsage =
    "usage: mqbench_foundation [--json FILE] [--row NAME] [--apache ADDRESS] [--list]\n"
    "  --json FILE   one JSON object a line: name, value, unit, reference, ratio, must, goal, met\n"
    "  --row NAME    only this measurement (see --list)\n"
    "  --apache ADDR nameserver of an Apache RocketMQ with an empty store: the rows beside it, and no others\n"
    "  --list        names of the measurements\n"
    "Exit status 0: every must was met. 1: at least one was not. 2: wrong arguments. 3: a measurement failed.\n";

std::vector<mqbench::Measurement> all(const std::string& apache) {
  if (!apache.empty()) return mqbench::apacheMeasurements(apache);  // it would take time from the others
  std::vector<mqbench::Measurement> rows = mqbench::pathMeasurements();
  for (auto more : {mqbench::processMeasurements(), mqbench::tcpMeasurements(), mqbench::mqbrokerMeasurements(),
                    mqbench::codecMeasurements()}) {
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

/// Runs one measurement apart and tells its rows: lines of text and of JSON in turn, and whether the must is met.
int tell(const mqbench::Measurement& m, FILE* json, bool& all_met) {
  std::string how;
  const auto lines = mqbench::runApart(
      [&] {
        mqbench::Lines rows;
        for (const mqbench::Row& row : m.run()) {
          rows.insert(rows.end(), {row.text(), row.json(), row.met().value_or(true) ? "met" : "missed"});
        }
        return rows;
      },
      how);
  if (!lines) {
    std::printf("%-38s FAILED (%s)\n", m.name.c_str(), how.c_str());
    return 3;
  }
  for (std::size_t i = 0; i + 2 < lines->size(); i += 3) {
    std::puts((*lines)[i].c_str());
    if (json) std::fprintf(json, "%s\n", (*lines)[i + 1].c_str());
    if ((*lines)[i + 2] != "met") all_met = false;
  }
  std::fflush(stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const char* json_file = nullptr;
  const char* only = nullptr;
  std::string apache;
  bool list = false;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--help" || arg == "-h") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    if (arg == "--list") {
      list = true;
    } else if (arg == "--apache" && i + 1 < argc) {
      apache = argv[++i];
    } else if (arg == "--json" && i + 1 < argc) {
      json_file = argv[++i];
    } else if (arg == "--row" && i + 1 < argc) {
      only = argv[++i];
    } else {
      std::fprintf(stderr, "mqbench_foundation: '%s' is not understood\n%s", arg.c_str(), kUsage);
      return 2;
    }
  }
  if (list) {
    for (const auto& m : all(apache)) std::puts(m.name.c_str());
    return 0;
  }
  FILE* json = nullptr;
  if (json_file && !(json = std::fopen(json_file, "w"))) {
    std::fprintf(stderr, "mqbench_foundation: cannot write %s\n", json_file);
    return 2;
  }
  bool all_met = true;
  int failed = 0;
  int run = 0;
  for (const auto& m : all(apache)) {
    if (only && m.name != only) continue;
    ++run;
    if (const int status = tell(m, json, all_met)) failed = status;
  }
  if (json) std::fclose(json);
  if (run == 0) {
    std::fprintf(stderr, "mqbench_foundation: there is no measurement %s; see --list\n", only);
    return 2;
  }
  if (failed) return failed;
  std::puts(all_met ? "every must is met" : "at least one must is MISSED");
  return all_met ? 0 : 1;
}
