#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/io.h"
#include "base/parker.h"

namespace mqclient::base {

/// epoll and an eventfd: where a reactor with sockets sleeps, and what wakes it.
/// Threads  wake(): any; change(): any, while `fd` is not removed. Everything else: the reactor.
class Poller {
 public:
  /// Null and errno: no descriptor is left.
  static std::unique_ptr<Poller> make() noexcept;
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// 0 or errno.
  int add(int fd, IoHandler& handler, IoInterest interest) noexcept;
  void change(int fd, IoHandler& handler, IoInterest interest) noexcept;
  void remove(int fd, IoHandler& handler) noexcept;

  /// Waits until something has happened, wake() was called or `deadline` (steadyNanos; 0: look only) has passed, and
  /// keeps what happened for deliver(). Never returns before the deadline for no reason but a signal.
  void fetch(std::int64_t deadline) noexcept;
  /// Tells the handlers. True: there was anything.
  bool deliver() noexcept;
  void wake() noexcept;

 private:
  static constexpr int kEventsPerLook = 64;

  Poller(int epoll, int event) noexcept : epoll_(epoll), event_(event) {}

  const int epoll_;
  const int event_;
  bool precise_ = true;  // the kernel has epoll_pwait2
  std::array<epoll_event, kEventsPerLook> events_{};
  int fetched_ = 0;
  int told_ = 0;
};

/// A reactor's side of sockets: what others post to it, its poller (made with the first socket: without one the reactor
/// sleeps on its parker's futex), its read buffer.
/// Threads  as IoReactor; run(), look(), deliver(), ring() and nextAlarm(): the reactor.
class ReactorIo final : public IoReactor {
 public:
  ReactorIo(Parker& parker, std::atomic<std::int64_t>& runtime_output) noexcept
      : parker_(parker), runtime_output_(runtime_output) {}
  ~ReactorIo();

  /// How many sockets live here, for choosing a home.
  int sockets() const noexcept { return sockets_.load(std::memory_order_relaxed); }
  void join() noexcept { sockets_.fetch_add(1, std::memory_order_relaxed); }

  /// The calling thread is the reactor from now on.
  void begin() noexcept;
  /// Runs what was posted. True: there was anything.
  bool run() noexcept;
  /// Looks at the sockets without sleeping and tells their handlers. True: anything happened.
  bool look() noexcept;
  /// Tells the handlers what Parker::park() brought.
  bool deliver() noexcept { return poller_ && poller_->deliver(); }

  /// Calls the alarms that are due. True: there was any.
  bool ring() noexcept;
  /// When the next alarm is due; kNoDeadline: none is set.
  std::int64_t nextAlarm() const noexcept;

  void post(Task& t) noexcept override;
  using IoReactor::post;
  bool isCurrent() const noexcept override;
  void leave() noexcept override { sockets_.fetch_sub(1, std::memory_order_relaxed); }
  std::atomic<std::int64_t>& runtimeOutput() noexcept override { return runtime_output_; }
  int add(int fd, IoHandler& handler, IoInterest interest) noexcept override;
  void change(int fd, IoHandler& handler, IoInterest interest) noexcept override;
  void remove(int fd, IoHandler& handler) noexcept override;
  ReadBuffer& readBuffer() noexcept override { return read_buffer_; }
  void setAlarm(IoAlarm& alarm, std::int64_t due) noexcept override;
  void cancelAlarm(IoAlarm& alarm) noexcept override;

 private:
  Parker& parker_;
  std::atomic<std::int64_t>& runtime_output_;
  std::atomic<Task*> posted_{nullptr};  // newest first
  std::atomic<int> sockets_{0};
  std::unique_ptr<Poller> poller_;  // made by the reactor, dies with the engine: wake() may come until then
  ReadBuffer read_buffer_;
  std::vector<IoAlarm*> alarms_;  // those that are set: few
};

}  // namespace mqclient::base
