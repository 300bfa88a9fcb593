// The real address server client over loopback, against servers that keep to HTTP and ones that do not.
#include "client/http_top_addressing.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "client/home.h"
#include "mqclient/future.h"
#include "tests/support/http_server.h"
#include "tests/support/process_threads.h"

namespace mqclient::client {
namespace {

using namespace std::chrono_literals;
using scripted::HttpServer;

class HttpTopAddressingTest : public ::testing::Test {
 protected:
  base::Ref<TopAddressing> at(const std::string& url, std::string_view unit_name = {}) {
    return resolveHome(url, engine, unit_name).value().addressing;
  }
  Future<std::string> ask(TopAddressing& server, Millis within = 20s) {
    auto [future, done] = base::makeOperation<std::string>(engine->callbackTarget());
    server.fetchNSAddr(engine->now() + within, std::move(done));
    return std::move(future);
  }
  /// What one request to a server of this script ends in.
  Result<std::string> answerOf(HttpServer::Script script, Millis within = 20s) {
    HttpServer server(std::move(script));
    return ask(*at(server.url()), within).get();
  }
  void expectTrouble(HttpServer::Script script, std::initializer_list<const char*> words, Millis within = 20s) {
    const Result<std::string> answer = answerOf(std::move(script), within);
    ASSERT_FALSE(answer) << *answer;
    EXPECT_EQ(answer.error().code(), ErrorCode::kNoNameServer);
    for (const char* word : words) {
      EXPECT_NE(answer.error().message().find(word), std::string::npos) << word << "\n" << answer.error();
    }
    EXPECT_LT(answer.error().message().size(), 300u);
  }

  const base::Ref<base::Engine> engine = *base::makeThreadedEngine({.blocking_threads = 1});
};

TEST_F(HttpTopAddressingTest, GetsWhatThePathHas) {
  HttpServer server(HttpServer::answering("10.0.0.1:9876;10.0.0.2:9876\n"));
  const auto answer = ask(*at(server.url("/rocketmq/nsaddr?zone=a"))).get();
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_EQ(*answer, "10.0.0.1:9876;10.0.0.2:9876\n");
  ASSERT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(server.requests()[0].rfind("GET /rocketmq/nsaddr?zone=a HTTP/1.1\r\n", 0), 0u) << server.requests()[0];
}

TEST_F(HttpTopAddressingTest, TheUnitIsPartOfThePath) {
  HttpServer server(HttpServer::answering("a:1"));
  ASSERT_TRUE(ask(*at(server.url("/nsaddr"), "unit 1")).get());
  ASSERT_TRUE(ask(*at(server.url("/nsaddr?zone=a"), "u")).get());
  EXPECT_EQ(server.requests()[0].rfind("GET /nsaddr-unit%201?nofix=1 HTTP", 0), 0u) << server.requests()[0];
  EXPECT_EQ(server.requests()[1].rfind("GET /nsaddr-u?nofix=1&zone=a HTTP", 0), 0u) << server.requests()[1];
}

TEST_F(HttpTopAddressingTest, ANameIsLookedUpOnTheLaneAndStartsNoThread) {
  HttpServer server(HttpServer::answering("a:1"));
  std::string url = server.url();
  url.replace(url.find("127.0.0.1"), 9, "localhost");
  ASSERT_TRUE(ask(*at(url)).get());  // the one thread of the lanes is there now
  const int before = testing::allThreads();
  int during = 0;
  server.setScript([&](HttpServer& s, int fd, const std::string& request) {
    during = testing::allThreads();
    HttpServer::answering("b:2")(s, fd, request);
  });
  const auto answer = ask(*at(url)).get();
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_LE(during, before);
}

TEST_F(HttpTopAddressingTest, OnlyStatus200Counts) {
  const auto status = [](const char* line) {
    return HttpServer::sending(std::string("HTTP/1.1 ") + line + "\r\nContent-Length: 4\r\n\r\na:1\n");
  };
  expectTrouble(status("404 Not Found"), {"status 404"});
  expectTrouble(status("500 Oh"), {"status 500"});
  expectTrouble(status("206 Partial Content"), {"status 206"});
}

TEST_F(HttpTopAddressingTest, ARedirectIsShownNotFollowed) {
  HttpServer there(HttpServer::answering("a:1"));
  expectTrouble(
      HttpServer::sending("HTTP/1.1 302 Found\r\nLocation: " + there.url("/x") + "\r\nContent-Length: 0\r\n\r\n"),
      {"status 302", "redirect", there.url("/x").c_str()});
  EXPECT_TRUE(there.requests().empty());
}

TEST_F(HttpTopAddressingTest, AnswersAreBounded) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  expectTrouble(HttpServer::endless(ok + "\r\n", std::string(4096, 'a')), {"more than 65536 bytes"});
  expectTrouble(HttpServer::endless(ok, "X-More: " + std::string(4000, 'h') + "\r\n"), {"more than 65536 bytes"});
  const auto largest = answerOf(HttpServer::answering(std::string(65'536, 'a')));
  ASSERT_TRUE(largest) << largest.error();
  EXPECT_EQ(largest->size(), 65'536u);
  expectTrouble(HttpServer::answering(std::string(65'537, 'a')), {"more than 65536 bytes"});
}

TEST_F(HttpTopAddressingTest, StrangersAreErrors) {
  expectTrouble(HttpServer::closing(), {"cannot be asked"});
  expectTrouble(HttpServer::sending("RMQ0 this is another protocol\r\n\r\n"), {"not HTTP"});
  expectTrouble(HttpServer::sending(std::string("\0\0\0\x10\0\0\0\x0c{\"code\":-1}", 19)), {"not HTTP"});
  expectTrouble(HttpServer::sending("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na:1"), {"cannot be asked"});
  const auto refused = ask(*at("http://127.0.0.1:1/nsaddr")).get();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("refused"), std::string::npos) << refused.error();
  const auto numeric = ask(*at("http://[::1]:1/nsaddr")).get();
  ASSERT_FALSE(numeric);
  EXPECT_NE(numeric.error().message().find("connect to ::1 port 1"), std::string::npos) << numeric.error();
  const auto unknown = ask(*at("http://" + std::string(64, 'n') + ".test/nsaddr")).get();  // too long to be asked for
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message().find("is not found"), std::string::npos) << unknown.error();
}

TEST_F(HttpTopAddressingTest, TlsIsNeverLeftOut) {
  HttpServer server(HttpServer::answering("a:1"));
  const auto answer = ask(*at("https" + server.url().substr(4))).get();
  ASSERT_FALSE(answer) << *answer;
  EXPECT_NE(answer.error().message().find("cannot be asked"), std::string::npos) << answer.error();
}

TEST_F(HttpTopAddressingTest, NoProxyOfTheEnvironmentIsUsed) {
  HttpServer proxy(HttpServer::answering("a:1"));
  HttpServer server(HttpServer::answering("b:2"));
  // curl reads both; nobody else in this program reads or sets the environment meanwhile.
  for (const char* name : {"http_proxy", "all_proxy"}) {
    ::setenv(name, proxy.url("").c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  }
  const auto answer = ask(*at(server.url())).get();
  for (const char* name : {"http_proxy", "all_proxy"}) ::unsetenv(name);  // NOLINT(concurrency-mt-unsafe)
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_EQ(*answer, "b:2");
  EXPECT_TRUE(proxy.requests().empty());
}

TEST_F(HttpTopAddressingTest, ASilentServerIsLeftAtTheDeadline) {
  const base::SteadyTime before = engine->now();
  expectTrouble(HttpServer::hanging(), {"cannot be asked", "timed out"}, 20ms);
  EXPECT_LT(engine->now() - before, 3s);
  EXPECT_FALSE(answerOf(HttpServer::answering("a:1"), 0ms));
}

TEST_F(HttpTopAddressingTest, ClosingDoesNotWaitForAServer) {
  HttpServer server(HttpServer::hanging());
  const base::Ref<TopAddressing> addressing = at(server.url());
  Future<std::string> answer = ask(*addressing, 1h);
  ASSERT_TRUE(server.waitForRequests(1));
  addressing->close();
  const auto closed = std::move(answer).get();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code(), ErrorCode::kClosed) << closed.error();
  EXPECT_EQ(ask(*addressing).get().error().code(), ErrorCode::kClosed);
  EXPECT_EQ(server.requests().size(), 1u);
}

}  // namespace
}  // namespace mqclient::client
