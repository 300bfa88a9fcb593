#include "mqclient/error.h"

#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "mqclient/function.h"

namespace mqclient {
namespace {

TEST(Error, SaysCodeResponseAndMessage) {
  const Error e = Error(ErrorCode::kBroker, "the remark", 17, Applied::kUnknown).withMsgId("ID1");
  EXPECT_EQ(e.code(), ErrorCode::kBroker);
  EXPECT_EQ(e.responseCode(), 17);
  EXPECT_EQ(e.applied(), Applied::kUnknown);
  EXPECT_EQ(e.msgId(), "ID1");
  std::ostringstream out;
  out << e;
  for (const char* part : {"Broker", "17", "the remark"}) {
    EXPECT_NE(out.str().find(part), std::string::npos) << out.str() << " lacks " << part;
  }
}

TEST(Error, EveryCodeHasItsNameAndWhatCanPassIsRetriable) {
  for (int c = 0; c <= static_cast<int>(ErrorCode::kInternal); ++c) {
    const std::string name = toString(static_cast<ErrorCode>(c));
    EXPECT_FALSE(name.empty()) << c;
    EXPECT_NE(name[0], 'k') << "without the k";
  }
  for (const ErrorCode c : {ErrorCode::kTimeout, ErrorCode::kUnreachable, ErrorCode::kConnectionLost,
                            ErrorCode::kNoRoute, ErrorCode::kFlowControl, ErrorCode::kQueueFull}) {
    EXPECT_TRUE(isRetriable(Error(c, ""))) << toString(c);
  }
  for (const ErrorCode c : {ErrorCode::kInvalidArgument, ErrorCode::kClosed, ErrorCode::kMessageIllegal,
                            ErrorCode::kNoPermission, ErrorCode::kWouldBlock, ErrorCode::kCancelled}) {
    EXPECT_FALSE(isRetriable(Error(c, ""))) << toString(c);
  }
}

TEST(Result, HoldsAValueOrAnError) {
  Result<std::string> good("x");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->size(), 1U);
  EXPECT_EQ(good.value(), "x");
  const Result<std::string> bad(Error(ErrorCode::kNoRoute, "none"));
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), ErrorCode::kNoRoute);
  EXPECT_EQ(Result<std::string>(Error(ErrorCode::kNoRoute, "none")).value_or("other"), "other");
}

TEST(Result, ValueThrowsForThoseWhoAsk) {
  try {
    static_cast<void>(Result<int>(Error(ErrorCode::kTimeout, "too late")).value());
    FAIL();
  } catch (const MQClientException& e) {
    EXPECT_EQ(e.error().code(), ErrorCode::kTimeout);
    EXPECT_NE(std::string(e.what()).find("too late"), std::string::npos);
  }
  EXPECT_THROW(Result<void>(Error(ErrorCode::kClosed, "")).value(), MQClientException);
  EXPECT_NO_THROW(Result<void>().value());
}

TEST(Result, OfATemporaryAnswersByValue) {
  const auto make = [] { return Result<std::vector<int>>(std::vector<int>{1, 2, 3}); };
  int sum = 0;
  for (const int i : *make()) sum += i;
  for (const int i : make().value()) sum += i;
  EXPECT_EQ(sum, 12);
}

TEST(Result, PassesOnThroughTransformAndAndThen) {
  const auto half = [](int i) -> Result<int> {
    if (i % 2 != 0) return Error(ErrorCode::kInvalidArgument, "odd");
    return i / 2;
  };
  EXPECT_EQ(*Result<int>(8).andThen(half).andThen(half).transform([](int i) { return std::to_string(i); }), "2");
  EXPECT_EQ(Result<int>(6).andThen(half).andThen(half).error().message(), "odd");
  EXPECT_EQ(*Result<void>().andThen([]() -> Result<int> { return 1; }), 1);
}

TEST(Result, HoldsWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> r(std::make_unique<int>(5));
  const std::unique_ptr<int> p = *std::move(r);
  EXPECT_EQ(*p, 5);
}

TEST(UniqueFunction, HoldsSmallAndLargeMoveOnlyCallables) {
  UniqueFunction<int(int)> empty;
  EXPECT_FALSE(empty);
  UniqueFunction<int(int)> small([p = std::make_unique<int>(1)](int i) { return *p + i; });
  struct Large {
    std::unique_ptr<int> p;
    char ballast[200];
    int operator()(int i) { return *p + i; }
  };
  UniqueFunction<int(int)> large(Large{std::make_unique<int>(2), {}});
  EXPECT_EQ(small(10), 11);
  EXPECT_EQ(large(10), 12);
  UniqueFunction<int(int)> moved = std::move(large);
  EXPECT_FALSE(large);  // NOLINT(bugprone-use-after-move): that is the promise
  EXPECT_EQ(moved(1), 3);
  moved = std::move(small);
  EXPECT_EQ(moved(1), 2);
  moved.reset();
  EXPECT_FALSE(moved);
}

}  // namespace
}  // namespace mqclient
