#include "mqclient/testing/at_once.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

namespace mqclient {
namespace {

TEST(AtOnce, ACallbackRunsBeforeSetReturnsOnTheThreadThatSets) {
  Promise<int> promise = promiseAtOnce<int>();
  std::optional<std::thread::id> ran_on;
  promise.future().then([&](Result<int> r) {
    EXPECT_EQ(*r, 7);
    ran_on = std::this_thread::get_id();
  });
  EXPECT_FALSE(ran_on);
  promise.set(7);
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(AtOnce, OfAReadyOneItRunsInsideThen) {
  bool ran = false;
  readyAtOnce<int>(Error(ErrorCode::kTimeout, "late")).then([&](Result<int> r) {
    EXPECT_EQ(r.error().code(), ErrorCode::kTimeout);
    ran = true;
  });
  EXPECT_TRUE(ran);
}

TEST(AtOnce, ACoroutineGoesOnBeforeSetReturns) {
  Promise<int> promise = promiseAtOnce<int>();
  int seen = 0;
  auto body = [&](Future<int> awaited) -> Future<void> {
    Result<int> r = co_await std::move(awaited);
    seen = *r;
    co_return Result<void>();
  };
  Future<void> done = body(promise.future());
  promise.set(7);
  EXPECT_EQ(seen, 7);
  EXPECT_TRUE(done.isReady());
}

TEST(AtOnce, AnotherThreadMayWait) {
  Promise<int> promise = promiseAtOnce<int>();
  int got = 0;
  std::thread waiting([&, future = promise.future()]() mutable { got = *std::move(future).get(); });
  promise.set(7);
  waiting.join();
  EXPECT_EQ(got, 7);
}

}  // namespace
}  // namespace mqclient
