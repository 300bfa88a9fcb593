#include "producer/flow_gate.h"

#include <utility>

namespace mqclient::producer {

bool FlowGate::hasRoom(std::size_t messages, std::size_t bytes) const {
  if (messages_ == 0) return true;
  return messages_ + messages <= bounds_.messages_max && bytes_ + bytes <= bounds_.bytes_max;
}

FlowGate::Entry FlowGate::enter(std::size_t messages, std::size_t bytes, base::Ref<Generation>& generation) {
  base::MutexLock lock(mutex_);
  if (closed_) return Entry::kClosed;
  if (!hasRoom(messages, bytes)) return Entry::kFull;
  messages_ += messages;
  bytes_ += bytes;
  generation = generation_;
  return Entry::kAccepted;
}

void FlowGate::leave(std::size_t messages, std::size_t bytes, base::Ref<Generation> generation) {
  std::vector<base::Ref<base::WaitSlot>> waiting;
  std::vector<base::Completion<void>> writable;
  {
    base::MutexLock lock(mutex_);
    messages_ -= messages;
    bytes_ -= bytes;
    waiting.swap(waiting_);
    if (hasRoom(1, 0)) writable.swap(writable_);
  }
  for (const auto& slot : waiting) slot->settle();
  for (auto& done : writable) std::move(done)(Result<void>());
  generation.reset();  // the last one of a flushed generation completes its flush
}

void FlowGate::whenRoom(base::Ref<base::WaitSlot> slot) {
  {
    base::MutexLock lock(mutex_);
    if (!closed_ && messages_ > 0) return waiting_.push_back(std::move(slot));
  }
  slot->settle();
}

void FlowGate::flush(base::Completion<void> done) {
  base::Ref<Generation> ended;  // outside the lock: it may be empty and complete here
  {
    base::MutexLock lock(mutex_);
    generation_->flushed.push_back(std::move(done));
    auto next = base::makeRef<Generation>();
    generation_->next = next;
    ended = std::exchange(generation_, std::move(next));
  }
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
