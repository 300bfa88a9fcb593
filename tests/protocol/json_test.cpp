#include <gtest/gtest.h>

#include <string>

#include "protocol/body/route.h"
#include "protocol/json.h"

namespace mqclient::protocol {
namespace {

bool valid(std::string_view text) {
  JsonReader r(text);
  return r.skip() && r.atEnd();
}

std::string nested(int depth, char open, char close) {
  return std::string(static_cast<std::size_t>(depth), open) + std::string(static_cast<std::size_t>(depth), close);
}

TEST(Json, TakesFastjsonsDialect) {
  for (const char* text : {"{}", "[]", " { } ", "1", "-1.5e3", "\"x\"", "'x'", "null", "true", "false", R"({"a":1})",
                           "{'a':1}", "{a:1}", "{0:1,1:2}", "{-1:2}", R"({{"b":1}:2})", R"({{"b":{{"c":1}:2}}:[3]})",
                           R"([1,"2",null,{}])", R"("\u00e9\n\/")"}) {
    EXPECT_TRUE(valid(text)) << text;
  }
  for (const char* text :
       {"",    "{",     "}",    "[",   "[1",    "[1,", "[1,]", "{\"a\"}",   "{\"a\":}",          "{\"a\":1,}",
        "{,}", "\"x",   "'x\"", "tru", "truex", "nul", "x",    "{\"a\" 1}", "{\"a\":1 \"b\":2}", "[1 2]",
        "1 2", "{{}:}", "\"\\"}) {
    EXPECT_FALSE(valid(text)) << text;
  }
}

TEST(Json, DepthIsBounded) {
  for (const int depth : {kJsonDepthMax - 1, kJsonDepthMax}) {
    EXPECT_TRUE(valid(nested(depth, '[', ']'))) << depth;
  }
  EXPECT_FALSE(valid(nested(kJsonDepthMax + 1, '[', ']')));
  std::string objects;
  for (int i = 0; i < kJsonDepthMax; ++i) objects += "{\"a\":";
  EXPECT_TRUE(valid(objects + "1" + std::string(kJsonDepthMax, '}')));
  EXPECT_FALSE(valid("[" + objects + "1" + std::string(kJsonDepthMax, '}') + "]"));
  std::string keys(static_cast<std::size_t>(kJsonDepthMax + 1), '{');  // objects as keys nest as well
  EXPECT_FALSE(valid(keys));
  EXPECT_FALSE(valid(std::string(1 << 20, '[')));
  EXPECT_FALSE(valid(std::string(1 << 20, '{')));
}

/// Steps of the reader cannot be counted from outside, so this asks for a size at which a quadratic one would run for
/// many minutes.
TEST(Json, HostileTextsTakeLinearTime) {
  constexpr std::size_t kBytes = 16u << 20;
  std::string text = "{\"unknown\":[";
  while (text.size() < kBytes) text += "\"\\u0041\",{0:[]},{{\"a\":1}:2},";
  text += "0]}";
  EXPECT_TRUE(TopicRouteData::decode(text));
  std::string many_keys = "{\"filterServerTable\":{";
  while (many_keys.size() < kBytes / 4) many_keys += "\"same\":[],";
  many_keys += "\"same\":[]}}";
  const auto route = TopicRouteData::decode(many_keys);
  ASSERT_TRUE(route);
  EXPECT_EQ(route->filterServerTable.size(), 1u);
  EXPECT_FALSE(TopicRouteData::decode("{\"a\":\"" + std::string(kBytes, '\\')));
}

TEST(Json, StringsAreUnescaped) {
  const auto read = [](std::string_view text) {
    JsonReader r(text);
    std::string out;
    EXPECT_TRUE(r.readString(out)) << text;
    return out;
  };
  EXPECT_EQ(read(R"("a\"\\\/\b\f\n\r\t\u0001z")"), "a\"\\/\b\f\n\r\t\x01z");
  EXPECT_EQ(read(R"("\u4E2D \u00E9")"), "\xE4\xB8\xAD \xC3\xA9");
  EXPECT_EQ(read(R"("\uD83D\uDE00")"), "\xF0\x9F\x98\x80");
  EXPECT_EQ(read(R"("\uD83D!")"), "\xEF\xBF\xBD!");
  EXPECT_EQ(read(R"("\uDE00\uD83D\uD83D\uDE00")"), "\xEF\xBF\xBD\xEF\xBF\xBD\xF0\x9F\x98\x80");
  EXPECT_EQ(read(R"('it\'s')"), "it's");
  EXPECT_EQ(read("\"raw \x01 \xFF\""), "raw \x01 \xFF");
  for (const char* text : {R"("\u12")", R"("\u12G4")", R"("\q")", R"("\)", R"("\uD83D\u1")"}) {
    JsonReader r(text);
    std::string out;
    EXPECT_FALSE(r.readString(out)) << text;
  }
}

TEST(Json, NumbersAreRangeChecked) {
  const auto int32 = [](std::string_view text) {
    JsonReader r(text);
    std::int32_t v = 0;
    return r.readInt32(v) && r.atEnd();
  };
  const auto int64 = [](std::string_view text) {
    JsonReader r(text);
    std::int64_t v = 0;
    return r.readInt64(v) && r.atEnd();
  };
  EXPECT_TRUE(int32("2147483647"));
  EXPECT_TRUE(int32("-2147483648"));
  EXPECT_TRUE(int32("\"123\""));
  EXPECT_FALSE(int32("2147483648"));
  EXPECT_FALSE(int32("-2147483649"));
  EXPECT_FALSE(int32("1.5"));
  EXPECT_FALSE(int32("\"\""));
  EXPECT_FALSE(int32("true"));
  EXPECT_TRUE(int64("9223372036854775807"));
  EXPECT_FALSE(int64("9223372036854775808"));
  EXPECT_FALSE(int64(std::string(100000, '9')));
  EXPECT_FALSE(int64("--1"));
}

TEST(Json, ErrorsSayWhatAndWhere) {
  JsonReader r("{\"a\":[1,2");
  EXPECT_FALSE(r.skip());
  const Error e = r.error("Body");
  EXPECT_EQ(e.code(), ErrorCode::kCorrupt);
  EXPECT_EQ(e.message(), "Body: ',' or ']' expected at byte 9");
}

TEST(Json, WriterEscapesAndSeparates) {
  std::string out;
  JsonWriter w(out);
  w.beginObject();
  w.key("a\"b");
  w.value(std::string_view("\x01\x1F\n\\\xC3\xA9/"));
  w.key(std::int64_t{-3});
  w.beginArray();
  w.value(std::int64_t{1});
  w.value(true);
  w.value(0.5);
  w.value(2.0);
  w.beginObject();
  w.endObject();
  w.endArray();
  w.endObject();
  EXPECT_EQ(out, "{\"a\\\"b\":\"\\u0001\\u001F\\n\\\\\xC3\xA9/\",\"-3\":[1,true,0.5,2.0,{}]}");
}

}  // namespace
}  // namespace mqclient::protocol
