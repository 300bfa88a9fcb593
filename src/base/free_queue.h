#pragma once

#include <cstddef>
#include <utility>

#if defined(__SANITIZE_THREAD__)
#define MQCLIENT_PLAIN_FREE_QUEUE 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MQCLIENT_PLAIN_FREE_QUEUE 1
#endif
#endif

#if defined(MQCLIENT_PLAIN_FREE_QUEUE)
#include <deque>

#include "base/mutex.h"
#else
#include <concurrentqueue/concurrentqueue.h>
#endif

namespace mqclient::base {

/// A queue for many writers and many readers where order between writers is free: ready strands, pools, traces.
/// One writer's values keep their order; across writers there is none (a strand is what keeps one order for all).
///
/// Threads  every member from any thread. What a writer did before push() is seen by whoever takes the value.
/// Memory   grows in blocks and keeps them; a push may allocate. Bounded by its users, not here.
/// Why two  moodycamel's queue is the fast one; its fences are invisible to ThreadSanitizer (and Debian's 1.0.3 is
///          reported to race there), so under that sanitizer this is a mutex and a deque. The only code of ours that
///          depends on a sanitizer.
template <class T>
class FreeQueue {
 public:
  FreeQueue() = default;
  FreeQueue(const FreeQueue&) = delete;
  FreeQueue& operator=(const FreeQueue&) = delete;

#if defined(MQCLIENT_PLAIN_FREE_QUEUE)
  void push(T value) {
    MutexLock lock(mutex_);
    values_.push_back(std::move(value));
  }
  bool tryPop(T& value) {
    MutexLock lock(mutex_);
    if (values_.empty()) return false;
    value = std::move(values_.front());
    values_.pop_front();
    return true;
  }
  /// About how many values wait; exact only while nobody else uses the queue.
  std::size_t sizeApprox() const {
    MutexLock lock(mutex_);
    return values_.size();
  }

 private:
  mutable Mutex mutex_;
  std::deque<T> values_ MQ_GUARDED_BY(mutex_);
#else
  void push(T value) {
    values_.enqueue(std::move(value));
  }
  bool tryPop(T& value) {
    return values_.try_dequeue(value);
  }
  /// About how many values wait; exact only while nobody else uses the queue.
  std::size_t sizeApprox() const {
    return values_.size_approx();
  }

 private:
  moodycamel::ConcurrentQueue<T> values_;
#endif
};

}  // namespace mqclient::base
