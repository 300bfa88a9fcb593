// Clients that find their nameservers by an address server, over loopback: start, move, end.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <utility>

#include "client/home.h"
#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"
#include "tests/support/http_server.h"

namespace mqclient {
namespace {

using namespace std::chrono_literals;
using enum ConsumeConcurrentlyStatus;
using scripted::HttpServer;

constexpr const char* kListedTopic = "orders";

MockCluster startCluster() {
  MockCluster cluster = MockCluster::start({.transport = MockTransport::kTcp}).value();
  cluster.createTopic({.topicName = kListedTopic, .readQueueNums = 2, .writeQueueNums = 2}).value();
  return cluster;
}

class HttpDiscovery : public ::testing::Test {
 protected:
  /// As `server.url()`, but asked again every few milliseconds instead of two minutes.
  static std::string impatient(const HttpServer& server) {
    static std::string url;
    url = server.url();
    client::registerScheme("impatient", [](const client::SchemeAddress&, const base::Ref<base::Engine>& engine) {
      Result<client::Home> home = client::resolveHome(url, engine);
      if (home) home->addressing_period = 5ms;
      return home;
    });
    return "impatient://server";
  }
  static bool send(DefaultMQProducer& producer) { return producer.send(Message(kListedTopic, "x")).has_value(); }
};

TEST_F(HttpDiscovery, AClientStartsByTheUrlAlone) {
  MockCluster cluster = startCluster();
  HttpServer server(HttpServer::answering(cluster.namesrvAddr() + "\n"));
  auto producer = DefaultMQProducer::start("p", {.namesrvAddr = server.url()}).value();
  std::atomic<int> seen{0};
  auto consumer = DefaultMQPushConsumer::start("c", {{kListedTopic}},
                                               [&](Messages messages, ConsumeConcurrentlyContext&) {
                                                 seen += static_cast<int>(messages.size());
                                                 return CONSUME_SUCCESS;
                                               },
                                               {.namesrvAddr = server.url()})
                      .value();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(send(producer));
  EXPECT_TRUE(cluster.waitUntil([&] { return seen == 10; }, 30s));
  EXPECT_EQ(server.requests().size(), 2u) << "one a client: the next comes in two minutes";
}

TEST_F(HttpDiscovery, ClientsOfOneNameShareTheQuestion) {
  MockCluster cluster = startCluster();
  HttpServer server(HttpServer::answering(cluster.namesrvAddr()));
  const ClientOptions named{.namesrvAddr = server.url(), .instanceName = "billing"};
  auto a = DefaultMQProducer::start("a", named).value();
  auto b = DefaultMQProducer::start("b", named).value();
  EXPECT_EQ(a.clientId(), b.clientId());
  EXPECT_TRUE(send(a) && send(b));
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(HttpDiscovery, RunningClientsMoveWhenTheListChanges) {
  MockCluster before = startCluster();
  MockCluster after = startCluster();
  HttpServer server(HttpServer::answering(before.namesrvAddr()));
  const ClientOptions client{.namesrvAddr = impatient(server)};
  auto producer = DefaultMQProducer::start("p", client).value();
  std::atomic<bool> seen_after{false};
  auto consumer =
      DefaultMQPushConsumer::start("c", {{kListedTopic}},
                                   [&](Messages messages, ConsumeConcurrentlyContext&) {
                                     for (const MessageExt& m : messages)
                                       seen_after = seen_after || m.keys() == "after";
                                     return CONSUME_SUCCESS;
                                   },
                                   client, {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()})
          .value();
  ASSERT_TRUE(send(producer));
  EXPECT_EQ(before.messages(kListedTopic).size(), 1u);

  server.setScript(HttpServer::answering(after.namesrvAddr()));
  EXPECT_TRUE(after.waitUntil(
      [&] {
        (void)send(producer);
        return !after.messages(kListedTopic).empty();
      },
      30s));
  // The consumer goes on at the offsets it had, which are another cluster's: the queues here have to outgrow them
  // first.
  auto there = DefaultMQProducer::start("q", after.client()).value();
  EXPECT_TRUE(after.waitUntil(
      [&] {
        there.send(Message(kListedTopic, "x").setKeys("after")).value();
        return seen_after.load();
      },
      30s));
  before.reset();
  EXPECT_TRUE(send(producer)) << "nobody needs the old cluster any more";

  // An address server that fails takes nothing away.
  server.setScript(HttpServer::sending("HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"));
  ASSERT_TRUE(server.waitForRequests(server.requests().size() + 4));
  EXPECT_TRUE(send(producer));
}

TEST_F(HttpDiscovery, AnOfflineStartIsReadyWhenTheServerAnswers) {
  MockCluster cluster = startCluster();
  HttpServer server(HttpServer::closing());
  auto producer = DefaultMQProducer::start("p", {.namesrvAddr = server.url(), .startTimeout = 0ms}).value();
  Future<void> ready = producer.ready();
  ASSERT_TRUE(server.waitForRequests(2)) << "asked again by itself";
  EXPECT_FALSE(ready.isReady());
  server.setScript(HttpServer::answering(cluster.namesrvAddr()));
  EXPECT_TRUE(std::move(ready).get());
  EXPECT_TRUE(send(producer));
}

TEST_F(HttpDiscovery, ASilentServerHoldsUpNoEnd) {
  HttpServer server(HttpServer::hanging());
  const Runtime runtime = Runtime::create({}).value();
  const auto before = std::chrono::steady_clock::now();
  {
    auto producer =
        DefaultMQProducer::start("p", {.namesrvAddr = server.url(), .startTimeout = 0ms, .runtime = runtime}).value();
    ASSERT_TRUE(server.waitForRequests(1));
    EXPECT_TRUE(producer.close().complete());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - before, 3s) << "what curl alone would wait";
}

}  // namespace
}  // namespace mqclient
