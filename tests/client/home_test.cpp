#include "client/home.h"

#include <gtest/gtest.h>

#include "client/response_error.h"
#include "mqclient/codes.h"
#include "sim/sim_engine.h"

namespace mqclient::client {
namespace {

class HomeTest : public ::testing::Test {
 protected:
  static Error errorOf(std::string_view address, std::string variable = {}) {
    sim::SimOptions options;
    options.environment.variable = [variable](const char* name) {
      return std::string_view(name) == "NAMESRV_ADDR" ? variable : std::string();
    };
    const base::Ref<base::Engine> engine = sim::makeSimEngine(options);
    Result<Home> home = resolveHome(address, engine);
    return home ? Error(ErrorCode::kInternal, "accepted") : home.error();
  }
  static void expectWords(const Error& error, std::initializer_list<const char*> words) {
    for (const char* word : words) EXPECT_NE(error.message().find(word), std::string::npos) << word << "\n" << error;
  }
};

TEST_F(HomeTest, NothingConfiguredSaysWhatToSet) {
  const Error error = errorOf("  ");
  EXPECT_EQ(error.code(), ErrorCode::kNoNameServer);
  expectWords(error, {"namesrvAddr", "NAMESRV_ADDR"});
}

TEST_F(HomeTest, TheEnvironmentStandsIn) {
  EXPECT_EQ(errorOf("", "nowhere://x").code(), ErrorCode::kUnsupported);
  EXPECT_EQ(errorOf("", "127.0.0.1").code(), ErrorCode::kInvalidArgument);
}

TEST_F(HomeTest, HostsAndPortsAreReachedOverTcp) {
  const base::Ref<base::Engine> engine = *base::makeThreadedEngine({});
  const auto home = resolveHome("ns1:9876; [::1]:9876 ;ns1:9876", engine);
  ASSERT_TRUE(home) << home.error();
  EXPECT_EQ(home->nameservers, (std::vector<std::string>{"ns1:9876", "[::1]:9876"}));
  EXPECT_TRUE(home->transport);
  EXPECT_EQ(home->identity, resolveHome("ns1:9876;[::1]:9876", engine)->identity) << "equal homes are shared";
  EXPECT_NE(home->identity, resolveHome("ns1:9876", engine)->identity);
}

TEST_F(HomeTest, SocketsNeedRealTime) {
  const Error error = errorOf("ns1:9876; [::1]:9876 ;ns1:9876");
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  expectWords(error, {"ns1:9876", "mock://"});
}

TEST_F(HomeTest, AnAddressServerIsAUrlWithAPath) {
  const base::Ref<base::Engine> engine = *base::makeThreadedEngine({});
  const std::string url = "http://addresses.test/rocketmq/nsaddr";
  const auto home = resolveHome(" " + url + " ", engine);
  ASSERT_TRUE(home) << home.error();
  ASSERT_TRUE(home->addressing);
  EXPECT_EQ(home->addressing->name(), url);
  EXPECT_EQ(home->addressing_period, std::chrono::minutes(2));
  EXPECT_TRUE(home->nameservers.empty());
  EXPECT_TRUE(home->transport);
  const auto identity = [&](std::string_view text, std::string_view unit) {
    return resolveHome(text, engine, unit).value().identity;
  };
  EXPECT_EQ(identity(url, ""), home->identity) << "equal homes are shared";
  EXPECT_NE(identity(url, "u"), home->identity);
  EXPECT_NE(identity(url + "2", ""), home->identity);
  EXPECT_EQ(identity("https://[::1]:8443/x?a=b", "u/1"), "https://[::1]:8443/x-u%2F1?nofix=1&a=b");
}

TEST_F(HomeTest, BehindHttpWithoutAPathStandsAListAsInJava) {
  const base::Ref<base::Engine> engine = *base::makeThreadedEngine({});
  const auto home = resolveHome("http://a:1;b:2", engine);
  ASSERT_TRUE(home) << home.error();
  EXPECT_EQ(home->nameservers, (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_FALSE(home->addressing);
  EXPECT_EQ(home->identity, resolveHome("a:1;b:2", engine)->identity);
}

TEST_F(HomeTest, WhatCannotBeAUrlSaysWhatToWrite) {
  const std::vector<std::pair<std::string, const char*>> rows{
      {"http://host", "'host' has no port"},
      {"http://", "no address"},
      {"http://host/", "needs a path"},
      {"http://host:9876/", "needs a path"},
      {"http://host?x=y", "needs a path"},
      {"https://host:443", "needs a path"},
      {"http:///x", "has no host"},
      {"http://host:0/x", "'0'"},
      {"http://a:1;b:2/x", "'a:1;b:2'"},
      {"http://user:secret@host/x", "would stand in every log"},
      {"http://host/a b", "%XX"},
      {"http://host/x#y", "%XX"},
      {"http://host/\xc3\xa4", "%XX"},
      {"http://host/" + std::string(2'048, 'x'), "2060 characters"},
  };
  for (const auto& [text, words] : rows) {
    const Error error = errorOf(text);
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << text;
    expectWords(error, {words, "host:port;host:port", "/PATH"});
    EXPECT_LT(error.message().size(), 500u);
    EXPECT_EQ(error.message().find("secret"), std::string::npos) << error;
  }
}

TEST_F(HomeTest, AddressServersNeedRealTime) {
  for (const char* text : {"http://host:8080/x", "http://host:9876"}) {
    const Error error = errorOf(text);
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    expectWords(error, {text, "virtual time", "mock://"});
  }
}

TEST_F(HomeTest, EveryBadEntryIsNamed) {
  const Error error = errorOf("ns1;ns2:0;ns3:70000;:9876;n s:1;::1:9876;[zz]:1;good:9876");
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  expectWords(error, {"'ns1' has no port", "'ns2:0'", "'ns3:70000'", "':9876' has no host", "'n s:1'", "brackets",
                      "'[zz]:1'", "host:port;host:port"});
  EXPECT_EQ(error.message().find("good"), error.message().rfind("good")) << "only in the quoted whole\n" << error;
}

TEST_F(HomeTest, ListsAreTakenApart) {
  const auto list = parseAddressList(" a:1 ;; b.c-d_e:65535;[::1]:9876;a:1;");
  ASSERT_TRUE(list) << list.error();
  EXPECT_EQ(*list, (std::vector<std::string>{"a:1", "b.c-d_e:65535", "[::1]:9876"}));
  EXPECT_FALSE(parseAddressList(";;"));
}

TEST_F(HomeTest, SchemesAreTakenApart) {
  const auto address = parseSchemeAddress("mock://demo?brokers=2&queues=8");
  ASSERT_TRUE(address) << address.error();
  EXPECT_EQ(address->scheme, "mock");
  EXPECT_EQ(address->name, "demo");
  EXPECT_EQ(address->parameters, (std::vector<std::pair<std::string, std::string>>{{"brokers", "2"}, {"queues", "8"}}));
  EXPECT_TRUE(checkParameters(*address, {"brokers", "queues"}));
  const auto refused = checkParameters(*address, {"queues"});
  ASSERT_FALSE(refused);
  expectWords(refused.error(), {"'brokers'", "allowed are: queues"});
}

TEST_F(HomeTest, EveryComplaintAboutASchemeAtOnce) {
  const auto address = parseSchemeAddress("mock://?brokers&a=1&a=2");
  ASSERT_FALSE(address);
  EXPECT_EQ(address.error().code(), ErrorCode::kInvalidArgument);
  expectWords(address.error(), {"the name", "'brokers' is not key=value", "'a' is given twice", "NAME?key=value"});
}

TEST_F(HomeTest, AnUnknownSchemeNamesTheKnownOnes) {
  registerScheme("known", [](const SchemeAddress&, const base::Ref<base::Engine>&) -> Result<Home> {
    return Error(ErrorCode::kInternal, "resolved");
  });
  const Error error = errorOf("unknown://x");
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  expectWords(error, {"'unknown'", "known://NAME"});
  EXPECT_EQ(errorOf("known://x").message(), "resolved");
}

TEST(ResponseErrorTest, OneTableFromCodesToWhatTheCallerCanDo) {
  EXPECT_EQ(errorCodeOf(2), ErrorCode::kFlowControl);
  EXPECT_EQ(errorCodeOf(215), ErrorCode::kFlowControl);
  EXPECT_EQ(errorCodeOf(13), ErrorCode::kMessageIllegal);
  EXPECT_EQ(errorCodeOf(16), ErrorCode::kNoPermission);
  EXPECT_EQ(errorCodeOf(17), ErrorCode::kTopicNotExist);
  EXPECT_EQ(errorCodeOf(26), ErrorCode::kGroupNotExist);
  EXPECT_EQ(errorCodeOf(3), ErrorCode::kUnsupported);
  EXPECT_EQ(errorCodeOf(99'999), ErrorCode::kBroker);
  protocol::RemotingCommand response;
  response.code = 1;
  response.setRemark("disk on fire");
  const Error error = responseError(response, "send to orders on a");
  EXPECT_EQ(error.applied(), Applied::kUnknown) << "a system error may come after the broker began to act";
  EXPECT_EQ(error.responseCode(), 1);
  EXPECT_NE(error.message().find("disk on fire"), std::string::npos);
  response.code = 16;
  EXPECT_EQ(responseError(response, "x").applied(), Applied::kNo);
}

}  // namespace
}  // namespace mqclient::client
