#include <gtest/gtest.h>

#include "bytes.h"
#include "protocol/frame_splitter.h"
#include "protocol/headers/namesrv.h"
#include "protocol/remoting_command.h"

namespace mqclient::protocol {
namespace {

using test::bytesOf;
using test::frameOf;

void feed(FrameSplitter& splitter, std::string_view text) {
  splitter.feed(base::Slice::copyOf(text));
}

std::string errorOf(std::string_view bytes, const FrameLimits& limits = {}) {
  FrameSplitter splitter(limits);
  feed(splitter, bytes);
  const auto next = splitter.next();
  return next ? std::string() : next.error().message();
}

TEST(FrameSplitter, AnyChoppingGivesTheSameFrames) {
  const std::vector<std::string> frames{frameOf(0, R"({"code":1})"), frameOf(1, std::string(21, '\0'), "body"),
                                        frameOf(0, "{}", std::string(300, 'x')), frameOf(0, "")};
  std::string stream;
  for (const auto& f : frames) stream += f;
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    FrameSplitter splitter;
    std::vector<std::string> got;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      feed(splitter, std::string_view(stream).substr(at, piece));
      for (;;) {
        auto next = splitter.next();
        ASSERT_TRUE(next) << next.error();
        if (!*next) break;
        got.push_back((*next)->toString());
      }
    }
    EXPECT_EQ(got, frames) << piece;
    EXPECT_EQ(splitter.buffered(), 0u);
  }
}

TEST(FrameSplitter, WholeFramesShareTheChunk) {
  const base::Slice chunk = base::Slice::copyOf(frameOf(0, "{}", "a") + frameOf(0, "{}", "b"));
  FrameSplitter splitter;
  splitter.feed(chunk);
  const auto first = splitter.next();
  const auto second = splitter.next();
  EXPECT_EQ((**first)[0].data(), chunk.data());
  EXPECT_EQ((**second)[0].data(), chunk.data() + 11);
}

TEST(FrameSplitter, AFrameOfManyPiecesIsGathered) {
  const std::string frame = frameOf(0, R"({"code":1})", std::string(200000, 'x'));
  FrameSplitter splitter;
  for (std::size_t at = 0; at < frame.size(); at += 7) feed(splitter, std::string_view(frame).substr(at, 7));
  EXPECT_EQ(splitter.buffered(), frame.size());
  const auto next = splitter.next();
  ASSERT_TRUE(next && *next);
  EXPECT_EQ((*next)->toString(), frame);
  EXPECT_LE((*next)->count(), 17u);
  EXPECT_EQ(splitter.buffered(), 0u);
}

TEST(FrameSplitter, LengthsAtTheLimit) {
  const auto after = [](std::uint32_t length) {
    std::string head(4, '\0');
    base::putBe32(head.data(), length);
    return errorOf(head);
  };
  EXPECT_EQ(after(16777211), "");
  EXPECT_EQ(after(16777212), "") << "keeps waiting for the rest";
  EXPECT_NE(after(16777213), "");
  EXPECT_NE(after(0xFFFFFFFF), "");
  EXPECT_NE(after(0x80000000), "");
  EXPECT_NE(after(3), "");
  EXPECT_NE(after(0), "");
  EXPECT_EQ(after(4), "");
}

TEST(FrameSplitter, ComplainsAsEarlyAsTheBytesAllow) {
  EXPECT_EQ(errorOf(bytesOf("000000")), "");
  EXPECT_EQ(errorOf(bytesOf("00000008")), "");
  EXPECT_NE(errorOf(bytesOf("00000008 02")).find("type of 2"), std::string::npos);
  EXPECT_EQ(errorOf(bytesOf("00000008 00 000004")), "");
  EXPECT_NE(errorOf(bytesOf("00000008 00 000005")).find("header of 5"), std::string::npos);
  FrameLimits limits;
  limits.headerBytes = 3;
  EXPECT_EQ(errorOf(bytesOf("00000008 00 000003"), limits), "");
  EXPECT_NE(errorOf(bytesOf("00000008 00 000004"), limits).find("limit is 3"), std::string::npos);
}

TEST(FrameSplitter, AWholeFrameIsJudgedAsItsBytesOneByOne) {
  FrameLimits limits;
  limits.headerBytes = 100;
  limits.frameBytes = 400;
  const std::string after = frameOf(0, "{}");
  std::vector<std::string> frames{frameOf(0, ""),
                                  frameOf(1, std::string(21, '\0')),
                                  frameOf(2, "{}"),
                                  frameOf(255, "{}"),
                                  frameOf(0, std::string(100, ' '), "body"),
                                  frameOf(0, std::string(101, ' '), "body"),
                                  frameOf(0, "{}", std::string(390, 'x')),
                                  frameOf(0, "{}", std::string(391, 'x')),
                                  bytesOf("00000004 00 000000"),
                                  bytesOf("00000004 00 000001"),
                                  bytesOf("00000003 00 0000"),
                                  bytesOf("fffffffe 00 000000")};
  for (const std::string& frame : frames) {
    FrameSplitter whole(limits);
    feed(whole, frame + after);
    FrameSplitter single(limits);
    std::optional<Result<std::optional<base::Chain>>> said;
    for (const char c : frame + after) {
      feed(single, std::string_view(&c, 1));
      said = single.next();
      if (!*said || **said) break;
    }
    const auto next = whole.next();
    ASSERT_EQ(next.has_value(), said->has_value()) << frame;
    if (next) {
      ASSERT_TRUE(*next && **said);
      EXPECT_EQ((*next)->toString(), frame);
      EXPECT_EQ((**said)->toString(), frame);
      EXPECT_EQ(whole.buffered(), after.size());
    }
  }
}

TEST(FrameSplitter, AnErrorStays) {
  FrameSplitter splitter;
  feed(splitter, bytesOf("ffffffff"));
  const auto first = splitter.next();
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code(), ErrorCode::kCorrupt);
  feed(splitter, frameOf(0, "{}"));
  EXPECT_FALSE(splitter.next());
  EXPECT_EQ(splitter.buffered(), 0u);
}

TEST(FrameSplitter, NamesStrangers) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {bytesOf("16030100 f5010000"), "TLS handshake"},
      {bytesOf("15030300 02022a00"), "TLS alert"},
      {"PRI * HTTP/2.0\r\n\r\n", "HTTP/2"},
      {bytesOf("00001204 00000000 00"), "gRPC or HTTP/2 server"},
      {"GET / HTTP/1.1\r\n", "HTTP request"},
      {"POST /", "HTTP request"},
      {"HTTP/1.1 400 Bad Request", "HTTP reply"},
      {"*1\r\n$4\r\nPING\r\n", "Redis"},
      {"PING\r\n", "Redis"},
      {"-ERR unknown", "Redis"},
      {bytesOf("0000002f 00120003 00000001"), "Kafka"},
      {"SSH-2.0-OpenSSH", "SSH"},
      {"PROXY TCP4 1.2.3.4", "PROXY"},
  };
  for (const auto& [bytes, name] : rows) {
    const std::string message = errorOf(bytes);
    EXPECT_NE(message.find(name), std::string::npos) << name << ": " << message;
  }
  EXPECT_EQ(errorOf("GE"), "") << "too few bytes to know";
  EXPECT_FALSE(foreignProtocol(test::asBytes(frameOf(0, "{}"))));
}

}  // namespace
}  // namespace mqclient::protocol
