#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace mqclient::simulation {

/// The buggify points of the library (base/buggify.h) in the run of one seed. One run at a time.
struct Buggify {
  /// Half of the points act in this run; which, the seed says.
  static void begin(std::uint64_t seed);
  /// None acts any more.
  static void end();
  /// How often each acted since begin(). Every point has an entry.
  static std::map<std::string, std::uint64_t> counts();
};

}  // namespace mqclient::simulation
