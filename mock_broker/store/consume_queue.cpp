#include "mock_broker/store/consume_queue.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "mock_broker/store/recovery.h"

namespace mqclient::store {
namespace {

constexpr std::size_t kSizeAt = 8;
constexpr std::size_t kTagsCodeAt = 12;

void encodeUnit(std::byte* to, const Unit& unit) noexcept {
  base::putBe64(to, static_cast<std::uint64_t>(unit.physicalOffset));
  base::putBe32(to + kSizeAt, static_cast<std::uint32_t>(unit.size));
  base::putBe64(to + kTagsCodeAt, static_cast<std::uint64_t>(unit.tagsCode));
}

Unit decodeUnit(const std::byte* at) noexcept {
  return Unit{static_cast<std::int64_t>(base::getBe64(at)), static_cast<std::int32_t>(base::getBe32(at + kSizeAt)),
              static_cast<std::int64_t>(base::getBe64(at + kTagsCodeAt))};
}

/// Offsets only rise, whoever finds the higher one.
void raise(std::atomic<std::int64_t>& to, std::int64_t value) noexcept {
  std::int64_t old = to.load(std::memory_order_relaxed);
  while (old < value && !to.compare_exchange_weak(old, value, std::memory_order_acq_rel)) {
  }
}

}  // namespace

ConsumeQueue::ConsumeQueue(FileSystem& files, std::string topic, std::int32_t queue_id, std::int32_t units_per_file)
    : files_at_(files), topic_(std::move(topic)), queue_id_(queue_id), units_per_file_(units_per_file) {}

std::string ConsumeQueue::directory() const {
  return std::string(kDirectory) + '/' + topic_ + '/' + std::to_string(queue_id_);
}

std::string ConsumeQueue::pathOf(std::int64_t file_index) const {
  return directory() + '/' + fileNameOf(file_index * units_per_file_ * static_cast<std::int64_t>(kUnitBytes));
}

Result<std::shared_ptr<MappedFile>> ConsumeQueue::map(std::int64_t file_index) {
  return files_at_.map(pathOf(file_index), static_cast<std::size_t>(units_per_file_) * kUnitBytes, Fill::kZero);
}

Result<void> ConsumeQueue::writeInto(std::int64_t file_index) {
  auto made = map(file_index);
  if (!made) return std::move(made).error();
  writing_ = made->get();
  base::MutexLock lock(mutex_);
  // Known already: a batch that failed half-way left it behind, or it was reserved.
  if (file_index == first_file_ + static_cast<std::int64_t>(files_.size())) files_.push_back(*std::move(made));
  return {};
}

Result<void> ConsumeQueue::reserve(std::size_t units) {
  const std::int64_t begin = next_;
  const std::int64_t last = begin + static_cast<std::int64_t>(units) - 1;
  if (begin % units_per_file_ != 0 && begin / units_per_file_ == last / units_per_file_) [[likely]]
    return {};
  for (std::int64_t file = (begin + units_per_file_ - 1) / units_per_file_; file <= last / units_per_file_; ++file) {
    if (auto made = map(file); !made) return std::move(made).error();
  }
  return {};
}

Result<void> ConsumeQueue::put(std::span<const Unit> units) {
  if (auto written = write(units); !written) return written;
  publish(next_);
  return {};
}

Result<void> ConsumeQueue::write(std::span<const Unit> units) {
  std::int64_t offset = next_;
  MappedFile* const before = writing_;
  for (const Unit& unit : units) {
    const std::int64_t in_file = offset % units_per_file_;
    if (in_file == 0) {
      if (auto ready = writeInto(offset / units_per_file_); !ready) {
        writing_ = before;  // next_ lies there still
        return ready;
      }
    }
    encodeUnit(writing_->data() + static_cast<std::size_t>(in_file) * kUnitBytes, unit);
    ++offset;
  }
  next_ = offset;
  return {};
}

void ConsumeQueue::trim(std::int64_t log_min) {
  const std::int64_t min_file = minOffset(log_min) / units_per_file_;
  std::vector<std::shared_ptr<MappedFile>> gone;
  std::int64_t first = 0;
  {
    base::MutexLock lock(mutex_);
    first = first_file_;
    while (files_.size() > 1 && first_file_ < min_file) {
      gone.push_back(std::move(files_.front()));
      files_.pop_front();
      ++first_file_;
    }
  }
  for (std::size_t i = 0; i < gone.size(); ++i) {
    // The name cannot be missing, and a failure to drop it costs its bytes only.
    (void)files_at_.remove(pathOf(first + static_cast<std::int64_t>(i)));
  }
}

std::int64_t ConsumeQueue::minOffset(std::int64_t log_min) const {
  if (min_valid_for_.load(std::memory_order_acquire) >= log_min) return min_.load(std::memory_order_acquire);
  Reader reader(*this);
  std::int64_t low = min_.load(std::memory_order_acquire);
  std::int64_t high = reader.end();
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    const std::optional<Unit> unit = reader.at(middle);
    if (unit && unit->physicalOffset >= log_min) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  raise(min_, low);
  raise(min_valid_for_, log_min);
  return min_.load(std::memory_order_acquire);
}

Result<void> ConsumeQueue::load(std::int64_t log_min) {
  auto starts = startOffsetsIn(files_at_, directory());
  if (!starts) return std::move(starts).error();
  const std::int64_t file_bytes = units_per_file_ * static_cast<std::int64_t>(kUnitBytes);
  std::deque<std::shared_ptr<MappedFile>> found;
  std::int64_t first = 0;
  for (const std::int64_t start : *starts) {
    const std::int64_t file_index = start / file_bytes;
    if (start % file_bytes != 0) continue;  // of other settings; no queue of ours will use that name
    auto file = map(file_index);
    if (!file) return std::move(file).error();
    // Only a run without a gap can be a queue, and the last one is the youngest.
    if (file_index != first + static_cast<std::int64_t>(found.size())) found.clear();
    if (found.empty()) first = file_index;
    found.push_back(*std::move(file));
  }
  std::int64_t end = first * units_per_file_;
  const auto dropped = [&](const Unit& unit) { return unit.size > 0 && unit.physicalOffset < log_min; };
  for (const auto& file : found) {
    std::int32_t n = 0;
    while (n < units_per_file_ && dropped(decodeUnit(file->data() + static_cast<std::size_t>(n) * kUnitBytes))) ++n;
    end += n;
    if (n < units_per_file_) break;
  }
  publish(next_ = end);
  if (!found.empty())
    writing_ = found[static_cast<std::size_t>(
                         std::min(end / units_per_file_ - first, static_cast<std::int64_t>(found.size()) - 1))]
                   .get();
  base::MutexLock lock(mutex_);
  files_ = std::move(found);
  first_file_ = first;
  return {};
}

Result<void> ConsumeQueue::restore(std::int64_t offset, const Unit& unit) {
  const std::int64_t file_index = offset / units_per_file_;
  {
    base::MutexLock lock(mutex_);
    const std::int64_t behind = first_file_ + static_cast<std::int64_t>(files_.size());
    if (file_index < first_file_ || file_index > behind) {  // its files of before are lost
      files_.clear();
      first_file_ = file_index;
    }
  }
  if (auto ready = writeInto(file_index); !ready) return ready;
  encodeUnit(writing_->data() + static_cast<std::size_t>(offset % units_per_file_) * kUnitBytes, unit);
  publish(next_ = offset + 1);
  return {};
}

std::vector<ConsumeQueue::Placed> ConsumeQueue::placedFiles() const {
  std::vector<Placed> placed;
  base::MutexLock lock(mutex_);
  for (std::int64_t begin = first_file_ * units_per_file_; const auto& file : files_) {
    placed.push_back({file, begin});
    begin += units_per_file_;
  }
  return placed;
}

Result<void> ConsumeQueue::cutBehindEnd() {
  const std::int64_t end = max_.load(std::memory_order_relaxed);
  for (const auto& [file, begin] : placedFiles()) {
    const std::int64_t units = std::clamp<std::int64_t>(end - begin, 0, units_per_file_);
    if (units == units_per_file_) continue;
    if (auto cleared = clearFrom(*file, static_cast<std::size_t>(units) * kUnitBytes); !cleared) return cleared;
  }
  return {};
}

Result<void> ConsumeQueue::flush() {
  const std::int64_t target = max_.load(std::memory_order_acquire);
  if (flushed_ == target) return {};
  for (const auto& [file, begin] : placedFiles()) {
    const std::int64_t from = std::clamp<std::int64_t>(flushed_ - begin, 0, units_per_file_);
    const std::int64_t to = std::clamp<std::int64_t>(target - begin, 0, units_per_file_);
    if (from >= to) continue;
    auto flushed = file->flush(static_cast<std::size_t>(from) * kUnitBytes, static_cast<std::size_t>(to) * kUnitBytes);
    if (!flushed) return flushed;
  }
  if (auto synced = files_at_.syncDir(directory()); !synced) return synced;
  flushed_ = target;
  return {};
}

std::size_t ConsumeQueue::files() const {
  base::MutexLock lock(mutex_);
  return files_.size();
}

std::optional<Unit> ConsumeQueue::Reader::at(std::int64_t offset) {
  if (offset < 0 || offset >= end_) return std::nullopt;
  if (offset < from_ || offset >= to_) {
    const std::int64_t file_index = offset / queue_->units_per_file_;
    std::shared_ptr<MappedFile> before = std::move(file_);  // dies after the lock
    from_ = to_ = 0;
    base::MutexLock lock(queue_->mutex_);
    const std::int64_t index = file_index - queue_->first_file_;
    if (index < 0 || index >= static_cast<std::int64_t>(queue_->files_.size())) return std::nullopt;
    file_ = queue_->files_[static_cast<std::size_t>(index)];
    from_ = file_index * queue_->units_per_file_;
    to_ = from_ + queue_->units_per_file_;
  }
  const std::byte* at = file_->data() + static_cast<std::size_t>(offset - from_) * kUnitBytes;
  return decodeUnit(at);
}

}  // namespace mqclient::store
