#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/cache_line.h"
#include "base/completion.h"
#include "base/mutex.h"
#include "base/ref.h"
#include "base/wait.h"
#include "mqclient/error.h"

namespace mqclient::producer {

/// Counts what a producer has accepted and not yet completed: its bounds, flush(), writable(), close(). Any thread.
///
/// Word     while nobody waits for anything, one word says how much is under way: two threads that enter and leave at
///          once meet in one exchange each. As soon as somebody waits (flush, room, writable) or it is closed, the word
///          only says so and the details lie under the lock, until nobody waits any more.
/// Flush    sends belong to the epoch in which they entered; a flush ends the epoch and completes when it and all
///          earlier ones are empty. A flush without a send since the last one joins that one: the number of epochs is
///          bounded by the sends, however often flush() is called.
class FlowGate {
 public:
  /// What the word can count; bounds are at most this.
  static constexpr std::size_t kMessagesMax = 16'000'000;
  static constexpr std::size_t kBytesMax = std::size_t{256} << 30;
  struct Bounds {
    std::size_t messages_max;
    std::size_t bytes_max;
  };
  /// A send's place, given back by leave().
  struct Place {
    std::size_t messages = 0;
    std::size_t bytes = 0;
    std::uint64_t epoch = 0;  // of those under the lock; 0: entered by the word alone
    bool first = false;       ///< nothing was under way before it
  };
  enum class Left { kOthers, kNothing };
  explicit FlowGate(Bounds bounds) : bounds_(bounds) { epochs_.emplace_back(); }

  enum class Entry { kAccepted, kFull, kClosed };
  /// A body larger than the whole bound is accepted alone.
  Entry enter(std::size_t messages, std::size_t bytes, Place& place);
  /// What is under way now.
  Left leave(const Place& place);
  /// Settled at once if there is room for this much, else when so much has left that it pays to try again, or at close.
  /// For callers who wait.
  void whenRoom(std::size_t messages, std::size_t bytes, base::Ref<base::WaitSlot> slot);

  void flush(base::Completion<void> done);
  void writable(base::Completion<void> done);

  /// Nobody enters any more. Answers how many messages are under way.
  std::size_t close();
  std::size_t underWay() const;

 private:
  struct Load {
    std::size_t messages = 0;
    std::size_t bytes = 0;
  };
  struct Epoch {
    std::size_t messages = 0;
    std::vector<base::Completion<void>> flushed;
  };
  struct Told {
    std::vector<base::Ref<base::WaitSlot>> slots;
    std::vector<base::Completion<void>> done;
  };
  static constexpr std::size_t kWakeShare = 8;
  static constexpr int kMessageBits = 24;
  static constexpr std::uint64_t kDetailed = std::uint64_t{1} << 63;
  static constexpr std::uint64_t wordOf(const Load& l) noexcept {
    return l.messages | static_cast<std::uint64_t>(l.bytes) << kMessageBits;
  }
  static constexpr Load loadOf(std::uint64_t word) noexcept {
    return {static_cast<std::size_t>(word & ((std::uint64_t{1} << kMessageBits) - 1)),
            static_cast<std::size_t>((word & ~kDetailed) >> kMessageBits)};
  }

  bool hasRoom(const Load& now, std::size_t messages, std::size_t bytes) const noexcept;
  /// For what was refused last, if anything ever was: who waits in writable() will ask for as much again.
  bool isWritable() const noexcept MQ_REQUIRES(mutex_);
  Entry refuse(std::size_t messages, std::size_t bytes) noexcept;
  /// So far below the bounds that it pays to wake who waits: a wake costs more than the send that follows it.
  bool wellBelow() const noexcept MQ_REQUIRES(mutex_);
  /// From the word to the lock, if it is not there yet.
  void detail() MQ_REQUIRES(mutex_);
  /// Back to the word, if nobody waits.
  void summarize() MQ_REQUIRES(mutex_);
  const Bounds bounds_;
  // Messages, bytes above them; or kDetailed. Apart, as two threads change it all the time.
  alignas(base::kCacheLine) std::atomic<std::uint64_t> word_{0};
  alignas(base::kCacheLine) mutable base::Mutex mutex_;
  std::atomic<std::size_t> refused_messages_{1};
  std::atomic<std::size_t> refused_bytes_{0};
  bool closed_ MQ_GUARDED_BY(mutex_) = false;
  // While the word is kDetailed:
  Load load_ MQ_GUARDED_BY(mutex_);
  std::deque<Epoch> epochs_ MQ_GUARDED_BY(mutex_);  // never empty; sends enter the last one
  std::uint64_t first_epoch_ MQ_GUARDED_BY(mutex_) = 0;
  std::vector<base::Ref<base::WaitSlot>> waiting_ MQ_GUARDED_BY(mutex_);
  std::vector<base::Completion<void>> writable_ MQ_GUARDED_BY(mutex_);
};

}  // namespace mqclient::producer
