#pragma once

#include <functional>
#include <string>
#include <vector>

#include "report.h"

namespace mqsoak {

/// How much a promise is put through: what every CI run can wait for, or the whole figure.
enum class Extent { kCi, kFull };

/// One line of the report. It runs in a process of its own.
struct Promise {
  std::string name;  ///< as docs/promises.md has it: "R8"
  std::string text;
  std::function<std::vector<mqbench::Row>(Extent)> run;
};
std::vector<Promise> endPromises();
std::vector<Promise> memoryPromises();
std::vector<Promise> outagePromises();
std::vector<Promise> hostilePromises();
std::vector<Promise> viewPromises();

// ---- figures; a missed one fails its line

/// What was done, without a bound.
mqbench::Row told(std::string name, double value, std::string unit = {});
mqbench::Row atMost(std::string name, double value, double must, std::string unit = {});
mqbench::Row atLeast(std::string name, double value, double must, std::string unit = {});
mqbench::Row none(std::string name, double value);
/// What is so, and what must be.
mqbench::Row says(std::string name, bool is);
mqbench::Row holds(std::string name, bool is);

/// "ok" or "MISSED", the figures beside what they must reach.
std::string lineOf(const Promise& promise, const std::vector<mqbench::Row>& figures);
bool allMet(const std::vector<mqbench::Row>& figures);

}  // namespace mqsoak
