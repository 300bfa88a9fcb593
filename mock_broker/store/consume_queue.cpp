#include "mock_broker/store/consume_queue.h"

#include <utility>
#include <vector>

#include "base/buffer.h"

namespace mqclient::store {
namespace {

constexpr std::size_t kSizeAt = 8;
constexpr std::size_t kTagsCodeAt = 12;

void encodeUnit(std::byte* to, const Unit& unit) noexcept {
  base::putBe64(to, static_cast<std::uint64_t>(unit.physicalOffset));
  base::putBe32(to + kSizeAt, static_cast<std::uint32_t>(unit.size));
  base::putBe64(to + kTagsCodeAt, static_cast<std::uint64_t>(unit.tagsCode));
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

std::string ConsumeQueue::pathOf(std::int64_t file_index) const {
  return "consumequeue/" + topic_ + '/' + std::to_string(queue_id_) + '/' +
         fileNameOf(file_index * units_per_file_ * static_cast<std::int64_t>(kUnitBytes));
}

Result<void> ConsumeQueue::put(std::span<const Unit> units) {
  std::int64_t offset = max_.load(std::memory_order_relaxed);
  for (const Unit& unit : units) {
    const std::int64_t in_file = offset % units_per_file_;
    if (in_file == 0) {
      const std::int64_t file_index = offset / units_per_file_;
      auto made =
          files_at_.map(pathOf(file_index), static_cast<std::size_t>(units_per_file_) * kUnitBytes, Fill::kZero);
      if (!made) return std::move(made).error();
      writing_ = made->get();
      base::MutexLock lock(mutex_);
      // A batch that failed half-way left its file behind; it is the same one again.
      if (file_index == first_file_ + static_cast<std::int64_t>(files_.size())) files_.push_back(*std::move(made));
    }
    encodeUnit(writing_->data() + static_cast<std::size_t>(in_file) * kUnitBytes, unit);
    ++offset;
  }
  max_.store(offset, std::memory_order_seq_cst);
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
  return Unit{static_cast<std::int64_t>(base::getBe64(at)), static_cast<std::int32_t>(base::getBe32(at + kSizeAt)),
              static_cast<std::int64_t>(base::getBe64(at + kTagsCodeAt))};
}

}  // namespace mqclient::store
