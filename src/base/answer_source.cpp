#include "base/answer_source.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/parker.h"

namespace mqclient::base {

namespace {

constinit thread_local BlockingCall* t_call = nullptr;
constinit thread_local char t_mark = 0;  // its address tells threads apart

}  // namespace

// ---- WaitSeat

std::unique_ptr<WaitSeat> WaitSeat::make() noexcept {
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return event < 0 ? nullptr : std::unique_ptr<WaitSeat>(new WaitSeat(event));
}

WaitSeat::~WaitSeat() {
  ::close(event_);
}

void WaitSeat::sit() noexcept {
  sitting_.store(&t_mark, std::memory_order_relaxed);
}

void WaitSeat::leave() noexcept {
  sitting_.store(nullptr, std::memory_order_relaxed);
  if (!kicked_.exchange(false, std::memory_order_acquire)) return;
  std::uint64_t count;
  [[maybe_unused]] const ssize_t r = ::read(event_, &count, sizeof count);
}

void WaitSeat::kick() noexcept {
  if (sitting_.load(std::memory_order_relaxed) == &t_mark) return;
  kicked_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t r = ::write(event_, &one, sizeof one);
}

WaitSeat::Woke WaitSeat::waitAt(int fd, SteadyTime deadline) noexcept {
  std::array<pollfd, 2> at{pollfd{.fd = fd, .events = POLLIN, .revents = 0},
                           pollfd{.fd = event_, .events = POLLIN, .revents = 0}};
  for (;;) {
    timespec wait{};
    if (deadline != SteadyTime::max()) {
      wait = timespecOf(std::max<std::int64_t>(deadline.time_since_epoch().count() - steadyNanos(), 0));
    }
    const int n = ppoll(at.data(), at.size(), deadline == SteadyTime::max() ? nullptr : &wait, nullptr);
    if (n == 0) return Woke::kDeadline;
    if (n < 0) continue;  // a signal
    return at[1].revents != 0 ? Woke::kKicked : Woke::kSocket;
  }
}

// ---- BlockingCall

BlockingCall::BlockingCall() noexcept : outer_(std::exchange(t_call, this)) {}

BlockingCall::~BlockingCall() {
  t_call = outer_;
}

bool BlockingCall::underWay() noexcept {
  return t_call != nullptr;
}

void BlockingCall::offer(AnswerSource& source, Object& alive) noexcept {
  if (t_call && !t_call->source_.at) t_call->source_ = {&source, Ref<Object>(&alive)};
}

BlockingCall::Source BlockingCall::take() noexcept {
  return t_call ? std::exchange(t_call->source_, {}) : Source{};
}

// ---- SeatPool

void SeatPool::waitAt(AnswerSource& source, WaitSlot& slot, SteadyTime deadline) noexcept {
  std::unique_ptr<WaitSeat> seat;
  {
    MutexLock lock(mutex_);
    if (!free_.empty()) {
      seat = std::move(free_.back());
      free_.pop_back();
    }
  }
  if (!seat) seat = WaitSeat::make();
  if (!seat) return;
  seat->sit();
  if (slot.setOnSettle([s = seat.get()] { s->kick(); })) {
    source.receiveUntil(slot, *seat, deadline);
    slot.clearOnSettle();
  }
  seat->leave();
  MutexLock lock(mutex_);
  free_.push_back(std::move(seat));
}

}  // namespace mqclient::base
