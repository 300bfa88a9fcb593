#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "bytes.h"
#include "protocol/hash.h"
#include "protocol/header_codec.h"
#include "protocol/message_id.h"
#include "protocol/message_record.h"
#include "protocol/properties.h"

namespace mqclient::protocol {
namespace {

TEST(Hash, IsJavasStringHashCode) {
  EXPECT_EQ(hashCode(""), 0);
  EXPECT_EQ(hashCode("a"), 97);
  EXPECT_EQ(hashCode("*"), 42);
  EXPECT_EQ(hashCode("TagA"), 2598919);
  EXPECT_EQ(hashCode("TagB"), 2598920);
  EXPECT_EQ(hashCode("TagC"), 2598921);
  EXPECT_EQ(hashCode("TAG_A"), 79583420);
  EXPECT_EQ(hashCode("polygenelubricants"), -2147483647 - 1);
  EXPECT_EQ(hashCode("\xE8\xAE\xA2\xE5\x8D\x95"), 1129459);  // U+8BA2 U+5355
  EXPECT_EQ(hashCode("\xF0\x9F\x98\x80"), 1772899);          // U+1F600: two UTF-16 units
}

TEST(Hash, TakesEveryByteString) {
  EXPECT_EQ(hashCode("\xFF"), 0xFFFD);
  EXPECT_EQ(hashCode("\xC3"), 0xFFFD);                            // cut short
  EXPECT_EQ(hashCode("\xC0\x80"), 31 * 0xFFFD + 0xFFFD);          // overlong
  EXPECT_NO_FATAL_FAILURE(hashCode("\xF4\x90\x80\x80\xED\xA0"));  // beyond U+10FFFF, half a surrogate
}

TEST(Hash, TagsCodeIsSignExtended) {
  EXPECT_EQ(tagsCode(""), 0);
  EXPECT_EQ(tagsCode("TagA"), 0x27a807);
  EXPECT_EQ(tagsCode("polygenelubricants"), std::int64_t{-2147483648LL});
}

TEST(Hash, IndexKeys) {
  EXPECT_EQ(indexKeyHash("TopicTest#k1"), 2746024);
  EXPECT_EQ(indexKeyHash("TopicTest#k1") % kIndexHashSlots, 2746024);
  EXPECT_EQ(indexKeyHash("TopicTest#0A00000904D218B4AAC2000000000001"), 921100201);
  EXPECT_EQ(indexKeyHash("TopicTest#0A00000904D218B4AAC2000000000001") % kIndexHashSlots, 1100201);
  EXPECT_EQ(hashCode("TopicTest#KEY1"), -1656969516);
  EXPECT_EQ(indexKeyHash("TopicTest#KEY1"), 1656969516);
  EXPECT_EQ(indexKeyHash("TopicTest#KEY1") % kIndexHashSlots, 1969516);
  EXPECT_EQ(hashCode("TopicTest#7F0000010001"), -889979725);
  EXPECT_EQ(indexKeyHash("TopicTest#7F0000010001") % kIndexHashSlots, 4979725);
  EXPECT_EQ(indexKeyHash("polygenelubricants"), 0);  // the one number without an absolute value
}

TEST(Crc, IsMasked) {
  EXPECT_EQ(crc32Masked("hello"), 907060870u);
  EXPECT_EQ(crc32Masked("123456789"), 1274296614u);
  EXPECT_EQ(crc32Masked("123456789"), 3421780262u & 0x7FFFFFFFu);
  EXPECT_EQ(crc32Masked(""), 0u);
}

TEST(Crc, PropertyHasItsDigitsBackwards) {
  EXPECT_EQ(formatCrcProperty(907060870),
            "__CRC32#\x01"
            "0780607090\x02");
  EXPECT_EQ(formatCrcProperty(1234567890),
            "__CRC32#\x01"
            "0987654321\x02");
  EXPECT_EQ(formatCrcProperty(1234567890).size(), kCrcPropertySize);
}

TEST(OffsetMsgId, Golden) {
  const auto id = [](std::string_view host, std::int64_t offset) {
    return createOffsetMsgId(*RecordHost::parse(host), offset);
  };
  EXPECT_EQ(id("10.0.0.1:10911", 567890), "0A00000100002A9F000000000008AA52");
  EXPECT_EQ(id("127.0.0.1:10911", 0), "7F00000100002A9F0000000000000000");
  EXPECT_EQ(id("127.0.0.1:10911", 1000), "7F00000100002A9F00000000000003E8");
  EXPECT_EQ(id("[2001:db8::1]:10911", 567890), "20010DB800000000000000000000000100002A9F000000000008AA52");
}

TEST(OffsetMsgId, ReadsBackInEitherCase) {
  for (const char* id : {"20010DB800000000000000000000000100002A9F000000000008AA52",
                         "20010db800000000000000000000000100002a9f000000000008aa52"}) {
    const auto parsed = parseOffsetMsgId(id);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->storeHost.toString(), "[2001:db8::1]:10911");
    EXPECT_EQ(parsed->commitLogOffset, 567890);
  }
  EXPECT_EQ(parseOffsetMsgId("0A00000100002A9F000000000008AA52")->storeHost.toString(), "10.0.0.1:10911");
  EXPECT_FALSE(parseOffsetMsgId(""));
  EXPECT_FALSE(parseOffsetMsgId("0A00000100002A9F000000000008AA5"));
  EXPECT_FALSE(parseOffsetMsgId("0A00000100002A9F000000000008AA5G"));
}

TEST(Hex, EightDigitsOfANumber) {
  for (const std::uint32_t value : {0U, 9U, 10U, 0x9ABCDEF0U, 0x12345678U, 0xFFFFFFFFU, 0xA0A0F9F9U}) {
    std::array<char, 9> expected{};
    std::snprintf(expected.data(), expected.size(), "%08X", value);
    std::array<char, 8> digits{};
    EXPECT_EQ(putHex32(digits.data(), value), digits.data() + digits.size());
    EXPECT_EQ(std::string_view(digits.data(), digits.size()), expected.data());
  }
}

TEST(UniqId, Golden) {
  EXPECT_EQ(monthStartMillis(1700000000000, 0), 1698796800000);
  UniqIdGenerator ids(*RecordHost::parse("10.0.0.9:0"), 1234, 0x18B4AAC2, 0, 1);
  EXPECT_EQ(ids.next(1700000000000), "0A00000904D218B4AAC247B760000001");
  EXPECT_EQ(ids.next(1700000000000), "0A00000904D218B4AAC247B760000002");
}

TEST(UniqId, CounterWrapsAndPidIsCut) {
  UniqIdGenerator ids(*RecordHost::parse("10.0.0.9:0"), 0x1234ABCD, 0, 0, 0xFFFF);
  EXPECT_EQ(ids.next(1698796800000), "0A000009ABCD0000000000000000FFFF");
  EXPECT_EQ(ids.next(1698796800000), "0A000009ABCD00000000000000000000");
  UniqIdGenerator v6(*RecordHost::parse("[2001:db8::1]:0"), 1, 2);
  EXPECT_EQ(v6.next(0).size(), UniqIdGenerator::kSizeMax);
}

TEST(UniqId, MonthBeginsWhereTheClockStands) {
  constexpr std::int64_t kHour = std::int64_t{3600} * 1000;
  // 1 November 2023 00:30 in Shanghai is still October in UTC.
  const std::int64_t instant = 1698796800000 - 8 * kHour + kHour / 2;
  EXPECT_EQ(monthStartMillis(instant, 8 * 3600), 1698796800000 - 8 * kHour);
  EXPECT_EQ(monthStartMillis(instant, 0), 1696118400000);
  EXPECT_EQ(monthStartMillis(0, 0), 0);
}

TEST(Magic, Numbers) {
  EXPECT_EQ(static_cast<std::int32_t>(kMessageMagicV1), -626843481);
  EXPECT_EQ(static_cast<std::int32_t>(kMessageMagicV2), -626843477);
  EXPECT_EQ(static_cast<std::int32_t>(kBlankMagic), -875286124);
}

TEST(Version, Ordinals) {
  EXPECT_EQ(version::V3_0_11, 37);
  EXPECT_EQ(version::V3_4_9, 121);
  EXPECT_EQ(version::V4_1_0_SNAPSHOT, 232);
  EXPECT_EQ(version::V4_5_2, 317);
  EXPECT_EQ(version::V4_6_0, 333);
  EXPECT_EQ(version::V4_9_3, 399);
  EXPECT_EQ(version::V4_9_4, 401);
  EXPECT_EQ(version::V4_9_8, 409);
  EXPECT_EQ(version::V5_0_0, 413);
  EXPECT_EQ(version::V5_3_1, 475);
  EXPECT_EQ(version::V5_3_3, 479);
  EXPECT_GE(kVersion, version::V4_9_4) << "name servers answer older ones with bare numeric keys";
  EXPECT_LE(kVersion, version::V5_3_1) << "newer ones must understand GO_AWAY";
}

TEST(RecordHost, ReadsAndWritesAddresses) {
  for (const char* text : {"127.0.0.1:10911", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:80", "[::]:1",
                           "[2001:db8::9]:6", "[2001:db8:0:1::2]:3", "[1:2:3:4:5:6:7:8]:9", "[fe80::1:0:0:1]:5"}) {
    const auto host = RecordHost::parse(text);
    ASSERT_TRUE(host) << text;
    EXPECT_EQ(host->toString(), text);
  }
  EXPECT_EQ(RecordHost::parse("[2001:DB8:0:0:0:0:0:1]:1")->toString(), "[2001:db8::1]:1");
  EXPECT_EQ(RecordHost::parse("[::ffff:10.0.0.1]:1")->toString(), "[::ffff:a00:1]:1");
  EXPECT_EQ(RecordHost::parse("10.0.0.1:10911"), RecordHost::v4(10, 0, 0, 1, 10911));
  for (const char* text : {"",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0:1",
                           "127.0.0.1.2:3",
                           "256.0.0.1:1",
                           "1.2.3.4:65536",
                           "1.2.3.4:-1",
                           "a.b.c.d:1",
                           "::1:80",
                           "[::1]",
                           "[::1]80",
                           "[::1:80",
                           "[1::2::3]:4",
                           "[1:2]:3",
                           "[1:2:3:4:5:6:7:8:9]:1",
                           "[12345::]:1",
                           "[:1::]:1",
                           "localhost:80",
                           "1.2.3.4:+5"}) {
    EXPECT_FALSE(RecordHost::parse(text)) << text;
  }
}

}  // namespace
}  // namespace mqclient::protocol
