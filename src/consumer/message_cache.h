#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace mqclient::consumer {

/// Which messages of one queue are here and not finished. Knows offsets and sizes, not the messages.
///
/// Invariants  entries ascend by offset; the first one is unfinished (finished ones leave from the front), so that
///             firstUnfinished() is what a commit may not pass (I1). count() and bytes() are those of unfinished
///             entries, never negative, and both 0 together (I7).
/// Threads     none of its own: the queue's strand.
/// Source      ProcessQueue.java, where finished messages leave a sorted map
class MessageCache {
 public:
  /// Names an entry for as long as it is unfinished.
  using Key = std::uint64_t;

  /// A message has arrived. Nothing: its offset is not above all that arrived before, so it is here or was finished
  /// already (a pull answered twice); it must not be handed out again.
  std::optional<Key> add(std::int64_t offset, std::size_t bytes);
  /// It is finished. False: it was already.
  bool finish(Key key) noexcept;

  bool empty() const noexcept { return count_ == 0; }
  std::size_t count() const noexcept { return count_; }
  std::size_t bytes() const noexcept { return bytes_; }
  /// The lowest offset that is not finished; only if not empty.
  std::int64_t firstUnfinished() const noexcept { return entries_.front().offset; }
  /// The highest offset that ever arrived; -1: none.
  std::int64_t newest() const noexcept { return newest_; }
  /// Distance between the newest and the oldest unfinished message; 0 if empty.
  std::int64_t span() const noexcept { return empty() ? 0 : newest_ - entries_.front().offset; }

 private:
  struct Entry {
    std::int64_t offset;
    std::uint32_t bytes;
    bool finished;
  };
  std::deque<Entry> entries_;
  Key first_key_ = 0;  // of entries_.front()
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  std::int64_t newest_ = -1;
};

}  // namespace mqclient::consumer
