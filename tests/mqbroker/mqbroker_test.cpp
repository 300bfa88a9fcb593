// The executable as its users meet it: what it prints, how it ends, what it refuses. MQBROKER is its path.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <ostream>
#include <string>
#include <vector>

#include "mqclient/mqclient.h"
#include "tests/mqbroker/exit_status.h"
#include "tests/support/program.h"
#include "tests/support/slack.h"
#include "tests/support/stranger.h"
#include "tests/support/temp_file.h"

namespace mqclient {
namespace {

using mqclient::testing::Program;
using File = mqclient::testing::TempFile;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

Program mqbroker(std::vector<std::string> arguments = {"--listen-port", "0", "--namesrv-port", "0"}) {
  return Program(MQBROKER, std::move(arguments));
}

/// A port of this machine that somebody has: who connects is never answered, or refused at once.
class Mute {
 public:
  enum class Connects { kAreHeld, kAreRefused };
  explicit Mute(Connects connects = Connects::kAreHeld) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&at), size), 0);
    if (connects == Connects::kAreHeld) {
      EXPECT_EQ(listen(fd_, 16), 0);
    }
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    port_ = std::to_string(ntohs(at.sin_port));
  }
  ~Mute() { close(fd_); }
  Mute(const Mute&) = delete;
  Mute& operator=(const Mute&) = delete;
  const std::string& port() const { return port_; }

 private:
  const int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string port_;
};

void expectOrderlyEnd(Program& program, int signal) {
  program.signal(signal);
  const Program::End end = program.wait();
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_THAT(end.out, IsEmpty());
}

/// One message there and back.
void expectDelivery(const std::string& address) {
  const ClientOptions client{.namesrvAddr = address};
  auto producer = DefaultMQProducer::start("writers", client).value();
  EXPECT_EQ(producer.send(Message("greetings", "hello").setKeys("1")).value().sendStatus, SendStatus::SEND_OK);
  std::latch seen(1);
  std::string body;
  const auto listener = [&](Messages messages, ConsumeConcurrentlyContext&) {
    body = messages[0].body();
    seen.count_down();
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  };
  auto consumer = DefaultMQPushConsumer::start("readers", {{"greetings"}}, listener, client,
                                               {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()})
                      .value();
  seen.wait();
  EXPECT_EQ(body, "hello");
  EXPECT_TRUE(consumer.close().complete());
}

TEST(Mqbroker, ItsFirstLineIsAnAddressAtWhichMessagesGoThereAndBack) {
  Program broker = mqbroker();
  const auto address = broker.readLine();
  ASSERT_TRUE(address);
  EXPECT_THAT(*address, MatchesRegex("127\\.0\\.0\\.1:[0-9]+"));
  expectDelivery(*address);
  expectOrderlyEnd(broker, SIGTERM);
}

TEST(Mqbroker, EndsInOrderWithClientsConnectedAndPullsHeld) {
  Program broker = mqbroker();
  const ClientOptions client{.namesrvAddr = broker.readLine().value()};
  auto producer = DefaultMQProducer::start("writers", client).value();
  (void)producer.send(Message("t", "x")).value();
  std::latch seen(1);
  const auto listener = [&](Messages, ConsumeConcurrentlyContext&) {
    seen.count_down();
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  };
  auto consumer = DefaultMQPushConsumer::start("readers", {{"t"}}, listener, client,
                                               {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()})
                      .value();
  seen.wait();
  const auto began = std::chrono::steady_clock::now();
  expectOrderlyEnd(broker, SIGINT);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(1'000) * mqclient::testing::slack());
  EXPECT_FALSE(producer.send(Message("t", "y"), SendOptions{.timeout = Millis{50}}));
  // Nobody is there to sign off with.
  (void)consumer.close(Millis{10});
  (void)producer.close(Millis{10});
}

TEST(Mqbroker, SaysOnceThatMessagesEndWithItAndIsQuietThen) {
  Program broker = mqbroker();
  ASSERT_TRUE(broker.readLine());
  broker.signal(SIGTERM);
  const Program::End end = broker.wait();
  EXPECT_THAT(end.out, IsEmpty());
  EXPECT_EQ(std::ranges::count(end.err, '\n'), 2) << end.err;
  EXPECT_THAT(end.err, HasSubstr("messages are kept in memory only, the last 256 MiB of them"));
  EXPECT_THAT(end.err, HasSubstr("broker-a listens at 127.0.0.1:"));
}

TEST(Mqbroker, AnApacheFileOfTheSameMachineStartsAloneAndBesideItsNameserver) {
  const std::string port = [] { return Mute().port(); }();  // free again
  const File broker_conf(
      "brokerClusterName=DefaultCluster\nbrokerName=broker-a\nbrokerId=0\nbrokerRole=ASYNC_MASTER\n"
      "flushDiskType=ASYNC_FLUSH\nnamesrvAddr=127.0.0.1:" +
      port +
      "\nbrokerIP1=127.0.0.1\n"
      "brokerIP2=127.0.0.1\nbindAddress=127.0.0.1\nlistenPort=0\nhaListenPort=30001\n"
      "storePathRootDir=/nowhere/store\nmappedFileSizeCommitLog=134217728\ndeleteWhen=04\n"
      "fileReservedTime=72\nautoCreateTopicEnable=true\nenablePropertyFilter=true\n");
  const File namesrv_conf("listenPort=" + port + "\nbindAddress=127.0.0.1\nrocketmqHome=/nowhere\n");
  Program alone = mqbroker({"-c", broker_conf.name()});
  ASSERT_EQ(alone.readLine(), "127.0.0.1:" + port);
  Program beside = mqbroker({"-c", broker_conf.name(), "--conf", "brokerName=broker-b"});
  EXPECT_EQ(beside.readLine(), "127.0.0.1:" + port);
  EXPECT_TRUE(beside.says("registers with 127.0.0.1:" + port));
  expectDelivery("127.0.0.1:" + port);
  expectOrderlyEnd(beside, SIGTERM);
  expectOrderlyEnd(alone, SIGTERM);
  Program both = mqbroker({"-c", broker_conf.name(), "--namesrv-config", namesrv_conf.name()});
  EXPECT_EQ(both.readLine(), "127.0.0.1:" + port);
  both.signal(SIGTERM);
  const Program::End end = both.wait();
  EXPECT_EQ(end.status, 0);
  for (const char* key : {"flushDiskType", "brokerIP2", "haListenPort", "storePathRootDir", "deleteWhen"}) {
    const std::string warning = std::string(key) + " has no effect";
    EXPECT_NE(end.err.find(warning), std::string::npos) << key;
    EXPECT_EQ(end.err.find(warning), end.err.rfind(warning)) << key;
  }
}

TEST(Mqbroker, WithoutItsNameserverItWaitsAndStillEndsInOrder) {
  const Mute nobody(Mute::Connects::kAreRefused);
  Program waits = mqbroker({"--listen-port", "0", "-n", "127.0.0.1:" + nobody.port()});
  EXPECT_TRUE(waits.says("broker-a could not register with nameserver 127.0.0.1:" + nobody.port()));
  waits.signal(SIGTERM);
  const Program::End end = waits.wait();
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_THAT(end.out, IsEmpty());
}

TEST(Mqbroker, ASecondSignalEndsItAtOnce) {
  const Mute nobody;  // signing off there takes its time
  Program broker = mqbroker({"--listen-port", "0", "-n", "127.0.0.1:" + nobody.port()});
  EXPECT_TRUE(broker.says("registers with"));
  const auto began = std::chrono::steady_clock::now();
  broker.signal(SIGTERM);
  broker.signal(SIGINT);
  const Program::End end = broker.wait();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(1'000) * mqclient::testing::slack());
  EXPECT_NE(end.by_signal, 0);
}

struct Protocol {
  std::string name;
  std::string bytes;
  std::string called;
};
void PrintTo(const Protocol& protocol, std::ostream* out) {
  *out << protocol.name;
}

class StrangersAtMqbroker : public ::testing::TestWithParam<Protocol> {};
INSTANTIATE_TEST_SUITE_P(
    Table, StrangersAtMqbroker,
    ::testing::Values(
        Protocol{"Http", "GET / HTTP/1.1\r\nHost: broker\r\n\r\n", "an HTTP request"},
        Protocol{"Grpc", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "gRPC"},
        Protocol{"Tls", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), "a TLS handshake"},
        Protocol{"Redis", "*1\r\n$4\r\nPING\r\n", "a Redis command"},
        Protocol{"Kafka", std::string("\0\0\0\x2f\0\x12\0\x03\0\0\0\1", 12), "a Kafka ApiVersions request"}),
    [](const auto& row) { return row.param.name; });

TEST_P(StrangersAtMqbroker, AreClosedWithOneLineAndItGoesOn) {
  const std::string port = [] { return Mute().port(); }();  // free again
  Program broker = mqbroker({"--listen-port", port, "--namesrv-port", "0"});
  const std::string nameserver = broker.readLine().value();
  for (const std::string& address : {nameserver, "127.0.0.1:" + port}) {
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(mqclient::testing::answerAndEnd(address, GetParam().bytes), "") << "at " << address;
    }
  }
  EXPECT_TRUE(broker.says(GetParam().called));
  expectDelivery(nameserver);
  broker.signal(SIGTERM);
  const Program::End end = broker.wait();
  EXPECT_EQ(end.status, 0);
  std::size_t lines = 0;
  for (std::size_t at = end.err.find(GetParam().called); at != std::string::npos;
       at = end.err.find(GetParam().called, at + 1)) {
    ++lines;
  }
  EXPECT_LE(lines, 2u) << "one each for nameserver and broker, whatever comes in half a minute\n" << end.err;
}

TEST(Mqbroker, APortInUseIsOneErrorThatSaysWhatToDo) {
  const Mute taken;
  Program namesrv = mqbroker({"--listen-port", "0", "--namesrv-port", taken.port()});
  Program::End end = namesrv.wait();
  EXPECT_EQ(end.status, kFailed);
  EXPECT_THAT(end.out, IsEmpty());
  EXPECT_EQ(std::ranges::count(end.err, '\n'), 1) << end.err;
  EXPECT_THAT(end.err, HasSubstr("the nameserver cannot listen at 127.0.0.1:" + taken.port()));
  EXPECT_THAT(end.err, HasSubstr("--namesrv-port"));
  Program broker = mqbroker({"--namesrv-port", "0", "--listen-port", taken.port()});
  end = broker.wait();
  EXPECT_EQ(end.status, kFailed);
  EXPECT_EQ(std::ranges::count(end.err, '\n'), 1) << end.err;
  EXPECT_THAT(end.err, HasSubstr("the broker cannot listen at 127.0.0.1:" + taken.port()));
  EXPECT_THAT(end.err, HasSubstr("--listen-port, or listenPort"));
}

TEST(Mqbroker, ABadConfigurationStartsNothingAndNamesEveryFault) {
  const File conf("# ours\nlisenPort=0\nbrokerName=broker-a\nautoCreateTopicEnable=perhaps\n");
  Program broker = mqbroker({"-c", conf.name()});
  const Program::End end = broker.wait();
  EXPECT_EQ(end.status, kWrong);
  EXPECT_THAT(end.out, IsEmpty());
  EXPECT_EQ(end.err, "mqbroker: " + conf.name() +
                         ":2: lisenPort is no key of broker.conf that RocketMQ or mqbroker knows; was listenPort "
                         "meant?\nmqbroker: " +
                         conf.name() + ":4: autoCreateTopicEnable=perhaps: expected true or false\n");
  const File broken("a=\\u00\n");
  EXPECT_THAT(mqbroker({"-c", broken.name()}).wait().err, HasSubstr(broken.name() + ":1: after \\u"));
  const Program::End missing = mqbroker({"-c", "/nowhere/broker.conf"}).wait();
  EXPECT_EQ(missing.status, kWrong);
  EXPECT_EQ(missing.err, "mqbroker: /nowhere/broker.conf: cannot be opened: No such file or directory\n");
  EXPECT_THAT(mqbroker({"-c", "/"}).wait().err, HasSubstr("/: cannot be read: Is a directory"));
}

TEST(Mqbroker, HelpVersionAndPrintConfigStartNothing) {
  const Program::End help = mqbroker({"--help"}).wait();
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out, StartsWith("usage: mqbroker "));
  EXPECT_THAT(help.err, IsEmpty());
  EXPECT_THAT(mqbroker({"--version"}).wait().out, MatchesRegex("mqbroker [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  const Program::End config = mqbroker({"-p", "--listen-port", "0", "--conf", "brokerName=b"}).wait();
  EXPECT_EQ(config.status, 0);
  EXPECT_THAT(config.out, HasSubstr("listenPort=0\n"));
  EXPECT_THAT(config.out, HasSubstr("brokerName=b\n"));
  EXPECT_THAT(config.out, Not(HasSubstr("brokerIP1")));
  const Program::End wrong = mqbroker({"--listenport", "0"}).wait();
  EXPECT_EQ(wrong.status, kWrong);
  EXPECT_THAT(wrong.err, HasSubstr("was --listen-port meant?"));
}

TEST(Mqbroker, WhatIsConfiguredIsWhatItDoes) {
  Program broker = mqbroker({"--listen-port", "0", "--namesrv-port", "0", "--conf", "autoCreateTopicEnable=false",
                             "--conf", "brokerName=zoe"});
  const ClientOptions client{.namesrvAddr = broker.readLine().value()};
  auto producer = DefaultMQProducer::start("writers", client).value();
  const auto sent = producer.send(Message("made-on-demand", "x"));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), ErrorCode::kNoRoute) << sent.error();
  EXPECT_TRUE(broker.says("zoe listens at"));
}

}  // namespace
}  // namespace mqclient
