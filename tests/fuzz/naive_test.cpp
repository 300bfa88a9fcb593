// The second readers against bytes written by hand: a reader that takes anything would find nothing.
#include <gtest/gtest.h>

#include <string>

#include "tests/fuzz/frame_checks.h"
#include "tests/fuzz/naive.h"
#include "tests/fuzz/target.h"
#include "tests/protocol/bytes.h"

namespace mqclient::fuzz {
namespace {

using protocol::test::bytesOf;

const std::string kBinary = bytesOf(
    "0000002d 01000029 0069 00 01df 00000007 00000000 00000000 00000014 0005 746f706963 00000009 546f70696354657374");

TEST(NaiveReaders, ReadABinaryFrame) {
  const naive::Read read = naive::frame(kBinary);
  ASSERT_EQ(read.verdict, naive::Verdict::kRead);
  EXPECT_EQ(read.command.code, 105);
  EXPECT_EQ(read.command.opaque, 7);
  ASSERT_EQ(read.command.ext.size(), 1U);
  EXPECT_EQ(read.command.ext[0].second, "TopicTest");
  for (std::size_t n = 0; n < kBinary.size(); ++n) {
    EXPECT_EQ(naive::frame(kBinary.substr(0, n)).verdict, naive::Verdict::kRefused) << n;
  }
}

TEST(NaiveReaders, ReadAJsonFrameAndLeaveTheDialectUnsaid) {
  const naive::Read read = naive::frame(frameOf(0, R"({"code":105,"opaque":7,"extFields":{"a":"b","n":1}})"));
  ASSERT_EQ(read.verdict, naive::Verdict::kRead);
  EXPECT_EQ(read.command.code, 105);
  EXPECT_EQ(read.command.ext.size(), 2U);
  for (const char* text : {"{code:105}", R"({"code":"105"})", R"({"remark":"\uD800"})", R"({"code":1,})", R"("{")"}) {
    EXPECT_EQ(naive::frame(frameOf(0, text)).verdict, naive::Verdict::kUnsaid) << text;
  }
}

TEST(NaiveReaders, CutAStream) {
  const naive::Frames frames = naive::cut(kBinary + kBinary + kBinary.substr(0, 9), {});
  EXPECT_EQ(frames.whole.size(), 2U);
  EXPECT_FALSE(frames.broken);
  EXPECT_TRUE(naive::cut(kBinary + "GET / HTTP/1.1", {}).broken);
}

TEST(NaiveReaders, ReadProperties) {
  const auto read = naive::properties("a\001b\002\001x\002c\001\002k\001v\001w\002a\001z");
  EXPECT_EQ(read, (std::map<std::string, std::string>{{"a", "z"}, {"k", "v\001w"}}));
}

TEST(NaiveReaders, KnowNames) {
  EXPECT_TRUE(naive::isName("%RETRY%group-1", 20));
  EXPECT_FALSE(naive::isName("a b", 20));
  EXPECT_FALSE(naive::isName("", 20));
  EXPECT_FALSE(naive::isName("abc", 2));
}

}  // namespace
}  // namespace mqclient::fuzz
