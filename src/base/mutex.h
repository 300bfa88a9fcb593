#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

// Clang checks these at compile time (preset clang); other compilers see nothing.
#if defined(__clang__)
#define MQ_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define MQ_THREAD_ANNOTATION(x)
#endif
#define MQ_CAPABILITY(x) MQ_THREAD_ANNOTATION(capability(x))
#define MQ_SCOPED_CAPABILITY MQ_THREAD_ANNOTATION(scoped_lockable)
#define MQ_GUARDED_BY(x) MQ_THREAD_ANNOTATION(guarded_by(x))
#define MQ_REQUIRES(...) MQ_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define MQ_ACQUIRE(...) MQ_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define MQ_RELEASE(...) MQ_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define MQ_EXCLUDES(...) MQ_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define MQ_NO_THREAD_SAFETY_ANALYSIS MQ_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace mqclient::base {

/// std::mutex with annotations. For maps and registries shared across strands; never held while posting or calling out.
class MQ_CAPABILITY("mutex") Mutex {
 public:
  void lock() MQ_ACQUIRE() { m_.lock(); }
  void unlock() MQ_RELEASE() { m_.unlock(); }
  std::mutex& native() noexcept { return m_; }

 private:
  std::mutex m_;
};

class MQ_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& m) MQ_ACQUIRE(m) : m_(m) { m_.lock(); }
  ~MutexLock() MQ_RELEASE() { m_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& m_;
};

/// Waits on a Mutex that the caller holds through a MutexLock.
class CondVar {
 public:
  void wait(Mutex& m) MQ_REQUIRES(m) {
    std::unique_lock<std::mutex> lock(m.native(), std::adopt_lock);
    cv_.wait(lock);
    lock.release();
  }
  /// False when `until` passed without a notification.
  template <class Clock, class D>
  bool waitUntil(Mutex& m, std::chrono::time_point<Clock, D> until) MQ_REQUIRES(m) {
    std::unique_lock<std::mutex> lock(m.native(), std::adopt_lock);
    const bool notified = cv_.wait_until(lock, until) == std::cv_status::no_timeout;
    lock.release();
    return notified;
  }
  void notifyOne() noexcept { cv_.notify_one(); }
  void notifyAll() noexcept { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace mqclient::base
