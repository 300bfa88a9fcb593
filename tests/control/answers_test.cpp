#include "mock_broker/control/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace mqclient::control {
namespace {

using ::testing::HasSubstr;
using namespace std::string_literals;

TEST(Base64, IsThatOfRfc4648) {
  const char* const kTable[][2] = {{"", ""},
                                   {"f", "Zg=="},
                                   {"fo", "Zm8="},
                                   {"foo", "Zm9v"},
                                   {"foob", "Zm9vYg=="},
                                   {"fooba", "Zm9vYmE="},
                                   {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : kTable) EXPECT_EQ(base64(bytes), text);
  EXPECT_EQ(base64("\xff\xfe\xfd\0"s), "//79AA==");
}

TEST(Utf8, IsWhatJsonMayCarry) {
  for (const std::string& text :
       {""s, "a"s, "\xc3\xa9"s, "\xe2\x82\xac"s, "\xed\x9f\xbf"s, "\xf0\x9f\x98\x80"s, "\xf4\x8f\xbf\xbf"s, "a\0b"s}) {
    EXPECT_TRUE(isUtf8(text)) << text;
  }
  for (const std::string& bytes : {"\x80"s, "\xc3"s, "\xc0\x80"s, "\xe0\x80\x80"s, "\xed\xa0\x80"s, "\xe2\x82"s,
                                   "\xe2\x82x"s, "\xf0\x80\x80\x80"s, "\xf4\x90\x80\x80"s, "\xff"s}) {
    EXPECT_FALSE(isUtf8(bytes)) << base64(bytes);
  }
}

TEST(AnswerObject, BytesThatAreNoTextStandUnderANameThatSaysSo) {
  std::string text;
  protocol::JsonWriter json(text);
  {
    AnswerObject object(json);
    object.text("body", "h\xc3\xa9");
    object.text("body", "\xff");
  }
  EXPECT_EQ(text, "{\"body\":\"h\xc3\xa9\",\"bodyBase64\":\"/w==\"}");
}

TEST(Answers, AStoredMessageShowsItsPropertiesByName) {
  broker::StoredMessage message;
  message.topic = "orders";
  message.queueId = 2;
  message.queueOffset = 5;
  message.properties =
      "KEYS\001"
      "42\002UNIQ_KEY\001ab\002";
  message.body = "hello";
  std::string text;
  protocol::JsonWriter json(text);
  write(json, message);
  EXPECT_THAT(text, HasSubstr(R"("topic":"orders","queueId":2,"queueOffset":5)"));
  EXPECT_THAT(text, HasSubstr(R"("properties":{"KEYS":"42","UNIQ_KEY":"ab"},"body":"hello")"));
}

}  // namespace
}  // namespace mqclient::control
