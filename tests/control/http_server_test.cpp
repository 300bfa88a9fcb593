#include "mock_broker/control/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/stranger.h"

namespace mqclient::control {
namespace {

using mqclient::testing::answerAndEnd;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kPeers = 8;

struct HttpServerTest : ::testing::Test {
  std::unique_ptr<HttpServer> start(HttpServer::Options options, HttpServer::Handler handler) {
    return HttpServer::start(engine, options, std::move(handler)).value();
  }
  static std::string requestTo(const HttpServer& server) {
    return "POST / HTTP/1.1\r\nHost: " + server.address() + "\r\n\r\n";
  }
  const base::Ref<base::Engine> engine = base::makeThreadedEngine({}).value();
};

/// A connection that says nothing.
remoting::Descriptor silentPeerOf(const HttpServer& server) {
  const auto at =
      remoting::addressesOf(remoting::splitAddress(server.address()).value(), remoting::Names::kNumericOnly);
  remoting::Descriptor peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(peer.get(), at->front().get(), at->front().size), 0);
  return peer;
}

TEST_F(HttpServerTest, APeerThatDoesNotFinishItsRequestIsClosedAtTheDeadline) {
  const auto server = start({.request_deadline = base::Millis{1}}, [](const HttpRequest&) { return HttpAnswer{}; });
  EXPECT_EQ(answerAndEnd(server->address(), "POST / HTTP/1.1\r\nHo"), "");
}

TEST_F(HttpServerTest, BeyondItsConnectionsOthersWaitAndAreServedAfterwards) {
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  const auto server = start({.connections_max = 2}, [&](const HttpRequest&) {
    most = std::max(most.load(), ++running);
    std::this_thread::yield();
    --running;
    return HttpAnswer{200, "{}"};
  });
  std::vector<std::jthread> peers;
  std::atomic<int> served{0};
  for (int i = 0; i < kPeers; ++i) {
    peers.emplace_back([&] {
      if (answerAndEnd(server->address(), requestTo(*server)).value_or("").ends_with("{}")) ++served;
    });
  }
  peers.clear();
  EXPECT_EQ(served, kPeers);
  EXPECT_LE(most, 2);
}

TEST_F(HttpServerTest, StopEndsConnectionsThatSayNothingAndFreesThePort) {
  std::latch served(1);
  auto server = start({}, [&](const HttpRequest&) {
    served.count_down();
    return HttpAnswer{200, "{}"};
  });
  const remoting::Descriptor silent = silentPeerOf(*server);
  EXPECT_THAT(answerAndEnd(server->address(), requestTo(*server)).value(), StartsWith("HTTP/1.1 200 OK"));
  served.wait();  // accepted in order: the silent one is there
  const std::string port = server->address().substr(server->address().find(':') + 1);
  server->stop();
  char byte = 0;
  EXPECT_LE(::recv(silent.get(), &byte, 1, 0), 0);
  const auto taken = start({.port = std::stoi(port)}, [](const HttpRequest&) { return HttpAnswer{}; });
  const auto refused =
      HttpServer::start(engine, {.port = std::stoi(port)}, [](const HttpRequest&) { return HttpAnswer{}; });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnreachable);
}

TEST_F(HttpServerTest, WhatAPeerStillSendsDoesNotCostItItsAnswer) {
  const auto server = start({}, [](const HttpRequest&) { return HttpAnswer{}; });
  const std::string much(256u << 10, 'x');
  const auto answer = answerAndEnd(server->address(), "POST / HTTP/1.1\r\nContent-Length: 262144\r\n\r\n" + much);
  EXPECT_THAT(answer.value(), HasSubstr("413 Content Too Large"));
}

}  // namespace
}  // namespace mqclient::control
