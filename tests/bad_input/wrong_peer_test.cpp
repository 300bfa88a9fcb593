// An address that is not what it should be: nobody, something else, or something that talks nonsense. Over TCP, as a
// user meets it: one error in time that says what was found, where and what to do; one log line; a quick end.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"
#include "tests/support/log_lines.h"
#include "tests/support/nameserver_by_hand.h"
#include "tests/support/slack.h"
#include "tests/support/stranger.h"

namespace mqclient {
namespace {

using namespace std::chrono_literals;
using mqclient::testing::answerTo;
using mqclient::testing::LogLines;
using mqclient::testing::Manners;
using mqclient::testing::nameserverThatSays;
using mqclient::testing::Stranger;

/// What a client gives a peer here. The tests wait for it where nothing else can end the wait.
constexpr Millis kTimeout{150};
/// Beyond it: threads that are late, not a promise.
constexpr Millis kLate{1'000};
/// Ending has nothing to wait for.
constexpr Millis kClosing{500};

std::string lengthField(std::uint32_t length) {
  std::string bytes(4, '\0');
  base::putBe32(bytes.data(), length);
  return bytes;
}

/// One row: who is there, and what an error must say of it.
struct Peer {
  std::string name;
  Manners manners;
  std::vector<std::string> words;  ///< besides the address
};
void PrintTo(const Peer& peer, std::ostream* out) {
  *out << peer.name;
}

std::string randomBytes() {
  std::string bytes;
  for (unsigned word = 1; bytes.size() < 4096; word = word * 1'103'515'245 + 12'345) {
    bytes.push_back(static_cast<char>(word >> 16 | 0x80));
  }
  return bytes;
}

std::vector<Peer> peers() {
  using enum Manners::Then;
  const auto answering = [](std::string bytes, Manners::Then then = kStays) {
    return Manners{.answer = [bytes = std::move(bytes)](std::string_view) { return bytes; }, .after_answer = then};
  };
  return {
      {"GrpcServer",
       {.greeting = std::string("\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\x10\0\0\0\x06\0\0\x40\0", 27)},
       {"gRPC or HTTP/2 server"}},
      {"HttpServer",
       answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", kCloses),
       {"HTTP reply", "web server"}},
      {"RedisServer", answering("-ERR unknown command\r\n"), {"Redis reply"}},
      {"TlsServer", answering(std::string("\x15\x03\x01\x00\x02\x02\x46", 7), kCloses), {"TLS"}},
      {"SshServer", {.greeting = "SSH-2.0-OpenSSH_9.2\r\n"}, {"SSH"}},
      {"RandomBytes", answering(randomBytes()), {"frame length", "limit"}},
      {"AnnouncesTwoGibibytes", answering(lengthField(0x7FFF'FFFF) + "x"), {"2147483647", "limit"}},
      {"AnswersAnotherOpaque",
       {.answer = [](std::string_view request) { return answerTo(request, ResponseCode::SUCCESS, {}, 1'000'000); }},
       {"time"}},
      {"AcceptsAndNeverAnswers", {}, {"time"}},
      {"AcceptsAndClosesAtOnce", {.after_greeting = kCloses}, {"connection"}},
      {"ClosesWhenAsked", answering("", kCloses), {"connection"}},
      {"Drips",
       {.answer =
            [](std::string_view request) {
              return answerTo(request, ResponseCode::SUCCESS, mqclient::testing::routeTo({}));
            },
        .drips = true},
       {"time"}},
  };
}

/// Wrong only as nameservers: a broker is asked for no route.
std::vector<Peer> nameservers() {
  return {
      {"AnswersGarbageInAFrame", nameserverThatSays(randomBytes()), {"cannot be read"}},
      {"AnswersARouteThatIsNoJson", nameserverThatSays("brokerDatas: []"), {"cannot be read"}},
      {"IsABroker",
       {.answer =
            [](std::string_view request) { return answerTo(request, ResponseCode::REQUEST_CODE_NOT_SUPPORTED, {}); }},
       {"no nameserver", "a broker"}},
  };
}

ClientOptions clientOf(const std::string& nameservers, LogLines& lines) {
  ClientOptions client{.namesrvAddr = nameservers, .startTimeout = kTimeout};
  lines.hear(client);
  client.mqClientApiTimeout = kTimeout;
  return client;
}

ConsumeConcurrentlyStatus consumed(Messages /*messages*/, ConsumeConcurrentlyContext& /*context*/) {
  return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
}

template <class F>
Millis timeOf(F f) {
  const auto began = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - began);
}
Millis late(Millis what) {
  return what + kLate * mqclient::testing::slack();
}

void expectWords(const Error& error, const std::vector<std::string>& words) {
  std::cout << "  " << error << '\n';
  for (const std::string& word : words) {
    EXPECT_NE(error.message().find(word), std::string::npos) << "\"" << word << "\" is not in: " << error;
  }
}
void expectOneLine(const LogLines& lines, const std::string& address) {
  const std::vector<std::string> found = lines.about(address);
  EXPECT_LE(found.size(), 1u);
  for (const std::string& line : found) std::cout << "  log: " << line << '\n';
}

/// Both kinds of client refuse to start, in time and with one error.
void expectNoStart(const std::string& nameservers, std::vector<std::string> words) {
  words.insert(words.end(), {nameservers, "namesrvAddr"});
  LogLines lines;
  std::optional<Error> error;
  Millis took = timeOf([&] {
    const auto producer = DefaultMQProducer::start("group", clientOf(nameservers, lines));
    if (!producer) error = producer.error();
  });
  EXPECT_LT(took, late(kTimeout));
  ASSERT_TRUE(error) << "a producer has started";
  EXPECT_EQ(error->code(), ErrorCode::kNoNameServer) << *error;
  expectWords(*error, words);
  expectOneLine(lines, nameservers);

  LogLines consumer_lines;
  error.reset();
  took = timeOf([&] {
    const auto consumer =
        DefaultMQPushConsumer::start("group", {{"t"}}, consumed, clientOf(nameservers, consumer_lines));
    if (!consumer) error = consumer.error();
  });
  EXPECT_LT(took, late(kTimeout));
  ASSERT_TRUE(error) << "a consumer has started";
  EXPECT_EQ(error->code(), ErrorCode::kNoNameServer) << *error;
  expectWords(*error, words);
  expectOneLine(consumer_lines, nameservers);
}

/// A route names `broker`: a send ends in one error in time, a consumer starts and says in health() what is wrong.
void expectNoBroker(const std::string& broker, std::vector<std::string> words) {
  words.push_back(broker);
  const Stranger nameserver(mqclient::testing::nameserverByHand({{"broker-a", broker}}));
  LogLines lines;
  {
    auto producer = DefaultMQProducer::start("group", clientOf(nameserver.address(), lines)).value();
    std::optional<Error> error;
    const Millis took = timeOf([&] {
      const auto sent = producer.send(Message("t", "x"), SendOptions{.timeout = kTimeout});
      if (!sent) error = sent.error();
    });
    EXPECT_LT(took, late(kTimeout));
    ASSERT_TRUE(error) << "it was sent";
    expectWords(*error, words);
    EXPECT_LT(error->message().size(), 1'000u);
    CloseReport report;
    EXPECT_LT(timeOf([&] { report = producer.close(); }), kClosing * mqclient::testing::slack());
    EXPECT_TRUE(report.complete()) << report.toString();
  }
  expectOneLine(lines, broker);

  LogLines consumer_lines;
  {
    ClientOptions client = clientOf(nameserver.address(), consumer_lines);
    client.startTimeout = 10 * kTimeout;  // so that it ends with the first look at the broker
    auto consumer = DefaultMQPushConsumer::start("group", {{"t"}}, consumed, client);
    ASSERT_TRUE(consumer) << consumer.error();
    const Health health = consumer->health();
    ASSERT_EQ(health.brokers.size(), 1u);
    EXPECT_EQ(health.brokers[0].state, BrokerState::kDown);
    expectWords(Error(ErrorCode::kUnreachable, health.brokers[0].why), words);
    EXPECT_LT(timeOf([&] { consumer->close(); }), kClosing * mqclient::testing::slack());
  }
  expectOneLine(consumer_lines, broker);
}

class WrongPeer : public ::testing::TestWithParam<Peer> {};
INSTANTIATE_TEST_SUITE_P(Table, WrongPeer, ::testing::ValuesIn(peers()),
                         [](const auto& row) { return row.param.name; });

TEST_P(WrongPeer, AsNameserver) {
  const Stranger stranger(GetParam().manners);
  expectNoStart(stranger.address(), GetParam().words);
}

TEST_P(WrongPeer, AsBroker) {
  const Stranger stranger(GetParam().manners);
  expectNoBroker(stranger.address(), GetParam().words);
}

class WrongNameserver : public ::testing::TestWithParam<Peer> {};
INSTANTIATE_TEST_SUITE_P(Table, WrongNameserver, ::testing::ValuesIn(nameservers()),
                         [](const auto& row) { return row.param.name; });

TEST_P(WrongNameserver, IsNamed) {
  const Stranger stranger(GetParam().manners);
  expectNoStart(stranger.address(), GetParam().words);
}

TEST(NoPeer, NobodyListens) {
  expectNoStart(mqclient::testing::closedAddress(), {"Connection refused"});
  expectNoBroker(mqclient::testing::closedAddress(), {"Connection refused"});
}

TEST(NoPeer, TheNameHasNoAddress) {
  expectNoStart("no-such-host.invalid:9876", {"no-such-host.invalid"});
  expectNoBroker("no-such-host.invalid:10911", {"no-such-host.invalid"});
}

// ---- the other direction

TEST(Strangers, AreClosedAndTheClusterGoesOn) {
  MockCluster cluster = MockCluster::start({.transport = MockTransport::kTcp}).value();
  auto producer = DefaultMQProducer::start("group", cluster.client()).value();
  const std::string bytes[] = {
      "GET / HTTP/1.1\r\nHost: broker\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
      "*1\r\n$4\r\nPING\r\n",
      std::string("\0\0\0\x2f\0\x12\0\x03\0\0\0\1", 12),
      randomBytes(),
  };
  for (const std::string& stranger : bytes) {
    for (const std::string& address : {cluster.namesrvAddr(), cluster.broker("broker-a")->address()}) {
      EXPECT_EQ(mqclient::testing::answerAndEnd(address, stranger), "") << stranger;
    }
    EXPECT_TRUE(producer.send(Message("t", "x")));
  }
}

}  // namespace
}  // namespace mqclient
