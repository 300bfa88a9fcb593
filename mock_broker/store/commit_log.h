#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "base/buffer.h"
#include "base/mutex.h"
#include "mock_broker/store/file_system.h"
#include "mqclient/error.h"

namespace mqclient::store {

/// All records of a broker, back to back, in segments of one size.
///
/// Shape    byte p of the log lies in segment p / segment_bytes. A record lies in one segment and leaves at least
///          kSpareBytes behind it; what does not fit is covered by a blank record (remaining length i32,
///          protocol::kBlankMagic) and the record starts the next segment. Same layout in memory and in files.
/// Bounds   at most bytes_max of segments: before a new one is made the oldest goes and minOffset() moves. Readers that
///          pinned it go on reading.
/// Threads  place() and publish(): the *log* strand. All others: any; bytes below maxOffset() never change.
/// Source   CommitLog.java, MappedFileQueue.java
class CommitLog {
 public:
  static constexpr std::size_t kSpareBytes = 8;
  static constexpr std::size_t kSegmentsMin = 2;  ///< there is always one to read while one is written

  struct Options {
    std::size_t segment_bytes{8u << 20};
    std::size_t bytes_max{256u << 20};
  };

  CommitLog(FileSystem& files, Options options) noexcept;

  static constexpr char kDirectory[] = "commitlog";
  static std::string pathOf(std::int64_t start);

  /// Room for `bytes` in one segment; nobody sees it before publish().
  struct Place {
    std::byte* at;
    std::int64_t offset;  ///< physical offset of the first byte
  };
  /// kMessageIllegal: larger than a segment can take; else what the file system says.
  Result<Place> place(std::size_t bytes);
  /// A record of about this size is likely to come next: its place is fetched into the cache. The log runs through far
  /// more memory than any cache holds, and who publishes would wait until all that was written has left the core.
  void expect(std::size_t bytes) const noexcept;
  /// Everything placed so far may be read from now on.
  void publish() noexcept { max_offset_.store(write_offset_, std::memory_order_release); }

  /// Before anything is placed: goes on behind what a log of before has left. `end` lies in or at the end of the last
  /// segment, or there are none and it is 0.
  void restore(std::deque<std::shared_ptr<MappedFile>> segments, std::int64_t min, std::int64_t end);
  /// Any thread, one at a time: makes what is published durable, bytes and names; answers up to where. Blocks.
  Result<std::int64_t> flush();

  std::int64_t minOffset() const noexcept { return min_offset_.load(std::memory_order_acquire); }
  std::int64_t maxOffset() const noexcept { return max_offset_.load(std::memory_order_acquire); }
  std::uint64_t segmentsDropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }
  std::size_t recordBytesMax() const noexcept { return options_.segment_bytes - kSpareBytes; }
  std::int64_t segmentBytes() const noexcept { return static_cast<std::int64_t>(options_.segment_bytes); }

  /// Walks records in one direction and pins one segment at a time.
  class Reader {
   public:
    explicit Reader(const CommitLog& log) noexcept : log_(&log) {}
    /// [offset, offset + bytes) or nullptr when it is gone or was never published.
    const std::byte* at(std::int64_t offset, std::size_t bytes);
    /// The share that keeps what at() answered last.
    const std::shared_ptr<MappedFile>& pinned() const noexcept { return segment_; }
    std::int64_t pinnedFrom() const noexcept { return from_; }

   private:
    const CommitLog* log_;
    std::shared_ptr<MappedFile> segment_;
    std::int64_t from_ = 0;
    std::int64_t to_ = 0;
  };

 private:
  Result<void> roll();
  Result<void> dropOldest();

  FileSystem& files_;
  const Options options_;
  // log strand only
  MappedFile* writing_ = nullptr;
  std::int64_t segment_start_ = 0;
  std::int64_t write_offset_ = 0;

  // who flushes only
  std::int64_t flushed_ = 0;
  std::int64_t named_to_ = 0;  // names of segments that begin below this are durable

  std::atomic<std::int64_t> min_offset_{0};
  std::atomic<std::int64_t> max_offset_{0};
  std::atomic<std::uint64_t> dropped_{0};
  mutable base::Mutex mutex_;
  std::deque<std::shared_ptr<MappedFile>> segments_ MQ_GUARDED_BY(mutex_);  // the first starts at min_offset_
};

}  // namespace mqclient::store
