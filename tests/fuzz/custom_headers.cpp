// The typed header of every request and answer: one byte chooses it, then lines of name=value.
#include <algorithm>
#include <array>
#include <tuple>
#include <type_traits>

#include "tests/fuzz/header_types.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {
namespace {

using protocol::ExtFields;
using protocol::SerializeType;

constexpr std::size_t kKeyMax = 32'767;

struct Fields {
  ExtFields ext{};
  bool some_empty = false;  // an empty value is not sent: Java reads it as null
};

Fields readLines(Input& input) {
  Fields out;
  while (!input.empty()) {
    const std::string_view line = input.takeUntil('\n');
    const std::size_t middle = line.find('=');
    const std::string_view value = middle == std::string_view::npos ? std::string_view() : line.substr(middle + 1);
    out.some_empty = out.some_empty || value.empty();
    out.ext.add(line.substr(0, std::min(middle, kKeyMax)), value);
  }
  return out;
}

/// The same fields behind one that no header has: the way through the table instead of the quick one.
ExtFields behindUnknown(const ExtFields& ext) {
  ExtFields out;
  out.add("unknown to every header", "x");
  for (const auto& e : ext) out.add(e.key, e.value);
  return out;
}

template <class Header>
void checkRewritten(const Header& header, SerializeType type) {
  const auto command =
      protocol::decodeFrame(protocol::encodeRequest({.code = RequestCode::HEART_BEAT, .type = type}, header));
  demand(command.has_value(), "a header can be written");
  const auto again = protocol::decodeHeader<Header>(command->ext);
  demand(again.has_value() && *again == header, "a header reads the same once written");
}

template <class Header>
void check(const Fields& fields) {
  const auto header = protocol::decodeHeader<Header>(fields.ext);
  const ExtFields other = behindUnknown(fields.ext);
  const auto slowly = protocol::decodeHeader<Header>(other);
  demand(header.has_value() == slowly.has_value(), "fields of no meaning decide nothing");
  if (!header) {
    demand(header.error().code() == ErrorCode::kInvalidArgument, "what is wrong with a header is said");
    return;
  }
  demand(*header == *slowly, "both ways of reading read the same");
  if (fields.some_empty) return;
  for (const SerializeType type : {SerializeType::ROCKETMQ, SerializeType::JSON}) checkRewritten(*header, type);
}

template <class... Header>
constexpr auto checksOf(std::type_identity<std::tuple<Header...>>) {
  return std::array{&check<Header>...};
}
constexpr auto kChecks = checksOf(std::type_identity<HeaderTypes>());

void run(Input& input) {
  const std::size_t which = input.choice(kChecks.size());
  kChecks[which](readLines(input));
}

const Registration kTarget("custom_headers", run);

}  // namespace
}  // namespace mqclient::fuzz
