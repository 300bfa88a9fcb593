#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/buffer.h"
#include "base/mutex.h"
#include "base/ref.h"
#include "mock_broker/store/commit_log.h"
#include "mock_broker/store/consume_queue.h"
#include "mock_broker/store/file_system.h"

namespace mqclient::store {

/// When a message that was put can be read. kWhenPublished: whoever put it says so, by ConsumeQueue::publish().
enum class Visible { kAtOnce, kWhenPublished };

struct MessageStoreOptions {
  CommitLog::Options log;
  std::int32_t units_per_file{512};
  std::int32_t transfer_count_max{32};         ///< maxTransferCountOnMessageInMemory
  std::int64_t transfer_bytes_max{256 << 10};  ///< maxTransferBytesOnMessageInMemory
  Visible visible{Visible::kAtOnce};
};

/// How a put ended. PutMessageStatus.java, as far as this store can end so.
enum class PutStatus { PUT_OK, FLUSH_DISK_TIMEOUT, MESSAGE_ILLEGAL, CREATE_MAPPED_FILE_FAILED, SERVICE_NOT_AVAILABLE };
std::string_view toString(PutStatus) noexcept;

/// How a read ended. GetMessageStatus.java
enum class GetMessageStatus {
  FOUND,
  NO_MATCHED_MESSAGE,
  MESSAGE_WAS_REMOVING,
  OFFSET_FOUND_NULL,
  OFFSET_OVERFLOW_BADLY,
  OFFSET_OVERFLOW_ONE,
  OFFSET_TOO_SMALL,
  NO_MATCHED_LOGIC_QUEUE,
  NO_MESSAGE_IN_QUEUE,
};
std::string_view toString(GetMessageStatus) noexcept;

/// The broker's test on a unit: no codes means everything. Codes ascending.
struct TagFilter {
  std::vector<std::int32_t> codes;
  bool matches(std::int64_t tags_code) const noexcept;
};

struct PutResult {
  PutStatus status{PutStatus::PUT_OK};
  std::int64_t physicalOffset{0};  ///< of the first record
  std::int64_t queueOffset{0};     ///< of the first record
  std::int64_t storeTimestamp{0};
};

struct GetMessageResult {
  GetMessageStatus status{GetMessageStatus::NO_MATCHED_LOGIC_QUEUE};
  std::int64_t nextBeginOffset{0};
  std::int64_t minOffset{0};
  std::int64_t maxOffset{0};
  std::int32_t messages{0};
  base::Chain records;  ///< the stored bytes themselves, one slice for each run of neighbours; keeps segments alive
};

enum class Boundary { kLower, kUpper };

/// What a store has found on files of before.
struct RecoveryReport {
  std::uint64_t records{0};  ///< whole ones
  std::int64_t end{0};       ///< physical offset behind the last of them: what comes is appended here
};

/// Log and queues together: what "dispatch" does in Java happens in the same step as the append.
///
/// Threads  put() and the trimming it starts: the *log* strand. Everything else: any; no call waits.
class MessageStore {
 public:
  MessageStore(std::shared_ptr<FileSystem> files, MessageStoreOptions options);

  /// Before anything else: goes on with what lies in the files. The log is read up to its first record that is not
  /// whole (torn, lost, never written); what lies behind is cut off, and the queues are built from it again. Nothing
  /// there: an empty store. Errors: a segment of another size (kInvalidArgument), the file system's.
  Result<RecoveryReport> recover();
  /// Any thread, one at a time: makes what is published durable; answers up to which physical offset. Blocks.
  Result<std::int64_t> flush();

  /// Null: nobody ever wrote to or waited at this queue.
  base::Ref<ConsumeQueue> findQueue(std::string_view topic, std::int32_t queue_id) const;
  /// Made if need be. The store keeps every queue to its own end.
  base::Ref<ConsumeQueue> queueOf(std::string_view topic, std::int32_t queue_id);
  /// Queues of a topic by number.
  std::vector<base::Ref<ConsumeQueue>> queuesOf(std::string_view topic) const;

  /// One record about to be stored: its bytes in the image and what its unit says.
  struct Part {
    std::int32_t size;
    std::int64_t tagsCode;
  };
  /// Encoded records back to back. Of one record the body may stay where it is: then it follows the head, and the tail
  /// the body. Of several everything is in the head.
  struct Image {
    std::span<std::byte> head;
    std::span<const std::byte> body{};
    std::span<const std::byte> tail{};
    std::size_t size() const noexcept { return head.size() + body.size() + tail.size(); }
  };
  /// Appends `image`, cut into records by `parts`, all in one segment. Fills in queue offsets, physical offsets and the
  /// store time (`wall_ms`, or the last one if the clock went back), copies once, publishes (the units as
  /// `visible` says).
  PutResult put(ConsumeQueue& queue, const Image& image, std::span<const Part> parts, std::int64_t wall_ms);
  /// Log strand, after put() moved the log's begin: trims units of some queues. True: call again.
  bool trimSome();

  /// Records from `offset` on that pass `filter` (null: all), at most `count_max` and `bytes_max`, within this store's
  /// own bounds; the first one always. `queue` may be null. Status and next offset as DefaultMessageStore.getMessage.
  GetMessageResult getMessage(const ConsumeQueue* queue, std::int64_t offset, std::int32_t count_max,
                              std::int64_t bytes_max, const TagFilter* filter) const;
  /// Whether a pull at `offset` has to be answered: a message passes, the offset is no longer in the queue, or so many
  /// were looked at in vain that the reader should know. Else `offset` moves behind what was looked at.
  bool hasMatch(const ConsumeQueue& queue, std::int64_t& offset, const TagFilter* filter) const;

  std::int64_t minOffset(const ConsumeQueue& queue) const { return queue.minOffset(log_.minOffset()); }
  /// kLower: the first message stored at or after `ms`, or the end. kUpper: the last one stored at or before it, or the
  /// beginning. Messages of a queue are in the order of their store times.
  std::int64_t offsetByTime(const ConsumeQueue& queue, std::int64_t ms, Boundary boundary) const;
  /// -1: none.
  std::int64_t earliestStoreTime(const ConsumeQueue& queue) const;
  /// The record a unit points to; empty when it is gone.
  base::Slice record(const ConsumeQueue& queue, std::int64_t offset) const;

  const CommitLog& log() const noexcept { return log_; }
  const FileSystem& files() const noexcept { return *files_; }

  /// maxFilterMessageSize: bytes of units one call looks at, so 800 units.
  static constexpr std::int64_t kFilterBytesMax = 16'000;
  /// Queues one step of trimSome() visits (S6).
  static constexpr std::size_t kTrimStep = 64;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>{}(s); }
  };
  using Queues = std::map<std::int32_t, base::Ref<ConsumeQueue>>;

  Result<void> loadQueues(std::int64_t log_min);
  /// Takes up the records of a segment; answers behind which byte of it the log ends.
  Result<std::size_t> readSegment(const MappedFile& segment, std::int64_t start, RecoveryReport& report);
  Result<void> endQueues();

  std::int64_t storeTimeAt(ConsumeQueue::Reader& units, CommitLog::Reader& log, std::int64_t offset) const;

  const std::shared_ptr<FileSystem> files_;
  const MessageStoreOptions options_;
  CommitLog log_;
  std::int64_t last_store_ms_ = 0;  // log strand only
  std::vector<Unit> units_;         // log strand only; kept for its memory
  std::vector<base::Ref<ConsumeQueue>> to_trim_;
  std::uint64_t trimmed_at_ = 0;

  mutable base::Mutex mutex_;
  std::unordered_map<std::string, Queues, Hash, std::equal_to<>> queues_ MQ_GUARDED_BY(mutex_);
};

}  // namespace mqclient::store
