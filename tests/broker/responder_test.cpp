#include "broker_support.h"

namespace mqclient::broker {
namespace {

using Responders = BrokerTest;

/// Every request code that RocketMQ has, and some that nobody has.
std::vector<int> allCodes() {
  std::vector<int> codes;
  for (int code = 0; code < 3'100; ++code) codes.push_back(code);
  for (int code = 200'045; code < 200'160; ++code) codes.push_back(code);
  codes.insert(codes.end(), {-1, 32'767, 32'768, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()});
  return codes;
}

TEST_F(Responders, EveryCodeIsAnsweredOnce) {
  start();
  int served = 0;
  for (const int code : allCodes()) {
    const auto call = client->call(static_cast<RequestCode>(code), NoHeader{});
    ASSERT_EQ(call->settled, 1) << "code " << code;
    ASSERT_TRUE(*call->result) << "code " << code << ": " << call->result->error().message();
    if (call->code() == ResponseCode::REQUEST_CODE_NOT_SUPPORTED) {
      EXPECT_EQ(call->remark(), " request type " + std::to_string(code) + " not supported");
    } else {
      ++served;
    }
  }
  EXPECT_EQ(served, 18) << "rows of the request table";
}

TEST_F(Responders, OnewayRequestsAreNeverAnswered) {
  start();
  // Each of them would be refused; none may be heard of, and the connection lives on.
  for (const int code : allCodes()) client->oneway(static_cast<RequestCode>(code), NoHeader{});
  EXPECT_EQ(client->send({})->code(), ResponseCode::SUCCESS);
}

TEST_F(Responders, BodiesOfNonsense) {
  start();
  for (const int code : {10, 11, 14, 15, 17, 26, 28, 29, 30, 31, 32, 34, 35, 38, 46, 310, 320, 361}) {
    for (const char* body : {"", "{", "null", "[1,2,3]", "\xff\xff\xff\xff", "{\"consumerDataSet\":[{}]}"}) {
      const auto call = client->callBody(static_cast<RequestCode>(code), body);
      ASSERT_EQ(call->settled, 1) << code << " " << body;
      ASSERT_TRUE(*call->result);
    }
  }
}

TEST_F(Responders, ToolsSeeConfigurationAndFigures) {
  start({.brokerName = "broker-x"});
  client->send({});
  const auto config = client->callBody(RequestCode::GET_BROKER_CONFIG);
  ASSERT_EQ(config->code(), ResponseCode::SUCCESS);
  EXPECT_NE(config->answer().body.toString().find("brokerName=broker-x\n"), std::string::npos);
  const auto runtime = client->callBody(RequestCode::GET_BROKER_RUNTIME_INFO);
  ASSERT_EQ(runtime->code(), ResponseCode::SUCCESS);
  EXPECT_NE(runtime->answer().body.toString().find("\"msgPutTotalTodayNow\":\"1\""), std::string::npos);
}

}  // namespace
}  // namespace mqclient::broker
