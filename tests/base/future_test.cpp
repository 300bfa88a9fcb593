// One operation, four faces: get, then, co_await, detach.
#include "mqclient/future.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/log.h"
#include "tests/base/helpers.h"
#include "tests/support/process_threads.h"

namespace mqclient {
namespace {

using base::Activation;
using base::Object;
using base::Ref;
using base::Role;
using base::testing::Count;
using base::testing::Owner;
using base::testing::threadedEngine;
using testing::allThreads;
using testing::threadsFallTo;

TEST(Future, GetAnswersWhatIsThere) {
  EXPECT_EQ(*Future<int>::ready(5).get(), 5);
  EXPECT_EQ(Future<int>::ready(Error(ErrorCode::kNoRoute, "none")).get().error().code(), ErrorCode::kNoRoute);
  EXPECT_TRUE(Future<void>::ready({}).get());
}

TEST(Future, GetWaits) {
  Promise<std::unique_ptr<int>> promise;
  auto future = promise.future();
  std::thread setter([&] { promise.set(std::make_unique<int>(3)); });
  Result<std::unique_ptr<int>> r = std::move(future).get();
  setter.join();
  ASSERT_TRUE(r);
  EXPECT_EQ(**r, 3);
}

TEST(Future, TheFirstSetCounts) {
  Promise<int> promise;
  auto future = promise.future();
  promise.set(1);
  promise.set(2);
  EXPECT_EQ(*std::move(future).get(), 1);
}

TEST(Future, AnAbandonedPromiseIsAnError) {
  auto promise = std::make_unique<Promise<int>>();
  auto future = promise->future();
  promise.reset();
  EXPECT_TRUE(future.isReady());
  EXPECT_EQ(std::move(future).get().error().code(), ErrorCode::kAbandoned);
}

TEST(Future, APromiseAssignedOverAbandonsItsFuture) {
  Promise<int> a;
  auto future = a.future();
  a = Promise<int>();
  EXPECT_EQ(std::move(future).get().error().code(), ErrorCode::kAbandoned);
}

TEST(Future, DetachedItMayBeSetAndDropped) {
  Promise<int> promise;
  promise.future().detach();
  promise.set(1);
}

TEST(Future, ThenRunsOnceOnAListenerThread) {
  auto engine = threadedEngine();
  for (const bool ready_first : {true, false}) {
    Promise<int> promise(engine->callbackTarget());
    Count called;
    Role role = Role::kForeign;
    if (ready_first) promise.set(8);
    promise.future().then([&](Result<int> r) {
      role = Activation::ofThisThread().role();
      called.add(*r);
    });
    promise.set(8);
    ASSERT_TRUE(called.reaches(8));
    EXPECT_EQ(role, Role::kListener);
  }
}

TEST(Future, AUsersPromiseNeedsNoRuntimeOfItsOwn) {
  Count called;
  Promise<int> promise;
  promise.future().then([&](Result<int> r) { called.add(*r); });
  promise.set(2);
  EXPECT_TRUE(called.reaches(2));
}

/// No engine lives: the callback's job has the last share of the one that was made for it.
TEST(Future, SettingAUsersPromiseDoesNotWaitForItsCallback) {
  for (const bool ready_first : {true, false}) {
    const int threads = allThreads();
    Promise<int> promise;
    Count go;
    Count set;
    Count called;
    std::thread setter([&] {
      if (ready_first) promise.set(4);
      promise.future().then([&](Result<int> r) {
        EXPECT_TRUE(go.reaches(1));
        called.add(*r);
      });
      promise.set(4);
      set.add();
    });
    EXPECT_TRUE(set.reaches(1)) << "it waits for a callback that waits for what is done next";
    go.add();
    setter.join();
    EXPECT_TRUE(called.reaches(4));
    EXPECT_TRUE(threadsFallTo(threads)) << "the engine ends with the callback";
  }
}

TEST(Future, WhatACallbackThrowsIsContainedAndLogged) {
  auto engine = threadedEngine();
  Count logged;
  std::string text;
  base::setProcessLogHook([&](LogLevel, std::string_view, std::string_view line) {
    text = line;
    logged.add();
  });
  Promise<int> promise(engine->callbackTarget());
  promise.future().then([](Result<int>) { throw std::runtime_error("of mine"); });
  promise.set(1);
  EXPECT_TRUE(logged.reaches(1));
  base::setProcessLogHook(nullptr);
  EXPECT_NE(text.find("of mine"), std::string::npos) << text;
}

TEST(Future, GetInsideAStrandWouldBlock) {
  auto engine = threadedEngine();
  auto owner = base::makeRef<Owner>(engine);
  Promise<int> promise;
  auto future = promise.future();
  Result<int> r(0);
  owner->strand.post(Ref<Object>(owner), [&] { r = std::move(future).get(); });
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code(), ErrorCode::kWouldBlock);
}

TEST(Future, GetOnALaneOrReactorWouldBlockButReadyOnesAnswer) {
  auto engine = threadedEngine();
  auto owner = base::makeRef<Owner>(engine);
  Promise<int> never;
  std::array<Result<int>, 2> got{0, 0};
  Count done;
  auto on_lane = never.future();
  ASSERT_TRUE(engine->runOnLane(base::LaneKind::kNet, [&] {
    got[0] = std::move(on_lane).get();
    owner->strand.post(Ref<Object>(owner), [&] {  // runs on a reactor: lanes run no strand
      got[1] = Future<int>::ready(6).get();
      done.add();
    });
  }));
  ASSERT_TRUE(done.reaches(1));
  EXPECT_EQ(got[0].error().code(), ErrorCode::kWouldBlock);
  EXPECT_EQ(*got[1], 6);
}

TEST(Future, GetInACallbackMayWait) {
  auto engine = threadedEngine();
  Promise<int> outer(engine->callbackTarget());
  Promise<int> inner(engine->callbackTarget());
  auto inner_future = std::make_shared<Future<int>>(inner.future());
  Count sum;
  outer.future().then([&, inner_future](Result<int> r) { sum.add(*r + *std::move(*inner_future).get()); });
  outer.set(1);
  inner.set(2);
  EXPECT_TRUE(sum.reaches(3));
}

Future<int> addLater(Future<int> a, Future<int> b) {
  Result<int> x = co_await std::move(a);
  if (!x) co_return std::move(x).error();
  Result<int> y = co_await std::move(b);
  if (!y) co_return std::move(y).error();
  co_return *x + *y;
}

TEST(Future, CoroutinesWaitWithoutAThread) {
  auto engine = threadedEngine();
  Promise<int> a(engine->callbackTarget());
  Promise<int> b(engine->callbackTarget());
  auto sum = addLater(a.future(), b.future());
  EXPECT_FALSE(sum.isReady());
  a.set(1);
  b.set(2);
  EXPECT_EQ(*std::move(sum).get(), 3);
}

TEST(Future, AReadyOneDoesNotSuspendACoroutine) {
  auto sum = addLater(Future<int>::ready(1), Future<int>::ready(2));
  EXPECT_TRUE(sum.isReady());
  EXPECT_EQ(*std::move(sum).get(), 3);
}

TEST(Future, ErrorsTravelThroughCoroutines) {
  auto sum = addLater(Future<int>::ready(1), Future<int>::ready(Error(ErrorCode::kFlowControl, "busy")));
  EXPECT_EQ(std::move(sum).get().error().code(), ErrorCode::kFlowControl);
}

Future<void> throwing() {
  static_cast<void>(co_await Future<int>::ready(1));
  throw std::runtime_error("in a coroutine");
}

TEST(Future, WhatACoroutineThrowsIsItsError) {
  const Result<void> r = throwing().get();
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code(), ErrorCode::kUserCode);
  EXPECT_NE(r.error().message().find("in a coroutine"), std::string::npos);
}

Future<Role> roleAfter(Future<int> first) {
  static_cast<void>(co_await std::move(first));
  co_return Activation::ofThisThread().role();
}

TEST(Future, ACoroutineIsResumedByAListenerThread) {
  auto engine = threadedEngine();
  auto owner = base::makeRef<Owner>(engine);
  Promise<int> promise(engine->callbackTarget());
  auto role = roleAfter(promise.future());
  owner->strand.post(Ref<Object>(owner), [&] { promise.set(1); });
  EXPECT_EQ(*std::move(role).get(), Role::kListener);
}

Future<int> chain(const std::shared_ptr<void>& context, int depth) {
  int sum = 0;
  for (int i = 0; i < depth; ++i) {
    Promise<int> step(context);
    auto f = step.future();
    std::thread setter([&step] { step.set(1); });
    Result<int> r = co_await std::move(f);
    setter.join();
    sum += *r;
  }
  co_return sum;
}

TEST(Future, ManyStepsOfOneCoroutineRaceTheirSetters) {
  auto engine = threadedEngine();
  EXPECT_EQ(*chain(engine->callbackTarget(), 500).get(), 500);
}

Future<std::string> textOf(std::string s) {
  co_return s;
}

/// GCC 12 destroys some temporaries of co_await expressions twice; the forms the documentation shows are safe.
Future<std::size_t> documentedForms(const std::shared_ptr<void>& context) {
  std::string text(100, 'x');
  Result<std::string> a = co_await textOf(text);
  Promise<std::string> p(context);
  p.set(text);
  Result<std::string> b = co_await p.future();
  Future<std::string> f = textOf(*a);
  Result<std::string> c = co_await std::move(f);
  co_return a->size() + b->size() + c->size();
}

TEST(Future, TheDocumentedFormsOfCoAwaitAreSafe) {
  auto engine = threadedEngine();
  EXPECT_EQ(*documentedForms(engine->callbackTarget()).get(), 300U);
}

}  // namespace
}  // namespace mqclient
