#include "mock_broker/control/rule_fields.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <string>

#include "mqclient/codes.h"

namespace mqclient::control {

namespace {

using Kind = protocol::JsonReader::Kind;
using Millis = std::chrono::milliseconds;

constexpr std::int64_t kIntMax = std::numeric_limits<int>::max();
/// A month: what is longer is a mistake, and would overflow in nanoseconds.
constexpr std::int64_t kMillisMax = 31LL * 24 * 3'600 * 1'000;
/// Numbers of codes that have names lie below.
constexpr int kCodesEnd = 1 << 18;

/// A code by number, or by RocketMQ's name for it.
template <class Code>
bool takeCode(FieldReader& reader, std::optional<Code>& to) {
  constexpr const char* kExpected = "a code's number, or its name as RocketMQ writes it";
  if (reader.peek() == Kind::kNumber) {
    std::int64_t number = 0;
    if (!reader.number(number, -kIntMax, kIntMax)) return false;
    to = static_cast<Code>(number);
    return true;
  }
  std::string name;
  if (reader.peek() != Kind::kString || !reader.text(name)) return reader.wrong(kExpected);
  const std::string_view nameless = toString(static_cast<Code>(kCodesEnd));
  for (int number = -kCodesEnd; name != nameless && number < kCodesEnd; ++number) {
    if (toString(static_cast<Code>(number)) != name) continue;
    to = static_cast<Code>(number);
    return true;
  }
  return reader.wrong(kExpected);
}

template <class Code>
Field codeField(std::string_view name, std::optional<Code>& to) {
  return {name, [&to](FieldReader& reader) { return takeCode(reader, to); }};
}

template <class Value>
struct Named {
  std::string_view name;
  Value value;
};
constexpr std::array<Named<NodeRole>, 2> kRoles{{{"nameserver", NodeRole::kNameserver}, {"broker", NodeRole::kBroker}}};
constexpr std::array<Named<FrameDirection>, 2> kDirections{
    {{"toNode", FrameDirection::kToNode}, {"fromNode", FrameDirection::kFromNode}}};

template <class Value>
Field choiceField(std::string_view name, std::optional<Value>& to, const std::array<Named<Value>, 2>& choices) {
  return {name, [&to, &choices](FieldReader& reader) {
            std::string text;
            if (!reader.text(text)) return false;
            const auto found = std::ranges::find(choices, text, &Named<Value>::name);
            if (found == choices.end()) {
              return reader.wrong(std::string(choices[0].name) + " or " + std::string(choices[1].name));
            }
            to = found->value;
            return true;
          }};
}

bool takeMatch(FieldReader& reader, Match& to) {
  return reader.object({
      codeField("code", to.code),
      textField("topic", to.topic),
      textField("group", to.group),
      textField("node", to.node),
      textField("clientId", to.clientId),
      numberField("queueId", to.queueId, 0, kIntMax),
      choiceField("role", to.role, kRoles),
      numberField("connection", to.connection, 1, std::numeric_limits<std::int64_t>::max()),
      choiceField("direction", to.direction, kDirections),
      numberField("nth", to.nth, 0, kIntMax),
      {"probability", [&to](FieldReader& r) { return r.fraction(to.probability); }},
      numberField("fromMs", to.from, 0, kMillisMax),
      numberField("untilMs", to.until, 0, kMillisMax),
  });
}

/// What an action counts, and the name that has here; empty: nothing.
struct Verb {
  FaultVerb verb;
  std::string_view counts;
  FaultAction (*make)(std::int64_t amount);
};
const std::array kVerbs{
    Verb{FaultVerb::kDelayBefore, "ms", [](std::int64_t n) { return FaultAction::delayBefore(Millis(n)); }},
    Verb{FaultVerb::kDelayAfter, "ms", [](std::int64_t n) { return FaultAction::delayAfter(Millis(n)); }},
    Verb{FaultVerb::kDrop, "", [](std::int64_t) { return FaultAction::drop(); }},
    Verb{FaultVerb::kApplyThenDropReply, "", [](std::int64_t) { return FaultAction::applyThenDropReply(); }},
    Verb{FaultVerb::kDuplicate, "", [](std::int64_t) { return FaultAction::duplicate(); }},
    Verb{FaultVerb::kReorder, "", [](std::int64_t) { return FaultAction::reorder(); }},
    Verb{FaultVerb::kDisconnectBefore, "", [](std::int64_t) { return FaultAction::disconnectBefore(); }},
    Verb{FaultVerb::kDisconnectAfter, "", [](std::int64_t) { return FaultAction::disconnectAfter(); }},
    Verb{FaultVerb::kReset, "", [](std::int64_t) { return FaultAction::reset(); }},
    Verb{FaultVerb::kFinish, "", [](std::int64_t) { return FaultAction::finish(); }},
    Verb{FaultVerb::kHalfOpen, "", [](std::int64_t) { return FaultAction::halfOpen(); }},
    Verb{FaultVerb::kCutAfter, "bytes",
         [](std::int64_t n) { return FaultAction::cutAfter(static_cast<std::size_t>(n)); }},
    Verb{FaultVerb::kSlices, "bytes", [](std::int64_t n) { return FaultAction::slices(static_cast<std::size_t>(n)); }},
    Verb{FaultVerb::kThrottle, "bytesPerSecond",
         [](std::int64_t n) { return FaultAction::throttle(static_cast<std::size_t>(n)); }},
    Verb{FaultVerb::kFlipBits, "bits", [](std::int64_t n) { return FaultAction::flipBits(static_cast<int>(n)); }},
    Verb{FaultVerb::kGarbage, "", [](std::int64_t) { return FaultAction::garbage(); }},
    Verb{FaultVerb::kOversize, "", [](std::int64_t) { return FaultAction::oversize(); }},
    Verb{FaultVerb::kWrongOpaque, "", [](std::int64_t) { return FaultAction::wrongOpaque(); }},
    Verb{FaultVerb::kWrongCrc, "", [](std::int64_t) { return FaultAction::wrongCrc(); }},
    Verb{FaultVerb::kDecompressionBomb, "", [](std::int64_t) { return FaultAction::decompressionBomb(); }},
    Verb{FaultVerb::kRefuse, "", [](std::int64_t) { return FaultAction::refuse(); }},
};

std::string verbNames() {
  std::string names = toString(FaultVerb::kReply);
  for (const Verb& verb : kVerbs) (names += ", ") += toString(verb.verb);
  return names;
}

/// An action as it was written.
struct Written {
  std::string verb{};
  std::optional<ResponseCode> code{};
  std::string remark{};
  std::string counts{};  ///< the name of the amount that was given
  std::int64_t amount{0};
};

Field amountField(std::string_view name, std::int64_t max, Written& to) {
  return {name, [name, max, &to](FieldReader& reader) {
            if (!to.counts.empty()) return reader.wrong("no other amount beside " + to.counts);
            to.counts = name;
            return reader.number(to.amount, 0, max);
          }};
}

bool takeAction(FieldReader& reader, std::optional<FaultAction>& to) {
  Written written;
  const bool read = reader.object({
      textField("verb", written.verb, Need::kRequired),
      codeField("code", written.code),
      textField("remark", written.remark),
      amountField("ms", kMillisMax, written),
      amountField("bytes", kIntMax, written),
      amountField("bytesPerSecond", kIntMax, written),
      amountField("bits", kIntMax, written),
  });
  if (!read) return false;
  if (written.verb == toString(FaultVerb::kReply)) {
    if (!written.code || !written.counts.empty()) return reader.wrong("reply with a code, and nothing that it counts");
    to = FaultAction::reply(*written.code, written.remark);
    return true;
  }
  const auto verb = std::ranges::find_if(kVerbs, [&](const Verb& one) { return written.verb == toString(one.verb); });
  if (verb == kVerbs.end()) return reader.wrong("a verb of: " + verbNames());
  if (written.counts != verb->counts) {
    return reader.wrong(written.verb +
                        (verb->counts.empty() ? " without " + written.counts : " with " + std::string(verb->counts)));
  }
  if (written.code || !written.remark.empty()) return reader.wrong("code and remark with reply alone");
  to = verb->make(written.amount);
  return true;
}

}  // namespace

Field matchField(std::string_view name, Match& to, Need need) {
  return {name, [&to](FieldReader& reader) { return takeMatch(reader, to); }, need};
}

Field actionField(std::string_view name, std::optional<FaultAction>& to, Need need) {
  return {name, [&to](FieldReader& reader) { return takeAction(reader, to); }, need};
}

}  // namespace mqclient::control
