#include "mock_broker/control/rule_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace mqclient::control {
namespace {

using ::testing::HasSubstr;

struct Rule {
  Match match{};
  std::optional<FaultAction> action{};
};
Result<Rule> read(std::string_view text) {
  Rule rule;
  FieldReader reader(text);
  auto read = reader.read({matchField("match", rule.match), actionField("action", rule.action)});
  return read ? Result<Rule>(std::move(rule)) : read.error();
}
std::string complaint(std::string_view text) {
  const auto rule = read(text);
  return rule ? "it was accepted" : rule.error().message();
}

TEST(RuleFields, EveryConditionOfAMatch) {
  const Match match = read(R"({"match": {"code": "SEND_MESSAGE_V2", "topic": "orders", "group": "g", "node": "broker-a",
      "clientId": "c", "queueId": 3, "role": "broker", "connection": 7, "direction": "fromNode", "nth": 2,
      "probability": 0.25, "fromMs": 10, "untilMs": 20}})")
                          .value()
                          .match;
  EXPECT_EQ(match.code, RequestCode::SEND_MESSAGE_V2);
  EXPECT_EQ(match.topic, "orders");
  EXPECT_EQ(match.group, "g");
  EXPECT_EQ(match.node, "broker-a");
  EXPECT_EQ(match.clientId, "c");
  EXPECT_EQ(match.queueId, 3);
  EXPECT_EQ(match.role, NodeRole::kBroker);
  EXPECT_EQ(match.connection, 7u);
  EXPECT_EQ(match.direction, FrameDirection::kFromNode);
  EXPECT_EQ(match.nth, 2);
  EXPECT_EQ(match.probability, 0.25);
  EXPECT_EQ(match.from.count(), 10);
  EXPECT_EQ(match.until.count(), 20);
  EXPECT_EQ(read(R"({"match": {"code": 200050}})").value().match.code, RequestCode::POP_MESSAGE);
  EXPECT_EQ(read(R"({"match": {"code": 4711}})").value().match.code, static_cast<RequestCode>(4711));
}

TEST(RuleFields, WhatIsLeftOutIsAsInMatch) {
  const Match match = read("").value().match;
  EXPECT_FALSE(match.code || match.queueId || match.role || match.connection || match.direction);
  EXPECT_EQ(match.probability, 1);
  EXPECT_EQ(match.until, Match{}.until);
}

TEST(RuleFields, EveryVerbWithWhatItCounts) {
  for (int v = 0; v <= static_cast<int>(FaultVerb::kRefuse); ++v) {
    const auto verb = static_cast<FaultVerb>(v);
    const std::string name = toString(verb);
    std::string written;
    for (const char* rest :
         {"", R"(,"ms":5)", R"(,"bytes":5)", R"(,"bytesPerSecond":5)", R"(,"bits":5)", R"(,"code":5)"}) {
      const auto rule = read(R"({"action":{"verb":")" + name + '"' + rest + "}}");
      if (!rule) continue;
      EXPECT_EQ(written, "") << name << " takes one form only, beside" << rest;
      written = name + rest;
      EXPECT_EQ(rule->action->verb(), verb);
      if (verb != FaultVerb::kReply) {
        EXPECT_EQ(rule->action->amount(), *rest == '\0' ? 0 : 5) << name;
      }
    }
    EXPECT_NE(written, "") << name << " is taken in no form";
  }
  const FaultAction reply = *read(R"({"action":{"verb":"reply","code":"SYSTEM_BUSY","remark":"full"}})").value().action;
  EXPECT_EQ(reply.responseCode(), ResponseCode::SYSTEM_BUSY);
  EXPECT_EQ(reply.remark(), "full");
}

TEST(RuleFields, WhatIsWrongIsNamedByItsPlace) {
  const auto expect = [](const char* text, const char* why) { EXPECT_THAT(complaint(text), HasSubstr(why)) << text; };
  expect(R"({"match": {"tpic": "x"}})", "match.tpic is not known here; there are: code, topic,");
  expect(R"({"mtch": {}})", "mtch is not known here; there are: match, action");
  expect(R"({"match": []})", "match is wrong: expected an object");
  expect(R"({"match": {"topic": 1}})", "match.topic is wrong: expected text");
  expect(R"({"match": {"code": "SEND"}})", "match.code is wrong: expected a code's number, or its name");
  expect(R"({"match": {"code": "UNKNOWN"}})", "match.code is wrong");
  expect(R"({"match": {"code": 4294967296}})", "match.code is wrong: expected a number from");
  expect(R"({"match": {"queueId": -1}})", "match.queueId is wrong: expected a number from 0");
  expect(R"({"match": {"nth": "1"}})", "match.nth is wrong: expected a number");
  expect(R"({"match": {"role": "x"}})", "match.role is wrong: expected nameserver or broker");
  expect(R"({"match": {"direction": "x"}})", "match.direction is wrong: expected toNode or fromNode");
  expect(R"({"match": {"probability": "x"}})", "match.probability is wrong: expected a number");
  expect(R"({"action": {}})", "action.verb is missing");
  expect(R"({"action": {"verb": "drip"}})", "action is wrong: expected a verb of: reply, delayBefore");
  expect(R"({"action": {"verb": "drop", "ms": 1}})", "action is wrong: expected drop without ms");
  expect(R"({"action": {"verb": "delayBefore"}})", "action is wrong: expected delayBefore with ms");
  expect(R"({"action": {"verb": "reply"}})", "action is wrong: expected reply with a code");
  expect(R"({"action": {"verb": "drop", "remark": "x"}})",
         "action is wrong: expected code and remark with reply alone");
  expect(R"({"action": {"verb": "cutAfter", "bytes": 1, "bits": 1}})",
         "action.bits is wrong: expected no other amount");
  expect("[]", "the body is wrong: expected an object");
  expect("{} {}", "the body: something follows the value");
  expect(R"({"match": {"topic": "x)", "match.topic");
}

}  // namespace
}  // namespace mqclient::control
