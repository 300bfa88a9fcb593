#include <gtest/gtest.h>

#include "protocol/headers/client.h"
#include "protocol/headers/namesrv.h"
#include "protocol/headers/offset.h"
#include "protocol/remoting_command.h"
#include "tests/protocol/any_header.h"

namespace mqclient::protocol {
namespace {

using test::AnyHeader;
using test::HeaderType;
using test::Which;

class EveryHeader : public ::testing::TestWithParam<HeaderType> {
 protected:
  static Result<RemotingCommand> sent(const AnyHeader& header, SerializeType type = SerializeType::ROCKETMQ) {
    return decodeFrame(GetParam().encodeRequest({.code = RequestCode::HEART_BEAT, .type = type}, header));
  }
};
INSTANTIATE_TEST_SUITE_P(Headers, EveryHeader, ::testing::ValuesIn(test::headerTypes()),
                         [](const auto& header) { return std::string(header.param.name); });

TEST_P(EveryHeader, ComesBackFromBothFormats) {
  for (const auto type : {SerializeType::JSON, SerializeType::ROCKETMQ}) {
    for (const auto which : {Which::kAll, Which::kRequired}) {
      const auto header = GetParam().filled(which);
      const auto c = sent(header, type);
      ASSERT_TRUE(c) << c.error();
      const auto back = GetParam().decode(c->ext);
      ASSERT_TRUE(back) << back.error();
      EXPECT_TRUE(GetParam().equal(*back, header));
    }
  }
}

TEST_P(EveryHeader, OrderDoesNotMatterAndStrangersAreIgnored) {
  const auto header = GetParam().filled(Which::kAll);
  const auto c = sent(header);
  std::vector<ExtFields::Entry> entries(c->ext.begin(), c->ext.end());
  ExtFields reversed;
  reversed.add("ReqT", "0");
  for (auto it = entries.rbegin(); it != entries.rend(); ++it) reversed.add(it->key, it->value);
  reversed.add("", "nobody");
  EXPECT_TRUE(GetParam().equal(GetParam().decode(reversed).value(), header));
}

TEST_P(EveryHeader, EveryMissingRequiredFieldIsNamed) {
  const auto c = sent(GetParam().filled(Which::kAll));
  for (const auto& field : GetParam().fields) {
    ExtFields rest;
    for (const auto& e : c->ext) {
      if (e.key != field.name) rest.add(e.key, e.value);
    }
    const auto h = GetParam().decode(rest);
    ASSERT_EQ(h.has_value(), !field.required) << field.name;
    if (h) continue;
    EXPECT_EQ(h.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(h.error().message().find(std::string(GetParam().name)), std::string::npos);
    EXPECT_NE(h.error().message().find("'" + std::string(field.name) + "'"), std::string::npos) << h.error().message();
  }
}

TEST_P(EveryHeader, WhatIsNoNumberIsRefused) {
  const auto c = sent(GetParam().filled(Which::kAll));
  for (const auto& field : GetParam().fields) {
    for (const char* text : {"ten", "1x", " 1", "0x10", "1.5", "99999999999999999999", "-"}) {
      ExtFields changed = c->ext;
      changed.set(field.name, text);
      EXPECT_EQ(GetParam().decode(changed).has_value(), !field.number) << field.name << '=' << text;
    }
  }
}

TEST(Headers, NumbersAndTruthsAsJavaReadsThem) {
  ExtFields ext;
  ext.add("topic", "T");
  ext.add("queueId", "+3");
  EXPECT_EQ(decodeHeader<GetMinOffsetRequestHeader>(ext)->queueId, 3);
  ext.set("queueId", "2147483648");
  EXPECT_FALSE(decodeHeader<GetMinOffsetRequestHeader>(ext));
  ext.set("queueId", "");
  EXPECT_FALSE(decodeHeader<GetMinOffsetRequestHeader>(ext)) << "empty is Java's null";
  const auto committed = [](std::string_view text) {
    ExtFields e;
    e.add("topic", "T");
    e.add("queueId", "0");
    e.add("committed", text);
    return *decodeHeader<GetMaxOffsetRequestHeader>(e)->committed;
  };
  EXPECT_TRUE(committed("true"));
  EXPECT_TRUE(committed("TRUE"));
  EXPECT_FALSE(committed("false"));
  EXPECT_FALSE(committed("yes"));
  EXPECT_FALSE(committed(""));
}

TEST(Headers, NumbersOfEveryLength) {
  const auto read = [](std::string_view text) {
    std::int64_t value = -1;
    return detail::parseValue(text, value) ? std::optional(value) : std::nullopt;
  };
  const std::string digits = "1234567890123456789";
  for (std::size_t n = 1; n <= digits.size(); ++n) {
    const std::string text = digits.substr(digits.size() - n);
    EXPECT_EQ(read(text), std::stoll(text));
    EXPECT_EQ(read("-" + text), -std::stoll(text));
    for (std::size_t i = 0; i < n; ++i) {
      for (const char wrong : {'/', ':', ' ', '\0', 'a', '\xF0', '\xFA'}) {
        std::string bad = text;
        bad[i] = wrong;
        EXPECT_FALSE(read(bad)) << bad;
      }
    }
  }
  EXPECT_EQ(read("9223372036854775807"), INT64_MAX);
  EXPECT_FALSE(read("9223372036854775808"));
  EXPECT_EQ(read("00000000000000000000012"), 12);
}

TEST(Headers, OptionalFieldsThatAreNotSetAreNotSent) {
  GetRouteInfoRequestHeader h;
  h.topic = "T";
  const auto c = decodeFrame(encodeRequest({.code = RequestCode::GET_ROUTEINFO_BY_TOPIC}, h));
  EXPECT_EQ(c->ext.size(), 1u);
}

TEST(Headers, JsonAlwaysHasExtFieldsWhenThereIsAHeader) {
  const auto text =
      encodeRequest({.code = RequestCode::LOCK_BATCH_MQ, .type = SerializeType::JSON}, LockBatchMqRequestHeader{})
          .toString();
  EXPECT_NE(text.find("\"extFields\":{}"), std::string::npos) << text;
}

TEST(Headers, AReceivedValueIsShownCutAndPrintable) {
  ExtFields ext;
  ext.add("topic", "T");
  ext.add("queueId", std::string(1000, '\x07'));
  const std::string message = decodeHeader<GetMinOffsetRequestHeader>(ext).error().message();
  EXPECT_LT(message.size(), 200u);
  EXPECT_EQ(message.find('\x07'), std::string::npos);
}

}  // namespace
}  // namespace mqclient::protocol
