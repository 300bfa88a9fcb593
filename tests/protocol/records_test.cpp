#include <gtest/gtest.h>

#include <vector>

#include "bytes.h"
#include "protocol/batch.h"
#include "protocol/hash.h"
#include "protocol/limits.h"
#include "protocol/message_id.h"
#include "protocol/message_record.h"
#include "protocol/names.h"
#include "protocol/properties.h"

namespace mqclient::protocol {
namespace {

using test::asBytes;
using test::bytesOf;
using test::hexOf;

constexpr std::string_view kV4Record =
    "000000b2daa320a73610a686000000020000000000000000000004d2000000000008aa52000000000000018bcfe568000a0000090000d431"
    "0000018bcfe568640a00000100002a9f0000000000000000000000000000000568656c6c6f09546f70696354657374004954414753015461"
    "6741024b455953016b31206b3202554e49515f4b45590130413030303030393034443231384234414143323030303030303030303030310257"
    "414954017472756502";
constexpr std::string_view kV6Record =
    "00000076daa320a758932aac00000001000000000000000000000002000000000000000300000030000000000000000420010db80000000000"
    "00"
    "00000000000900000006000000000000000520010db800000000000000000000000100002a9f00000007000000000000000800000002686901"
    "540000";

std::string encoded(const RecordFields& f) {
  std::string out(recordSize(f), '\0');
  encodeRecord(reinterpret_cast<std::byte*>(out.data()), f);
  return out;
}

TEST(Record, GoldenV1) {
  const std::string bytes = bytesOf(kV4Record);
  ASSERT_EQ(bytes.size(), 178u);
  const auto f = decodeRecord(asBytes(bytes));
  ASSERT_TRUE(f) << f.error();
  EXPECT_EQ(f->magic, kMessageMagicV1);
  EXPECT_EQ(f->totalSize, 178u);
  EXPECT_EQ(f->bodyCRC, 907060870u);
  EXPECT_EQ(f->queueId, 2);
  EXPECT_EQ(f->flag, 0);
  EXPECT_EQ(f->queueOffset, 1234);
  EXPECT_EQ(f->physicalOffset, 567890);
  EXPECT_EQ(f->sysFlag, 0);
  EXPECT_EQ(f->bornTimestamp, 1700000000000);
  EXPECT_EQ(f->bornHost.toString(), "10.0.0.9:54321");
  EXPECT_EQ(f->storeTimestamp, 1700000000100);
  EXPECT_EQ(f->storeHost.toString(), "10.0.0.1:10911");
  EXPECT_EQ(f->reconsumeTimes, 0);
  EXPECT_EQ(f->preparedTransactionOffset, 0);
  EXPECT_EQ(f->topic, "TopicTest");
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(f->body.data()), f->body.size()), "hello");
  EXPECT_TRUE(bodyCrcMatches(*f));
  const PropertiesView properties(f->properties);
  EXPECT_EQ(f->properties.size(), 73u);
  EXPECT_EQ(properties.find("TAGS"), "TagA");
  EXPECT_EQ(properties.find("KEYS"), "k1 k2");
  EXPECT_EQ(properties.find("WAIT"), "true");
  EXPECT_EQ(properties.find("UNIQ_KEY"), "0A00000904D218B4AAC2000000000001");
  EXPECT_EQ(createOffsetMsgId(f->storeHost, f->physicalOffset), "0A00000100002A9F000000000008AA52");
  EXPECT_EQ(hexOf(encoded(*f)), kV4Record);
}

TEST(Record, GoldenWithIPv6Hosts) {
  const std::string bytes = bytesOf(kV6Record);
  ASSERT_EQ(bytes.size(), 118u);
  const auto f = decodeRecord(asBytes(bytes));
  ASSERT_TRUE(f) << f.error();
  EXPECT_EQ(f->sysFlag, 0x30);
  EXPECT_EQ(f->topic, "T");
  EXPECT_EQ(f->queueId, 1);
  EXPECT_EQ(f->queueOffset, 2);
  EXPECT_EQ(f->physicalOffset, 3);
  EXPECT_EQ(f->bornTimestamp, 4);
  EXPECT_EQ(f->bornHost.toString(), "[2001:db8::9]:6");
  EXPECT_EQ(f->storeTimestamp, 5);
  EXPECT_EQ(f->storeHost.toString(), "[2001:db8::1]:10911");
  EXPECT_EQ(f->reconsumeTimes, 7);
  EXPECT_EQ(f->preparedTransactionOffset, 8);
  EXPECT_TRUE(f->properties.empty());
  EXPECT_TRUE(bodyCrcMatches(*f));
  EXPECT_EQ(hexOf(encoded(*f)), kV6Record);
}

TEST(Record, GoldenV2) {
  std::string bytes = bytesOf(kV6Record);
  bytes.insert(114, 1, '\0');
  base::putBe32(bytes.data(), 119);
  base::putBe32(bytes.data() + 4, kMessageMagicV2);
  const auto f = decodeRecord(asBytes(bytes));
  ASSERT_TRUE(f) << f.error();
  EXPECT_EQ(f->topic, "T");
  EXPECT_EQ(f->magic, kMessageMagicV2);
}

TEST(Record, GoldenOfTheStore) {
  const std::string bytes = bytesOf(
      "00 00 00 73 da a3 20 a7 36 10 a6 86 00 00 00 03 00 00 00 00 00 00 00 00 00 00 00 07 00 00 00 00"
      "00 00 03 e8 00 00 00 00 00 00 01 8b cf e5 68 00 7f 00 00 01 00 00 c3 50 00 00 01 8b cf e5 68 7b"
      "7f 00 00 01 00 00 2a 9f 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 05 68 65 6c 6c 6f 09 54 6f"
      "70 69 63 54 65 73 74 00 0a 54 41 47 53 01 54 61 67 41 02");
  RecordFields f;
  f.topic = "TopicTest";
  f.queueId = 3;
  f.queueOffset = 7;
  f.physicalOffset = 1000;
  f.bornTimestamp = 1700000000000;
  f.bornHost = RecordHost::v4(127, 0, 0, 1, 50000);
  f.storeTimestamp = 1700000000123;
  f.storeHost = RecordHost::v4(127, 0, 0, 1, 10911);
  f.body = asBytes("hello");
  f.bodyCRC = crc32Masked("hello");
  std::string properties;
  appendProperty(properties, "TAGS", "TagA");
  f.properties = properties;
  ASSERT_EQ(recordSize(f), 115u);
  EXPECT_EQ(hexOf(encoded(f)), hexOf(bytes));
  EXPECT_EQ(createOffsetMsgId(f.storeHost, f.physicalOffset), "7F00000100002A9F00000000000003E8");
  EXPECT_EQ(tagsCode("TagA"), 0x000000000027a807);
}

TEST(Record, PatchesLandInTheirFields) {
  for (const std::string_view golden : {kV4Record, kV6Record}) {
    std::string bytes = bytesOf(golden);
    auto* record = reinterpret_cast<std::byte*>(bytes.data());
    setQueueOffset(record, 0x1122334455667788);
    setPhysicalOffset(record, 0x0102030405060708);
    setStoreTimestamp(record, 1700000000999);
    const auto f = decodeRecord(asBytes(bytes));
    ASSERT_TRUE(f);
    EXPECT_EQ(f->queueOffset, 0x1122334455667788);
    EXPECT_EQ(f->physicalOffset, 0x0102030405060708);
    EXPECT_EQ(f->storeTimestamp, 1700000000999);
    EXPECT_EQ(getQueueOffset(record), f->queueOffset);
    EXPECT_EQ(getPhysicalOffset(record), f->physicalOffset);
    EXPECT_EQ(getStoreTimestamp(record), f->storeTimestamp);
  }
}

TEST(Record, TopicLengthChoosesTheVersion) {
  for (const std::size_t size : {1u, 126u, 127u, 128u, 255u, 300u}) {
    const std::string topic(size, 't');
    RecordFields f;
    f.topic = topic;
    const std::string bytes = encoded(f);
    const auto back = decodeRecord(asBytes(bytes));
    ASSERT_TRUE(back) << back.error();
    EXPECT_EQ(back->topic, topic);
    EXPECT_EQ(back->magic, size > 127 ? kMessageMagicV2 : kMessageMagicV1) << size;
  }
}

TEST(Record, V1TopicLengthIsUnsigned) {
  for (const std::size_t size : {127u, 128u, 255u}) {
    std::string bytes = bytesOf(kV6Record);
    bytes[114] = static_cast<char>(size);
    bytes.insert(115, size - 1, 'x');
    base::putBe32(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
    const auto f = decodeRecord(asBytes(bytes));
    ASSERT_TRUE(f) << size << f.error();
    EXPECT_EQ(f->topic.size(), size);
  }
}

TEST(Record, LongestProperties) {
  const std::string properties(kMaxPropertiesSize, 'p');
  RecordFields f;
  f.topic = "T";
  f.properties = properties;
  const std::string bytes = encoded(f);
  const auto back = decodeRecord(asBytes(bytes));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->properties.size(), kMaxPropertiesSize);
  // One more turns the length negative: no properties, so the sizes no longer add up.
  std::string more = bytes + "p";
  base::putBe32(more.data(), static_cast<std::uint32_t>(more.size()));
  base::putBe16(more.data() + more.size() - kMaxPropertiesSize - 3, 0x8000);
  EXPECT_FALSE(decodeRecord(asBytes(more)));
}

TEST(Record, EveryTruncationIsAnError) {
  for (const std::string_view golden : {kV4Record, kV6Record}) {
    const std::string bytes = bytesOf(golden);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      // Each in memory of its own, and with a totalSize that fits as well: the sanitizer sees a read past the end.
      std::vector<std::byte> cut(asBytes(bytes).begin(), asBytes(bytes).begin() + static_cast<std::ptrdiff_t>(n));
      cut.shrink_to_fit();
      EXPECT_FALSE(decodeRecord(cut)) << n;
      if (n >= 4) {
        base::putBe32(cut.data(), static_cast<std::uint32_t>(n));
        EXPECT_FALSE(decodeRecord(cut)) << n;
      }
    }
  }
}

TEST(Record, NoByteMakesItReadOutside) {
  for (const std::string_view golden : {kV4Record, kV6Record}) {
    const std::string bytes = bytesOf(golden);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      for (const unsigned value : {0x00u, 0x01u, 0x7Fu, 0x80u, 0xFFu}) {
        std::vector<std::byte> changed(asBytes(bytes).begin(), asBytes(bytes).end());
        changed[i] = static_cast<std::byte>(value);
        if (const auto f = decodeRecord(changed)) {
          const auto* end = changed.data() + changed.size();
          EXPECT_LE(f->body.data() + f->body.size(), end);
          EXPECT_LE(f->topic.data() + f->topic.size(), reinterpret_cast<const char*>(end));
          EXPECT_LE(f->properties.data() + f->properties.size(), reinterpret_cast<const char*>(end));
        }
      }
    }
  }
}

TEST(Record, BlankAndUnknownMagicAreSaidSo) {
  std::string bytes = bytesOf("000000c8 cbd43194");
  bytes.resize(200);
  const auto blank = decodeRecord(asBytes(bytes));
  ASSERT_FALSE(blank);
  EXPECT_NE(blank.error().message().find("filler"), std::string::npos);
  base::putBe32(bytes.data() + 4, 0);
  EXPECT_EQ(decodeRecord(asBytes(bytes)).error().code(), ErrorCode::kCorrupt);
}

TEST(RecordIterator, ABadRecordCostsOnlyItself) {
  const std::string good = bytesOf(kV4Record);
  std::string bad = good;
  base::putBe32(bad.data() + 84, 0x7FFFFFFF);  // body length
  const std::string all = good + bad + good;
  RecordIterator it(asBytes(all));
  int read = 0;
  int lost = 0;
  while (auto next = it.next()) {
    if (*next) {
      ++read;
      EXPECT_EQ((*next)->topic, "TopicTest");
    } else {
      ++lost;
      EXPECT_EQ(it.current().size(), bad.size());
    }
  }
  EXPECT_EQ(read, 2);
  EXPECT_EQ(lost, 1);
}

TEST(RecordIterator, StopsWhereNoSizeCanBeBelieved) {
  const std::string good = bytesOf(kV4Record);
  for (const std::uint32_t size : {0u, 7u, 0x80000000u, 0x7FFFFFFFu}) {
    std::string bad = good;
    base::putBe32(bad.data(), size);
    const std::string all = good + bad + good;
    RecordIterator it(asBytes(all));
    EXPECT_TRUE(*it.next());
    const auto lost = it.next();
    ASSERT_TRUE(lost);
    EXPECT_FALSE(*lost);
    EXPECT_TRUE(it.done());
    EXPECT_FALSE(it.next());
  }
}

TEST(Batch, Golden) {
  const std::string one = std::string("WAIT\x01true\x02");
  const std::string two = std::string("TAGS\x01X\x02");
  const std::vector<BatchElement> elements{{0, asBytes("a"), one}, {0, asBytes("bc"), two}};
  const base::Slice body = encodeBatch(elements);
  const std::string golden =
      hexOf(bytesOf("00000021 00000000 00000000 00000000 00000001 61 000a 57414954 01 74727565 02"
                    "0000001f 00000000 00000000 00000000 00000002 6263 0007 54414753 01 58 02"));
  EXPECT_EQ(hexOf(body.text()), golden);
  BatchIterator it(body.bytes());
  auto first = it.next();
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->properties, one);
  auto second = it.next();
  ASSERT_TRUE(second && *second);
  EXPECT_EQ((*second)->body.size(), 2u);
  EXPECT_FALSE(it.next());
}

TEST(Batch, CountIsBounded) {
  for (const std::size_t count : {kMaxBatchMessages - 1, kMaxBatchMessages, kMaxBatchMessages + 1}) {
    const std::vector<BatchElement> elements(count, BatchElement{0, asBytes("x"), ""});
    const base::Slice body = encodeBatch(elements);
    BatchIterator it(body.bytes());
    std::size_t read = 0;
    bool refused = false;
    while (auto next = it.next()) {
      if (*next) {
        ++read;
      } else {
        refused = true;
        EXPECT_EQ(next->error().code(), ErrorCode::kCorrupt);
      }
    }
    EXPECT_EQ(refused, count > kMaxBatchMessages);
    EXPECT_EQ(read, std::min(count, kMaxBatchMessages));
  }
}

TEST(Batch, EveryTruncationAndLengthIsChecked) {
  const std::string properties = std::string("WAIT\x01true\x02");
  const std::vector<BatchElement> elements{{7, asBytes("abc"), properties}};
  const std::string whole(encodeBatch(elements).text());
  for (std::size_t n = 1; n < whole.size(); ++n) {
    const std::vector<std::byte> cut(asBytes(whole).begin(), asBytes(whole).begin() + static_cast<std::ptrdiff_t>(n));
    BatchIterator it(cut);
    const auto next = it.next();
    ASSERT_TRUE(next);
    EXPECT_FALSE(*next) << n;
    EXPECT_FALSE(it.next());
  }
  for (const std::size_t at : {0u, 16u, 23u}) {
    for (const std::uint32_t value : {0xFFFFFFFFu, 0x7FFFFFFFu, 0x80000000u, 1000u, 0u}) {
      std::vector<std::byte> changed(asBytes(whole).begin(), asBytes(whole).end());
      base::putBe32(changed.data() + at, value);
      BatchIterator it(changed);
      const auto next = it.next();
      ASSERT_TRUE(next);
      EXPECT_FALSE(*next) << at << ' ' << value;
    }
  }
}

TEST(Properties, GoldenParsing) {
  using namespace std::string_literals;
  const std::string text = "a\1\2b\0011\2c\00122\2\1x\2TAGS\1T"s;
  const std::map<std::string, std::string> expected{{"b", "1"}, {"c", "22"}, {"TAGS", "T"}};
  EXPECT_EQ(parseProperties(text), expected);
  const PropertiesView view(text);
  EXPECT_EQ(view.find("TAGS"), "T");
  EXPECT_EQ(view.find("a"), std::nullopt);
  EXPECT_EQ(view.find(""), std::nullopt);
}

TEST(Properties, TheLastOfTwoCounts) {
  using namespace std::string_literals;
  EXPECT_EQ(PropertiesView("k\001one\2k\001two\2"s).find("k"), "two");
}

TEST(Properties, AppendingInsertsTheMissingSeparator) {
  using namespace std::string_literals;
  std::string text = "TAGS\1T"s;
  appendProperty(text, "KEYS", "k");
  EXPECT_EQ(text, "TAGS\1T\2KEYS\1k\2"s);
  appendProperty(text, "EMPTY", "");
  EXPECT_EQ(text, "TAGS\1T\2KEYS\1k\2"s);
  std::string other = "A\1b"s;
  appendProperties(other, text);
  EXPECT_EQ(other, "A\1b\2TAGS\1T\2KEYS\1k\2"s);
  removeProperty(other, "TAGS");
  EXPECT_EQ(other, "A\1b\2KEYS\1k\2"s);
  setProperty(other, "A", "c");
  EXPECT_EQ(other, "KEYS\1k\2A\1c\2"s);
  EXPECT_EQ(formatProperties(parseProperties(other)), "A\1c\2KEYS\1k\2"s);
  EXPECT_FALSE(isPropertyText("a\1b"s));
  EXPECT_FALSE(isPropertyText("a\2b"s));
  EXPECT_TRUE(isPropertyText("a b"));
}

}  // namespace
}  // namespace mqclient::protocol
