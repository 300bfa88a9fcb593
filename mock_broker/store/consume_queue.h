#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/ref.h"
#include "mock_broker/store/file_system.h"
#include "mqclient/error.h"

namespace mqclient::store {

/// Where one message of a queue lies.
struct Unit {
  std::int64_t physicalOffset{0};
  std::int32_t size{0};
  std::int64_t tagsCode{0};  ///< hash of TAGS, sign-extended; 0: no tags
};

/// The index of one (topic, queueId): message n is described by the 20 bytes at n * 20.
///
/// Layout   physicalOffset i64 | size i32 | tagsCode i64, big-endian, in files of units_per_file units.
/// Bounds   units of records that the log has dropped go with their file; the last file stays, so maxOffset() never
///          falls.
/// Threads  put() and its halves, nextOffset() and trim(): the *log* strand. All others: any; units below maxOffset()
/// never change. Source   ConsumeQueue.java
class ConsumeQueue : public base::Object {
 public:
  static constexpr std::size_t kUnitBytes = 20;

  ConsumeQueue(FileSystem& files, std::string topic, std::int32_t queue_id, std::int32_t units_per_file);

  const std::string& topic() const noexcept { return topic_; }
  std::int32_t queueId() const noexcept { return queue_id_; }

  /// Appends units and publishes them together. Errors: the file system's; then none of them was added.
  Result<void> put(std::span<const Unit> units);
  /// The first half of put(): nobody sees them before publish().
  Result<void> write(std::span<const Unit> units);
  /// Units below `offset` may be read from now on; they were written, and it never falls.
  void publish(std::int64_t offset) noexcept { max_.store(offset, std::memory_order_seq_cst); }
  /// Offset that the next unit gets: maxOffset(), or more where some are not published yet.
  std::int64_t nextOffset() const noexcept { return next_; }
  /// Makes the files that `units` more will lie in, so that put() does not fail. Errors: the file system's.
  Result<void> reserve(std::size_t units);
  /// Drops files whose units all point below `log_min`.
  void trim(std::int64_t log_min);

  /// Offset of the next message. Sequentially consistent, against the count of waiters (B6).
  std::int64_t maxOffset() const noexcept { return max_.load(std::memory_order_seq_cst); }
  /// Offset of the first message that is still in a log that begins at `log_min`; maxOffset() when none is.
  std::int64_t minOffset(std::int64_t log_min) const;
  std::size_t files() const;

  // ---- recovery: before anybody else knows the queue
  /// Takes over the files of before, with the units of records that a log from `log_min` on has dropped; the others
  /// come by restore().
  Result<void> load(std::int64_t log_min);
  /// The unit of message `offset`, at or behind the last one; what lay between was never written.
  Result<void> restore(std::int64_t offset, const Unit& unit);
  /// Clears what lies behind the end: nobody may find units of lost records later.
  Result<void> cutBehindEnd();

  /// Any thread, one at a time: makes what is published durable, bytes and names. Blocks.
  Result<void> flush();

  static constexpr char kDirectory[] = "consumequeue";

  /// Walks units; pins one file at a time.
  class Reader {
   public:
    explicit Reader(const ConsumeQueue& queue) noexcept : queue_(&queue), end_(queue.maxOffset()) {}
    /// Nothing: beyond the end as it was when the reader was made, or trimmed.
    std::optional<Unit> at(std::int64_t offset);
    std::int64_t end() const noexcept { return end_; }

   private:
    const ConsumeQueue* queue_;
    std::int64_t end_;
    std::shared_ptr<MappedFile> file_;
    std::int64_t from_ = 0;  // offsets [from_, to_) lie in file_
    std::int64_t to_ = 0;
  };

  /// How many pulls are held for this queue. A pull counts itself, then reads maxOffset() again; who publishes reads
  /// this afterwards: of an arrival and a hold that race, one sees the other (B6).
  std::atomic<std::int32_t> waiters{0};
  /// Log strand only: this queue is in the list of arrivals already.
  bool arrival_listed = false;

 private:
  std::string directory() const;
  std::string pathOf(std::int64_t file_index) const;
  Result<std::shared_ptr<MappedFile>> map(std::int64_t file_index);
  Result<void> writeInto(std::int64_t file_index);
  struct Placed {
    std::shared_ptr<MappedFile> file;
    std::int64_t begin;  // offset of its first unit
  };
  std::vector<Placed> placedFiles() const;

  FileSystem& files_at_;
  const std::string topic_;
  const std::int32_t queue_id_;
  const std::int32_t units_per_file_;

  MappedFile* writing_ = nullptr;  // log strand only
  std::int64_t next_ = 0;          // the same
  std::int64_t flushed_ = 0;       // who flushes only
  std::atomic<std::int64_t> max_{0};
  mutable std::atomic<std::int64_t> min_{0};
  mutable std::atomic<std::int64_t> min_valid_for_{0};  // the log_min that min_ was found for
  mutable base::Mutex mutex_;
  std::deque<std::shared_ptr<MappedFile>> files_ MQ_GUARDED_BY(mutex_);
  std::int64_t first_file_ MQ_GUARDED_BY(mutex_) = 0;
};

}  // namespace mqclient::store
