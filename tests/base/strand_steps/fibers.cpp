#include "fibers.h"

#include <cstdint>
#include <utility>

#if defined(__x86_64__)
// What a call must preserve, the stack pointer stored, another one loaded. Not swapcontext(3): it makes a system call
// and AddressSanitizer warns of it.
extern "C" void mqclient_fiber_switch(void** save, void* load);
asm(R"(
.text
.globl mqclient_fiber_switch
.hidden mqclient_fiber_switch
.type mqclient_fiber_switch, @function
mqclient_fiber_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size mqclient_fiber_switch, .-mqclient_fiber_switch
)");
#endif

namespace mqclient::testing {

namespace {
Fibers* g_starting = nullptr;
volatile bool g_for_ever = true;  // the compiler must not know that loop() never returns: AddressSanitizer would warn
}  // namespace

Fibers::Fibers(std::size_t count) : fibers_(count + 1) {
  for (std::size_t i = 0; i < count; ++i) {
    Fiber& f = fibers_[i];
    f.stack = std::make_unique<std::byte[]>(kStackBytes);
#if defined(__x86_64__)
    auto top = reinterpret_cast<std::uintptr_t>(f.stack.get() + kStackBytes) & ~std::uintptr_t{15};
    auto* words = reinterpret_cast<void**>(top);
    *--words = nullptr;  // entry()'s return address: it never returns
    *--words = reinterpret_cast<void*>(&Fibers::entry);
    for (int r = 0; r < 6; ++r) *--words = nullptr;
    f.sp = words;
#else
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = f.stack.get();
    f.context.uc_stack.ss_size = kStackBytes;
    f.context.uc_link = nullptr;
    makecontext(&f.context, &Fibers::entry, 0);
#endif
  }
}

Fibers::~Fibers() = default;

void Fibers::entry() {
  g_starting->loop();
}

void Fibers::loop() noexcept {
  while (g_for_ever) {
    Fiber& self = fibers_[current_];
    self.body();
    self.state = State::kDone;
    leave();
  }
}

void Fibers::switchTo(std::size_t next) noexcept {
  const std::size_t from = current_ == kMain ? fibers_.size() - 1 : current_;
  const std::size_t to = next == kMain ? fibers_.size() - 1 : next;
  if (from == to) return;
  base::Activation& here = base::Activation::ofThisThread();
  fibers_[from].activation = here;
  here = fibers_[to].activation;
  current_ = next;
  g_starting = this;
#if defined(__x86_64__)
  mqclient_fiber_switch(&fibers_[from].sp, fibers_[to].sp);
#else
  swapcontext(&fibers_[from].context, &fibers_[to].context);
#endif
}

void Fibers::findRunnable() noexcept {
  runnable_.clear();
  for (std::size_t i = 0; i + 1 < fibers_.size(); ++i) {
    Fiber& f = fibers_[i];
    if (f.state == State::kWaiting && f.ready()) f.state = State::kReady;
    if (f.state != State::kReady) continue;
    runnable_.push_back(i);
    if (i == current_) std::swap(runnable_.front(), runnable_.back());
  }
}

void Fibers::step() noexcept {
  if (current_ == kMain || !chooser_->maySwitch()) return;
  findRunnable();
  switchTo(runnable_[chooser_->choose(runnable_, true)]);
}

void Fibers::wait() noexcept {
  fibers_[current_].state = State::kWaiting;
  leave();
}

void Fibers::leave() noexcept {
  findRunnable();
  switchTo(runnable_.empty() ? kMain : runnable_[chooser_->choose(runnable_, false)]);
}

bool Fibers::run(std::vector<std::function<void()>> bodies, std::vector<std::function<bool()>> ready,
                 Chooser& chooser) {
  chooser_ = &chooser;
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    fibers_[i].body = std::move(bodies[i]);
    fibers_[i].ready = std::move(ready[i]);
    fibers_[i].activation = base::Activation();
    fibers_[i].state = State::kReady;
  }
  findRunnable();
  switchTo(runnable_[chooser_->choose(runnable_, false)]);
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    if (fibers_[i].state != State::kDone) return false;
  }
  return true;
}

}  // namespace mqclient::testing
