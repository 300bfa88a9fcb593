#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/mutex.h"

namespace mqclient::base {

/// An immutable value that is replaced as a whole: readers get a share of the version current at their call.
/// A mutex and not std::atomic<std::shared_ptr>: ThreadSanitizer reports a race inside libstdc++ 12's.
template <class T>
class Snapshot {
 public:
  Snapshot() = default;
  explicit Snapshot(std::shared_ptr<const T> first) : value_(std::move(first)) {}

  std::shared_ptr<const T> get() const MQ_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return value_;
  }
  void set(std::shared_ptr<const T> next) MQ_EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      value_.swap(next);
      version_.fetch_add(1, std::memory_order_release);
    }
    // the old value dies here, outside the lock
  }
  /// Rises with every set(): a reader that caches the value asks this first.
  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const T> value_ MQ_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> version_{0};
};

}  // namespace mqclient::base
