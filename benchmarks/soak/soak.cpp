#include "soak.h"

#include <algorithm>
#include <utility>

namespace mqsoak {

using mqbench::Bound;
using mqbench::Row;

namespace {

constexpr const char* kYesOrNo = "yes/no";

std::string textOf(const Row& figure) {
  if (figure.unit == kYesOrNo) return figure.name + (figure.value != 0 ? " yes" : figure.bound ? " NO" : " no");
  std::string text = figure.name + ' ' + mqbench::number(figure.value);
  if (!figure.unit.empty()) text += ' ' + figure.unit;
  if (!figure.bound) return text;
  const char* sense = figure.bound->sense == Bound::Sense::kAtMost ? " (<= " : " (>= ";
  return text + sense + mqbench::number(figure.bound->must) + (*figure.met() ? ")" : " MISSED)");
}

}  // namespace

Row told(std::string name, double value, std::string unit) {
  return {.name = std::move(name), .value = value, .unit = std::move(unit)};
}

Row atMost(std::string name, double value, double must, std::string unit) {
  return {.name = std::move(name), .value = value, .unit = std::move(unit), .bound = mqbench::atMost(must)};
}

Row atLeast(std::string name, double value, double must, std::string unit) {
  return {.name = std::move(name), .value = value, .unit = std::move(unit), .bound = mqbench::atLeast(must)};
}

Row none(std::string name, double value) {
  return atMost(std::move(name), value, 0);
}

Row says(std::string name, bool is) {
  return told(std::move(name), is ? 1 : 0, kYesOrNo);
}

Row holds(std::string name, bool is) {
  return atLeast(std::move(name), is ? 1 : 0, 1, kYesOrNo);
}

std::string lineOf(const Promise& promise, const std::vector<Row>& figures) {
  std::string line = promise.name;
  line.resize(std::max<std::size_t>(line.size(), 3), ' ');
  line += (allMet(figures) ? " ok      " : " MISSED  ") + promise.text + ": ";
  for (const Row& figure : figures) line += (&figure == figures.data() ? "" : ", ") + textOf(figure);
  return line;
}

bool allMet(const std::vector<Row>& figures) {
  return std::ranges::all_of(figures, [](const Row& figure) { return figure.met().value_or(true); });
}

}  // namespace mqsoak
