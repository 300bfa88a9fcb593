#include "mock_broker/store/message_store.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "protocol/message_record.h"

namespace mqclient::store {

std::string_view toString(PutStatus s) noexcept {
  switch (s) {
    case PutStatus::PUT_OK:
      return "PUT_OK";
    case PutStatus::FLUSH_DISK_TIMEOUT:
      return "FLUSH_DISK_TIMEOUT";
    case PutStatus::MESSAGE_ILLEGAL:
      return "MESSAGE_ILLEGAL";
    case PutStatus::CREATE_MAPPED_FILE_FAILED:
      return "CREATE_MAPPED_FILE_FAILED";
    case PutStatus::SERVICE_NOT_AVAILABLE:
      return "SERVICE_NOT_AVAILABLE";
  }
  return "UNKNOWN_ERROR";
}

std::string_view toString(GetMessageStatus s) noexcept {
  switch (s) {
    case GetMessageStatus::FOUND:
      return "FOUND";
    case GetMessageStatus::NO_MATCHED_MESSAGE:
      return "NO_MATCHED_MESSAGE";
    case GetMessageStatus::MESSAGE_WAS_REMOVING:
      return "MESSAGE_WAS_REMOVING";
    case GetMessageStatus::OFFSET_FOUND_NULL:
      return "OFFSET_FOUND_NULL";
    case GetMessageStatus::OFFSET_OVERFLOW_BADLY:
      return "OFFSET_OVERFLOW_BADLY";
    case GetMessageStatus::OFFSET_OVERFLOW_ONE:
      return "OFFSET_OVERFLOW_ONE";
    case GetMessageStatus::OFFSET_TOO_SMALL:
      return "OFFSET_TOO_SMALL";
    case GetMessageStatus::NO_MATCHED_LOGIC_QUEUE:
      return "NO_MATCHED_LOGIC_QUEUE";
    case GetMessageStatus::NO_MESSAGE_IN_QUEUE:
      return "NO_MESSAGE_IN_QUEUE";
  }
  return "UNKNOWN";
}

bool TagFilter::matches(std::int64_t tags_code) const noexcept {
  return codes.empty() || std::binary_search(codes.begin(), codes.end(), static_cast<std::int32_t>(tags_code));
}

namespace {
/// A full disk is the service's trouble (ServiceNotAvailable, as RunningFlags' diskFull), anything else the file's.
PutStatus statusOf(const Error& error) noexcept {
  switch (error.code()) {
    case ErrorCode::kMessageIllegal:
      return PutStatus::MESSAGE_ILLEGAL;
    case ErrorCode::kQueueFull:
      return PutStatus::SERVICE_NOT_AVAILABLE;
    default:
      return PutStatus::CREATE_MAPPED_FILE_FAILED;
  }
}
}  // namespace

MessageStore::MessageStore(std::shared_ptr<FileSystem> files, MessageStoreOptions options)
    : files_(std::move(files)), options_(options), log_(*files_, options.log) {}

base::Ref<ConsumeQueue> MessageStore::findQueue(std::string_view topic, std::int32_t queue_id) const {
  base::MutexLock lock(mutex_);
  const auto of_topic = queues_.find(topic);
  if (of_topic == queues_.end()) return {};
  const auto queue = of_topic->second.find(queue_id);
  return queue == of_topic->second.end() ? base::Ref<ConsumeQueue>() : queue->second;
}

base::Ref<ConsumeQueue> MessageStore::queueOf(std::string_view topic, std::int32_t queue_id) {
  base::MutexLock lock(mutex_);
  auto of_topic = queues_.find(topic);
  if (of_topic == queues_.end()) of_topic = queues_.emplace(topic, Queues{}).first;
  auto& queue = of_topic->second[queue_id];
  if (!queue) queue = base::makeRef<ConsumeQueue>(*files_, std::string(topic), queue_id, options_.units_per_file);
  return queue;
}

std::vector<base::Ref<ConsumeQueue>> MessageStore::queuesOf(std::string_view topic) const {
  base::MutexLock lock(mutex_);
  std::vector<base::Ref<ConsumeQueue>> found;
  if (const auto of_topic = queues_.find(topic); of_topic != queues_.end()) {
    for (const auto& [id, queue] : of_topic->second) found.push_back(queue);
  }
  return found;
}

PutResult MessageStore::put(ConsumeQueue& queue, const Image& image, std::span<const Part> parts,
                            std::int64_t wall_ms) {
  assert(parts.size() == 1 || (image.body.empty() && image.tail.empty()));
  // The units' files first: a record without its unit would be found by recovery alone.
  if (const Result<void> reserved = queue.reserve(parts.size()); !reserved) return {statusOf(reserved.error())};
  const Result<CommitLog::Place> place = log_.place(image.size());
  if (!place) return {statusOf(place.error())};
  last_store_ms_ = std::max(last_store_ms_, wall_ms);
  const PutResult result{PutStatus::PUT_OK, place->offset, queue.nextOffset(), last_store_ms_};
  units_.clear();
  std::size_t at = 0;
  std::int64_t physical = result.physicalOffset;
  std::int64_t offset = result.queueOffset;
  for (const Part& part : parts) {
    std::byte* const record = image.head.data() + at;
    protocol::setQueueOffset(record, offset++);
    protocol::setPhysicalOffset(record, physical);
    protocol::setStoreTimestamp(record, result.storeTimestamp);
    units_.push_back({physical, part.size, part.tagsCode});
    at += static_cast<std::size_t>(part.size);
    physical += part.size;
  }
  std::byte* to = place->at;
  for (const std::span<const std::byte> part : {std::span<const std::byte>(image.head), image.body, image.tail}) {
    if (part.empty()) continue;
    std::memcpy(to, part.data(), part.size());
    to += part.size();
  }
  log_.publish();
  log_.expect(image.size());
  const Result<void> indexed = options_.visible == Visible::kAtOnce ? queue.put(units_) : queue.write(units_);
  if (!indexed) return {statusOf(indexed.error())};
  return result;
}

bool MessageStore::trimSome() {
  if (to_trim_.empty()) {
    if (trimmed_at_ == log_.segmentsDropped()) return false;
    trimmed_at_ = log_.segmentsDropped();
    base::MutexLock lock(mutex_);
    for (const auto& [topic, queues] : queues_) {
      for (const auto& [id, queue] : queues) to_trim_.push_back(queue);
    }
  }
  for (std::size_t n = 0; n < kTrimStep && !to_trim_.empty(); ++n) {
    to_trim_.back()->trim(log_.minOffset());
    to_trim_.pop_back();
  }
  return !to_trim_.empty() || trimmed_at_ != log_.segmentsDropped();
}

GetMessageResult MessageStore::getMessage(const ConsumeQueue* queue, std::int64_t offset, std::int32_t count_max,
                                          std::int64_t bytes_max, const TagFilter* filter) const {
  GetMessageResult result;
  if (!queue) return result;
  ConsumeQueue::Reader units(*queue);
  result.minOffset = minOffset(*queue);
  result.maxOffset = units.end();
  const auto ends = [&](GetMessageStatus status, std::int64_t next) {
    result.status = status;
    result.nextBeginOffset = next;
    return std::move(result);
  };
  if (result.maxOffset == 0) return ends(GetMessageStatus::NO_MESSAGE_IN_QUEUE, 0);
  if (offset < result.minOffset) return ends(GetMessageStatus::OFFSET_TOO_SMALL, result.minOffset);
  if (offset == result.maxOffset) return ends(GetMessageStatus::OFFSET_OVERFLOW_ONE, offset);
  if (offset > result.maxOffset) return ends(GetMessageStatus::OFFSET_OVERFLOW_BADLY, result.maxOffset);

  const std::int32_t count_limit = std::min(count_max, options_.transfer_count_max);
  const std::int64_t bytes_limit = std::min(bytes_max, options_.transfer_bytes_max);
  const std::int64_t window =
      std::max(kFilterBytesMax, std::int64_t{count_max} * static_cast<std::int64_t>(ConsumeQueue::kUnitBytes)) /
      static_cast<std::int64_t>(ConsumeQueue::kUnitBytes);

  CommitLog::Reader log(log_);
  bool removing = false;
  std::int64_t bytes = 0;
  // The run of neighbouring records that is not yet a slice.
  std::shared_ptr<MappedFile> run_of;
  const std::byte* run = nullptr;
  std::size_t run_bytes = 0;
  const auto endRun = [&] {
    if (run_bytes != 0) result.records.append(base::Slice(std::move(run_of), run, run_bytes));
    run_bytes = 0;
  };

  std::int64_t next = offset;
  for (; next < result.maxOffset && next - offset < window; ++next) {
    const std::optional<Unit> unit = units.at(next);
    if (!unit) {  // its file went between the check above and now
      if (result.messages == 0) {
        result.minOffset = minOffset(*queue);
        return ends(GetMessageStatus::OFFSET_FOUND_NULL, std::max(next + 1, result.minOffset));
      }
      break;
    }
    if (result.messages > 0 && (result.messages >= count_limit || bytes + unit->size > bytes_limit)) break;
    if (filter && !filter->matches(unit->tagsCode)) continue;
    const auto size = static_cast<std::size_t>(unit->size);
    const std::byte* record = log.at(unit->physicalOffset, size);
    if (!record) {
      removing = true;
      continue;
    }
    if (run_bytes != 0 && record == run + run_bytes && run_of == log.pinned()) {
      run_bytes += size;
    } else {
      endRun();
      run_of = log.pinned();
      run = record;
      run_bytes = size;
    }
    ++result.messages;
    bytes += unit->size;
  }
  endRun();
  if (result.messages > 0) return ends(GetMessageStatus::FOUND, next);
  return ends(removing ? GetMessageStatus::MESSAGE_WAS_REMOVING : GetMessageStatus::NO_MATCHED_MESSAGE, next);
}

bool MessageStore::hasMatch(const ConsumeQueue& queue, std::int64_t& offset, const TagFilter* filter) const {
  ConsumeQueue::Reader units(queue);
  const std::int64_t min = minOffset(queue);
  // Below the beginning, beyond the end: the pull must be answered, whatever its tags.
  if (offset < min || offset > units.end()) return true;
  const std::int64_t window_end = offset + kFilterBytesMax / static_cast<std::int64_t>(ConsumeQueue::kUnitBytes);
  for (; offset < units.end(); ++offset) {
    const std::optional<Unit> unit = units.at(offset);
    if (offset == window_end || !unit || !filter || filter->matches(unit->tagsCode)) return true;
  }
  return false;
}

std::int64_t MessageStore::storeTimeAt(ConsumeQueue::Reader& units, CommitLog::Reader& log, std::int64_t offset) const {
  constexpr std::int64_t kGone = -1;  // removed meanwhile, so older than anything asked for
  const std::optional<Unit> unit = units.at(offset);
  if (!unit) return kGone;
  const std::byte* record = log.at(unit->physicalOffset, static_cast<std::size_t>(unit->size));
  return record ? protocol::getStoreTimestamp(record) : kGone;
}

std::int64_t MessageStore::offsetByTime(const ConsumeQueue& queue, std::int64_t ms, Boundary boundary) const {
  ConsumeQueue::Reader units(queue);
  CommitLog::Reader log(log_);
  const std::int64_t min = minOffset(queue);
  const std::int64_t max = units.end();
  std::int64_t low = min;
  std::int64_t high = max;
  while (low < high) {  // the first one that is at or after `ms` (kLower), or after it (kUpper)
    const std::int64_t middle = low + (high - low) / 2;
    const std::int64_t stored = storeTimeAt(units, log, middle);
    if (boundary == Boundary::kLower ? stored >= ms : stored > ms) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (boundary == Boundary::kUpper) --low;
  return std::clamp(low, min, std::max(min, max));
}

std::int64_t MessageStore::earliestStoreTime(const ConsumeQueue& queue) const {
  ConsumeQueue::Reader units(queue);
  CommitLog::Reader log(log_);
  return storeTimeAt(units, log, minOffset(queue));
}

base::Slice MessageStore::record(const ConsumeQueue& queue, std::int64_t offset) const {
  ConsumeQueue::Reader units(queue);
  const std::optional<Unit> unit = units.at(offset);
  if (!unit) return {};
  CommitLog::Reader log(log_);
  const auto size = static_cast<std::size_t>(unit->size);
  const std::byte* at = log.at(unit->physicalOffset, size);
  return at ? base::Slice(log.pinned(), at, size) : base::Slice();
}

}  // namespace mqclient::store
