#include "base/poller.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

namespace mqclient::base {

namespace {

constexpr std::int64_t kNanosPerMilli = 1'000'000;
constexpr std::int64_t kLongestMillis = 3'600'000;

constinit thread_local const ReactorIo* t_reactor = nullptr;

epoll_event eventFor(IoHandler* handler, IoInterest interest) noexcept {
  epoll_event e{};
  if (interest.read) e.events |= EPOLLIN;
  if (interest.write) e.events |= EPOLLOUT;
  e.data.ptr = handler;
  return e;
}

}  // namespace

std::span<std::byte> ReadBuffer::room() {
  if (!block_ || block_bytes_ - used_ < least_room_) {
    block_.reset();  // first: unless somebody holds a slice, its memory is the next block's
    block_ = std::make_shared_for_overwrite<std::byte[]>(block_bytes_);
    used_ = 0;
  }
  return {block_.get() + used_, block_bytes_ - used_};
}

Slice ReadBuffer::take(std::size_t n) noexcept {
  const std::byte* from = block_.get() + used_;
  used_ += n;
  return Slice(block_, from, n);
}

// ---- Poller

std::unique_ptr<Poller> Poller::make() noexcept {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return nullptr;
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int failed = event < 0 ? errno : 0;
  if (event >= 0) {
    epoll_event e = eventFor(nullptr, {.read = true});  // no handler: the wake
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, event, &e) == 0) return std::unique_ptr<Poller>(new Poller(epoll, event));
    failed = errno;
    ::close(event);
  }
  ::close(epoll);
  errno = failed;
  return nullptr;
}

Poller::~Poller() {
  ::close(event_);
  ::close(epoll_);
}

int Poller::add(int fd, IoHandler& handler, IoInterest interest) noexcept {
  epoll_event e = eventFor(&handler, interest);
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &e) == 0 ? 0 : errno;
}

void Poller::change(int fd, IoHandler& handler, IoInterest interest) noexcept {
  epoll_event e = eventFor(&handler, interest);
  [[maybe_unused]] const int r = epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &e);
  assert(r == 0);
}

void Poller::remove(int fd, IoHandler& handler) noexcept {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  for (int i = told_; i < fetched_; ++i) {
    epoll_event& e = events_[static_cast<std::size_t>(i)];
    if (e.data.ptr == &handler) e.events = 0;
  }
}

void Poller::fetch(std::int64_t deadline) noexcept {
  const std::int64_t now = deadline == 0 || deadline == kNoDeadline ? 0 : steadyNanos();
  const std::int64_t left = deadline == kNoDeadline ? kNoDeadline : std::max<std::int64_t>(deadline - now, 0);
  int n = -1;
  if (precise_ && left != 0 && left != kNoDeadline) {
    const timespec wait = timespecOf(left);
    n = epoll_pwait2(epoll_, events_.data(), kEventsPerLook, &wait, nullptr);
    if (n < 0 && errno != EINTR) precise_ = false;  // an older kernel, or a sandbox that does not know the call
  }
  if (n < 0 && (!precise_ || left == 0 || left == kNoDeadline)) {
    int wait = -1;
    if (left != kNoDeadline)
      wait = static_cast<int>(std::min((left + kNanosPerMilli - 1) / kNanosPerMilli, kLongestMillis));
    n = epoll_wait(epoll_, events_.data(), kEventsPerLook, wait);
  }
  fetched_ = std::max(n, 0);
  told_ = 0;
}

bool Poller::deliver() noexcept {
  if (fetched_ == 0) return false;
  while (told_ < fetched_) {
    const epoll_event e = events_[static_cast<std::size_t>(told_++)];
    if (e.data.ptr == nullptr) {
      std::uint64_t count;
      [[maybe_unused]] const ssize_t r = ::read(event_, &count, sizeof count);
      continue;
    }
    if (e.events == 0) continue;  // removed by a handler before it
    static_cast<IoHandler*>(e.data.ptr)
        ->onIo({.readable = (e.events & EPOLLIN) != 0,
                .writable = (e.events & EPOLLOUT) != 0,
                .ended = (e.events & (EPOLLERR | EPOLLHUP)) != 0});
  }
  fetched_ = told_ = 0;
  return true;
}

void Poller::wake() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t r = ::write(event_, &one, sizeof one);  // full: it is awake already
}

// ---- ReactorIo

ReactorIo::~ReactorIo() {
  assert(posted_.load(std::memory_order_relaxed) == nullptr);
}

void ReactorIo::begin() noexcept {
  t_reactor = this;
}

bool ReactorIo::isCurrent() const noexcept {
  return t_reactor == this;
}

void ReactorIo::post(Task& t) noexcept {
  Task* seen = posted_.load(std::memory_order_relaxed);
  do {
    t.next = seen;
  } while (!posted_.compare_exchange_weak(seen, &t, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (!seen) parker_.wake();
}

bool ReactorIo::run() noexcept {
  if (posted_.load(std::memory_order_relaxed) == nullptr) return false;
  Task* newest = posted_.exchange(nullptr, std::memory_order_acq_rel);
  Task* in_order = nullptr;
  while (newest) {
    Task* older = newest->next;
    newest->next = in_order;
    in_order = newest;
    newest = older;
  }
  while (in_order) {
    Task& t = *in_order;
    in_order = t.next;
    const Ref<Object> alive = std::move(t.alive);
    if (t.run() == Next::kAgain) {
      t.alive = alive;
      post(t);
    }
  }
  return true;
}

bool ReactorIo::look() noexcept {
  if (!poller_) return false;
  poller_->fetch(0);
  return poller_->deliver();
}

int ReactorIo::add(int fd, IoHandler& handler, IoInterest interest) noexcept {
  assert(isCurrent());
  if (!poller_) {
    poller_ = Poller::make();
    if (!poller_) return errno;
    parker_.sleepIn(*poller_);
  }
  return poller_->add(fd, handler, interest);
}

void ReactorIo::change(int fd, IoHandler& handler, IoInterest interest) noexcept {
  poller_->change(fd, handler, interest);
}

void ReactorIo::remove(int fd, IoHandler& handler) noexcept {
  assert(isCurrent());
  poller_->remove(fd, handler);
}

void ReactorIo::setAlarm(IoAlarm& alarm, std::int64_t due) noexcept {
  assert(isCurrent());
  if (alarm.due_ == 0) alarms_.push_back(&alarm);
  alarm.due_ = std::max<std::int64_t>(due, 1);
}

void ReactorIo::cancelAlarm(IoAlarm& alarm) noexcept {
  if (std::exchange(alarm.due_, 0) != 0) std::erase(alarms_, &alarm);
}

std::int64_t ReactorIo::nextAlarm() const noexcept {
  std::int64_t next = kNoDeadline;
  for (const IoAlarm* a : alarms_) next = std::min(next, a->due_);
  return next;
}

bool ReactorIo::ring() noexcept {
  if (alarms_.empty()) return false;
  const std::int64_t now = steadyNanos();
  bool any = false;
  // An alarm may set itself again, or end others: each is looked for anew, and none set now is due.
  for (;;) {
    const auto due = std::ranges::find_if(alarms_, [&](const IoAlarm* a) { return a->due_ <= now; });
    if (due == alarms_.end()) return any;
    IoAlarm& alarm = **due;
    cancelAlarm(alarm);
    alarm.onAlarm();
    any = true;
  }
}

}  // namespace mqclient::base
