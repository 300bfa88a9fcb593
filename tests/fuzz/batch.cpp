// The body of a client batch.
#include <algorithm>
#include <vector>

#include "protocol/batch.h"
#include "tests/fuzz/naive.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {
namespace {

using protocol::BatchElement;

bool equal(const BatchElement& a, const BatchElement& b) {
  return a.flag == b.flag && std::ranges::equal(a.body, b.body) && a.properties == b.properties;
}

/// The elements up to the first that cannot be read, and whether there is one.
std::pair<std::vector<BatchElement>, bool> read(std::span<const std::byte> bytes) {
  std::vector<BatchElement> out;
  protocol::BatchIterator elements(bytes);
  while (auto element = elements.next()) {
    if (!*element) {
      demand(!elements.next(), "an error ends the walk");
      return {std::move(out), true};
    }
    out.push_back(**element);
  }
  return {std::move(out), false};
}

void run(Input& input) {
  const std::string_view bytes = input.rest();
  const auto [elements, broken] = read(asBytes(bytes));
  const auto [expected, expected_broken] = naive::batch(bytes);
  demand(broken == expected_broken, "what the naive reader reads is read, and nothing else");
  demand(std::ranges::equal(elements, expected, equal), "the naive reader reads the same");
  const base::Slice written = protocol::encodeBatch(elements);
  const auto [again, again_broken] = read(written.bytes());
  demand(!again_broken && std::ranges::equal(elements, again, equal), "a batch reads the same once written");
}

const Registration kTarget("batch", run);

}  // namespace
}  // namespace mqclient::fuzz
