#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "base/strand.h"
#include "mock_broker/broker/core.h"

namespace mqclient::broker {

/// One send between decoding and answer: appended in *log*, then answered outside. The encoded records lie right behind
/// the object: one allocation for both.
struct SendTask final : base::Task {
  static SendTask* make(std::size_t image_bytes) {
    void* block = ::operator new(sizeof(SendTask) + image_bytes);
    return ::new (block) SendTask(image_bytes);
  }
  void destroy() noexcept {
    this->~SendTask();
    ::operator delete(static_cast<void*>(this));
  }
  std::byte* image() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  std::span<const store::MessageStore::Part> parts() const noexcept {
    return batch.empty() ? std::span<const store::MessageStore::Part>(&single, 1) : batch;
  }
  std::string_view uniqKey() noexcept { return {reinterpret_cast<const char*>(image()) + uniq_at, uniq_size}; }

  base::Next run() noexcept override;

  BrokerCore* core = nullptr;  // alive holds it
  remoting::Responder responder;
  base::Ref<store::ConsumeQueue> queue;
  store::MessageStore::Part single{};
  std::vector<store::MessageStore::Part> batch;  // empty: one message
  store::PutResult result;
  const std::size_t image_bytes;
  std::size_t uniq_at = 0;  // where UNIQ_KEY's value stands in the image
  std::size_t uniq_size = 0;
  bool appended = false;

 private:
  explicit SendTask(std::size_t bytes) noexcept : image_bytes(bytes) {}
  ~SendTask() = default;
};

}  // namespace mqclient::broker
