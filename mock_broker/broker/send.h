#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "base/block_pool.h"
#include "base/strand.h"
#include "mock_broker/broker/core.h"

namespace mqclient::broker {

/// One send between decoding and answer: appended in *log*, then answered outside while others wait for the log, else
/// right there. What was encoded lies right behind the object: one allocation for both. A single message's body stays
/// in the request's frame until it is copied to the log.
struct SendTask final : base::Task {
  static SendTask* make(std::size_t head_bytes, std::size_t tail_bytes) {
    void* block = base::BlockPool::allocate(sizeof(SendTask) + head_bytes + tail_bytes);
    return ::new (block) SendTask(head_bytes, tail_bytes);
  }
  void destroy() noexcept {
    const std::size_t bytes = sizeof(SendTask) + head_bytes + tail_bytes;
    this->~SendTask();
    base::BlockPool::free(this, bytes);
  }
  std::byte* head() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  std::byte* tail() noexcept { return head() + head_bytes; }
  store::MessageStore::Image image() noexcept {
    return {.head = {head(), head_bytes}, .body = body.bytes(), .tail = {tail(), tail_bytes}};
  }
  std::span<const store::MessageStore::Part> parts() const noexcept {
    return batch.empty() ? std::span<const store::MessageStore::Part>(&single, 1) : batch;
  }
  std::string_view uniqKey() noexcept { return {reinterpret_cast<const char*>(tail()) + uniq_at, uniq_size}; }

  base::Next run() noexcept override;

  BrokerCore* core = nullptr;  // alive holds it
  remoting::Responder responder;
  store::ConsumeQueue* queue = nullptr;  // the store's
  store::MessageStore::Part single{};
  std::vector<store::MessageStore::Part> batch;  // empty: one message
  store::PutResult result;
  base::Slice body;  // empty: in the head
  const std::size_t head_bytes;
  const std::size_t tail_bytes;
  std::size_t uniq_at = 0;  // where UNIQ_KEY's value stands in the tail
  std::size_t uniq_size = 0;
  bool appended = false;

 private:
  SendTask(std::size_t head_size, std::size_t tail_size) noexcept : head_bytes(head_size), tail_bytes(tail_size) {}
  ~SendTask() = default;
};

}  // namespace mqclient::broker
