// The typed header of every request and answer: one byte chooses it, then lines of name=value.
#include <algorithm>

#include "tests/fuzz/target.h"
#include "tests/protocol/any_header.h"

namespace mqclient::fuzz {
namespace {

using protocol::ExtFields;
using protocol::SerializeType;
using protocol::test::AnyHeader;
using protocol::test::HeaderType;

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

void checkRewritten(const HeaderType& type, const AnyHeader& header, SerializeType format) {
  const auto command =
      protocol::decodeFrame(type.encodeRequest({.code = RequestCode::HEART_BEAT, .type = format}, header));
  demand(command.has_value(), "a header can be written");
  const auto again = type.decode(command->ext);
  demand(again.has_value() && type.equal(*again, header), "a header reads the same once written");
}

void run(Input& input) {
  const auto types = protocol::test::headerTypes();
  const HeaderType& type = types[input.choice(types.size())];
  const Fields fields = readLines(input);
  const auto header = type.decode(fields.ext);
  const auto slowly = type.decode(behindUnknown(fields.ext));
  demand(header.has_value() == slowly.has_value(), "fields of no meaning decide nothing");
  if (!header) {
    demand(header.error().code() == ErrorCode::kInvalidArgument, "what is wrong with a header is said");
    return;
  }
  demand(type.equal(*header, *slowly), "both ways of reading read the same");
  if (fields.some_empty) return;
  for (const SerializeType format : {SerializeType::ROCKETMQ, SerializeType::JSON}) {
    checkRewritten(type, *header, format);
  }
}

const Registration kTarget("custom_headers", run);

}  // namespace
}  // namespace mqclient::fuzz
