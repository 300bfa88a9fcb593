#pragma once

#include <pthread.h>

#include <string>
#include <vector>

#include "base/engine.h"
#include "base/mutex.h"
#include "mqclient/error.h"
#include "mqclient/function.h"

namespace mqclient::base {

/// One thread of ours: named, every signal blocked (R1). Joined or released before it is dropped.
class Thread {
 public:
  Thread() noexcept = default;
  Thread(Thread&& o) noexcept : handle_(o.handle_), joinable_(std::exchange(o.joinable_, false)) {}
  Thread& operator=(Thread&& o) noexcept;
  ~Thread();

  /// `name` up to 15 bytes. The thread has `role` and `home` from its first step. Errors: kInternal, with what the
  /// system said, when no thread can be made.
  static Result<Thread> start(std::string name, Role role, Engine* home, UniqueFunction<void()> body);
  bool joinable() const noexcept { return joinable_; }
  void join() noexcept;
  bool isCurrent() const noexcept { return joinable_ && pthread_equal(handle_, pthread_self()) != 0; }

 private:
  pthread_t handle_{};
  bool joinable_ = false;
};

/// Threads that come and go: one that has ended is joined by the next start() or by joinAll().
/// Threads: every member from any thread; joinAll() not from a thread of the set.
class ThreadSet {
 public:
  ~ThreadSet();
  /// Errors: as Thread::start(); kClosed after joinAll().
  Result<void> start(std::string name, Role role, Engine* home, UniqueFunction<void()> body) MQ_EXCLUDES(mutex_);
  /// Refuses further ones, waits until all have ended, joins them.
  void joinAll() MQ_EXCLUDES(mutex_);

 private:
  void ended() MQ_EXCLUDES(mutex_);

  Mutex mutex_;
  CondVar all_ended_;
  std::vector<Thread> running_ MQ_GUARDED_BY(mutex_);
  std::vector<Thread> finished_ MQ_GUARDED_BY(mutex_);
  bool closed_ MQ_GUARDED_BY(mutex_) = false;
};

/// Cores this process may run on, at least 1.
int usableCores() noexcept;

}  // namespace mqclient::base
