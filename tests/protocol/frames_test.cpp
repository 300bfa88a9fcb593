#include <gtest/gtest.h>

#include <map>

#include "bytes.h"
#include "protocol/headers/namesrv.h"
#include "protocol/headers/send.h"
#include "protocol/remoting_command.h"

namespace mqclient::protocol {
namespace {

using test::bytesOf;
using test::chainOf;
using test::frameOf;
using test::hexOf;

std::map<std::string, std::string> extOf(const RemotingCommand& c) {
  std::map<std::string, std::string> out;
  for (const auto& e : c.ext) out.insert_or_assign(std::string(e.key), e.value);
  return out;
}

Result<RemotingCommand> decode(std::string_view frame) {
  return decodeFrame(base::Slice::copyOf(frame));
}

RequestHead asJava(RequestCode code, int opaque, SerializeType type) {
  return {.code = code, .opaque = opaque, .type = type, .language = LanguageCode::JAVA, .version = version::V5_3_3};
}

constexpr std::string_view kRouteJson =
    R"({"code":105,"extFields":{"topic":"TopicTest"},"flag":0,"language":"JAVA","opaque":7,"serializeTypeCurrentRPC":"JSON","version":479})";

TEST(Frame, GoldenJsonRequest) {
  ASSERT_EQ(kRouteJson.size(), 131u);
  const std::string golden = bytesOf("00000087 00000083") + std::string(kRouteJson);
  ASSERT_EQ(golden.size(), 139u);
  GetRouteInfoRequestHeader header;
  header.topic = "TopicTest";
  EXPECT_EQ(encodeRequest(asJava(RequestCode::GET_ROUTEINFO_BY_TOPIC, 7, SerializeType::JSON), header).toString(),
            golden);
  const auto c = decode(golden);
  ASSERT_TRUE(c) << c.error();
  EXPECT_EQ(c->requestCode(), RequestCode::GET_ROUTEINFO_BY_TOPIC);
  EXPECT_EQ(c->opaque, 7);
  EXPECT_EQ(c->version, 479);
  EXPECT_EQ(c->language, LanguageCode::JAVA);
  EXPECT_EQ(c->serializeType, SerializeType::JSON);
  EXPECT_FALSE(c->isResponse());
  EXPECT_TRUE(c->body.empty());
  EXPECT_EQ(encode(*c).toString(), golden);
  EXPECT_EQ(decodeHeader<GetRouteInfoRequestHeader>(c->ext).value(), header);
}

TEST(Frame, GoldenBinaryRequest) {
  const std::string golden = bytesOf(
      "0000002d 01000029 0069 00 01df 00000007 00000000 00000000 00000014 0005 746f706963 00000009 546f70696354657374");
  ASSERT_EQ(golden.size(), 49u);
  GetRouteInfoRequestHeader header;
  header.topic = "TopicTest";
  EXPECT_EQ(
      hexOf(encodeRequest(asJava(RequestCode::GET_ROUTEINFO_BY_TOPIC, 7, SerializeType::ROCKETMQ), header).toString()),
      hexOf(golden));
  const auto c = decode(golden);
  ASSERT_TRUE(c) << c.error();
  EXPECT_EQ(c->code, 105);
  EXPECT_EQ(c->opaque, 7);
  EXPECT_EQ(c->version, 479);
  EXPECT_EQ(c->serializeType, SerializeType::ROCKETMQ);
  EXPECT_EQ(decodeHeader<GetRouteInfoRequestHeader>(c->ext)->topic, "TopicTest");
  EXPECT_EQ(hexOf(encode(*c).toString()), hexOf(golden));
}

TEST(Frame, GoldenMinimalResponse) {
  const std::string golden =
      frameOf(0, R"({"code":0,"flag":1,"language":"JAVA","opaque":7,"serializeTypeCurrentRPC":"JSON","version":479})");
  const auto c = decode(golden);
  ASSERT_TRUE(c);
  EXPECT_TRUE(c->isResponse());
  EXPECT_EQ(c->responseCode(), ResponseCode::SUCCESS);
  EXPECT_TRUE(c->ext.empty());
  EXPECT_EQ(encode(*c).toString(), golden);
}

SendMessageRequestHeaderV2 goldenSend() {
  SendMessageRequestHeaderV2 h;
  h.producerGroup = "PG";
  h.topic = "TopicTest";
  h.defaultTopic = "TBW102";
  h.defaultTopicQueueNums = 4;
  h.queueId = 2;
  h.bornTimestamp = 1700000000000;
  h.properties = "TAGS\x01TagA\x02";
  h.reconsumeTimes = 0;
  h.bname = "broker-a";
  return h;
}

TEST(Frame, GoldenSendMessageV2InJson) {
  const base::Chain frame = encodeRequest(asJava(RequestCode::SEND_MESSAGE_V2, 9, SerializeType::JSON), goldenSend(),
                                          base::Slice::copyOf("hello"));
  ASSERT_EQ(frame.size(), 288u);
  EXPECT_EQ(
      frame.toString().substr(8),
      R"({"code":310,"extFields":{"a":"PG","b":"TopicTest","c":"TBW102","d":"4","e":"2","f":"0","g":"1700000000000","h":"0","i":"TAGS\u0001TagA\u0002","j":"0","k":"false","m":"false","n":"broker-a"},"flag":0,"language":"JAVA","opaque":9,"serializeTypeCurrentRPC":"JSON","version":479}hello)");
  const auto c = decodeFrame(frame);
  ASSERT_TRUE(c);
  EXPECT_EQ(decodeHeader<SendMessageRequestHeaderV2>(c->ext).value(), goldenSend());
  EXPECT_EQ(c->body.toString(), "hello");
}

TEST(Frame, GoldenSendMessageV2InBinary) {
  const base::Slice body = base::Slice::copyOf("hello");
  const base::Chain frame =
      encodeRequest(asJava(RequestCode::SEND_MESSAGE_V2, 9, SerializeType::ROCKETMQ), goldenSend(), body);
  const std::string bytes = frame.toString();
  EXPECT_EQ(hexOf(bytes.substr(0, 29)), "000000b8010000af01360001df0000000900000000000000000000009a");
  EXPECT_EQ(bytes.size(), 0xb8u + 4);
  EXPECT_EQ(hexOf(bytes.substr(29, 18)), hexOf(bytesOf("0001 61 00000002 5047 0001 62 00000009 54 6f")).substr(0, 36));
  EXPECT_EQ(frame[1].data(), body.data()) << "the body is shared, not copied";
  const auto c = decodeFrame(frame);
  ASSERT_TRUE(c);
  EXPECT_EQ(c->ext.size(), 13u);
  std::string keys;
  for (const auto& e : c->ext) keys += e.key;
  EXPECT_EQ(keys, "abcdefghijkmn");
  EXPECT_EQ(decodeHeader<SendMessageRequestHeaderV2>(c->ext).value(), goldenSend());
  EXPECT_EQ(c->body[0].data(), body.data());
}

TEST(Frame, SendHeadersOfBothGenerationsReadAlike) {
  SendMessageRequestHeader v1;
  static_cast<SendMessageFields<std::string>&>(v1) = goldenSend();
  for (const auto code : {RequestCode::SEND_MESSAGE, RequestCode::SEND_REPLY_MESSAGE}) {
    const auto c = decodeFrame(encodeRequest({.code = code}, v1));
    EXPECT_EQ(decodeSendHeader(*c)->topic, "TopicTest");
    EXPECT_EQ(decodeSendHeader(*c)->bname, "broker-a");
  }
  for (const auto code :
       {RequestCode::SEND_MESSAGE_V2, RequestCode::SEND_BATCH_MESSAGE, RequestCode::SEND_REPLY_MESSAGE_V2}) {
    const auto c = decodeFrame(encodeRequest({.code = code}, goldenSend()));
    EXPECT_EQ(decodeSendHeader(*c)->queueId, 2);
  }
}

TEST(Frame, GoldenTolerance) {
  const auto with = [](std::string_view json) { return decode(frameOf(0, json)); };
  const auto cpp = with(
      R"({"code":10,"language":"CPP","version":353,"opaque":1,"flag":0,"remark":"","extFields":{"queueId":3,"x":true,"Signature":""}})");
  ASSERT_TRUE(cpp) << cpp.error();
  EXPECT_EQ(extOf(*cpp), (std::map<std::string, std::string>{{"queueId", "3"}, {"x", "true"}, {"Signature", ""}}));
  EXPECT_EQ(cpp->language, LanguageCode::CPP);
  EXPECT_EQ(cpp->remark(), "");
  EXPECT_EQ(with(R"({"code":1,"language":1})")->language, LanguageCode::CPP);
  EXPECT_EQ(with(R"({"code":1,"language":"NOSUCH"})")->language, LanguageCode::UNKNOWN);
  EXPECT_EQ(with(R"({"code":1})")->language, LanguageCode::JAVA);
  EXPECT_TRUE(with(R"({"code":1,"extFields":null})")->ext.empty());
  EXPECT_TRUE(with(R"({"code":1,"extFields":{}})")->ext.empty());
  EXPECT_TRUE(with(R"({"code":1,"unknown":{"a":[1,{"b":null}]},"extFields":{"a":null}})")->ext.empty());
  EXPECT_EQ(with(R"( { "code" : 17 , "remark" : "no \"route\"" } )")->remark(), "no \"route\"");
  EXPECT_EQ(with(R"({"code":1,"code":2})")->code, 2);
}

TEST(Frame, CodesAbove32767GoAsJson) {
  for (const int code : {32766, 32767, 32768, 200050}) {
    const auto c = decodeFrame(encodeRequest({.code = static_cast<RequestCode>(code)}, NoHeader{}));
    ASSERT_TRUE(c);
    EXPECT_EQ(c->code, code);
    EXPECT_EQ(c->serializeType, code > 32767 ? SerializeType::JSON : SerializeType::ROCKETMQ);
  }
  const auto rpc = decodeFrame(encodeResponse({1, SerializeType::ROCKETMQ}, ResponseCode::RPC_TIME_OUT));
  EXPECT_EQ(rpc->responseCode(), ResponseCode::RPC_TIME_OUT);
}

TEST(Frame, AReplyGoesInTheRequestsFormat) {
  for (const auto type : {SerializeType::JSON, SerializeType::ROCKETMQ}) {
    const auto request =
        decodeFrame(encodeRequest({.code = RequestCode::SEND_MESSAGE_V2, .opaque = -5, .type = type}, goldenSend()));
    SendMessageResponseHeader header;
    header.msgId = "7F";
    header.queueOffset = 1LL << 40;
    const auto reply = decodeFrame(encodeResponse(*request, ResponseCode::FLUSH_DISK_TIMEOUT, "slow", header));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->serializeType, type);
    EXPECT_EQ(reply->opaque, -5);
    EXPECT_TRUE(reply->isResponse());
    EXPECT_EQ(reply->remark(), "slow");
    EXPECT_EQ(decodeHeader<SendMessageResponseHeader>(reply->ext).value(), header);
  }
}

TEST(Frame, OnewayIsAFlag) {
  const auto c = decodeFrame(encodeRequest({.code = RequestCode::END_TRANSACTION, .oneway = Oneway::kYes}, NoHeader{}));
  EXPECT_TRUE(c->isOneway());
  EXPECT_FALSE(c->isResponse());
}

TEST(Frame, SurvivesEveryCut) {
  for (const auto type : {SerializeType::JSON, SerializeType::ROCKETMQ}) {
    const std::string frame =
        encodeRequest(asJava(RequestCode::SEND_MESSAGE_V2, 9, type), goldenSend(), base::Slice::copyOf("hello"))
            .toString();
    for (std::size_t piece = 1; piece <= frame.size(); ++piece) {
      const auto c = decodeFrame(chainOf(frame, piece));
      ASSERT_TRUE(c) << piece << c.error();
      EXPECT_EQ(c->body.toString(), "hello");
      EXPECT_EQ(decodeHeader<SendMessageRequestHeaderV2>(c->ext).value(), goldenSend());
    }
    for (std::size_t n = 0; n < frame.size(); ++n) {
      EXPECT_FALSE(decode(std::string_view(frame).substr(0, n))) << n;
      if (n < 4) continue;
      std::string shorter = frame.substr(0, n);
      base::putBe32(shorter.data(), static_cast<std::uint32_t>(n - 4));
      // Cut inside the body it is another frame; before that it cannot be one.
      EXPECT_EQ(decode(shorter).has_value(), n >= frame.size() - 5) << n;
    }
  }
}

TEST(Frame, NoByteMakesItReadOutside) {
  for (const auto type : {SerializeType::JSON, SerializeType::ROCKETMQ}) {
    const std::string frame =
        encodeRequest(asJava(RequestCode::SEND_MESSAGE_V2, 9, type), goldenSend(), base::Slice::copyOf("hello"))
            .toString();
    for (std::size_t i = 0; i < frame.size(); ++i) {
      for (const unsigned value : {0x00u, 0x01u, 0x22u, 0x5Cu, 0x7Bu, 0x7Fu, 0x80u, 0xFFu}) {
        std::string changed = frame;
        changed[i] = static_cast<char>(value);
        if (const auto c = decode(changed)) {
          for (const auto& e : c->ext) EXPECT_LE(e.value.size(), frame.size());
          EXPECT_FALSE(c->toString().empty());
        } else {
          EXPECT_EQ(c.error().code(), ErrorCode::kCorrupt);
        }
      }
    }
  }
}

struct Malformed {
  const char* what;
  std::string frame;
  const char* says;
};

TEST(Frame, MalformedRows) {
  const std::string fixed = bytesOf("0069 00 01df 00000007 00000000");
  const std::vector<Malformed> rows{
      {"no frame at all", "", "0 bytes"},
      {"length negative", bytesOf("ffffffff 00000000"), "-1"},
      {"length below 4", bytesOf("00000003 00000000"), "length field says 3"},
      {"length of another frame", bytesOf("00000005 00000000"), "length field says 5"},
      {"type 2", frameOf(2, "{}"), "type is 2"},
      {"header longer than the frame", bytesOf("00000004 00000001"), "claims 1 bytes"},
      {"JSON: nothing", frameOf(0, ""), "'{' expected"},
      {"JSON: not an object", frameOf(0, "[]"), "'{' expected"},
      {"JSON: cut", frameOf(0, R"({"code":1)"), "JSON header"},
      {"JSON: something behind it", frameOf(0, R"({"code":1}x)"), "follows"},
      {"JSON: code no number", frameOf(0, R"({"code":"ten"})"), "not an integer"},
      {"JSON: code too big", frameOf(0, R"({"code":2147483648})"), "does not fit 32 bits"},
      {"JSON: opaque a fraction", frameOf(0, R"({"opaque":1.5})"), "not an integer"},
      {"JSON: ext fields no object", frameOf(0, R"({"extFields":[1]})"), "'{' expected"},
      {"binary: too short", frameOf(1, std::string(20, '\0')), "the shortest has 21"},
      {"binary: remark negative", frameOf(1, fixed + bytesOf("ffffffff 00000000")), "remark"},
      {"binary: remark too long", frameOf(1, fixed + bytesOf("00000005 00000000")), "remark"},
      {"binary: ext negative", frameOf(1, fixed + bytesOf("00000000 80000000")), "ext fields"},
      {"binary: ext too long", frameOf(1, fixed + bytesOf("00000000 00000001")), "ext fields"},
      {"binary: ext too short", frameOf(1, fixed + bytesOf("00000000 00000000 00")), "follow its ext fields"},
      {"binary: key negative", frameOf(1, fixed + bytesOf("00000000 00000007 ffff 61 00000000")), "key"},
      {"binary: key too long", frameOf(1, fixed + bytesOf("00000000 00000007 0006 61 00000000")), "key"},
      {"binary: value negative", frameOf(1, fixed + bytesOf("00000000 00000007 0001 61 ffffffff")), "value"},
      {"binary: value too long", frameOf(1, fixed + bytesOf("00000000 00000007 0001 61 00000001")), "value"},
      {"binary: half an entry", frameOf(1, fixed + bytesOf("00000000 00000001 00")), "key"},
  };
  for (const Malformed& row : rows) {
    const auto c = decode(row.frame);
    ASSERT_FALSE(c) << row.what;
    EXPECT_EQ(c.error().code(), ErrorCode::kCorrupt) << row.what;
    EXPECT_NE(c.error().message().find(row.says), std::string::npos) << row.what << ": " << c.error().message();
  }
}

TEST(FrameLimits, FrameSize) {
  FrameLimits limits;
  limits.frameBytes = 1000;
  for (const std::size_t size : {999u, 1000u, 1001u}) {
    const std::string frame = frameOf(0, R"({"code":1})", std::string(size - 18, 'b'));
    ASSERT_EQ(frame.size(), size);
    EXPECT_EQ(decodeFrame(base::Slice::copyOf(frame), limits).has_value(), size <= 1000);
  }
}

TEST(FrameLimits, HeaderSize) {
  const FrameLimits limits;
  for (const std::size_t size : {limits.headerBytes - 1, limits.headerBytes, limits.headerBytes + 1}) {
    const std::string open = R"({"code":1,"remark":")";
    const std::string header = open + std::string(size - open.size() - 2, 'r') + "\"}";
    EXPECT_EQ(decode(frameOf(0, header)).has_value(), size <= limits.headerBytes) << size;
  }
}

RemotingCommand withFields(SerializeType type, std::size_t count) {
  RemotingCommand c;
  c.serializeType = type;
  for (std::size_t i = 0; i < count; ++i) c.ext.add("k" + std::to_string(i), "v");
  return c;
}

TEST(FrameLimits, FieldCountAndValueSize) {
  const FrameLimits limits;
  for (const auto type : {SerializeType::JSON, SerializeType::ROCKETMQ}) {
    for (const std::size_t n : {limits.headerFields - 1, limits.headerFields, limits.headerFields + 1}) {
      EXPECT_EQ(decodeFrame(encode(withFields(type, n))).has_value(), n <= limits.headerFields) << n;
    }
    for (const std::size_t n : {limits.fieldValueBytes - 1, limits.fieldValueBytes, limits.fieldValueBytes + 1}) {
      RemotingCommand c;
      c.serializeType = type;
      c.ext.add("k", std::string(n, 'v'));
      EXPECT_EQ(decodeFrame(encode(c)).has_value(), n <= limits.fieldValueBytes) << n;
      c.flag = kResponseFlag;  // the ids of a batch of 4,096 are longer than a request's value may be
      EXPECT_TRUE(decodeFrame(encode(c)));
    }
  }
}

TEST(ExtFields, AddsFindsAndReplaces) {
  ExtFields ext;
  EXPECT_TRUE(ext.empty());
  EXPECT_EQ(ext.begin(), ext.end());
  ext.add("a", "1");
  ext.add("b", "");
  ext.add("a", "2");
  EXPECT_EQ(ext.size(), 3u);
  EXPECT_EQ(ext.find("a"), "2") << "the last counts";
  EXPECT_EQ(ext.find("b"), "");
  EXPECT_EQ(ext.find("c"), std::nullopt);
  ext.set("a", "3");
  ext.set("c", "4");
  EXPECT_EQ(ext.size(), 3u);
  EXPECT_EQ(ext.find("a"), "3");
  EXPECT_EQ(ext.find("c"), "4");
}

TEST(ExtFields, AddingToAReceivedCommandLeavesItsCopiesAlone) {
  const auto c = decodeFrame(encodeRequest({.code = RequestCode::SEND_MESSAGE_V2}, goldenSend()));
  RemotingCommand changed = *c;
  changed.ext.set("b", "other");
  changed.ext.add("AccessKey", "me");
  EXPECT_EQ(c->ext.find("b"), "TopicTest");
  EXPECT_EQ(changed.ext.find("b"), "other");
  const auto back = decodeFrame(encode(changed));
  EXPECT_EQ(back->ext.find("AccessKey"), "me");
  EXPECT_EQ(back->ext.find("b"), "other");
  EXPECT_EQ(back->ext.size(), c->ext.size() + 1);
}

TEST(RemotingCommand, PrintsForLogs) {
  const auto c = decodeFrame(
      encodeRequest({.code = RequestCode::SEND_MESSAGE_V2, .opaque = 3}, goldenSend(), base::Slice::copyOf("hello")));
  const std::string text = c->toString();
  EXPECT_NE(text.find("SEND_MESSAGE_V2(310)"), std::string::npos) << text;
  EXPECT_NE(text.find("b=TopicTest"), std::string::npos) << text;
  EXPECT_NE(text.find("body=5"), std::string::npos) << text;
  EXPECT_LT(withFields(SerializeType::JSON, 1000).toString().size(), 1024u);
}

}  // namespace
}  // namespace mqclient::protocol
