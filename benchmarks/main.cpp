// mqbench_foundation: the figures of the in-process path, each beside its limit and its reference of the same run.
#include <cstdio>
#include <string>

#include "arguments.h"
#include "report.h"
#include "run_measurements.h"

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

}  // namespace

int main(int argc, char** argv) {
  std::string only;
  std::string apache;
  bool list = false;
  mqbench::Arguments arguments("mqbench_foundation", kUsage);
  arguments.value("--row", only);
  arguments.value("--apache", apache);
  arguments.flag("--list", list);
  if (const auto status = arguments.read(argc, argv)) return *status;
  const std::vector<mqbench::Measurement> measurements = all(apache);
  if (!list) return mqbench::runMeasurements(measurements, only, arguments);
  for (const auto& m : measurements) std::puts(m.name.c_str());
  return 0;
}
