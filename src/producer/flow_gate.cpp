#include "producer/flow_gate.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mqclient::producer {

bool FlowGate::hasRoom(std::size_t messages, std::size_t bytes) const {
  if (messages_ == 0) return true;
  return messages_ + messages <= bounds_.messages_max && bytes_ + bytes <= bounds_.bytes_max;
}

bool FlowGate::wellBelow() const {
  return messages_ + std::max<std::size_t>(1, bounds_.messages_max / kWakeShare) <= bounds_.messages_max &&
         bytes_ <= bounds_.bytes_max - bounds_.bytes_max / kWakeShare;
}

FlowGate::Entry FlowGate::enter(std::size_t messages, std::size_t bytes, Place& place) {
  base::MutexLock lock(mutex_);
  if (closed_) return Entry::kClosed;
  if (!hasRoom(messages, bytes)) return Entry::kFull;
  messages_ += messages;
  bytes_ += bytes;
  ++epochs_.back().sends;
  place = Place{messages, bytes, first_epoch_ + epochs_.size() - 1};
  return Entry::kAccepted;
}

void FlowGate::leave(const Place& place) {
  std::vector<base::Ref<base::WaitSlot>> waiting;
  std::vector<base::Completion<void>> done;
  {
    base::MutexLock lock(mutex_);
    messages_ -= place.messages;
    bytes_ -= place.bytes;
    --epochs_[static_cast<std::size_t>(place.epoch - first_epoch_)].sends;
    while (epochs_.size() > 1 && epochs_.front().sends == 0) {
      std::move(epochs_.front().flushed.begin(), epochs_.front().flushed.end(), std::back_inserter(done));
      epochs_.pop_front();
      ++first_epoch_;
    }
    if (!waiting_.empty() && (messages_ == 0 || wellBelow())) waiting.swap(waiting_);
    if (!writable_.empty() && hasRoom(1, 0)) {
      std::move(writable_.begin(), writable_.end(), std::back_inserter(done));
      writable_.clear();
    }
  }
  for (const auto& slot : waiting) slot->settle();
  for (auto& d : done) std::move(d)(Result<void>());
}

void FlowGate::whenRoom(std::size_t messages, std::size_t bytes, base::Ref<base::WaitSlot> slot) {
  {
    base::MutexLock lock(mutex_);
    if (!closed_ && !hasRoom(messages, bytes)) return waiting_.push_back(std::move(slot));
  }
  slot->settle();
}

void FlowGate::flush(base::Completion<void> done) {
  {
    base::MutexLock lock(mutex_);
    if (epochs_.back().sends > 0) {
      epochs_.back().flushed.push_back(std::move(done));
      epochs_.emplace_back();
      return;
    }
    // Nothing was accepted since the flush before: this one ends with it.
    if (epochs_.size() > 1) return epochs_[epochs_.size() - 2].flushed.push_back(std::move(done));
  }
  std::move(done)(Result<void>());
}

void FlowGate::writable(base::Completion<void> done) {
  {
    base::MutexLock lock(mutex_);
    if (!closed_ && !hasRoom(1, 0)) return writable_.push_back(std::move(done));
  }
  std::move(done)(Result<void>());
}

std::size_t FlowGate::close() {
  std::vector<base::Ref<base::WaitSlot>> waiting;
  std::vector<base::Completion<void>> writable;
  std::size_t under_way = 0;
  {
    base::MutexLock lock(mutex_);
    closed_ = true;
    under_way = messages_;
    waiting.swap(waiting_);
    writable.swap(writable_);
  }
  for (const auto& slot : waiting) slot->settle();
  for (auto& done : writable) std::move(done)(Error(ErrorCode::kClosed, "the producer was closed"));
  return under_way;
}

std::size_t FlowGate::underWay() const {
  base::MutexLock lock(mutex_);
  return messages_;
}

}  // namespace mqclient::producer
