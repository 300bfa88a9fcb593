// The properties of a message: a name behind its length, then the text.
#include <algorithm>

#include "protocol/properties.h"
#include "tests/fuzz/naive.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {
namespace {

void run(Input& input) {
  const std::string_view name = input.text();
  const std::string_view text = input.rest();
  const std::map<std::string, std::string> expected = naive::properties(text);
  const std::map<std::string, std::string> read = protocol::parseProperties(text);
  demand(read == expected, "the naive reader reads the same");
  for (const auto& [key, value] : expected) {
    demand(protocol::PropertiesView(text).find(key) == value, "the last of equal names is found");
  }
  demand(protocol::parseProperties(protocol::formatProperties(read)) == read, "properties read the same once written");

  std::string block(text);
  protocol::removeProperty(block, name);
  demand(name.empty() || !protocol::PropertiesView(block).find(name), "what was removed is gone");
  if (name.empty() || !protocol::isPropertyText(name)) return;
  protocol::setProperty(block, name, "value");
  demand(protocol::PropertiesView(block).find(name) == "value", "what was set is there");
  auto changed = expected;
  changed.insert_or_assign(std::string(name), "value");
  demand(protocol::parseProperties(block) == changed, "and everything else as it was");
}

const Registration kTarget("properties", run);

}  // namespace
}  // namespace mqclient::fuzz
