#pragma once

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "mqclient/error.h"
#include "mqclient/export.h"
#include "mqclient/function.h"

namespace mqclient {
inline namespace v1 {

using Millis = std::chrono::milliseconds;
using WallTime = std::chrono::system_clock::time_point;

template <class T>
class Future;
template <class T>
class Promise;

namespace detail {

/// A result whose last step is left to whoever takes it, so that a callback's thread makes what the callback is given.
/// Exactly one of take() and drop() is called, once; it ends the object. Any thread.
template <class T>
struct DeferredResult {
  virtual Result<T> take() noexcept = 0;
  virtual void drop() noexcept = 0;

 protected:
  ~DeferredResult() = default;
};

/// What takes the result of an asynchronous operation. One of onResult and onDeferred is called exactly once and is the
/// last touch: it gives up whatever share the caller held.
template <class T>
struct ResultSink {
  virtual void onResult(Result<T>&& result) noexcept = 0;
  /// The same with a result still to be made; who cannot keep it takes it at once.
  virtual void onDeferred(DeferredResult<T>& result) noexcept { onResult(result.take()); }

 protected:
  ~ResultSink() = default;
};

/// The compiled part of every future: one word of state, one waiter or one callback, exactly one settlement.
/// Reference-counted by its two ends (producer side, consumer side) and by a callback under way.
class MQCLIENT_EXPORT FutureBase {
 public:
  FutureBase(const FutureBase&) = delete;
  FutureBase& operator=(const FutureBase&) = delete;
  static void* operator new(std::size_t bytes);
  static void operator delete(void* p, std::size_t bytes) noexcept;

  void retain() noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  bool isReady() const noexcept { return state_.load(std::memory_order_acquire) == State::kReady; }
  /// Blocks until ready. False: blocking is not allowed on this thread (kWouldBlock).
  bool wait();
  /// deliver() will run once on the callback executor, and then gives up the share that the caller hands over here. If
  /// already ready it is handed over at once.
  void deliverWhenReady();
  /// The first caller wins and must then store the result and call publish(). Others: false.
  bool claim() noexcept { return !claimed_.exchange(true, std::memory_order_acq_rel); }
  void publish() noexcept;

 protected:
  /// `context` chooses engine and callback executor (an opaque share of the runtime); null: those of the current
  /// listener thread, else the process's default runtime, found when first needed.
  /// `shares`: of its ends, to begin with.
  explicit FutureBase(std::shared_ptr<void> context, int shares = 1) noexcept;
  virtual ~FutureBase();
  /// Runs the callback with the result. On a listener thread, outside every strand and lock.
  virtual void deliver() noexcept = 0;

 private:
  enum class State { kEmpty, kWaiter, kCallback, kReady };
  struct CallbackJob;
  void submitCallback() noexcept;

  std::atomic<State> state_{State::kEmpty};
  std::atomic<bool> claimed_{false};
  std::atomic<int> refs_;
  void* waiter_ = nullptr;
  std::shared_ptr<void> context_;      // until the callback is handed over
  const void* callback_of_ = nullptr;  // whose it is, from then on
  alignas(
      void*) std::byte job_[4 * sizeof(void*)];  // the callback's place in the pool's queue: delivery never allocates
};

/// Calls `f` and turns what it throws into nothing but a log line: user callbacks are contained.
MQCLIENT_EXPORT void reportUserException(std::exception_ptr) noexcept;
MQCLIENT_EXPORT Error errorOfException(std::exception_ptr) noexcept;
/// kAbandoned with `text`; with a shorter one when there is no memory for it: whoever waits is told all the same.
MQCLIENT_EXPORT Error abandonedError(const char* text) noexcept;

template <class T>
class FutureState final : public FutureBase, public ResultSink<T> {
 public:
  explicit FutureState(std::shared_ptr<void> context = nullptr, int shares = 1) noexcept
      : FutureBase(std::move(context), shares) {}
  bool set(Result<T>&& result) noexcept {
    if (!claim()) return false;
    result_.emplace(std::move(result));
    publish();
    return true;
  }
  /// Settles and gives up one share of the state.
  void onResult(Result<T>&& result) noexcept override {
    set(std::move(result));
    release();
  }
  void onDeferred(DeferredResult<T>& result) noexcept override {
    if (claim()) {
      deferred_ = &result;
      publish();
    } else {
      result.drop();
    }
    release();
  }
  /// Once.
  Result<T> take() {
    if (deferred_) return std::exchange(deferred_, nullptr)->take();
    return std::move(*result_);
  }
  /// Takes over one share of the caller's.
  void setCallback(UniqueFunction<void(Result<T>)> callback) {
    callback_ = std::move(callback);
    deliverWhenReady();
  }

 private:
  ~FutureState() override {
    if (deferred_) deferred_->drop();
  }
  void deliver() noexcept override {
    UniqueFunction<void(Result<T>)> callback = std::move(callback_);
    try {
      callback(take());
    } catch (...) {
      reportUserException(std::current_exception());
    }
  }
  // Beside what the base has: as a rule the thread that runs the callback needs no more of it.
  UniqueFunction<void(Result<T>)> callback_;
  DeferredResult<T>* deferred_ = nullptr;  // instead of result_
  std::optional<Result<T>> result_;
};

/// A counted pointer to a FutureState.
template <class T>
class StateRef {
 public:
  StateRef() noexcept = default;
  explicit StateRef(FutureState<T>* adopted) noexcept : p_(adopted) {}
  StateRef(StateRef&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  StateRef(const StateRef& o) noexcept : p_(o.p_) {
    if (p_) p_->retain();
  }
  StateRef& operator=(StateRef o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~StateRef() {
    if (p_) p_->release();
  }
  FutureState<T>* operator->() const noexcept { return p_; }
  FutureState<T>* get() const noexcept { return p_; }
  /// Gives its share away.
  FutureState<T>* leak() noexcept { return std::exchange(p_, nullptr); }
  explicit operator bool() const noexcept { return p_ != nullptr; }

 private:
  FutureState<T>* p_ = nullptr;
};

template <class T>
struct FuturePromiseType;

}  // namespace detail

/// What co_await on a Future uses: does not suspend if the result is there, else resumes on the callback executor.
template <class T>
class FutureAwaiter {
 public:
  explicit FutureAwaiter(detail::StateRef<T> state) noexcept : state_(std::move(state)) {}
  bool await_ready() const noexcept { return state_->isReady(); }
  void await_suspend(std::coroutine_handle<> coroutine) {
    // The coroutine may run, and destroy this awaiter, before setCallback returns: the callback has its own share.
    detail::StateRef<T> state = state_;
    auto* slot = &resumed_with_;
    state.leak()->setCallback([coroutine, slot](Result<T> r) mutable {
      slot->emplace(std::move(r));
      coroutine.resume();
    });
  }
  Result<T> await_resume() {
    if (resumed_with_) return std::move(*resumed_with_);
    return state_->take();
  }

 private:
  detail::StateRef<T> state_;
  std::optional<Result<T>> resumed_with_;
};

/// An operation under way: move-only, completed exactly once, consumed once (get, then, co_await or detach).
/// Dropping it cancels nothing.
template <class T>
class [[nodiscard]] Future {
 public:
  using promise_type = detail::FuturePromiseType<T>;

  Future(Future&&) noexcept = default;
  Future& operator=(Future&&) noexcept = default;

  static Future ready(Result<T> result) {
    detail::StateRef<T> state(new detail::FutureState<T>());
    state->set(std::move(result));
    return Future(std::move(state));
  }

  bool isReady() const noexcept { return state_->isReady(); }

  /// Waits for the result. Legal on your own threads, in listeners and callbacks; on our other threads kWouldBlock at
  /// once.
  Result<T> get() && {
    detail::StateRef<T> state = std::move(state_);
    if (!state->wait()) {
      return Error(ErrorCode::kWouldBlock,
                   "waiting is not possible on this thread of mqclient; use then() or co_await");
    }
    return state->take();
  }

  /// `callback` runs once with the result, on the callback executor: never an I/O thread, never under a lock.
  /// What it throws is contained and logged.
  void then(UniqueFunction<void(Result<T>)> callback) && { state_.leak()->setCallback(std::move(callback)); }

  /// "I do not want to know."
  void detach() && { state_ = detail::StateRef<T>(); }

  FutureAwaiter<T> operator co_await() && { return FutureAwaiter<T>(std::move(state_)); }

  /// For the library: a future over a state whose producer side is held elsewhere.
  explicit Future(detail::StateRef<T> state) noexcept : state_(std::move(state)) {}

 private:
  detail::StateRef<T> state_;
};

/// The producer's end of a Future, for code of yours that completes later (fakes, adapters). Dropped unset: kAbandoned.
template <class T>
class Promise {
 public:
  Promise() : state_(new detail::FutureState<T>()) {}
  /// For the library: completes on the callback executor of `context`.
  explicit Promise(std::shared_ptr<void> context) : state_(new detail::FutureState<T>(std::move(context))) {}
  Promise(Promise&&) noexcept = default;
  Promise& operator=(Promise&& o) noexcept {
    if (this != &o) {
      abandon();
      state_ = std::move(o.state_);
    }
    return *this;
  }
  ~Promise() { abandon(); }

  /// The one future of this promise; ask once.
  Future<T> future() { return Future<T>(state_); }
  /// The first call counts, later ones are ignored.
  void set(Result<T> result) { state_->set(std::move(result)); }

 private:
  void abandon() noexcept {
    if (state_) state_->set(detail::abandonedError("the promise was dropped before it was set"));
  }
  detail::StateRef<T> state_;
};

namespace detail {

template <class T>
struct FuturePromiseBase {
  Promise<T> promise;
  std::suspend_never initial_suspend() noexcept { return {}; }
  std::suspend_never final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { promise.set(errorOfException(std::current_exception())); }
};

/// A coroutine that returns Future<T>: runs at once up to its first wait; co_return a T or an Error; a throw becomes
/// kUserCode.
template <class T>
struct FuturePromiseType : FuturePromiseBase<T> {
  Future<T> get_return_object() { return this->promise.future(); }
  template <class U>
  void return_value(U&& value) {
    this->promise.set(Result<T>(std::forward<U>(value)));
  }
};
template <>
struct FuturePromiseType<void> : FuturePromiseBase<void> {
  Future<void> get_return_object() { return this->promise.future(); }
  void return_value(Result<void> result) { this->promise.set(std::move(result)); }
};

}  // namespace detail

}  // namespace v1
}  // namespace mqclient
