#include "mock_broker/store/commit_log.h"

#include <algorithm>
#include <utility>

#include "base/cache_line.h"
#include "protocol/message_record.h"

namespace mqclient::store {

std::string CommitLog::pathOf(std::int64_t start) {
  return std::string(kDirectory) + '/' + fileNameOf(start);
}

CommitLog::CommitLog(FileSystem& files, Options options) noexcept : files_(files), options_(options) {}

Result<CommitLog::Place> CommitLog::place(std::size_t bytes) {
  if (bytes > recordBytesMax()) {
    return Error(ErrorCode::kMessageIllegal, "a record of " + std::to_string(bytes) +
                                                 " bytes does not fit a segment of " +
                                                 std::to_string(options_.segment_bytes));
  }
  const auto room = [this] { return writing_ ? segment_start_ + segmentBytes() - write_offset_ : 0; };
  if (static_cast<std::int64_t>(bytes + kSpareBytes) > room()) [[unlikely]] {
    if (auto rolled = roll(); !rolled) return std::move(rolled).error();
  }
  const Place place{writing_->data() + (write_offset_ - segment_start_), write_offset_};
  write_offset_ += static_cast<std::int64_t>(bytes);
  // The log ends here for whoever reads it from the file: a block used before holds records that were at these places.
  base::putBe64(place.at + bytes, 0);
  return place;
}

void CommitLog::expect(std::size_t bytes) const noexcept {
  constexpr std::size_t kFetchedMax = 2'048;
  const std::size_t at = static_cast<std::size_t>(write_offset_ - segment_start_);
  base::fetchForWriting(writing_->data() + at, std::min({bytes, kFetchedMax, options_.segment_bytes - at}));
}

Result<void> CommitLog::roll() {
  const std::int64_t next = writing_ ? segment_start_ + segmentBytes() : 0;
  const std::size_t kept_max = std::max(kSegmentsMin, options_.bytes_max / options_.segment_bytes);
  bool full = false;
  {
    base::MutexLock lock(mutex_);
    full = segments_.size() >= kept_max;
  }
  if (full) {
    if (auto dropped = dropOldest(); !dropped) return dropped;
  }
  auto made = files_.map(pathOf(next), options_.segment_bytes, Fill::kAnything);
  if (!made) return std::move(made).error();
  if (writing_) {
    std::byte* blank = writing_->data() + (write_offset_ - segment_start_);
    base::putBe32(blank, static_cast<std::uint32_t>(next - write_offset_));
    base::putBe32(blank + sizeof(std::uint32_t), protocol::kBlankMagic);
  }
  writing_ = made->get();
  segment_start_ = write_offset_ = next;
  base::MutexLock lock(mutex_);
  segments_.push_back(*std::move(made));
  return {};
}

Result<void> CommitLog::dropOldest() {
  // The name first: one that stayed behind a log that has moved on would be the beginning of a gap to recovery. If it
  // does stay, the next roll tries again. It cannot be missing: we made it.
  const std::int64_t start = min_offset_.load(std::memory_order_relaxed);
  if (auto removed = files_.remove(pathOf(start)); !removed) return removed;
  std::shared_ptr<MappedFile> oldest;  // dies after the lock, and before a new one is made that may take its block
  base::MutexLock lock(mutex_);
  oldest = std::move(segments_.front());
  segments_.pop_front();
  min_offset_.store(start + segmentBytes(), std::memory_order_release);
  dropped_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

void CommitLog::restore(std::deque<std::shared_ptr<MappedFile>> segments, std::int64_t min, std::int64_t end) {
  if (segments.empty()) return;
  writing_ = segments.back().get();
  segment_start_ = min + (static_cast<std::int64_t>(segments.size()) - 1) * segmentBytes();
  write_offset_ = end;
  min_offset_.store(min, std::memory_order_release);
  publish();
  base::MutexLock lock(mutex_);
  segments_ = std::move(segments);
}

Result<std::int64_t> CommitLog::flush() {
  const std::int64_t target = maxOffset();
  for (std::int64_t from = std::max(flushed_, minOffset()); from < target;) {
    std::shared_ptr<MappedFile> segment;
    std::int64_t start = 0;
    {
      base::MutexLock lock(mutex_);
      const std::int64_t min = min_offset_.load(std::memory_order_relaxed);
      from = std::max(from, min);  // the oldest may have gone meanwhile, or all that was to be flushed
      if (from >= target) break;
      const std::int64_t index = (from - min) / segmentBytes();
      segment = segments_[static_cast<std::size_t>(index)];
      start = min + index * segmentBytes();
    }
    const std::int64_t to = std::min(start + segmentBytes(), target);
    if (auto flushed = segment->flush(static_cast<std::size_t>(from - start), static_cast<std::size_t>(to - start));
        !flushed) {
      return flushed.error();
    }
    from = to;
  }
  if (target > named_to_) {
    if (auto synced = files_.syncDir(kDirectory); !synced) return synced.error();
    named_to_ = (target + segmentBytes() - 1) / segmentBytes() * segmentBytes();
  }
  flushed_ = target;
  return target;
}

const std::byte* CommitLog::Reader::at(std::int64_t offset, std::size_t bytes) {
  const auto wanted_end = offset + static_cast<std::int64_t>(bytes);
  if (offset < from_ || wanted_end > to_) {
    if (offset < 0 || wanted_end > log_->maxOffset()) return nullptr;
    std::shared_ptr<MappedFile> before = std::move(segment_);  // dies after the lock
    from_ = to_ = 0;
    base::MutexLock lock(log_->mutex_);
    const std::int64_t min = log_->min_offset_.load(std::memory_order_relaxed);
    const auto index = static_cast<std::size_t>((offset - min) / log_->segmentBytes());
    if (offset < min || index >= log_->segments_.size()) return nullptr;
    segment_ = log_->segments_[index];
    from_ = min + static_cast<std::int64_t>(index) * log_->segmentBytes();
    // Cached only up to what is published now: later bytes of the same segment ask again.
    to_ = std::min(from_ + log_->segmentBytes(), log_->maxOffset());
    if (wanted_end > to_) return nullptr;
  }
  return segment_->data() + (offset - from_);
}

}  // namespace mqclient::store
