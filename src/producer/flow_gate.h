#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/completion.h"
#include "base/mutex.h"
#include "base/ref.h"
#include "base/wait.h"
#include "mqclient/error.h"

namespace mqclient::producer {

/// Counts what a producer has accepted and not yet completed: its bounds, flush(), writable(), close(). Any thread.
///
/// Flush    sends belong to the epoch in which they entered; a flush ends the epoch and completes when it and all
///          earlier ones are empty. A flush without a send since the last one joins that one: the number of epochs is
///          bounded by the sends, however often flush() is called.
class FlowGate {
 public:
  struct Bounds {
    std::size_t messages_max;
    std::size_t bytes_max;
  };
  /// A send's place, given back by leave().
  struct Place {
    std::size_t messages = 0;
    std::size_t bytes = 0;
    std::uint64_t epoch = 0;
  };
  explicit FlowGate(Bounds bounds) : bounds_(bounds) { epochs_.emplace_back(); }

  enum class Entry { kAccepted, kFull, kClosed };
  /// A body larger than the whole bound is accepted alone.
  Entry enter(std::size_t messages, std::size_t bytes, Place& place);
  void leave(const Place& place);
  /// Settled at once if there is room for this much, else when so much has left that it pays to try again, or at close.
  /// For callers who wait.
  void whenRoom(std::size_t messages, std::size_t bytes, base::Ref<base::WaitSlot> slot);

  void flush(base::Completion<void> done);
  void writable(base::Completion<void> done);

  /// Nobody enters any more. Answers how many messages are under way.
  std::size_t close();
  std::size_t underWay() const;

 private:
  struct Epoch {
    std::size_t sends = 0;
    std::vector<base::Completion<void>> flushed;
  };
  static constexpr std::size_t kWakeShare = 8;
  bool hasRoom(std::size_t messages, std::size_t bytes) const MQ_REQUIRES(mutex_);
  /// So far below the bounds that it pays to wake who waits: a wake costs more than the send that follows it.
  bool wellBelow() const MQ_REQUIRES(mutex_);

  const Bounds bounds_;
  mutable base::Mutex mutex_;
  std::size_t messages_ MQ_GUARDED_BY(mutex_) = 0;
  std::size_t bytes_ MQ_GUARDED_BY(mutex_) = 0;
  bool closed_ MQ_GUARDED_BY(mutex_) = false;
  std::deque<Epoch> epochs_ MQ_GUARDED_BY(mutex_);  // never empty; sends enter the last one
  std::uint64_t first_epoch_ MQ_GUARDED_BY(mutex_) = 0;
  std::vector<base::Ref<base::WaitSlot>> waiting_ MQ_GUARDED_BY(mutex_);
  std::vector<base::Completion<void>> writable_ MQ_GUARDED_BY(mutex_);
};

}  // namespace mqclient::producer
