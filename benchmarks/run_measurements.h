#pragma once

#include <string>
#include <vector>

#include "arguments.h"
#include "report.h"

namespace mqbench {

/// Runs the measurements, or the one that is named (empty: all), each in a process of its own, and tells their rows,
/// to --json too. The exit status: 0 every must was met, 1 one was not, 2 there is no such measurement, 3 one failed.
int runMeasurements(const std::vector<Measurement>& all, const std::string& only, const Arguments& arguments);

}  // namespace mqbench
