#include "tests/fuzz/target.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace mqclient::fuzz {

namespace {

/// Longest slice of chop(), by the number of its low bits.
constexpr unsigned kChopBits = 9;

std::vector<Target>& registered() {
  static std::vector<Target> all;
  return all;
}

}  // namespace

std::uint8_t Input::byte() noexcept {
  const std::string_view one = take(1);
  return one.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(one[0]);
}

std::uint16_t Input::be16() noexcept {
  const unsigned high = byte();
  return static_cast<std::uint16_t>(high << 8 | byte());
}

std::uint32_t Input::be32() noexcept {
  const std::uint32_t high = be16();
  return high << 16 | be16();
}

std::uint64_t Input::be64() noexcept {
  const std::uint64_t high = be32();
  return high << 32 | be32();
}

std::string_view Input::take(std::size_t size) noexcept {
  const std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(taken.size());
  return taken;
}

std::string_view Input::takeUntil(char end) noexcept {
  const std::size_t at = rest_.find(end);
  const std::string_view taken = take(at);
  if (at != std::string_view::npos) rest_.remove_prefix(1);
  return taken;
}

Registration::Registration(std::string_view name, void (*run)(Input& input)) {
  registered().push_back({name, run});
}

const std::vector<Target>& targets() {
  return registered();
}

void demand(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "the target demands: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

base::Chain chop(std::string_view text, std::uint8_t sizes) {
  if (sizes == 0) return base::Chain(base::Slice::copyOf(text));
  base::Chain chain;
  std::uint32_t chance = sizes;
  const std::uint32_t longest = 1u << (sizes % kChopBits);
  while (!text.empty()) {
    chance = chance * 1'664'525u + 1'013'904'223u;  // Numerical Recipes' generator
    const std::size_t size = std::min<std::size_t>(text.size(), (chance >> 16) % longest + 1);
    chain.append(base::Slice::copyOf(text.substr(0, size)));
    text.remove_prefix(size);
  }
  return chain;
}

}  // namespace mqclient::fuzz
