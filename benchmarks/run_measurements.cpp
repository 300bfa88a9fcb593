#include "run_measurements.h"

#include <cstdio>
#include <string>

#include "apart.h"

namespace mqbench {

namespace {

/// Its rows as lines of text and of JSON in turn, and whether the must is met.
bool tell(const Measurement& m, const Arguments& arguments, bool& all_met) {
  std::string how;
  const auto lines = runApart(
      [&] {
        Lines rows;
        for (const Row& row : m.run()) {
          rows.insert(rows.end(), {row.text(), row.json(), row.met().value_or(true) ? "met" : "missed"});
        }
        return rows;
      },
      how);
  if (!lines) {
    std::printf("%-38s FAILED (%s)\n", m.name.c_str(), how.c_str());
    return false;
  }
  for (std::size_t i = 0; i + 2 < lines->size(); i += 3) {
    std::puts((*lines)[i].c_str());
    arguments.json((*lines)[i + 1]);
    if ((*lines)[i + 2] != "met") all_met = false;
  }
  std::fflush(stdout);
  return true;
}

}  // namespace

int runMeasurements(const std::vector<Measurement>& all, const std::string& only, const Arguments& arguments) {
  bool all_met = true;
  bool failed = false;
  int run = 0;
  for (const Measurement& m : all) {
    if (!only.empty() && m.name != only) continue;
    ++run;
    failed = !tell(m, arguments, all_met) || failed;
  }
  if (run == 0) return arguments.wrong("there is no measurement " + only + "; see --list\n");
  if (failed) return 3;
  std::puts(all_met ? "every must is met" : "at least one must is MISSED");
  return all_met ? 0 : 1;
}

}  // namespace mqbench
