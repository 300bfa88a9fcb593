#include <gtest/gtest.h>

#include <sstream>

#include "mqclient/codes.h"
#include "protocol/limits.h"
#include "protocol/names.h"
#include "protocol/subscription.h"

namespace mqclient::protocol {
namespace {

TEST(Names, LengthLimits) {
  const auto topic = [](std::size_t n, std::string_view prefix = "") {
    return std::string(prefix) + std::string(n - prefix.size(), 'a');
  };
  EXPECT_TRUE(validateTopic(topic(1)));
  EXPECT_TRUE(validateTopic(topic(126)));
  EXPECT_TRUE(validateTopic(topic(127)));
  EXPECT_FALSE(validateTopic(topic(128)));
  for (const std::string_view prefix : {kRetryGroupTopicPrefix, kDlqGroupTopicPrefix}) {
    EXPECT_TRUE(validateTopic(topic(254, prefix)));
    EXPECT_TRUE(validateTopic(topic(255, prefix)));
    EXPECT_FALSE(validateTopic(topic(256, prefix)));
  }
  EXPECT_TRUE(validateGroup(topic(119)));
  EXPECT_TRUE(validateGroup(topic(120)));
  EXPECT_FALSE(validateGroup(topic(121)));
}

TEST(Names, Alphabet) {
  for (const char* name : {"TopicTest", "a-b_c|d%e", "%RETRY%CG", "0"}) EXPECT_TRUE(validateTopic(name)) << name;
  for (const char* name : {"", " ", "\t", "a b", "a+b", "a.b", "a/b", "\xC3\xA9", "a\nb", "topic "}) {
    const auto r = validateTopic(name);
    ASSERT_FALSE(r) << name;
    EXPECT_EQ(r.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(r.error().message().find('\n'), std::string::npos);
  }
  EXPECT_NE(complaintAboutTopic("a b")->find("position 1"), std::string::npos);
}

TEST(Names, SystemNames) {
  for (const char* name : {"TBW102", "SELF_TEST_TOPIC", "BenchmarkTest", "SCHEDULE_TOPIC_XXXX", "OFFSET_MOVED_EVENT",
                           "RMQ_SYS_TRACE_TOPIC", "RMQ_SYS_TRANS_HALF_TOPIC", "rmq_sys_anything"}) {
    EXPECT_TRUE(isSystemTopic(name)) << name;
  }
  EXPECT_FALSE(isSystemTopic("TopicTest"));
  EXPECT_FALSE(isSystemTopic("%RETRY%CG"));
  EXPECT_TRUE(isNotAllowedSendTopic("SCHEDULE_TOPIC_XXXX"));
  EXPECT_FALSE(isNotAllowedSendTopic("TBW102"));
  EXPECT_TRUE(isSystemGroup("CID_RMQ_SYS_TRANS"));
  EXPECT_TRUE(isSystemGroup("TOOLS_CONSUMER"));
  EXPECT_FALSE(isSystemGroup("CG"));
  EXPECT_TRUE(isDefaultGroup("DEFAULT_PRODUCER"));
  EXPECT_EQ(retryTopic("CG"), "%RETRY%CG");
  EXPECT_EQ(dlqTopic("CG"), "%DLQ%CG");
  EXPECT_TRUE(isRetryTopic("%RETRY%CG"));
  EXPECT_TRUE(isDlqTopic("%DLQ%CG"));
}

TEST(Names, ReservedProperties) {
  for (const char* name : {"KEYS", "TAGS", "WAIT", "UNIQ_KEY", "DELAY", "__CRC32#", "1ST_POP_TIME"}) {
    EXPECT_TRUE(isReservedProperty(name)) << name;
  }
  EXPECT_FALSE(isReservedProperty("colour"));
  EXPECT_FALSE(isReservedProperty("keys"));
  EXPECT_FALSE(isReservedProperty(""));
}

TEST(Names, Namespaces) {
  EXPECT_EQ(wrapNamespace("MQ_INST_1", "TopicTest"), "MQ_INST_1%TopicTest");
  EXPECT_EQ(wrapNamespace("MQ_INST_1", "%RETRY%CG"), "%RETRY%MQ_INST_1%CG");
  EXPECT_EQ(wrapNamespace("MQ_INST_1", "MQ_INST_1%TopicTest"), "MQ_INST_1%TopicTest");
  EXPECT_EQ(wrapNamespace("MQ_INST_1", "TBW102"), "TBW102");
  EXPECT_EQ(wrapNamespace("", "TopicTest"), "TopicTest");
  EXPECT_EQ(withoutNamespace("%RETRY%MQ_INST_1%CG", "MQ_INST_1"), "%RETRY%CG");
  EXPECT_EQ(withoutNamespace("MQ_INST_1%TopicTest", "MQ_INST_1"), "TopicTest");
  EXPECT_EQ(withoutNamespace("OTHER%TopicTest", "MQ_INST_1"), "OTHER%TopicTest");
}

TEST(Names, Permissions) {
  EXPECT_TRUE(isReadable(6));
  EXPECT_TRUE(isWriteable(6));
  EXPECT_FALSE(isInherited(6));
  EXPECT_FALSE(isWriteable(4));
  EXPECT_TRUE(isInherited(7));
}

TEST(Codes, HaveTheirNames) {
  std::ostringstream out;
  out << RequestCode::SEND_MESSAGE_V2 << ' ' << ResponseCode::SYSTEM_BUSY << ' ' << static_cast<RequestCode>(9999);
  EXPECT_EQ(out.str(), "SEND_MESSAGE_V2(310) SYSTEM_BUSY(2) UNKNOWN(9999)");
}

TEST(Subscription, Expressions) {
  for (const char* all : {"", "*"}) {
    const auto s = buildSubscriptionData("T", all, 5);
    ASSERT_TRUE(s);
    EXPECT_EQ(s->subString, "*");
    EXPECT_TRUE(s->tagsSet.empty());
    EXPECT_TRUE(s->codeSet.empty());
    EXPECT_EQ(s->subVersion, 5);
    EXPECT_TRUE(matchesTag(*s, ""));
    EXPECT_TRUE(matchesTagsCode(*s, 77));
  }
  const auto s = buildSubscriptionData("T", " TagA||TagB || TagA|| ", 5);
  ASSERT_TRUE(s);
  EXPECT_EQ(s->tagsSet, (std::vector<std::string>{"TagA", "TagB"}));
  EXPECT_EQ(s->codeSet, (std::vector<std::int32_t>{2598919, 2598920}));
  EXPECT_EQ(s->expressionType, "TAG");
  EXPECT_TRUE(isTagType(*s));
  EXPECT_TRUE(matchesTag(*s, "TagB"));
  EXPECT_FALSE(matchesTag(*s, "TagC"));
  EXPECT_FALSE(matchesTag(*s, ""));
  EXPECT_TRUE(matchesTagsCode(*s, 2598919));
  EXPECT_FALSE(matchesTagsCode(*s, 0));
  EXPECT_FALSE(buildSubscriptionData("T", "||", 5));
}

/// As of hostile JSON: a size at which comparing each tag with all before it would run for minutes.
TEST(Subscription, ExpressionsOfManyTagsTakeNoTime) {
  constexpr int kTags = 1 << 18;
  std::string expression;
  for (int i = 0; i < kTags; ++i) expression += std::to_string(i) + "||";
  const auto s = buildSubscriptionData("T", expression, 1);
  ASSERT_TRUE(s);
  EXPECT_EQ(s->tagsSet.size(), std::size_t{kTags});
}

TEST(Subscription, HashesMayCollideTextsDoNot) {
  const auto s = buildSubscriptionData("T", "Aa", 1);  // "Aa" and "BB" have one hash
  EXPECT_TRUE(matchesTagsCode(*s, 2112));
  EXPECT_FALSE(matchesTag(*s, "BB"));
}

}  // namespace
}  // namespace mqclient::protocol
