// The test control of the executable, as a test in another language meets it: JSON over HTTP.
#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <latch>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "mqclient/codes.h"
#include "mqclient/mqclient.h"
#include "tests/mqbroker/exit_status.h"
#include "tests/support/program.h"
#include "tests/support/stranger.h"
#include "tests/support/temp_file.h"

namespace mqclient {
namespace {

using mqclient::testing::Program;
using mqclient::testing::TempFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

const std::string kToken = "a-token-of-this-test";
const std::string kSecondLine = "test control ";

struct Reply {
  int status{0};
  std::string body{};
};

Reply ask(const std::string& address, const std::string& request) {
  const std::string bytes = mqclient::testing::answerAndEnd(address, request).value_or("");
  const std::size_t body = bytes.find("\r\n\r\n");
  if (!bytes.starts_with("HTTP/1.1 ") || body == std::string::npos) return {0, bytes};
  return {std::atoi(bytes.c_str() + 9), bytes.substr(body + 4)};
}

std::string post(const std::string& host, const std::string& verb, const std::string& arguments,
                 const std::string& authorization = "Authorization: Bearer " + kToken + "\r\n") {
  return "POST /" + verb + " HTTP/1.1\r\nHost: " + host + "\r\n" + authorization +
         "Content-Length: " + std::to_string(arguments.size()) + "\r\n\r\n" + arguments;
}

/// How often `part` stands in `text`.
int countOf(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// mqbroker under test control.
class Controlled {
 public:
  explicit Controlled(std::vector<std::string> more = {"--listen-port", "0", "--namesrv-port", "0"})
      : program_(MQBROKER, with(std::move(more))) {
    namesrv_ = program_.readLine().value_or("");
    const std::string line = program_.readLine().value_or("");
    EXPECT_THAT(line, MatchesRegex(kSecondLine + "127\\.0\\.0\\.1:[0-9]+"));
    if (line.size() > kSecondLine.size()) control_ = line.substr(kSecondLine.size());
  }
  const std::string& namesrv() const { return namesrv_; }
  const std::string& address() const { return control_; }
  Program& program() { return program_; }
  ClientOptions client() const { return {.namesrvAddr = namesrv_}; }

  Reply verb(const std::string& name, const std::string& arguments = "") const {
    return ask(control_, post(control_, name, arguments));
  }
  /// What a verb answered that must succeed.
  std::string ok(const std::string& name, const std::string& arguments = "") const {
    const Reply reply = verb(name, arguments);
    EXPECT_EQ(reply.status, 200) << name << ' ' << arguments << ": " << reply.body;
    return reply.body;
  }
  /// The number of a new fault or hold, as JSON: {"id":1}.
  std::string fault(const std::string& arguments, const std::string& verb = "inject") const {
    return ok(verb, arguments);
  }

 private:
  std::vector<std::string> with(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--test-control-token-file", token_.name()});
    return arguments;
  }
  const TempFile token_{kToken + "\n"};
  Program program_;
  std::string namesrv_;
  std::string control_;
};

DefaultMQProducer producerOf(const Controlled& broker, ProducerOptions options = {}) {
  return DefaultMQProducer::start("writers", broker.client(), options).value();
}

/// Where a process listens, as /proc/net/tcp writes it: hexadecimal address:port.
std::vector<std::string> listeningAddresses(pid_t pid) {
  const std::string proc = "/proc/" + std::to_string(pid);
  std::set<std::string> sockets;
  DIR* const fds = opendir((proc + "/fd").c_str());
  while (const dirent* fd = fds ? readdir(fds) : nullptr) {
    std::array<char, 64> target{};
    const ssize_t size = readlink((proc + "/fd/" + fd->d_name).c_str(), target.data(), target.size() - 1);
    const std::string text(target.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    if (text.starts_with("socket:[")) sockets.insert(text.substr(8, text.size() - 9));
  }
  if (fds) closedir(fds);
  std::vector<std::string> addresses;
  for (const char* table : {"/net/tcp", "/net/tcp6"}) {
    FILE* const file = std::fopen((proc + table).c_str(), "re");
    std::array<char, 512> line{};
    while (file && std::fgets(line.data(), line.size(), file)) {
      std::array<char, 64> local{}, inode{};
      unsigned state = 0;
      if (std::sscanf(line.data(), " %*d: %63s %*s %x %*s %*s %*s %*s %*s %63s", local.data(), &state, inode.data()) ==
              3 &&
          state == 0x0A && sockets.contains(inode.data())) {
        addresses.emplace_back(local.data());
      }
    }
    if (file) std::fclose(file);
  }
  return addresses;
}

TEST(TestControl, WithoutItsSwitchNoPortMoreIsOpenAndWithItOneOnLoopback) {
  Program plain(MQBROKER, {"--listen-port", "0", "--namesrv-port", "0"});
  ASSERT_TRUE(plain.readLine());
  EXPECT_EQ(listeningAddresses(plain.pid()).size(), 2u) << "nameserver and broker";
  plain.signal(SIGTERM);
  EXPECT_THAT(plain.wait().out, IsEmpty());
  Controlled controlled({"--listen-port", "0", "--namesrv-port", "0", "--conf", "bindAddress=0.0.0.0"});
  const auto addresses = listeningAddresses(controlled.program().pid());
  EXPECT_EQ(addresses.size(), 3u);
  EXPECT_EQ(std::ranges::count_if(addresses, [](const auto& a) { return a.starts_with("0100007F:"); }), 1);
}

TEST(TestControl, ItIsSaidOnceThatTheBrokerIsUnderItAndItEndsInOrder) {
  Controlled broker;
  (void)broker.ok("hold");
  broker.program().signal(SIGTERM);
  const Program::End end = broker.program().wait();
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(countOf(end.err, "under test control at " + broker.address()), 1) << end.err;
  EXPECT_THAT(end.err, Not(HasSubstr(kToken)));
}

TEST(TestControl, WhoMayNotAskIsRefusedAndNothingIsDone) {
  Controlled broker;
  const std::string& host = broker.address();
  const std::string drop = R"({"action":{"verb":"drop"}})";
  const auto status = [&](const std::string& request) { return ask(broker.address(), request).status; };
  EXPECT_EQ(status(post(host, "inject", drop, "")), 401);
  EXPECT_EQ(status(post(host, "inject", drop, "Authorization: Bearer b-token-of-this-test\r\n")), 401);
  EXPECT_EQ(status(post(host, "inject", drop, "Authorization: Bearer a-token-of-this-tes\r\n")), 401);
  EXPECT_EQ(status(post(host, "inject", drop, "Authorization: Basic " + kToken + "\r\n")), 401);
  EXPECT_EQ(status(post(host, "nonsense", drop, "")), 401) << "nor is told what there is";
  EXPECT_EQ(status(post("broker.example", "inject", drop)), 403) << "led here by a name";
  EXPECT_EQ(status(post("127.0.0.1", "inject", drop)), 403);
  EXPECT_EQ(status("POST /inject HTTP/1.1\r\nAuthorization: Bearer " + kToken + "\r\n\r\n"), 403) << "no Host";
  EXPECT_EQ(status("GET /inject HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: Bearer " + kToken + "\r\n\r\n"), 405);
  EXPECT_EQ(status(post(host, "inject", drop + std::string(64 << 10, ' '))), 413);
  EXPECT_THAT(broker.ok("trace"), Not(HasSubstr("fault injected")));
  EXPECT_EQ(status(post("localhost:" + host.substr(host.find(':') + 1), "inject", drop)), 200) << "all that is missing";
}

TEST(TestControl, BadArgumentsAreNamedAndNothingIsDone) {
  Controlled broker;
  const auto expect = [&](const char* verb, const char* arguments, const char* why) {
    const Reply reply = broker.verb(verb, arguments);
    EXPECT_EQ(reply.status, 400) << verb << ' ' << arguments;
    EXPECT_THAT(reply.body, HasSubstr(why)) << verb << ' ' << arguments;
  };
  expect("inject", "{}", "action is missing");
  expect("inject", R"({"match":{"tpic":"t"},"action":{"verb":"drop"}})", "match.tpic is not known here");
  expect("inject", R"({"match":{"node":"broker-z"},"action":{"verb":"drop"}})",
         "there is no node broker-z; there are: nameserver-0, broker-a");
  expect("inject", R"({"action":{"verb":"drop"},"optional":1})", "optional is wrong: expected true or false");
  expect("hold", R"({"match":{"nth":-1}})", "match.nth is wrong");
  expect("wait", R"({"id":1})", "id is wrong: no fault or hold in force has the number 1");
  expect("wait", R"({"id":1,"timeoutMs":60001})", "timeoutMs is wrong: expected a number from 0 to 60000");
  expect("release", "{}", "id is missing");
  expect("fired", R"({"id":"x"})", "id is wrong");
  expect("clear", R"({"id":7})", "number 7");
  expect("requests", R"({"limit":4097})", "limit is wrong");
  expect("messages", "{}", "topic is missing");
  expect("committedOffset", R"({"group":"g","topic":"t"})", "queueId is missing");
  expect("members", "{", "the body: ");
  expect("stopBroker", R"({"name":"broker-a"})", "name is not known here");
  const Reply unknown = broker.verb("explode");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.body, AllOf(HasSubstr("/inject, /hold"), HasSubstr("/startBroker")));
  EXPECT_THAT(broker.ok("trace"), Not(HasSubstr("fault injected")));
  EXPECT_THAT(broker.ok("state"), HasSubstr(R"("running":true)"));
}

TEST(TestControl, AnInjectedFaultActsCountsAndEndsWhenCleared) {
  Controlled broker;
  auto producer = producerOf(broker, {.retryTimesWhenSendFailed = 0});
  const std::string id = broker.fault(
      R"({"match":{"code":"SEND_MESSAGE_V2","topic":"t"},"action":{"verb":"reply","code":"SYSTEM_BUSY","remark":"full"}})");
  EXPECT_EQ(broker.ok("fired", id), R"({"fired":0})");
  const auto refused = producer.send(Message("t", "x"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().responseCode(), static_cast<int>(ResponseCode::SYSTEM_BUSY)) << refused.error();
  EXPECT_EQ(broker.ok("wait", id), R"({"fired":1})");
  EXPECT_EQ(broker.ok("clear", id), R"({"fired":1})");
  EXPECT_TRUE(producer.send(Message("t", "x")));
  EXPECT_EQ(broker.verb("fired", id).status, 400) << "it is gone";
}

TEST(TestControl, WhatNeverFiredIsListedUnlessItNeedNot) {
  Controlled broker;
  EXPECT_EQ(broker.ok("neverFired"), R"({"faults":[]})");
  (void)broker.fault(R"({"match":{"topic":"t"},"action":{"verb":"drop"}})");
  (void)broker.fault(R"({"match":{"topic":"u"},"action":{"verb":"drop"},"optional":true})");
  EXPECT_THAT(broker.ok("neverFired"), AllOf(HasSubstr("of topic t"), Not(HasSubstr("of topic u"))));
  EXPECT_EQ(broker.ok("clear"), "{}");
  EXPECT_THAT(broker.ok("neverFired"), HasSubstr("of topic t")) << "cleared, and still it never fired";
}

TEST(TestControl, AHeldFrameIsShownAndWaitsUntilItIsReleased) {
  Controlled broker;
  auto producer = producerOf(broker);
  ASSERT_TRUE(producer.send(Message("t", "first")));
  const std::string id = broker.fault(R"({"match":{"code":"SEND_MESSAGE_V2","nth":1}})", "hold");
  auto sent = producer.sendAsync(Message("t", "held"));
  const std::string frame = broker.ok("wait", id);
  EXPECT_THAT(frame, AllOf(HasSubstr(R"({"fired":1,"frame":{"code":310,"name":"SEND_MESSAGE_V2")"),
                           HasSubstr(R"("topic":"t")"), HasSubstr(R"("body":"held")")));
  EXPECT_EQ(countOf(broker.ok("messages", R"({"topic":"t"})"), R"("body":)"), 1);
  EXPECT_EQ(broker.ok("release", id), R"({"fired":1})");
  EXPECT_TRUE(std::move(sent).get());
  EXPECT_EQ(countOf(broker.ok("messages", R"({"topic":"t"})"), R"("body":)"), 2);
}

TEST(TestControl, AHeldFrameMayMeetAnActionAsItIsReleased) {
  Controlled broker;
  auto producer = producerOf(broker, {.retryTimesWhenSendFailed = 0});
  ASSERT_TRUE(producer.send(Message("t", "first")));
  const std::string id = broker.fault(R"({"match":{"code":"SEND_MESSAGE_V2"}})", "hold");
  auto sent = producer.sendAsync(Message("t", "held"));
  (void)broker.ok("wait", id);
  const std::string open = id.substr(0, id.size() - 1);
  EXPECT_EQ(broker.verb("release", open + R"(,"action":{"verb":"refuse"}})").status, 400);
  EXPECT_EQ(broker.ok("fired", id), R"({"fired":1})") << "still held";
  (void)broker.ok("release", open + R"(,"action":{"verb":"reply","code":"NO_PERMISSION"}})");
  const auto refused = std::move(sent).get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().responseCode(), static_cast<int>(ResponseCode::NO_PERMISSION));
}

TEST(TestControl, WhoWaitsForNothingIsToldInTimeAndMeanwhileOthersAreServed) {
  Controlled broker;
  const std::string id = broker.fault("", "hold");
  const Reply late = broker.verb("wait", id.substr(0, id.size() - 1) + R"(,"timeoutMs":1})");
  EXPECT_EQ(late.status, 504);
  EXPECT_THAT(late.body, HasSubstr("0 times within 1 ms"));
  Reply cleared;
  std::jthread waits([&] { cleared = broker.verb("wait", id); });
  EXPECT_EQ(broker.ok("clear"), "{}");
  waits.join();
  EXPECT_THAT(cleared.status, ::testing::AnyOf(409, 400)) << "cleared while it waited, or before it came";
}

TEST(TestControl, RequestsAndRepliesAreShownDecodedAndRaw) {
  Controlled broker;
  auto producer = producerOf(broker);
  ASSERT_TRUE(producer.send(Message("t", "one")));
  ASSERT_TRUE(producer.send(Message("t", "\xff")));
  const std::string both = broker.ok("requests", R"({"match":{"code":310}})");
  EXPECT_EQ(countOf(both, R"("direction":"toNode")"), 2) << both;
  EXPECT_EQ(countOf(both, R"("responseCode":0)"), 2);
  EXPECT_THAT(both, AllOf(HasSubstr(R"("body":"one")"), HasSubstr(R"("bodyBase64":"/w==")"),
                          HasSubstr(R"("leftOut":0)"), Not(HasSubstr("rawBase64"))));
  const std::string last = broker.ok("requests", R"({"match":{"code":310,"direction":"toNode"},"limit":1,"raw":true})");
  EXPECT_THAT(last, AllOf(HasSubstr(R"("bodyBase64":"/w==")"), HasSubstr(R"("rawBase64":"AAA)"),
                          HasSubstr(R"("leftOut":1)"), Not(HasSubstr(R"("body":"one")"))));
  EXPECT_THAT(broker.ok("trace"), AllOf(HasSubstr("connection opened"), HasSubstr("SEND_MESSAGE_V2")));
}

TEST(TestControl, WhatTheBrokerKnowsIsShown) {
  Controlled broker;
  EXPECT_EQ(broker.ok("members", R"({"group":"readers"})"), R"({"members":[]})");
  auto producer = producerOf(broker);
  const SendResult sent = producer.send(Message("t", "hello").setKeys("42")).value();
  std::latch seen(1);
  const auto listener = [&](Messages, ConsumeConcurrentlyContext&) {
    seen.count_down();
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  };
  auto consumer = DefaultMQPushConsumer::start("readers", {{"t"}}, listener, broker.client(),
                                               {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()})
                      .value();
  seen.wait();
  EXPECT_THAT(broker.ok("members", R"({"group":"readers"})"), MatchesRegex(R"(\{"members":\["[^"]+"\]\})"));
  EXPECT_TRUE(consumer.close().complete());
  const std::string queue = std::to_string(sent.messageQueue->queueId());
  EXPECT_EQ(broker.ok("committedOffset", R"({"group":"readers","topic":"t","queueId":)" + queue + "}"),
            R"({"offset":1})");
  EXPECT_EQ(broker.ok("committedOffset", R"({"group":"others","topic":"t","queueId":)" + queue + "}"),
            R"({"offset":-1})");
  EXPECT_THAT(broker.ok("messages", R"({"topic":"t"})"),
              AllOf(HasSubstr(R"({"topic":"t","queueId":)" + queue + R"(,"queueOffset":0)"),
                    HasSubstr(R"("KEYS":"42")"), HasSubstr(R"("body":"hello"}],"leftOut":0})")));
  EXPECT_EQ(broker.ok("messages", R"({"topic":"t","queueId":)" + queue + R"(,"fromOffset":1})"),
            R"({"messages":[],"leftOut":0})");
}

TEST(TestControl, TheBrokerStopsAndComesBackEmptyAtTheSameAddress) {
  Controlled broker;
  auto producer = producerOf(broker);
  ASSERT_TRUE(producer.send(Message("t", "x")));
  const std::string before = broker.ok("state");
  const std::string stopped = broker.ok("stopBroker");
  EXPECT_THAT(stopped, HasSubstr(R"("running":false)"));
  EXPECT_EQ(broker.ok("stopBroker"), stopped);
  EXPECT_EQ(broker.verb("messages", R"({"topic":"t"})").status, 409);
  EXPECT_FALSE(producer.send(Message("t", "y"), SendOptions{.timeout = Millis{50}}));
  EXPECT_EQ(broker.ok("startBroker"), before);
  EXPECT_EQ(broker.ok("startBroker"), before);
  EXPECT_EQ(broker.ok("messages", R"({"topic":"t"})"), R"({"messages":[],"leftOut":0})");
  EXPECT_TRUE(producerOf(broker).send(Message("t", "z")));
}

TEST(TestControl, WhatIsStoredButNeverAcknowledgedIsThereTwiceAfterTheRetry) {
  Controlled broker;
  auto producer = producerOf(broker);
  ASSERT_TRUE(producer.send(Message("t", "before")));
  const std::string id =
      broker.fault(R"({"match":{"code":"SEND_MESSAGE_V2","nth":1},"action":{"verb":"disconnectAfter"}})");
  const auto sent = producer.send(Message("t", "once").setKeys("k"));
  ASSERT_TRUE(sent) << sent.error();
  EXPECT_EQ(broker.ok("fired", id), R"({"fired":1})");
  EXPECT_EQ(countOf(broker.ok("messages", R"({"topic":"t"})"), R"("KEYS":"k")"), 2);
}

TEST(TestControl, OfTwoProcessesEachHasItsOwn) {
  const std::string topic = "DefaultCluster";  // every broker of the cluster has it
  Controlled a;
  Controlled b({"--listen-port", "0", "-n", a.namesrv(), "--conf", "brokerName=broker-b"});
  const std::string id =
      a.fault(R"({"match":{"code":"SEND_MESSAGE_V2"},"action":{"verb":"reply","code":"SYSTEM_BUSY"}})");
  auto producer = producerOf(a);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(producer.send(Message(topic, "x")));
  const auto stored = [&topic](const Controlled& broker) {
    return countOf(broker.ok("messages", R"({"topic":")" + topic + R"(","limit":1000})"), R"("body":"x")");
  };
  EXPECT_EQ(stored(a), 0);
  EXPECT_EQ(stored(b), 100);
  EXPECT_NE(a.ok("fired", id), R"({"fired":0})");
  EXPECT_EQ(b.ok("neverFired"), R"({"faults":[]})");
}

TEST(TestControl, AFileThatOthersMayReadStartsNothing) {
  const TempFile token(kToken);
  ASSERT_EQ(chmod(token.name().c_str(), 0644), 0);
  const Program::End end =
      Program(MQBROKER, {"--listen-port", "0", "--namesrv-port", "0", "--test-control-token-file", token.name()})
          .wait();
  EXPECT_EQ(end.status, kWrong);
  EXPECT_THAT(end.out, IsEmpty());
  EXPECT_EQ(end.err, "mqbroker: " + token.name() + ": may be used by others than its owner; chmod 600 it\n");
}

TEST(TestControl, APortInUseIsOneErrorThatSaysWhatToDo) {
  Controlled first;
  const TempFile token(kToken);
  const std::string port = first.address().substr(first.address().find(':') + 1);
  const Program::End end = Program(MQBROKER, {"--listen-port", "0", "--namesrv-port", "0", "--test-control-token-file",
                                              token.name(), "--test-control-port", port})
                               .wait();
  EXPECT_EQ(end.status, kFailed);
  EXPECT_THAT(end.err, AllOf(HasSubstr("the test control cannot listen at " + first.address()),
                             HasSubstr("--test-control-port (0: any free one)")));
}

}  // namespace
}  // namespace mqclient
