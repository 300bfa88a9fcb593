#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mqbench {

/// Six digits of a figure.
std::string number(double value);

/// What a figure must reach. A bound on the ratio to the reference of the same run, or on the value itself.
struct Bound {
  enum class On { kValue, kRatio } on{On::kValue};
  enum class Sense { kAtMost, kAtLeast } sense{Sense::kAtMost};
  double must{};
  std::optional<double> goal{};
};

/// One line of the report.
struct Row {
  std::string name;
  double value{};
  std::string unit;
  std::optional<double> reference{};  ///< measured in the same run, same unit
  std::optional<Bound> bound{};
  std::string note{};  ///< what else was seen: p99, ...

  std::optional<double> ratio() const {
    return reference && *reference > 0 ? std::optional(value / *reference) : std::nullopt;
  }
  /// Of the must; nothing without one.
  std::optional<bool> met() const { return bound ? std::optional(holds(bound->must)) : std::nullopt; }
  std::optional<bool> goalMet() const {
    return bound && bound->goal ? std::optional(holds(*bound->goal)) : std::nullopt;
  }
  std::string json() const;
  std::string text() const;

 private:
  bool holds(double limit) const {
    const double measured = bound->on == Bound::On::kRatio ? ratio().value_or(0) : value;
    return bound->sense == Bound::Sense::kAtMost ? measured <= limit : measured >= limit;
  }
};

inline Bound atMost(double must, std::optional<double> goal = {}) {
  return {Bound::On::kValue, Bound::Sense::kAtMost, must, goal};
}
inline Bound atLeast(double must, std::optional<double> goal = {}) {
  return {Bound::On::kValue, Bound::Sense::kAtLeast, must, goal};
}
inline Bound ratioAtLeast(double must, std::optional<double> goal = {}) {
  return {Bound::On::kRatio, Bound::Sense::kAtLeast, must, goal};
}
inline Bound ratioAtMost(double must, std::optional<double> goal = {}) {
  return {Bound::On::kRatio, Bound::Sense::kAtMost, must, goal};
}

/// A measurement: runs in a process of its own, so that no row sees another's heap, threads or caches.
struct Measurement {
  std::string name;  ///< of its row or rows, for --row
  std::function<std::vector<Row>()> run;
};
std::vector<Measurement> pathMeasurements();
std::vector<Measurement> processMeasurements();
std::vector<Measurement> mqbrokerMeasurements();
std::vector<Measurement> codecMeasurements();
std::vector<Measurement> tcpMeasurements();
/// `namesrv`: of an Apache RocketMQ with nothing in its store.
std::vector<Measurement> apacheMeasurements(const std::string& namesrv);

using Clock = std::chrono::steady_clock;
inline double microsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}
/// The q-quantile (0..1); reorders `samples`.
inline double quantile(std::vector<double>& samples, double q) {
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(samples.size() - 1));
  std::nth_element(samples.begin(), samples.begin() + at, samples.end());
  return samples[static_cast<std::size_t>(at)];
}
/// "LEAST to MOST" with so many decimals; reorders `samples`.
std::string span(std::vector<double>& samples, int decimals);
/// Binds the process (threads started later too) to one processor. False: the system refuses.
bool pinToOneCore();
int cores();
/// Microseconds from waking a thread on another processor until it runs: median of many.
double crossCoreWakeMicros();

/// What a Result holds, or the end of the measurement with its error.
[[noreturn]] void fail(const std::string& what);
template <class R>
auto must(R result, const char* what) {
  if (!result) fail(std::string(what) + ": " + result.error().message());
  return std::move(result).value();
}

}  // namespace mqbench
