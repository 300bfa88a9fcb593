#pragma once

#include <memory>

#include "mqclient/export.h"
#include "mqclient/future.h"

namespace mqclient {
inline namespace v1 {

namespace detail {
/// Stands for a runtime without threads: a callback runs on the thread that settles its future, before set() returns,
/// or inside then() if the result is there already. Never null, one for the process.
MQCLIENT_EXPORT std::shared_ptr<void> callbacksAtOnce();
}  // namespace detail

/// A promise whose callback runs at once on the thread that sets it: a unit test without threads sees it run before
/// set() returns. What mocks and fakes complete with.
///
///   auto answer = promiseAtOnce<SendResult>();
///   EXPECT_CALL(producer, doSend).WillOnce([&](auto&&...) { return answer.future(); });
template <class T>
Promise<T> promiseAtOnce() {
  return Promise<T>(detail::callbacksAtOnce());
}

/// A future that has its result; a callback runs inside then().
template <class T>
Future<T> readyAtOnce(Result<T> result) {
  Promise<T> promise = promiseAtOnce<T>();
  Future<T> future = promise.future();
  promise.set(std::move(result));
  return future;
}

}  // namespace v1
}  // namespace mqclient
