#pragma once

#include <type_traits>
#include <utility>

#include "base/cache_line.h"
#include "mqclient/error.h"
#include "mqclient/future.h"

namespace mqclient::base {

/// What takes a result inside the library: see detail::ResultSink. onResult runs on whichever thread settles, inside a
/// strand as a rule, so it only posts, answers or stores; it consumes the share that the Completion held.
template <class T>
using Receiver = mqclient::detail::ResultSink<T>;

template <class T>
using Deferred = mqclient::detail::DeferredResult<T>;

/// The right, and the duty, to settle one operation: move-only, called at most once. Dropped uncalled it settles with
/// kAbandoned, so nobody waits for ever (C1). One word.
template <class T>
class [[nodiscard]] Completion {
 public:
  Completion() noexcept = default;
  /// Takes over the share of `receiver` that onResult will give up.
  explicit Completion(Receiver<T>& receiver) noexcept : receiver_(&receiver) {}
  /// From a callable f(Result<T>&&), kept on the heap until called.
  template <class F>
  requires(std::is_invocable_v<F&, Result<T>&&>) static Completion of(F f) {
    struct Function final : Receiver<T> {
      explicit Function(F&& g) : call(std::move(g)) {}
      void onResult(Result<T>&& r) noexcept override {
        call(std::move(r));
        delete this;
      }
      F call;
    };
    return Completion(*new Function(std::move(f)));
  }
  Completion(Completion&& o) noexcept : receiver_(std::exchange(o.receiver_, nullptr)) {}
  Completion& operator=(Completion&& o) noexcept {
    if (this != &o) {
      abandon();
      receiver_ = std::exchange(o.receiver_, nullptr);
    }
    return *this;
  }
  ~Completion() { abandon(); }

  explicit operator bool() const noexcept { return receiver_ != nullptr; }
  /// This thread will settle it before long: the first `bytes` of the receiver come to its core meanwhile.
  void expect(std::size_t bytes) const noexcept { fetchForWriting(receiver_, bytes); }
  void operator()(Result<T>&& result) && {
    if (Receiver<T>* r = std::exchange(receiver_, nullptr)) r->onResult(std::move(result));
  }
  /// With a result that the taker's thread makes.
  void operator()(Deferred<T>& result) && {
    if (Receiver<T>* r = std::exchange(receiver_, nullptr)) {
      r->onDeferred(result);
    } else {
      result.drop();
    }
  }

 private:
  void abandon() noexcept {
    if (Receiver<T>* r = std::exchange(receiver_, nullptr)) {
      r->onResult(mqclient::detail::abandonedError("the operation was dropped before it could finish"));
    }
  }

  Receiver<T>* receiver_ = nullptr;
};

/// A future and the completion that settles it, sharing one block. `context` is Engine::callbackTarget().
template <class T>
struct Operation {
  Future<T> future;
  Completion<T> completion;
};
template <class T>
Operation<T> makeOperation(std::shared_ptr<void> context) {
  auto* state = new mqclient::detail::FutureState<T>(std::move(context), 2);
  return {Future<T>(mqclient::detail::StateRef<T>(state)), Completion<T>(*state)};
}

}  // namespace mqclient::base
