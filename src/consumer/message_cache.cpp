#include "consumer/message_cache.h"

#include <algorithm>
#include <limits>

namespace mqclient::consumer {

std::optional<MessageCache::Key> MessageCache::add(std::int64_t offset, std::size_t bytes) {
  if (offset <= newest_) return std::nullopt;
  const auto kept_bytes =
      static_cast<std::uint32_t>(std::min<std::size_t>(bytes, std::numeric_limits<std::uint32_t>::max()));
  entries_.push_back({offset, kept_bytes, false});
  newest_ = offset;
  ++count_;
  bytes_ += kept_bytes;
  return first_key_ + entries_.size() - 1;
}

bool MessageCache::finish(Key key) noexcept {
  if (key < first_key_ || key - first_key_ >= entries_.size()) return false;
  Entry& entry = entries_[key - first_key_];
  if (entry.finished) return false;
  entry.finished = true;
  --count_;
  bytes_ -= entry.bytes;
  while (!entries_.empty() && entries_.front().finished) {
    entries_.pop_front();
    ++first_key_;
  }
  return true;
}

}  // namespace mqclient::consumer
