#include "mqclient/future.h"

#include <new>
#include <utility>

#include "base/block_pool.h"
#include "base/engine.h"
#include "base/log.h"
#include "base/wait.h"

namespace mqclient {
inline namespace v1 {
namespace detail {

using base::Activation;
using base::CallbackTarget;
using base::Engine;
using base::Ref;
using base::SteadyTime;
using base::WaitSlot;

namespace {

constinit thread_local const void* t_callback_of = nullptr;  // context of the future whose callback runs here

/// A slot to wait on, kept per thread between waits (A2). A slot whose wait was given up is not kept.
Ref<WaitSlot> takeSlot(Ref<WaitSlot>& cached) {
  Ref<WaitSlot> slot = std::move(cached);
  if (!slot) return base::makeRef<WaitSlot>();
  slot->reset();
  return slot;
}

Ref<Engine> engineOf(const std::shared_ptr<void>& context) {
  if (context) {
    if (Ref<Engine> e = static_cast<CallbackTarget*>(context.get())->engine()) return e;
  }
  // A listener that outlives its engine's last reference waits without it.
  Engine* home = Activation::ofThisThread().home();
  return home && home->tryRetain() ? Ref<Engine>::adopt(home) : Ref<Engine>();
}

}  // namespace

struct FutureBase::CallbackJob final : base::Job {
  explicit CallbackJob(FutureBase& f) noexcept : future(&f) {}
  void run() noexcept override {
    FutureBase& f = *future;
    this->~CallbackJob();  // lives in f.job_
    const void* const outer = std::exchange(t_callback_of, f.callback_of_);
    f.deliver();
    t_callback_of = outer;
    f.release();
  }
  ~CallbackJob() = default;
  FutureBase* future;
};

FutureBase::FutureBase(std::shared_ptr<void> context, int shares) noexcept
    : refs_(shares), context_(std::move(context)) {
  static_assert(sizeof(CallbackJob) <= sizeof job_ && alignof(CallbackJob) <= alignof(void*));
}

FutureBase::~FutureBase() = default;

void* FutureBase::operator new(std::size_t bytes) {
  return base::BlockPool::allocate(bytes);
}

void FutureBase::operator delete(void* p, std::size_t bytes) noexcept {
  base::BlockPool::free(p, bytes);
}

bool FutureBase::wait() {
  if (isReady()) return true;
  const Activation& here = Activation::ofThisThread();
  if (!here.mayAwait()) return false;
  thread_local Ref<WaitSlot> cached;
  Ref<WaitSlot> slot = takeSlot(cached);
  slot->retain();  // publish()'s share
  waiter_ = slot.get();
  State expected = State::kEmpty;
  if (!state_.compare_exchange_strong(expected, State::kWaiter, std::memory_order_acq_rel, std::memory_order_acquire)) {
    slot->release();
    cached = std::move(slot);
    return true;
  }
  const Ref<Engine> engine = engineOf(context_);
  if (engine) {
    engine->waitFor(*slot, SteadyTime::max());
  } else {
    slot->parkUntil(SteadyTime::max());
  }
  if (!engine || !engine->isVirtualTime()) cached = std::move(slot);
  return true;
}

void FutureBase::publish() noexcept {
  switch (state_.exchange(State::kReady, std::memory_order_acq_rel)) {
    case State::kEmpty:
    case State::kReady:
      break;
    case State::kWaiter: {
      const Ref<WaitSlot> slot = Ref<WaitSlot>::adopt(static_cast<WaitSlot*>(waiter_));
      slot->settle();
      break;
    }
    case State::kCallback:
      submitCallback();
      break;
  }
}

void FutureBase::deliverWhenReady() {
  auto* job = ::new (static_cast<void*>(job_)) CallbackJob(*this);
  if (!context_) {
    // A promise of the user's: its callbacks run where the current thread's runtime runs them, else on the default one.
    if (Engine* home = Activation::ofThisThread().home()) {
      context_ = home->callbackTarget();
    } else if (auto engine = base::defaultEngine()) {
      context_ = (*engine)->callbackTarget();
      // It may be nobody else's and must last until the callback has run. The job keeps it, so that the last share goes
      // on a listener thread: whoever settles would join the thread that runs the callback.
      job->alive = *std::move(engine);
    }
  }
  State expected = State::kEmpty;
  if (!state_.compare_exchange_strong(expected, State::kCallback, std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
    submitCallback();
  }
}

void FutureBase::submitCallback() noexcept {
  auto* job = std::launder(reinterpret_cast<CallbackJob*>(job_));
  if (context_) {
    // The share is this thread's from here on: delivery may be over, and the future gone, before submit() returns.
    const std::shared_ptr<void> target = std::move(context_);
    callback_of_ = target.get();
    static_cast<CallbackTarget*>(target.get())->submit(*job);
  } else {
    job->run();
  }
}

namespace {

// Without memory for the text: short enough to need none (C2: what ends an operation cannot fail).
constexpr const char* kNoMemoryForText = "out of memory";

Error describe(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(std::move(thrown));
  } catch (const MQClientException& e) {
    return e.error();
  } catch (const std::exception& e) {
    return Error(ErrorCode::kUserCode, std::string("your code threw: ") + e.what());
  } catch (...) {
    return Error(ErrorCode::kUserCode, "your code threw something that is not a std::exception");
  }
}

}  // namespace

Error errorOfException(std::exception_ptr thrown) noexcept {
  try {
    return describe(std::move(thrown));
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::kUserCode, kNoMemoryForText);
  }
}

Error abandonedError(const char* text) noexcept {
  try {
    return Error(ErrorCode::kAbandoned, text);
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::kAbandoned, kNoMemoryForText);
  }
}

void reportUserException(std::exception_ptr thrown) noexcept {
  base::logProcess(LogLevel::kError, "callback", errorOfException(std::move(thrown)).message());
}

}  // namespace detail
}  // namespace v1

namespace base {

const CallbackTarget* runningCallbackOf() noexcept {
  return static_cast<const CallbackTarget*>(mqclient::detail::t_callback_of);
}

}  // namespace base
}  // namespace mqclient
