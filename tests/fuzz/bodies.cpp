// JSON bodies in fastjson's dialect, and the compressed registration: one byte chooses, then the text.
#include <array>
#include <tuple>
#include <type_traits>

#include "protocol/remoting_command.h"
#include "tests/fuzz/body_types.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {
namespace {

constexpr std::size_t kRegistrationMax = 256u << 10;

template <class Body>
void checkRewritten(const Body& body, const std::string& text) {
  const auto again = Body::decode(text);
  demand(again.has_value(), "a body can be written and read again");
  demand(*again == body, "a body reads the same once written");
  demand(again->encode() == body.encode(), "and is written the same");
}

template <class Body>
void check(std::string_view text) {
  const auto body = Body::decode(text);
  if (!body) {
    demand(body.error().code() == ErrorCode::kCorrupt, "what cannot be read is corrupt");
    return;
  }
  checkRewritten(*body, body->encode());
  if constexpr (std::is_same_v<Body, protocol::TopicRouteData>) {
    checkRewritten(*body, body->encode(protocol::JsonDialect::kFastjsonBareKeys));
  } else if constexpr (std::is_same_v<Body, protocol::ResetOffsetBody>) {
    checkRewritten(*body, body->encode(protocol::ResetOffsetShape::kArrayForCpp));
  } else if constexpr (std::is_same_v<Body, protocol::HeartbeatData>) {
    (void)body->computeFingerprint();
  }
}

void checkCompressed(std::string_view zlib) {
  for (const int version : {protocol::version::V3_0_11, protocol::kVersion}) {
    const auto body = protocol::RegisterBrokerBody::decodeCompressed(zlib, version, kRegistrationMax);
    if (body) {
      checkRewritten(*body, body->encode());
    } else {
      demand(body.error().code() == ErrorCode::kCorrupt, "what cannot be read is corrupt");
    }
  }
}

template <class... Body>
constexpr auto checksOf(std::type_identity<std::tuple<Body...>>) {
  return std::array{&checkCompressed, &check<Body>...};
}
constexpr auto kChecks = checksOf(std::type_identity<BodyTypes>());

void run(Input& input) {
  const std::size_t which = input.choice(kChecks.size());
  kChecks[which](input.rest());
}

const Registration kTarget("bodies", run);

}  // namespace
}  // namespace mqclient::fuzz
