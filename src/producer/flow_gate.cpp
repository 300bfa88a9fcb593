#include "producer/flow_gate.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mqclient::producer {

bool FlowGate::hasRoom(const Load& now, std::size_t messages, std::size_t bytes) const noexcept {
  if (now.messages == 0) return true;
  return now.messages + messages <= bounds_.messages_max && now.bytes + bytes <= bounds_.bytes_max;
}

bool FlowGate::isWritable() const noexcept {
  return hasRoom(load_, refused_messages_.load(std::memory_order_relaxed),
                 refused_bytes_.load(std::memory_order_relaxed));
}

FlowGate::Entry FlowGate::refuse(std::size_t messages, std::size_t bytes) noexcept {
  refused_messages_.store(messages, std::memory_order_relaxed);
  refused_bytes_.store(bytes, std::memory_order_relaxed);
  return Entry::kFull;
}

bool FlowGate::wellBelow() const noexcept {
  return load_.messages + std::max<std::size_t>(1, bounds_.messages_max / kWakeShare) <= bounds_.messages_max &&
         load_.bytes <= bounds_.bytes_max - bounds_.bytes_max / kWakeShare;
}

void FlowGate::detail() {
  const std::uint64_t was = word_.exchange(kDetailed, std::memory_order_acq_rel);
  if ((was & kDetailed) != 0) return;
  load_ = loadOf(was);
  epochs_.front().messages = load_.messages;  // the only one
}

void FlowGate::summarize() {
  if (closed_ || epochs_.size() > 1 || !waiting_.empty() || !writable_.empty()) return;
  word_.store(wordOf(load_), std::memory_order_release);
}

FlowGate::Entry FlowGate::enter(std::size_t messages, std::size_t bytes, Place& place) {
  place = Place{messages, bytes, 0, false};
  const std::uint64_t more = wordOf({messages, bytes});
  std::uint64_t word = word_.load(std::memory_order_relaxed);
  while ((word & kDetailed) == 0) {
    if (!hasRoom(loadOf(word), messages, bytes)) return refuse(messages, bytes);
    place.first = word == 0;
    if (word_.compare_exchange_weak(word, word + more, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      return Entry::kAccepted;
    }
  }
  base::MutexLock lock(mutex_);
  if (closed_) return Entry::kClosed;
  detail();
  const bool room = hasRoom(load_, messages, bytes);
  if (room) {
    place.first = load_.messages == 0;
    load_.messages += messages;
    load_.bytes += bytes;
    epochs_.back().messages += messages;
    place.epoch = first_epoch_ + epochs_.size() - 1;
  }
  summarize();
  return room ? Entry::kAccepted : refuse(messages, bytes);
}

FlowGate::Left FlowGate::leave(const Place& place) {
  const auto left = [](std::size_t messages) { return messages == 0 ? Left::kNothing : Left::kOthers; };
  const std::uint64_t less = wordOf({place.messages, place.bytes});
  std::uint64_t word = word_.load(std::memory_order_relaxed);
  while ((word & kDetailed) == 0) {
    if (word_.compare_exchange_weak(word, word - less, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      return left(loadOf(word - less).messages);
    }
  }
  Told told;
  std::size_t messages = 0;
  {
    base::MutexLock lock(mutex_);
    detail();
    messages = load_.messages -= place.messages;
    load_.bytes -= place.bytes;
    // Who entered by the word belongs to the epoch that was the only one when the details began.
    epochs_[static_cast<std::size_t>(std::max(place.epoch, first_epoch_) - first_epoch_)].messages -= place.messages;
    while (epochs_.size() > 1 && epochs_.front().messages == 0) {
      std::move(epochs_.front().flushed.begin(), epochs_.front().flushed.end(), std::back_inserter(told.done));
      epochs_.pop_front();
      ++first_epoch_;
    }
    if (!waiting_.empty() && (load_.messages == 0 || wellBelow())) told.slots.swap(waiting_);
    if (!writable_.empty() && isWritable()) {
      std::move(writable_.begin(), writable_.end(), std::back_inserter(told.done));
      writable_.clear();
    }
    summarize();
  }
  for (const auto& slot : told.slots) slot->settle();
  for (auto& d : told.done) std::move(d)(Result<void>());
  return left(messages);
}

void FlowGate::whenRoom(std::size_t messages, std::size_t bytes, base::Ref<base::WaitSlot> slot) {
  {
    base::MutexLock lock(mutex_);
    detail();
    if (!closed_ && !hasRoom(load_, messages, bytes)) return waiting_.push_back(std::move(slot));
    summarize();
  }
  slot->settle();
}

void FlowGate::flush(base::Completion<void> done) {
  {
    base::MutexLock lock(mutex_);
    detail();
    if (epochs_.back().messages > 0) {
      epochs_.back().flushed.push_back(std::move(done));
      epochs_.emplace_back();
      return;
    }
    // Nothing was accepted since the flush before: this one ends with it.
    if (epochs_.size() > 1) return epochs_[epochs_.size() - 2].flushed.push_back(std::move(done));
    summarize();
  }
  std::move(done)(Result<void>());
}

void FlowGate::writable(base::Completion<void> done) {
  {
    base::MutexLock lock(mutex_);
    detail();
    if (!closed_ && !isWritable()) return writable_.push_back(std::move(done));
    summarize();
  }
  std::move(done)(Result<void>());
}

std::size_t FlowGate::close() {
  Told told;
  std::size_t under_way = 0;
  {
    base::MutexLock lock(mutex_);
    detail();
    closed_ = true;
    under_way = load_.messages;
    told.slots.swap(waiting_);
    told.done.swap(writable_);
  }
  for (const auto& slot : told.slots) slot->settle();
  for (auto& done : told.done) std::move(done)(Error(ErrorCode::kClosed, "the producer was closed"));
  return under_way;
}

std::size_t FlowGate::underWay() const {
  base::MutexLock lock(mutex_);
  const std::uint64_t word = word_.load(std::memory_order_acquire);
  return (word & kDetailed) != 0 ? load_.messages : loadOf(word).messages;
}

}  // namespace mqclient::producer
