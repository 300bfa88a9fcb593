// Bodies that go out compressed (client.md 2.7, step 4).
#include <gtest/gtest.h>

#include "base/random.h"
#include "mqclient/codes.h"
#include "protocol/compression.h"
#include "protocol/limits.h"
#include "protocol/names.h"
#include "tests/producer/producer_fixture.h"

namespace mqclient {
namespace {

using namespace std::chrono_literals;

class CompressedSend : public scripted::ProducerTest {
 protected:
  void SetUp() override {
    ProducerTest::SetUp();
    withBrokers(1);
  }
  const scripted::Sent& last() { return a().sends.back(); }
  /// The body of the last send as a consumer sees it.
  std::string inflated() {
    if ((last().sysFlag & protocol::kCompressedFlag) == 0) return last().body;
    const auto body =
        protocol::decompressBody(last().sysFlag, std::as_bytes(std::span(last().body)), protocol::kMaxInflatedBodySize);
    EXPECT_TRUE(body) << body.error();
    return body ? std::string(body->text()) : std::string();
  }
};

TEST_F(CompressedSend, FromTheThresholdOn) {
  start();
  ASSERT_TRUE(producer->send(message(std::string(4095, 'x'))));
  EXPECT_EQ(last().sysFlag, 0);
  EXPECT_EQ(last().body, std::string(4095, 'x'));
  ASSERT_TRUE(producer->send(message(std::string(4096, 'x'))));
  EXPECT_EQ(last().sysFlag, 0x301) << "zlib, as Java says it";
  EXPECT_LT(last().body.size(), 100u);
  EXPECT_EQ(inflated(), std::string(4096, 'x'));
}

TEST_F(CompressedSend, EveryCodecAndEveryFace) {
  const struct {
    CompressionType type;
    int flag;
  } rows[] = {{CompressionType::LZ4, 0x101}, {CompressionType::ZSTD, 0x201}, {CompressionType::ZLIB, 0x301}};
  for (const auto& row : rows) {
    producer.reset();
    start({.compressMsgBodyOverHowmuch = 1000, .compressType = row.type});
    const std::string body(5000, 'x');
    const auto check = [&](const char* face) {
      engine->runUntilIdle();
      EXPECT_EQ(last().sysFlag, row.flag) << face;
      EXPECT_EQ(inflated(), body) << face;
      a().sends.clear();
    };
    ASSERT_TRUE(producer->send(message(body)));
    check("send");
    ASSERT_TRUE(producer->sendAsync(message(body)).get());
    check("sendAsync");
    ASSERT_TRUE(producer->send(message(body), [](Queues, const Message& m) { return m.body().size() % 4; }));
    check("with a selector, which sees the message as it is");
    ASSERT_TRUE(producer->sendOneway(message(body)));
    check("sendOneway");
  }
}

TEST_F(CompressedSend, TheCallersMessageStaysAsItIs) {
  start();
  const Message mine = message(std::string(10'000, 'x')).setMsgId("MINE");
  const std::byte* bytes = mine.body().bytes().data();
  ASSERT_TRUE(producer->send(mine));
  EXPECT_EQ(mine.body().bytes().data(), bytes);
  EXPECT_EQ(mine.body().text(), std::string(10'000, 'x'));
  ASSERT_TRUE(producer->send(mine));
  EXPECT_EQ(inflated(), std::string(10'000, 'x')) << "not compressed twice";
  EXPECT_EQ(last().msg_id, "MINE");
}

TEST_F(CompressedSend, WhatWouldNotShrinkGoesAsItIs) {
  start();
  base::Xoshiro256 random(1);
  std::string noise(10'000, '\0');
  for (char& c : noise) c = static_cast<char>(random.next());
  ASSERT_TRUE(producer->send(message(noise)));
  EXPECT_EQ(last().sysFlag, 0);
  EXPECT_EQ(last().body, noise);
}

TEST_F(CompressedSend, BatchesDoNot) {
  start();
  const std::vector<Message> batch(2, message(std::string(10'000, 'x')));
  ASSERT_TRUE(producer->sendBatch(batch));
  EXPECT_TRUE(last().batch);
  EXPECT_EQ(last().sysFlag, 0);
  EXPECT_GT(last().body.size(), 20'000u);
}

TEST_F(CompressedSend, EveryTrySendsTheSame) {
  addRoute("orders", addBroker(), 4);
  start();
  for (const auto& broker : brokers) broker->on_send = scripted::Server::answering(ResponseCode::SYSTEM_ERROR);
  ASSERT_FALSE(producer->send(message(std::string(10'000, 'x'))));
  ASSERT_EQ(sends(), 3u);
  for (const auto& broker : brokers) {
    for (const scripted::Sent& sent : broker->sends) {
      EXPECT_EQ(sent.sysFlag, 0x301);
      EXPECT_EQ(sent.body, last().body);
    }
  }
}

TEST_F(CompressedSend, TheLimitIsThatOfTheUncompressedBody) {
  start({.maxMessageSize = 5000});
  EXPECT_TRUE(producer->send(message(std::string(5000, 'x'))));
  const auto refused = producer->send(message(std::string(5001, 'x')));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kMessageIllegal);
  EXPECT_EQ(sends(), 1u);
}

TEST_F(CompressedSend, BackPressureCountsTheUncompressedBytes) {
  start({.backPressureForAsyncSendSize = 20'000});
  a().on_send = a().hanging();
  auto first = producer->sendAsync(message(std::string(10'000, 'x')));
  const auto second = producer->sendAsync(message(std::string(10'000, 'x'))).get();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kQueueFull);
  a().letGo();
  EXPECT_FALSE(std::move(first).get());
}

TEST_F(CompressedSend, NoMoreThanConsumersInflate) {
  start({.maxMessageSize = 32u << 20});
  ASSERT_TRUE(producer->send(message(std::string(protocol::kMaxInflatedBodySize, 'x'))));
  EXPECT_EQ(last().sysFlag, 0x301);
  EXPECT_FALSE(producer->send(message(std::string(protocol::kMaxInflatedBodySize + 1, 'x'))))
      << "it goes as it is, which no frame holds";
}

TEST_F(CompressedSend, AnUnknownTypeIsRefusedByItsNumber) {
  const auto refused =
      DefaultMQProducer::start("group", clientOptions(), {.compressType = static_cast<CompressionType>(4)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message().find("compressType is 4"), std::string::npos) << refused.error();
}

TEST_F(CompressedSend, AnyBodyComesBack) {
  base::Xoshiro256 random(9);
  for (int round = 0; round < 60; ++round) {
    producer.reset();
    const std::size_t threshold = random.below(3'000);
    start({.compressMsgBodyOverHowmuch = threshold, .compressType = static_cast<CompressionType>(1 + random.below(3))});
    std::string body(1 + random.below(6'000), '\0');
    const std::uint64_t variety = 1 + random.below(256);
    for (char& c : body) c = static_cast<char>(random.below(variety));
    ASSERT_TRUE(producer->send(message(body)));
    EXPECT_EQ(inflated(), body);
    EXPECT_LE(last().body.size(), body.size());
    EXPECT_TRUE(last().sysFlag == 0 || body.size() >= threshold);
  }
}

}  // namespace
}  // namespace mqclient
