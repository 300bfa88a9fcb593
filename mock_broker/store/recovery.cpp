// What a store finds when it begins on files of before: DefaultMessageStore.load and CommitLog.recoverAbnormally,
// always the long way. The log is the truth: everything else is built from it again.
#include "mock_broker/store/recovery.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/buffer.h"
#include "mock_broker/store/message_store.h"
#include "protocol/hash.h"
#include "protocol/message_record.h"
#include "protocol/names.h"
#include "protocol/properties.h"

namespace mqclient::store {
namespace {

constexpr std::size_t kPageBytes = 4096;

/// The record at `position` of the log, if what stands there is one: whole, in its place, with the right checksum.
std::optional<protocol::RecordFields> recordAt(std::span<const std::byte> rest, std::int64_t position) {
  if (rest.size() < protocol::kRecordOverhead) return std::nullopt;
  const std::uint32_t size = base::getBe32(rest.data() + protocol::record_offset::kTotalSize);
  if (size < protocol::kRecordOverhead || size > rest.size()) return std::nullopt;
  auto record = protocol::decodeRecord(rest.first(size));
  if (!record || record->physicalOffset != position || !protocol::bodyCrcMatches(*record)) return std::nullopt;
  return *record;
}

bool isBlank(std::span<const std::byte> rest) {
  return rest.size() >= CommitLog::kSpareBytes && base::getBe32(rest.data()) == rest.size() &&
         base::getBe32(rest.data() + sizeof(std::uint32_t)) == protocol::kBlankMagic;
}

}  // namespace

Result<void> clearFrom(MappedFile& file, std::size_t from) {
  bool cleared = false;
  for (std::size_t at = from; at < file.size();) {
    const std::size_t bytes = std::min(kPageBytes - at % kPageBytes, file.size() - at);
    std::byte* const begin = file.data() + at;
    if (std::any_of(begin, begin + bytes, [](std::byte b) { return b != std::byte{0}; })) {
      std::memset(begin, 0, bytes);
      cleared = true;
    }
    at += bytes;
  }
  return cleared ? file.flush(from, file.size()) : Result<void>();
}

Result<std::vector<std::int64_t>> startOffsetsIn(FileSystem& files, const std::string& directory) {
  auto names = files.list(directory);
  if (!names) return std::move(names).error();
  std::vector<std::int64_t> starts;
  for (const std::string& name : *names) {
    if (const auto start = startOffsetOf(name)) starts.push_back(*start);
  }
  return starts;
}

Result<RecoveryReport> MessageStore::recover() {
  auto starts = startOffsetsIn(*files_, CommitLog::kDirectory);
  if (!starts) return std::move(starts).error();
  RecoveryReport report;
  const std::int64_t segment_bytes = log_.segmentBytes();
  const std::int64_t min = starts->empty() ? 0 : starts->front();
  if (auto loaded = loadQueues(min); !loaded) return loaded.error();

  std::deque<std::shared_ptr<MappedFile>> segments;
  std::int64_t end = min;
  bool whole = true;     // the log goes on behind what was read
  bool removed = false;  // segments behind the end
  for (const std::int64_t start : *starts) {
    if (!whole || start != min + static_cast<std::int64_t>(segments.size()) * segment_bytes) {
      // Behind the first damage, or a gap: nobody could tell what is missing before it.
      whole = false;
      if (auto gone = files_->remove(CommitLog::pathOf(start)); !gone) return gone.error();
      removed = true;
      continue;
    }
    auto segment = files_->map(CommitLog::pathOf(start), static_cast<std::size_t>(segment_bytes), Fill::kAnything);
    if (!segment) return std::move(segment).error();
    segments.push_back(*segment);
    auto read = readSegment(**segment, start, report);
    if (!read) return std::move(read).error();
    end = start + static_cast<std::int64_t>(*read);
    whole = end == start + segment_bytes;
    if (whole) continue;
    if (auto cleared = clearFrom(**segment, *read); !cleared) return cleared.error();
  }
  // Else a later crash could bring them back behind a log that has grown up to them.
  if (removed) {
    if (auto synced = files_->syncDir(CommitLog::kDirectory); !synced) return synced.error();
  }
  if (!segments.empty() && end == min + static_cast<std::int64_t>(segments.size()) * segment_bytes) {
    // The last segment is full to its blank: the next record begins a segment that is not there, or behind a gap not
    // any more.
    auto next = files_->map(CommitLog::pathOf(end), static_cast<std::size_t>(segment_bytes), Fill::kAnything);
    if (!next) return std::move(next).error();
    base::putBe64((*next)->data(), 0);  // ends the log, as place() does
    segments.push_back(*std::move(next));
  }
  log_.restore(std::move(segments), min, end);
  report.end = end;
  if (auto cut = endQueues(); !cut) return cut.error();
  return report;
}

Result<std::size_t> MessageStore::readSegment(const MappedFile& segment, std::int64_t start, RecoveryReport& report) {
  const std::span<const std::byte> bytes(segment.data(), segment.size());
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::span<const std::byte> rest = bytes.subspan(at);
    if (isBlank(rest)) return bytes.size();
    const auto record = recordAt(rest, start + static_cast<std::int64_t>(at));
    if (!record) break;
    const auto size = static_cast<std::int32_t>(base::getBe32(rest.data()));
    const std::string_view tags =
        protocol::PropertiesView(record->properties).find(protocol::kPropertyTags).value_or("");
    const Unit unit{record->physicalOffset, size, protocol::tagsCode(tags)};
    auto restored = queueOf(record->topic, record->queueId)->restore(record->queueOffset, unit);
    if (!restored) return restored.error();
    last_store_ms_ = std::max(last_store_ms_, record->storeTimestamp);
    ++report.records;
    at += static_cast<std::size_t>(size);
  }
  return at;
}

Result<void> MessageStore::loadQueues(std::int64_t log_min) {
  auto topics = files_->list(ConsumeQueue::kDirectory);
  if (!topics) return std::move(topics).error();
  for (const std::string& topic : *topics) {
    auto ids = files_->list(std::string(ConsumeQueue::kDirectory) + '/' + topic);
    if (!ids) return std::move(ids).error();
    for (const std::string& id : *ids) {
      std::int32_t number = 0;
      const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
      if (error != std::errc() || end != id.data() + id.size() || number < 0) continue;
      if (auto loaded = queueOf(topic, number)->load(log_min); !loaded) return loaded;
    }
  }
  return {};
}

Result<void> MessageStore::endQueues() {
  base::MutexLock lock(mutex_);
  for (const auto& [topic, queues] : queues_) {
    for (const auto& [id, queue] : queues) {
      if (auto cut = queue->cutBehindEnd(); !cut) return cut;
    }
  }
  return {};
}

Result<std::int64_t> MessageStore::flush() {
  auto flushed = log_.flush();
  if (!flushed) return flushed;
  std::vector<base::Ref<ConsumeQueue>> all;
  {
    base::MutexLock lock(mutex_);
    for (const auto& [topic, queues] : queues_) {
      for (const auto& [id, queue] : queues) all.push_back(queue);
    }
  }
  for (const auto& queue : all) {
    if (auto done = queue->flush(); !done) return done.error();
  }
  return flushed;
}

}  // namespace mqclient::store
