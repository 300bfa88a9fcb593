#pragma once

#include <array>
#include <cstddef>
#include <deque>

#include "base/engine.h"
#include "base/mutex.h"
#include "base/thread_set.h"

namespace mqclient::base {

/// The threads for calls that block (X2): per kind a bounded FIFO with a cap, so a hung disk or resolver holds only its
/// own share. A thread serves any kind that is below its cap, in turn, and ends after 10 s without work.
/// Threads  every member from any thread.
class LaneSet {
 public:
  static constexpr std::size_t kKinds = 4;
  static constexpr std::size_t kQueued = 1024;  ///< jobs waiting per lane

  LaneSet(Engine& home, int max_threads);

  /// False: the lane is full, the set is closed, or no thread at all could be made. `work` has not run then.
  bool submit(LaneKind kind, UniqueFunction<void()> work) MQ_EXCLUDES(mutex_);
  /// Drops what waits (its completions answer kAbandoned), waits for what runs, joins. Not from a lane's thread.
  void close() MQ_EXCLUDES(mutex_);
  int threads() const MQ_EXCLUDES(mutex_);

 private:
  struct Lane {
    std::deque<UniqueFunction<void()>> queue;
    int running = 0;
  };
  static constexpr std::array<int, kKinds> kCaps{4, 1, 1, 4};  // net, files, flush, read
  static constexpr std::array<const char*, kKinds> kNames{"mq-net", "mq-files", "mq-flush", "mq-read"};
  static constexpr std::chrono::seconds kIdle{10};

  void serve() MQ_EXCLUDES(mutex_);
  /// The next lane with work and room, in turn; kKinds: none.
  std::size_t nextLane() MQ_REQUIRES(mutex_);
  int runnable() const MQ_REQUIRES(mutex_);
  /// True: one more thread is due, and its place is taken.
  bool wantsThread() MQ_REQUIRES(mutex_);

  Engine& home_;
  const int max_threads_;
  mutable Mutex mutex_;
  CondVar work_;
  std::array<Lane, kKinds> lanes_ MQ_GUARDED_BY(mutex_);
  std::size_t turn_ MQ_GUARDED_BY(mutex_) = 0;
  int threads_ MQ_GUARDED_BY(mutex_) = 0;
  int idle_ MQ_GUARDED_BY(mutex_) = 0;
  bool closed_ MQ_GUARDED_BY(mutex_) = false;
  ThreadSet set_;
};

}  // namespace mqclient::base
