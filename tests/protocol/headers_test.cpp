#include <gtest/gtest.h>

#include "bytes.h"
#include "protocol/headers/back.h"
#include "protocol/headers/client.h"
#include "protocol/headers/namesrv.h"
#include "protocol/headers/offset.h"
#include "protocol/headers/pull.h"
#include "protocol/headers/query.h"
#include "protocol/headers/relay.h"
#include "protocol/headers/reply.h"
#include "protocol/headers/send.h"
#include "protocol/headers/topic.h"
#include "protocol/headers/transaction.h"
#include "protocol/remoting_command.h"

namespace mqclient::protocol {
namespace {

/// A value for the n-th field: never the initializer, so that a field that is not carried is seen.
void sample(int n, std::string& to) {
  to = "text \"" + std::to_string(n) + "\"\x01\xC3\xA9";
}
void sample(int n, std::int32_t& to) {
  to = n % 2 == 0 ? -1000000000 - n : 2147483647 - n;
}
void sample(int n, std::int64_t& to) {
  to = n % 2 == 0 ? -9000000000000000000 - n : 9223372036854775807 - n;
}
void sample(int, bool& to) {
  to = !to;
}
template <class T>
void sample(int n, std::optional<T>& to) {
  sample(n, to.emplace());
}

enum class Which { kAll, kRequired };

template <class Header>
Header filled(Which which) {
  Header h{};
  int n = 0;
  std::apply(
      [&](const auto&... field) {
        ((++n, (which == Which::kAll || field.need == Need::kRequired) ? sample(n, h.*field.member) : void()), ...);
      },
      Header::fields());
  return h;
}

template <class Header>
class EveryHeader : public ::testing::Test {};
using Headers =
    ::testing::Types<SendMessageRequestHeader, SendMessageRequestHeaderV2, SendMessageResponseHeader,
                     PullMessageRequestHeader, PullMessageResponseHeader, QueryConsumerOffsetRequestHeader,
                     QueryConsumerOffsetResponseHeader, UpdateConsumerOffsetRequestHeader, SearchOffsetRequestHeader,
                     SearchOffsetResponseHeader, GetMaxOffsetRequestHeader, GetMaxOffsetResponseHeader,
                     GetMinOffsetRequestHeader, GetMinOffsetResponseHeader, GetEarliestMsgStoretimeRequestHeader,
                     GetEarliestMsgStoretimeResponseHeader, HeartbeatResponseHeader, UnregisterClientRequestHeader,
                     GetConsumerListByGroupRequestHeader, NotifyConsumerIdsChangedRequestHeader,
                     LockBatchMqRequestHeader, UnlockBatchMqRequestHeader, CreateTopicRequestHeader,
                     RegisterBrokerRequestHeader, RegisterBrokerResponseHeader, UnRegisterBrokerRequestHeader,
                     GetRouteInfoRequestHeader, QueryDataVersionRequestHeader, QueryDataVersionResponseHeader,
                     QueryMessageRequestHeader, QueryMessageResponseHeader, ViewMessageRequestHeader,
                     EndTransactionRequestHeader, CheckTransactionStateRequestHeader, ConsumerSendMsgBackRequestHeader,
                     ResetOffsetRequestHeader, GetConsumerStatusRequestHeader, GetConsumerRunningInfoRequestHeader,
                     ConsumeMessageDirectlyResultRequestHeader, ReplyMessageRequestHeader>;
TYPED_TEST_SUITE(EveryHeader, Headers);

TYPED_TEST(EveryHeader, ComesBackFromBothFormats) {
  for (const auto type : {SerializeType::JSON, SerializeType::ROCKETMQ}) {
    for (const auto which : {Which::kAll, Which::kRequired}) {
      const auto sent = filled<TypeParam>(which);
      const auto c = decodeFrame(encodeRequest({.code = RequestCode::HEART_BEAT, .type = type}, sent));
      ASSERT_TRUE(c) << c.error();
      const auto back = decodeHeader<TypeParam>(c->ext);
      ASSERT_TRUE(back) << back.error();
      EXPECT_EQ(*back, sent);
    }
  }
}

TYPED_TEST(EveryHeader, OrderDoesNotMatterAndStrangersAreIgnored) {
  const auto sent = filled<TypeParam>(Which::kAll);
  const auto c = decodeFrame(encodeRequest({.code = RequestCode::HEART_BEAT}, sent));
  std::vector<ExtFields::Entry> entries(c->ext.begin(), c->ext.end());
  ExtFields reversed;
  reversed.add("ReqT", "0");
  for (auto it = entries.rbegin(); it != entries.rend(); ++it) reversed.add(it->key, it->value);
  reversed.add("", "nobody");
  EXPECT_EQ(decodeHeader<TypeParam>(reversed).value(), sent);
}

TYPED_TEST(EveryHeader, EveryMissingRequiredFieldIsNamed) {
  const auto c = decodeFrame(encodeRequest({.code = RequestCode::HEART_BEAT}, filled<TypeParam>(Which::kAll)));
  std::apply(
      [&](const auto&... field) {
        const auto check = [&](std::string_view name, Need need) {
          ExtFields rest;
          for (const auto& e : c->ext) {
            if (e.key != name) rest.add(e.key, e.value);
          }
          const auto h = decodeHeader<TypeParam>(rest);
          ASSERT_EQ(h.has_value(), need == Need::kOptional) << name;
          if (h) return;
          EXPECT_EQ(h.error().code(), ErrorCode::kInvalidArgument);
          EXPECT_NE(h.error().message().find(std::string(TypeParam::kName)), std::string::npos);
          EXPECT_NE(h.error().message().find("'" + std::string(name) + "'"), std::string::npos) << h.error().message();
        };
        (check(field.name, field.need), ...);
      },
      TypeParam::fields());
}

TYPED_TEST(EveryHeader, WhatIsNoNumberIsRefused) {
  const auto c = decodeFrame(encodeRequest({.code = RequestCode::HEART_BEAT}, filled<TypeParam>(Which::kAll)));
  std::apply(
      [&](const auto&... field) {
        const auto check = [&](std::string_view name, bool number) {
          for (const char* text : {"ten", "1x", " 1", "0x10", "1.5", "99999999999999999999", "-"}) {
            ExtFields changed = c->ext;
            changed.set(name, text);
            EXPECT_EQ(decodeHeader<TypeParam>(changed).has_value(), !number) << name << '=' << text;
          }
        };
        (check(field.name, detail::isNumber<std::remove_cvref_t<decltype(std::declval<TypeParam&>().*field.member)>>()),
         ...);
      },
      TypeParam::fields());
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
