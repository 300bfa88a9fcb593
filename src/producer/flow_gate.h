#pragma once

#include <cstddef>
#include <vector>

#include "base/completion.h"
#include "base/mutex.h"
#include "base/ref.h"
#include "base/wait.h"
#include "mqclient/error.h"

namespace mqclient::producer {

/// Counts what a producer has accepted and not yet completed: its bounds, flush(), writable(), close(). Any thread.
class FlowGate {
 public:
  struct Bounds {
    std::size_t messages_max;
    std::size_t bytes_max;
  };
  explicit FlowGate(Bounds bounds) : bounds_(bounds), generation_(base::makeRef<Generation>()) {}

  /// Sends accepted between two flushes: while one of them is under way, so is its generation, and all later ones.
  class Generation final : public base::Object {
   public:
    std::vector<base::Completion<void>> flushed;  // guarded by the gate until the generation is no longer current
    base::Ref<Generation> next;                   // what must not end before this one

   private:
    ~Generation() override {
      for (auto& done : flushed) std::move(done)(Result<void>());
    }
  };

  enum class Entry { kAccepted, kFull, kClosed };
  /// kAccepted: `generation` holds the place until leave(). A body larger than the whole bound is accepted alone.
  Entry enter(std::size_t messages, std::size_t bytes, base::Ref<Generation>& generation);
  void leave(std::size_t messages, std::size_t bytes, base::Ref<Generation> generation);
  /// Settled when something has left since the call, or at close. For callers who wait.
  void whenRoom(base::Ref<base::WaitSlot> slot);

  void flush(base::Completion<void> done);
  void writable(base::Completion<void> done);

  /// Nobody enters any more. Answers how many messages are under way.
  std::size_t close();
  std::size_t underWay() const;

 private:
  bool hasRoom(std::size_t messages, std::size_t bytes) const MQ_REQUIRES(mutex_);

  const Bounds bounds_;
  mutable base::Mutex mutex_;
  std::size_t messages_ MQ_GUARDED_BY(mutex_) = 0;
  std::size_t bytes_ MQ_GUARDED_BY(mutex_) = 0;
  bool closed_ MQ_GUARDED_BY(mutex_) = false;
  base::Ref<Generation> generation_ MQ_GUARDED_BY(mutex_);
  std::vector<base::Ref<base::WaitSlot>> waiting_ MQ_GUARDED_BY(mutex_);
  std::vector<base::Completion<void>> writable_ MQ_GUARDED_BY(mutex_);
};

}  // namespace mqclient::producer
