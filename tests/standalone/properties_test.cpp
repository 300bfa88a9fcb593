#include "mock_broker/standalone/properties.h"

#include <gtest/gtest.h>

namespace mqclient::standalone {
namespace {

/// "key=value|key=value" of a text.
std::string readProperties(std::string_view text) {
  const auto properties = parseProperties("f", text);
  if (!properties) return properties.error().message();
  std::string all;
  for (const Property& p : *properties) all += (all.empty() ? "" : "|") + p.key + "=" + p.value;
  return all;
}

struct Case {
  const char* name;
  std::string_view text;
  std::string expected;
};

// What java.util.Properties.load answers for the same bytes.
TEST(Properties, ReadsWhatJavaReads) {
  using namespace std::string_view_literals;
  const std::vector<Case> cases{
      {"nothing", "", ""},
      {"plain", "a=1\nb=2\n", "a=1|b=2"},
      {"no end of the last line", "a=1", "a=1"},
      {"three ends of lines", "a=1\r\nb=2\rc=3\n", "a=1|b=2|c=3"},
      {"three separators", "a=1\nb:2\nc 3", "a=1|b=2|c=3"},
      {"blanks around", " \t\fa \t= \f1", "a=1"},
      {"blanks after the value stay", "a=1 ", "a=1 "},
      {"the second separator is of the value", "a==1\nb:=2\nc = : 3", "a==1|b==2|c=: 3"},
      {"comments", "# a=1\n  ! b=2\nc=3 # not one", "c=3 # not one"},
      {"a comment is not continued", "# a \\\nb=2", "b=2"},
      {"blank lines", "\n \t\n\r\n\na=1", "a=1"},
      {"a key alone", "a\nb=\nc:", "a=|b=|c="},
      {"continued", "a=1,\\\n    2,\\\r\n\t3", "a=1,2,3"},
      {"a continued key", "ab\\\n  cd=1", "abcd=1"},
      {"two backslashes do not continue", "a=1\\\\\nb=2", "a=1\\|b=2"},
      {"three do", "a=1\\\\\\\n2", "a=1\\2"},
      {"continued into nothing", "a=1\\\n", "a=1"},
      {"continued into a blank line", "a=1\\\n\nb=2", "a=1|b=2"},
      {"what continues is no comment", "a=1\\\n#2", "a=1#2"},
      {"escapes", R"(a=\t\n\r\f\\\"\q)", "a=\t\n\r\f\\\"q"},
      {"escaped separators", R"(a\=b\:c\ d=1)", "a=b:c d=1"},
      {"an escaped blank begins a value", R"(a=\ 1)", "a= 1"},
      {"a backslash at the end of all", "a=1\\", "a=1"},
      {"code points", R"(a=\u0041\u00e9\u20AC)", "a=A\xc3\xa9\xe2\x82\xac"},
      {"two halves of one", R"(a=\ud83d\ude00)", "a=\xf0\x9f\x98\x80"},
      {"a half alone", R"(a=\ud83dx\ude00)", "a=\xef\xbf\xbdx\xef\xbf\xbd"},
      {"bytes are ISO 8859-1", "a=\xe9", "a=\xc3\xa9"},
      {"again", "a=1\na=2", "a=1|a=2"},
  };
  for (const Case& c : cases) EXPECT_EQ(readProperties(c.text), c.expected) << c.name;
}

TEST(Properties, RefusesWithFileAndLine) {
  using namespace std::string_view_literals;
  EXPECT_EQ(readProperties("a=1\n\nb=\\u12"), "f:3: after \\u four hexadecimal digits are expected, found '12'");
  EXPECT_EQ(readProperties("b=\\u12x4"), "f:1: after \\u four hexadecimal digits are expected, found '12x4'");
  EXPECT_EQ(readProperties("# x\n=1"), "f:2: there is no key before '='; key=value is expected");
  EXPECT_EQ(readProperties(" : 1"), "f:1: there is no key before ':'; key=value is expected");
  EXPECT_EQ(readProperties("a=1\nb=\0"sv), "f:2: a NUL byte; a text file with key=value lines is expected");
}

TEST(Properties, ALineIsWhereItBegan) {
  const auto properties = parseProperties("dir/broker.conf", "# one\na=1\\\n2\\\n3\nb=4").value();
  ASSERT_EQ(properties.size(), 2u);
  EXPECT_EQ(properties[0].place, "dir/broker.conf:2");
  EXPECT_EQ(properties[1].place, "dir/broker.conf:5");
}

TEST(Properties, AnyBytesEnd) {
  // Each text of up to five of the characters that mean something.
  constexpr std::string_view kAlphabet = "a= :\\u0\n\r#!";
  std::vector<std::string> texts{""};
  for (std::size_t from = 0, length = 0; length < 5; ++length) {
    const std::size_t to = texts.size();
    for (; from < to; ++from) {
      for (const char c : kAlphabet) texts.push_back(texts[from] + c);
    }
  }
  std::size_t read_well = 0;
  for (const std::string& text : texts) {
    const auto properties = parseProperties("f", text);
    if (!properties) continue;
    ++read_well;
    for (const Property& p : *properties) EXPECT_LE(p.key.size() + p.value.size(), text.size()) << text;
  }
  EXPECT_GT(read_well, texts.size() / 2);
}

}  // namespace
}  // namespace mqclient::standalone
