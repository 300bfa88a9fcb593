#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "scenario.h"

namespace mqclient::simulation {

/// What became of one seed in one process.
struct Outcome {
  std::uint64_t seed = 0;
  int process = 0;  ///< its pid
  Figures figures{};
  std::string died{};  ///< why the process ended before the seed did; empty: it did not
  bool passed() const noexcept { return died.empty() && figures.violations.empty(); }
};

/// Runs seeds in processes of their own, one per processor (at least two) and each pinned to one: the threads of a
/// simulation take turns, which is quick only on one core. A process that dies costs its seed and is replaced.
/// Threads  the caller must have none but itself: this forks.
class Workers {
 public:
  using OnOutcome = std::function<bool(const Outcome&)>;

  Workers();
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  std::size_t size() const noexcept { return workers_.size(); }
  /// Runs every seed once, in order of the list, and tells each outcome as it comes; false from `on_outcome` ends it
  /// early. `not_in`, if given, names for each seed a process that must not run it.
  /// False: it could not go on (no process could be started).
  bool run(const std::vector<std::uint64_t>& seeds, const std::vector<int>& not_in, const OnOutcome& on_outcome);

 private:
  struct Worker {
    int pid = -1;
    int to = -1;    // descriptor that it reads seeds from
    int from = -1;  // descriptor that it writes outcomes to
    std::size_t processor = 0;
    std::string read;  // of its answer so far
    bool busy = false;
    std::uint64_t seed = 0;
  };

  bool begin(Worker& worker);
  void end(Worker& worker);
  bool give(Worker& worker, std::uint64_t seed);
  bool readSome(Worker& worker, Outcome& outcome);

  std::vector<Worker> workers_;
};

/// The processors this process may use, at least one entry.
std::vector<int> processors();
void pinTo(int processor);

}  // namespace mqclient::simulation
