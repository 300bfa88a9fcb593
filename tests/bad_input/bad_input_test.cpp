// What users get wrong, and what strangers send: each case ends in time with one error that says what was found and
// what to do about it.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <iostream>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "mock_broker/cluster/cluster.h"
#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"
#include "protocol/headers/namesrv.h"
#include "protocol/remoting_command.h"
#include "remoting/in_process.h"
#include "tests/support/http_server.h"
#include "tests/support/log_lines.h"

namespace mqclient {
namespace {

using namespace std::chrono_literals;
using scripted::HttpServer;
using enum ConsumeConcurrentlyStatus;

/// One row: what was tried, the error it must end in, words its message must have.
struct Case {
  std::string name;
  std::function<Error(MockCluster&)> attempt;
  ErrorCode code;
  std::vector<std::string> words;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

template <class T>
Error errorOf(const Result<T>& result) {
  return result ? Error(ErrorCode::kInternal, "it was accepted") : result.error();
}

Error startProducer(const std::string& address) {
  return errorOf(DefaultMQProducer::start("group", {.namesrvAddr = address}));
}
/// A producer whose address server does what `script` says: what its sends are told once the first try has failed.
Error sendBy(HttpServer::Script script) {
  HttpServer server(std::move(script));
  std::promise<void> warned;
  std::once_flag once;
  ClientOptions client{.namesrvAddr = server.url(), .startTimeout = 0ms, .logLevel = LogLevel::kWarn};
  client.log = [&](LogLevel, std::string_view, std::string_view) { std::call_once(once, [&] { warned.set_value(); }); };
  auto producer = DefaultMQProducer::start("group", client).value();
  if (warned.get_future().wait_for(30s) != std::future_status::ready) return {ErrorCode::kInternal, "nothing failed"};
  return errorOf(producer.send(Message("topic", "x"), SendOptions{.timeout = 5ms}));
}
/// Starts by an address server that never answers.
Error startProducerBySilence() {
  HttpServer server(HttpServer::hanging());
  return errorOf(DefaultMQProducer::start("group", {.namesrvAddr = server.url(), .startTimeout = 20ms}));
}
Error startConsumerBySilence() {
  HttpServer server(HttpServer::hanging());
  return errorOf(DefaultMQPushConsumer::start("group", {{"topic"}},
                                              [](Messages, ConsumeConcurrentlyContext&) { return CONSUME_SUCCESS; },
                                              {.namesrvAddr = server.url(), .startTimeout = 20ms}));
}
Error send(MockCluster& cluster, const Message& message) {
  auto producer = DefaultMQProducer::start("group", cluster.client()).value();
  return errorOf(producer.send(message));
}
Error startConsumer(MockCluster& cluster, const std::string& group, std::vector<Subscription> subscriptions,
                    PushConsumerOptions options = {}) {
  return errorOf(DefaultMQPushConsumer::start(
      group, std::move(subscriptions), [](Messages, ConsumeConcurrentlyContext&) { return CONSUME_SUCCESS; },
      cluster.client(), std::move(options)));
}
Error sendWith(MockCluster& cluster, ProducerOptions options) {
  return errorOf(DefaultMQProducer::start("group", cluster.client(), std::move(options)));
}

std::vector<Case> cases() {
  using enum ErrorCode;
  const auto address = [](std::string text, ErrorCode code, std::vector<std::string> words) {
    return Case{"address_" + text, [text](MockCluster&) { return startProducer(text); }, code, std::move(words)};
  };
  const auto message = [](std::string name, Message m, ErrorCode code, std::vector<std::string> words) {
    return Case{"message_" + std::move(name), [m](MockCluster& c) { return send(c, m); }, code, std::move(words)};
  };
  const auto http = [](const std::string& name, HttpServer::Script script, std::vector<std::string> words) {
    words.insert(words.end(), {"http://127.0.0.1:", "host:port;host:port"});
    return Case{"http_" + name, [script = std::move(script)](MockCluster&) { return sendBy(script); }, kNoNameServer,
                std::move(words)};
  };
  return {
      address("mock://x?brokes=2", kInvalidArgument, {"brokes", "brokers"}),
      address("mock://x?brokers=two", kInvalidArgument, {"brokers=two", "number"}),
      address("mock://x?brokers=0", kInvalidArgument, {"brokers", "0"}),
      address("mock://x?brokers=1&brokers=2", kInvalidArgument, {"brokers"}),
      address("mock://", kInvalidArgument, {"mock://"}),
      address("mock://a b", kInvalidArgument, {"mock://a b"}),
      address("mok://x", kUnsupported, {"mok", "mock"}),
      address("127.0.0.1", kInvalidArgument, {"127.0.0.1", "host:port"}),
      address("127.0.0.1:0", kInvalidArgument, {"127.0.0.1:0"}),
      address("127.0.0.1:70000", kInvalidArgument, {"70000"}),
      address("a:1;b;c:2x", kInvalidArgument, {"'b'", "c:2x"}),
      address("127.0.0.1:1", kNoNameServer, {"127.0.0.1:1", "Connection refused", "namesrvAddr"}),
      {"address_none", [](MockCluster&) { return startProducer(""); }, kNoNameServer, {"namesrvAddr", "NAMESRV_ADDR"}},
      address("http://127.0.0.1", kInvalidArgument, {"has no port", "host:port", "/PATH"}),
      address("http://127.0.0.1:1/", kInvalidArgument, {"needs a path", "/rocketmq/nsaddr"}),
      address("https://127.0.0.1", kInvalidArgument, {"needs a path"}),
      http("status_404", HttpServer::sending("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), {"status 404"}),
      http("empty", HttpServer::answering(" \r\n"), {"an empty list"}),
      http("page", HttpServer::answering("<html><body>It works!</body></html>"), {"no list of addresses", "<html>"}),
      http("one_bad_entry", HttpServer::answering("a:1;b"), {"no list of addresses", "a:1;b"}),
      http("closes", HttpServer::closing(), {"cannot be asked"}),
      http("endless", HttpServer::endless("HTTP/1.1 200 OK\r\n\r\n", std::string(4096, 'a')),
           {"more than 65536 bytes"}),
      http("stranger", HttpServer::sending("\x16\x03\x01 this is no HTTP"), {"not HTTP"}),
      {"http_silent_producer",
       [](MockCluster&) { return startProducerBySilence(); },
       kNoNameServer,
       {"http://127.0.0.1:", "has not answered yet", "startTimeout"}},
      {"http_silent_consumer",
       [](MockCluster&) { return startConsumerBySilence(); },
       kNoNameServer,
       {"http://127.0.0.1:", "has not answered yet", "push consumer not started"}},
      message("blank_topic", Message("", "x"), kMessageIllegal, {"topic"}),
      message("topic_characters", Message("a topic", "x"), kMessageIllegal, {"a topic"}),
      message("topic_of_128", Message(std::string(128, 't'), "x"), kMessageIllegal, {"128", "127"}),
      message("system_topic", Message("RMQ_SYS_TRANS_HALF_TOPIC", "x"), kMessageIllegal, {"RMQ_SYS_TRANS_HALF_TOPIC"}),
      message("empty_body", Message("t", ""), kMessageIllegal, {"body"}),
      message("body_over_4_MiB", Message("t", std::string((4u << 20) + 1, 'x')), kMessageIllegal,
              {"4194305", "4194304"}),
      message("reserved_property", Message("t", "x").putUserProperty("KEYS", "k"), kMessageIllegal, {"KEYS"}),
      message("blank_property_name", Message("t", "x").putUserProperty(" ", "v"), kMessageIllegal, {"name"}),
      message("blank_property_value", Message("t", "x").putUserProperty("n", ""), kMessageIllegal, {"n"}),
      message("separator_in_property", Message("t", "x").putUserProperty("n", "a\001b"), kMessageIllegal, {"n"}),
      message("properties_over_32767", Message("t", "x").putUserProperty("n", std::string(32'767, 'v')),
              kMessageIllegal, {"32770", "32671"}),
      message("everything_at_once", Message("a b", "").putUserProperty("TAGS", "v"), kMessageIllegal,
              {"a b", "TAGS", "body"}),
      {"producer_group_blank",
       [](MockCluster& c) { return errorOf(DefaultMQProducer::start("", c.client())); },
       kInvalidArgument,
       {"group"}},
      {"producer_group_default",
       [](MockCluster& c) { return errorOf(DefaultMQProducer::start("DEFAULT_PRODUCER", c.client())); },
       kInvalidArgument,
       {"DEFAULT_PRODUCER"}},
      {"producer_group_of_121",
       [](MockCluster& c) { return errorOf(DefaultMQProducer::start(std::string(121, 'g'), c.client())); },
       kInvalidArgument,
       {"121", "120"}},
      {"producer_options",
       [](MockCluster& c) {
         return sendWith(c, {.sendMsgTimeout = -1ms, .retryTimesWhenSendFailed = -1, .maxMessageSize = 0});
       },
       kInvalidArgument,
       {"sendMsgTimeout", "retryTimesWhenSendFailed", "maxMessageSize"}},
      {"consumer_group_characters",
       [](MockCluster& c) { return startConsumer(c, "a/b", {{"t"}}); },
       kInvalidArgument,
       {"a/b"}},
      {"consumer_group_default",
       [](MockCluster& c) { return startConsumer(c, "DEFAULT_CONSUMER", {{"t"}}); },
       kInvalidArgument,
       {"DEFAULT_CONSUMER"}},
      {"consumer_topic_twice",
       [](MockCluster& c) {
         return startConsumer(c, "group", {{"t"}, {"t"}});
       },
       kInvalidArgument,
       {"t"}},
      {"consumer_options",
       [](MockCluster& c) {
         return startConsumer(c, "group", {{"t"}}, {.consumeThreadMax = 0, .pullBatchSize = 1'025});
       },
       kInvalidArgument,
       {"consumeThreadMax", "pullBatchSize"}},
      {"topic_without_route",
       [](MockCluster& c) {
         auto producer = DefaultMQProducer::start("group", c.client(), {.createTopicKey = "no-such-template"}).value();
         return errorOf(producer.send(Message("nowhere", "x")));
       },
       kNoRoute,
       {"nowhere"}},
  };
}

class BadInput : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Table, BadInput, ::testing::ValuesIn(cases()), [](const auto& row) {
  std::string name = row.param.name;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return std::to_string(row.index) + "_" + name;
});

TEST_P(BadInput, EndsWithOneErrorThatHelps) {
  MockCluster cluster = MockCluster::start({.time = MockTime::kVirtual}).value();
  const Error error = GetParam().attempt(cluster);
  std::cout << "  " << GetParam().name << " -> " << error << '\n';
  EXPECT_EQ(error.code(), GetParam().code) << error;
  for (const std::string& word : GetParam().words) {
    EXPECT_NE(error.message().find(word), std::string::npos) << "\"" << word << "\" is not in: " << error;
  }
  EXPECT_LT(error.message().size(), 1'000u);
}

TEST(BadInputLog, AnUnreachableBrokerCostsOneLineAnAddressAndHalfMinute) {
  MockCluster cluster = MockCluster::start({.brokers = 1, .time = MockTime::kVirtual}).value();
  mqclient::testing::LogLines lines;
  ClientOptions client = cluster.client();
  lines.hear(client);
  auto producer = DefaultMQProducer::start("group", client).value();
  producer.send(Message("topic", "x")).value();
  const std::string address = cluster.broker("broker-a")->address();
  cluster.broker("broker-a")->stop().value();
  const std::size_t before = lines.about(address).size();
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(producer.send(Message("topic", "x"), SendOptions{.timeout = 100ms}));
  cluster.clock().advance(1s).value();
  EXPECT_LE(lines.about(address).size() - before, 1u) << "in less than half a minute";
}

TEST(BadInputLog, AConsumersQueuesShareThatLine) {
  MockCluster cluster = MockCluster::start({.brokers = 1, .time = MockTime::kVirtual}).value();
  mqclient::testing::LogLines lines;
  ClientOptions client = cluster.client();
  lines.hear(client);
  DefaultMQProducer::start("group", cluster.client()).value().send(Message("topic", "x")).value();
  auto consumer =
      DefaultMQPushConsumer::start(
          "group", {{"topic"}}, [](Messages, ConsumeConcurrentlyContext&) { return CONSUME_SUCCESS; }, client)
          .value();
  consumer.ready().get().value();
  const std::string address = cluster.broker("broker-a")->address();
  cluster.broker("broker-a")->stop().value();
  cluster.clock().advance(25s).value();
  EXPECT_LE(lines.all().size(), 1u) << "in less than half a minute: " << ::testing::PrintToString(lines.all());
}

// ---- hostile frames (R18), in process: raw bytes on a connection of the network

/// A raw client: sends bytes, hears what comes back and whether the connection was closed.
class RawClient final : public remoting::ConnectionHandler {
 public:
  explicit RawClient(base::Engine& engine) : strand_(engine) {}
  base::Strand& strand() noexcept override { return strand_; }
  void onFrame(base::Chain&& frame) noexcept override { answers.push_back(std::move(frame)); }
  void onDropped(std::uint64_t, remoting::FrameFate) noexcept override {}
  void onClosed(const Error&) noexcept override { closed = true; }

  std::vector<base::Chain> answers;
  bool closed = false;

 private:
  base::Strand strand_;
};

class HostileFrames : public ::testing::Test {
 protected:
  std::shared_ptr<cluster::Cluster> cluster_ =
      cluster::Cluster::start({.options = {.time = MockTime::kVirtual}}).value();
  base::Engine& engine_ = *cluster_->engine();

  /// Opens a connection to the broker, sends the bytes, tells what happened to the connection.
  base::Ref<RawClient> sendRaw(base::Slice bytes) {
    auto raw = base::makeRef<RawClient>(engine_);
    auto operation = base::makeOperation<base::Ref<remoting::Connection>>(engine_.callbackTarget());
    cluster_->network()->connect(engine_, cluster_->brokerAddress("broker-a"), raw, engine_.now() + 3s,
                                 std::move(operation.completion));
    const base::Ref<remoting::Connection> connection = std::move(operation.future).get().value();
    connection->send(base::Chain(std::move(bytes)), 1);
    auto settled = base::makeOperation<void>(engine_.callbackTarget());
    raw->strand().post(raw, [done = std::move(settled.completion)]() mutable { std::move(done)(Result<void>()); });
    std::move(settled.future).get().value();
    const bool was_closed = raw->closed;
    connection->close(Error(ErrorCode::kClosed, "the test is done"));
    raw->closed = was_closed;
    return raw;
  }
};

std::string header(std::uint32_t length, std::uint32_t type_and_header_length) {
  std::string text(8, '\0');
  base::putBe32(text.data(), length);
  base::putBe32(text.data() + 4, type_and_header_length);
  return text;
}

TEST_F(HostileFrames, EachClosesTheConnectionAndTheBrokerGoesOn) {
  const std::vector<std::pair<std::string, std::string>> frames{
      {"length -1", header(0xFFFFFFFFu, 0) + "xxxxxxxx"},
      {"length 3", header(3, 0)},
      {"length one over the limit", header(16'777'213, 0) + "xxxxxxxx"},
      {"2 GiB announced", header(0x7FFFFFFFu, 0) + "xxxxxxxx"},
      {"header longer than the frame", header(20, 100) + std::string(16, 'x')},
      {"type byte 7", header(20, (7u << 24) | 16) + std::string(16, 'x')},
      {"header that is not JSON", header(13, 9) + "{\"code\":}"},
      {"an HTTP request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"a TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)},
      {"a Redis command", "*1\r\n$4\r\nPING\r\n"},
  };
  for (const auto& [name, bytes] : frames) {
    const auto raw = sendRaw(base::Slice::copyOf(bytes));
    EXPECT_TRUE(raw->closed) << name;
    EXPECT_TRUE(raw->answers.empty()) << name;
  }
  // The broker still answers an honest request on a new connection.
  const base::Chain honest = protocol::encodeRequest(
      protocol::RequestHead{.code = static_cast<RequestCode>(9'999), .opaque = 5}, protocol::NoHeader{});
  const auto raw = sendRaw(honest.flatten());
  ASSERT_EQ(raw->answers.size(), 1u);
  const auto answer = protocol::decodeFrame(raw->answers[0]).value();
  EXPECT_EQ(answer.responseCode(), ResponseCode::REQUEST_CODE_NOT_SUPPORTED);
  EXPECT_EQ(answer.remark(), " request type 9999 not supported");
  EXPECT_FALSE(raw->closed);
}

}  // namespace
}  // namespace mqclient
