#include "mqclient/message.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <unordered_set>
#include <utility>

#include "protocol/compression.h"
#include "protocol/limits.h"
#include "protocol/message_access.h"
#include "protocol/message_check.h"
#include "protocol/message_record.h"
#include "protocol/names.h"

namespace mqclient {
namespace {

using detail::MessageAccess;
using detail::MessageFrame;

const protocol::MessageLimits kLimits{};

std::string complaint(const Message& message) {
  const std::optional<Error> error = protocol::checkMessage(message, kLimits);
  if (!error) return "";
  EXPECT_EQ(error->code(), ErrorCode::kMessageIllegal);
  EXPECT_EQ(error->responseCode(), 13);
  EXPECT_EQ(error->applied(), Applied::kNo);
  return error->message();
}

TEST(Body, TakesMovedBytesAndCopiesBorrowedOnes) {
  std::string text(100, 'x');
  const char* bytes = text.data();
  const Body moved(std::move(text));
  EXPECT_EQ(moved.text().data(), bytes);

  std::vector<std::byte> data(100, std::byte{7});
  const std::byte* first = data.data();
  EXPECT_EQ(Body(std::move(data)).bytes().data(), first);

  const std::string borrowed(100, 'y');
  const Body copied{std::string_view(borrowed)};
  EXPECT_NE(copied.text().data(), borrowed.data());
  EXPECT_EQ(copied.text(), borrowed);
  EXPECT_EQ(Body("literal").text(), "literal");
  EXPECT_EQ(Body("").size(), 0u);
}

TEST(Body, SharesAndKeepsTheOwner) {
  auto owner = std::make_shared<std::string>("shared bytes");
  const std::weak_ptr<std::string> watch = owner;
  {
    const Body body = Body::share(owner, std::as_bytes(std::span(owner->data(), owner->size())));
    owner.reset();
    const Body copy = body;
    EXPECT_EQ(copy.text(), "shared bytes");
    EXPECT_EQ(copy.text().data(), body.text().data());
    EXPECT_FALSE(watch.expired());
  }
  EXPECT_TRUE(watch.expired());
}

TEST(MessageQueue, IsOrderedHashedAndPrintedAsJavaDoes) {
  const MessageQueue a("t", "broker-a", 10);
  EXPECT_EQ(a.toString(), "MessageQueue [topic=t, brokerName=broker-a, queueId=10]");
  std::ostringstream out;
  out << a;
  EXPECT_EQ(out.str(), a.toString());
  EXPECT_LT(MessageQueue("s", "z", 9), a);
  EXPECT_LT(MessageQueue("t", "broker-a", 9), a) << "ids compare as numbers";
  EXPECT_LT(a, MessageQueue("t", "broker-b", 0));
  const std::unordered_set<MessageQueue> set{a, MessageQueue("t", "broker-a", 10), MessageQueue("t", "broker-a", 1)};
  EXPECT_EQ(set.size(), 2u);
}

TEST(Message, SettersChainOnTemporariesAndOnNamedOnes) {
  const Message m = Message("orders", "{}")
                        .setKeys("a", std::string("b"), std::string_view("c"))
                        .setTags("paid")
                        .putUserProperty("colour", "red")
                        .setShardingKey("k")
                        .setMsgId("ID");
  EXPECT_EQ(m.topic(), "orders");
  EXPECT_EQ(m.body().text(), "{}");
  EXPECT_EQ(m.property("KEYS"), "a b c");
  EXPECT_EQ(m.property("TAGS"), "paid");
  EXPECT_EQ(m.property("colour"), "red");
  EXPECT_EQ(m.property("__SHARDINGKEY"), "k");
  EXPECT_EQ(m.property("UNIQ_KEY"), "ID");
  EXPECT_EQ(m.property("nothing"), "");
  EXPECT_EQ(complaint(m), "");
  EXPECT_EQ(MessageAccess::properties(m), "KEYS\1a b c\2TAGS\1paid\2colour\1red\2__SHARDINGKEY\1k\2UNIQ_KEY\1ID\2");

  Message n("orders", "{}");
  n.setTags("x").setTags("y").setKeys("1").putUserProperty("p", "1").putUserProperty("p", "2");
  EXPECT_EQ(n.property("TAGS"), "y");
  EXPECT_EQ(n.property("p"), "2");
  EXPECT_EQ(MessageAccess::properties(n),
            "TAGS\1y\2KEYS\1"
            "1\2p\1"
            "2\2");
}

TEST(Message, EmptyTagsAndKeysMeanNone) {
  Message m("t", "b");
  m.setTags("x").setKeys("k").setTags("").setKeys("");
  EXPECT_EQ(MessageAccess::properties(m), "");
  EXPECT_EQ(Message("t", "b").setKeys("", "a", "").property("KEYS"), "a");
  EXPECT_EQ(complaint(m), "");
}

TEST(MessageCheck, RefusesReservedPropertyNames) {
  for (const char* name : {"KEYS", "TAGS", "WAIT", "DELAY", "UNIQ_KEY", "RETRY_TOPIC", "TRAN_MSG", "CLUSTER", "POP_CK",
                           "INNER_NUM", "TIMER_DELIVER_MS", "MSG_REGION"}) {
    EXPECT_NE(complaint(Message("t", "b").putUserProperty(name, "v")).find(name), std::string::npos) << name;
  }
}

TEST(MessageCheck, RefusesBlankAndUnwritableProperties) {
  EXPECT_NE(complaint(Message("t", "b").putUserProperty("", "v")).find("blank name"), std::string::npos);
  EXPECT_NE(complaint(Message("t", "b").putUserProperty(" \t", "v")).find("blank name"), std::string::npos);
  EXPECT_NE(complaint(Message("t", "b").putUserProperty("p", " ")).find("blank value"), std::string::npos);
  EXPECT_NE(complaint(Message("t", "b").putUserProperty("a\1b", "v")).find("U+0001"), std::string::npos);
  EXPECT_NE(complaint(Message("t", "b").putUserProperty("p", "v\2")).find("U+0001"), std::string::npos);
  EXPECT_NE(complaint(Message("t", "b").setTags("a\1b")).find("TAGS"), std::string::npos);
  EXPECT_NE(complaint(Message("t", "b").setKeys("a\2b")).find("KEYS"), std::string::npos);
}

TEST(MessageCheck, ListsEveryComplaintAtOnce) {
  const std::string all = complaint(Message("bad topic", "").putUserProperty("TAGS", "v").putUserProperty("p", ""));
  for (const char* part : {"bad topic", "body is empty", "'TAGS' is reserved", "'p' has a blank value"}) {
    EXPECT_NE(all.find(part), std::string::npos) << part << " in: " << all;
  }
}

TEST(MessageCheck, HoldsTheLimitsAtTheirEdges) {
  EXPECT_EQ(complaint(Message(std::string(127, 't'), "b")), "");
  EXPECT_NE(complaint(Message(std::string(128, 't'), "b")), "");
  EXPECT_NE(complaint(Message("", "b")), "");
  EXPECT_NE(complaint(Message("a/b", "b")), "");
  EXPECT_EQ(complaint(Message("%RETRY%group|x_-9", "b")), "");
  EXPECT_NE(complaint(Message("SCHEDULE_TOPIC_XXXX", "b")).find("belongs to the broker"), std::string::npos);

  const Body at(std::string(protocol::kMaxMessageSize, 'b'));
  EXPECT_EQ(complaint(Message("t", at)), "");
  EXPECT_NE(complaint(Message("t", Body(std::string(protocol::kMaxMessageSize + 1, 'b')))).find("maxMessageSize"),
            std::string::npos);

  const std::size_t room = protocol::kMaxPropertiesSize - protocol::kPropertiesAddedBySend;
  EXPECT_EQ(complaint(Message("t", "b").putUserProperty("p", std::string(room - 3, 'v'))), "");
  EXPECT_NE(complaint(Message("t", "b").putUserProperty("p", std::string(room - 2, 'v'))).find("bytes together"),
            std::string::npos);
}

TEST(MessageCheck, ManyComplaintsStayBounded) {
  Message m("t", "b");
  for (int i = 0; i < 10'000; ++i) m.putUserProperty("TAGS", "v");
  EXPECT_LT(complaint(m).size(), 8'192u);
}

// ---- received messages

protocol::RecordFields fieldsOf(std::string_view topic, std::string_view body, std::string_view properties) {
  protocol::RecordFields fields;
  fields.queueId = 3;
  fields.queueOffset = 42;
  fields.physicalOffset = 123456;
  fields.bornTimestamp = 1'700'000'000'123;
  fields.bornHost = *protocol::RecordHost::parse("10.1.2.3:5555");
  fields.storeTimestamp = 1'700'000'000'456;
  fields.storeHost = *protocol::RecordHost::parse("127.0.0.1:10911");
  fields.reconsumeTimes = 2;
  fields.body = std::as_bytes(std::span(body.data(), body.size()));
  fields.topic = topic;
  fields.properties = properties;
  return fields;
}

base::Slice encode(const protocol::RecordFields& fields) {
  const std::size_t size = protocol::recordSize(fields);
  base::BlockWriter block(size);
  protocol::encodeRecord(block.data(), fields);
  return std::move(block).freeze(size);
}

std::vector<MessageExt> receive(base::Chain bytes, std::size_t* skipped = nullptr) {
  return MessageAccess::decode(
      std::make_shared<const MessageFrame>(std::move(bytes), MessageQueue("orders", "broker-a", 3)), skipped);
}

TEST(MessageExt, ShowsEveryFieldOfItsRecord) {
  const auto fields = fieldsOf("orders", "the body", "TAGS\1paid\2KEYS\1k1 k2\2UNIQ_KEY\1ABC\2colour\1red\2");
  const std::vector<MessageExt> all = receive(encode(fields));
  ASSERT_EQ(all.size(), 1u);
  const MessageExt& m = all[0];
  EXPECT_EQ(m.topic(), "orders");
  EXPECT_EQ(m.body(), "the body");
  EXPECT_EQ(m.tags(), "paid");
  EXPECT_EQ(m.keys(), "k1 k2");
  EXPECT_EQ(m.msgId(), "ABC");
  EXPECT_EQ(m.offsetMsgId(), "7F00000100002A9F000000000001E240");
  EXPECT_EQ(m.offsetMsgId().data(), m.offsetMsgId().data()) << "made once";
  EXPECT_EQ(m.property("colour"), "red");
  EXPECT_EQ(m.property("none"), std::nullopt);
  EXPECT_EQ(m.properties().size(), 4u);
  EXPECT_EQ(m.bornHost(), "10.1.2.3:5555");
  EXPECT_EQ(m.storeHost(), "127.0.0.1:10911");
  EXPECT_EQ(m.messageQueue(), MessageQueue("orders", "broker-a", 3));
  EXPECT_EQ(m.queueOffset(), 42);
  EXPECT_EQ(m.commitLogOffset(), 123456);
  EXPECT_EQ(m.reconsumeTimes(), 2);
  EXPECT_EQ(m.sysFlag(), 0);
  EXPECT_EQ(m.bornTime(), WallTime(std::chrono::milliseconds(1'700'000'000'123)));
  EXPECT_EQ(m.storeTime(), WallTime(std::chrono::milliseconds(1'700'000'000'456)));
}

TEST(MessageExt, WithoutUniqKeyTheOffsetIdIsTheId) {
  const MessageExt m = receive(encode(fieldsOf("orders", "b", "")))[0];
  EXPECT_EQ(m.msgId(), m.offsetMsgId());
  EXPECT_EQ(m.msgId().size(), 32u);
  EXPECT_EQ(m.tags(), "");
  EXPECT_EQ(m.keys(), "");
}

TEST(MessageExt, IPv6HostsMoveTheFieldsBehindThem) {
  auto fields = fieldsOf("orders", "b", "");
  fields.bornHost = *protocol::RecordHost::parse("[2001:db8::1]:80");
  fields.storeHost = *protocol::RecordHost::parse("[::1]:10911");
  const MessageExt m = receive(encode(fields))[0];
  EXPECT_EQ(m.reconsumeTimes(), 2);
  EXPECT_EQ(m.storeTime(), WallTime(std::chrono::milliseconds(1'700'000'000'456)));
  EXPECT_EQ(m.storeHost(), "[::1]:10911");
  EXPECT_EQ(m.offsetMsgId().size(), 56u);
}

TEST(MessageExt, OfADuplicatePropertyTheLastCounts) {
  const MessageExt m = receive(encode(fieldsOf("orders", "b",
                                               "a\1"
                                               "1\2b\1x\2a\1"
                                               "2")))[0];
  EXPECT_EQ(m.property("a"), "2");
  ASSERT_EQ(m.properties().size(), 2u);
  EXPECT_EQ(m.properties()[0].second, "2");
}

TEST(MessageExt, ARetryTopicShowsTheOriginalOne) {
  EXPECT_EQ(receive(encode(fieldsOf("%RETRY%g", "b", "RETRY_TOPIC\1orders\2")))[0].topic(), "orders");
  EXPECT_EQ(receive(encode(fieldsOf("%RETRY%g", "b", "")))[0].topic(), "%RETRY%g");
}

TEST(MessageExt, LocalRedeliveriesCount) {
  MessageExt m = receive(encode(fieldsOf("orders", "b", "")))[0];
  MessageAccess::setRedeliveries(m, 3);
  EXPECT_EQ(m.reconsumeTimes(), 5);
}

TEST(MessageExt, ViewsKeepTheFrameAlive) {
  base::Slice record = encode(fieldsOf("orders", "the body", "TAGS\1paid\2"));
  const std::weak_ptr<const void> frame = record.owner();
  std::optional<MessageExt> kept;
  {
    std::vector<MessageExt> all = receive(std::move(record));
    kept = all[0];
  }
  EXPECT_FALSE(frame.expired());
  EXPECT_EQ(kept->body(), "the body");
  const MessageExt detached = kept->detached();
  kept.reset();
  EXPECT_TRUE(frame.expired()) << "detached has its own copy";
  EXPECT_EQ(detached.body(), "the body");
  EXPECT_EQ(detached.tags(), "paid");
  EXPECT_EQ(detached.topic(), "orders");
  EXPECT_EQ(detached.queueOffset(), 42);
}

TEST(MessageExt, ToMessageLeavesSystemPropertiesBehindAndSharesTheBody) {
  const MessageExt m = receive(encode(
      fieldsOf("orders", "the body",
               "TAGS\1paid\2KEYS\1k\2UNIQ_KEY\1ABC\2CLUSTER\1c\2MSG_REGION\1r\2colour\1red\2__SHARDINGKEY\1s\2")))[0];
  const Message again = m.toMessage();
  EXPECT_EQ(again.topic(), "orders");
  EXPECT_EQ(again.body().text().data(), m.body().data());
  EXPECT_EQ(MessageAccess::properties(again), "TAGS\1paid\2KEYS\1k\2colour\1red\2__SHARDINGKEY\1s\2");
  EXPECT_EQ(complaint(again), "");
}

/// A record whose body is compressed by `type`.
MessageExt receiveCompressed(std::int32_t type, std::string_view plain) {
  const auto body = protocol::compressBody(type, std::as_bytes(std::span(plain.data(), plain.size())));
  auto fields = fieldsOf("orders", body.value().text(), "TAGS\1paid\2");
  fields.sysFlag = protocol::kCompressedFlag | protocol::kBornHostV6Flag | type;
  fields.bornHost = *protocol::RecordHost::parse("[2001:db8::1]:80");
  return receive(encode(fields))[0];
}

TEST(MessageExt, InflatesCompressedBodies) {
  const std::string plain(10'000, 'z');
  for (const std::int32_t type : {protocol::kCompressionZlib, protocol::kCompressionLz4, protocol::kCompressionZstd}) {
    MessageExt m = receiveCompressed(type, plain);
    ASSERT_TRUE(MessageAccess::inflate(m));
    EXPECT_EQ(m.body(), plain);
    EXPECT_EQ(m.sysFlag(), type | protocol::kBornHostV6Flag) << "only the bit that says compressed is gone, as in Java";
    EXPECT_EQ(m.tags(), "paid");
    EXPECT_EQ(m.detached().body(), plain);
    EXPECT_EQ(m.detached().sysFlag(), m.sysFlag());
    EXPECT_EQ(m.toMessage().body().text().data(), m.body().data());
    const char* inflated = m.body().data();
    ASSERT_TRUE(MessageAccess::inflate(m));
    EXPECT_EQ(m.body().data(), inflated) << "once is enough";
  }
}

TEST(MessageExt, ACopyKeepsTheInflatedBodyWhenItIsDropped) {
  const std::string plain(10'000, 'z');
  MessageExt m = receiveCompressed(protocol::kCompressionLz4, plain);
  const std::string stored(m.body());
  ASSERT_TRUE(MessageAccess::inflate(m));
  const MessageExt kept = m;
  const Message again = m.toMessage();
  MessageAccess::dropInflated(m);
  EXPECT_EQ(m.body(), stored);
  EXPECT_EQ(m.sysFlag() & protocol::kCompressedFlag, protocol::kCompressedFlag);
  EXPECT_EQ(kept.body(), plain);
  EXPECT_EQ(again.body().text(), plain);
  EXPECT_EQ(m.detached().body(), stored);
  ASSERT_TRUE(MessageAccess::inflate(m));
  EXPECT_EQ(m.body(), plain);

  MessageExt plain_one = receive(encode(fieldsOf("orders", "b", "")))[0];
  MessageAccess::dropInflated(plain_one);
  EXPECT_EQ(plain_one.body(), "b");
}

TEST(MessageExt, AnUnreadableCompressedBodyIsDeliveredAsItCame) {
  for (const std::int32_t type : {0, 0x100, 0x200, 0x300, 0x400}) {
    auto fields = fieldsOf("orders", "none of it", "");
    fields.sysFlag = protocol::kCompressedFlag | type;
    std::vector<MessageExt> all = receive(encode(fields));
    ASSERT_EQ(all.size(), 1u);
    const Result<void> inflated = MessageAccess::inflate(all[0]);
    ASSERT_FALSE(inflated);
    EXPECT_EQ(inflated.error().code(), ErrorCode::kCorrupt);
    EXPECT_EQ(all[0].body(), "none of it");
    EXPECT_EQ(all[0].sysFlag(), fields.sysFlag) << "bit 0x1 says that it is still compressed";
  }
}

TEST(MessageExt, OnlyTheRecordThatCannotBeReadIsLeftOut) {
  auto first = fieldsOf("orders", "first", "");
  auto third = fieldsOf("orders", "third", "");
  third.queueOffset = 44;
  std::string bytes(encode(first).text());
  std::string bad(encode(fieldsOf("orders", "second", "")).text());
  bad[84] = 0x7f;  // its body seems to be longer than the record
  bytes += bad;
  bytes += encode(third).text();
  std::size_t skipped = 0;
  const std::vector<MessageExt> all = receive(base::Chain(base::Slice::copyOf(bytes)), &skipped);
  EXPECT_EQ(skipped, 1u);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].body(), "first");
  EXPECT_EQ(all[1].body(), "third");
}

TEST(MessageExt, SeveralSlicesAreOneAnswer) {
  base::Chain chain;
  for (int i = 0; i < 5; ++i) {
    auto fields = fieldsOf("orders", "b", "");
    fields.queueOffset = i;
    chain.append(encode(fields));
  }
  const std::vector<MessageExt> all = receive(std::move(chain));
  ASSERT_EQ(all.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(all[i].queueOffset(), static_cast<std::int64_t>(i));
}

TEST(MessageExt, IsACheapView) {
  EXPECT_LE(sizeof(MessageExt), 128u);
}

TEST(SendStatus, HasItsNames) {
  EXPECT_STREQ(toString(SendStatus::SEND_OK), "SEND_OK");
  EXPECT_STREQ(toString(SendStatus::SLAVE_NOT_AVAILABLE), "SLAVE_NOT_AVAILABLE");
}

}  // namespace
}  // namespace mqclient
