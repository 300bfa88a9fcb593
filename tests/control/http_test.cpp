#include "mock_broker/control/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mqclient::control {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using State = HttpReader::State;

const std::string kWhole =
    "POST /inject HTTP/1.1\r\nHost: 127.0.0.1:80\r\nAUTHORIZATION:  Bearer x \r\nAccept: */*\r\ncontent-length: "
    "2\r\n\r\n{}";

TEST(HttpReader, ReadsTheSameHoweverTheBytesCome) {
  for (std::size_t step = 1; step <= kWhole.size(); ++step) {
    HttpReader reader;
    State state = State::kMore;
    for (std::size_t at = 0; at < kWhole.size(); at += step) {
      ASSERT_EQ(state, State::kMore) << "whole before byte " << at;
      state = reader.take(kWhole.substr(at, step));
    }
    ASSERT_EQ(state, State::kWhole);
    EXPECT_EQ(reader.request().method, "POST");
    EXPECT_EQ(reader.request().target, "/inject");
    EXPECT_EQ(reader.request().host, "127.0.0.1:80");
    EXPECT_EQ(reader.request().authorization, "Bearer x");
    EXPECT_EQ(reader.request().body, "{}");
  }
}

TEST(HttpReader, ABodyMayBeAbsentAndWhatFollowsItIsNobodys) {
  HttpReader reader;
  EXPECT_EQ(reader.take("POST / HTTP/1.1\r\nHost: a\r\n\r\nPOST /second"), State::kWhole);
  EXPECT_EQ(reader.request().body, "");
}

TEST(HttpReader, WordToSendTheBodyIsGivenOnceAndOnlyWhileItIsAwaited) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  HttpReader waits;
  EXPECT_FALSE(waits.takeContinue());
  EXPECT_EQ(waits.take(head), State::kMore);
  EXPECT_TRUE(waits.takeContinue());
  EXPECT_FALSE(waits.takeContinue());
  EXPECT_EQ(waits.take("{}"), State::kWhole);
  HttpReader has_it;
  EXPECT_EQ(has_it.take(head + "{}"), State::kWhole);
  EXPECT_FALSE(has_it.takeContinue());
}

int refusalOf(const std::string& bytes) {
  HttpReader reader;
  return reader.take(bytes) == State::kRefused ? reader.refused().status : 0;
}
std::string withField(const std::string& field) {
  return "POST / HTTP/1.1\r\n" + field + "\r\n\r\n";
}

TEST(HttpReader, WhatIsNoRequestOfOursIsRefused) {
  EXPECT_EQ(refusalOf("nonsense\r\n\r\n"), 400);
  EXPECT_EQ(refusalOf("POST  HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(refusalOf("PRI * HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(refusalOf(withField("no colon")), 400);
  EXPECT_EQ(refusalOf(withField("Host : a")), 400);
  EXPECT_EQ(refusalOf(withField("Host: a\r\n folded: b")), 400);
  EXPECT_EQ(refusalOf(withField("Host: a\r\nhost: b")), 400);
  EXPECT_EQ(refusalOf(withField("Authorization: a\r\nAuthorization: b")), 400);
  EXPECT_EQ(refusalOf(withField("Content-Length: 1\r\nContent-Length: 1")), 400);
  for (const char* length : {"", "-1", "+1", "1 1", "0x1", "1.0"}) {
    EXPECT_EQ(refusalOf(withField(std::string("Content-Length: ") + length)), 400) << length;
  }
  EXPECT_EQ(refusalOf(withField("Transfer-Encoding: chunked")), 411);
}

TEST(HttpReader, LimitsHoldAtTheirByte) {
  const auto with_length = [](std::size_t n) { return withField("Content-Length: " + std::to_string(n)); };
  HttpReader reader;
  EXPECT_EQ(reader.take(with_length(kBodyBytesMax)), State::kMore);
  EXPECT_EQ(reader.take(std::string(kBodyBytesMax, 'x')), State::kWhole);
  EXPECT_EQ(refusalOf(with_length(kBodyBytesMax + 1)), 413);
  EXPECT_EQ(refusalOf(withField("Content-Length: 99999999999999999999999999")), 413);

  const std::string begin = "POST / HTTP/1.1\r\nA: ";
  const auto of_size = [&begin](std::size_t n) { return begin + std::string(n - begin.size(), 'a') + "\r\n\r\n"; };
  EXPECT_EQ(refusalOf(of_size(kHeadBytesMax)), 0);
  EXPECT_EQ(refusalOf(of_size(kHeadBytesMax + 1)), 431);
  EXPECT_EQ(refusalOf(std::string(kHeadBytesMax + 1, 'a')), 431) << "without an end, too";
}

TEST(HttpAnswer, SaysItsLengthAndThatTheConnectionEnds) {
  const std::string bytes = encoded({200, R"({"id":1})"});
  EXPECT_THAT(bytes, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(bytes, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(bytes, HasSubstr("\r\nContent-Length: 8\r\n\r\n{\"id\":1}"));
  EXPECT_THAT(encoded(refusal(401, "no \"token\"")), HasSubstr(R"({"error":"no \"token\""})"));
}

}  // namespace
}  // namespace mqclient::control
