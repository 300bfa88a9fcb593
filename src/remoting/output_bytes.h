#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "remoting/tcp.h"
#include "remoting/transport.h"

namespace mqclient::remoting {

/// The bytes in one connection's output, and its part of what waits in the whole runtime (N5).
///
/// Shape    the first kUncounted bytes of a connection are not counted for the runtime: counting costs a line that all
///          connections share.
/// Threads  any. The two counts change one after the other, so the runtime's may for a moment lack what was added
///          earlier than what was taken away: it is signed, and below zero there is room.
class OutputBytes {
 public:
  static constexpr std::size_t kUncounted = 256u << 10;

  explicit OutputBytes(std::atomic<std::int64_t>& runtime) noexcept : runtime_(runtime) {}

  bool hasRoom(std::size_t bytes) const noexcept {
    const std::size_t now = used();
    if (now > kOutputBytesMax || bytes > kOutputBytesMax - now) return false;
    return runtime_.load(std::memory_order_relaxed) <= static_cast<std::int64_t>(kRuntimeOutputMax);
  }
  std::size_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  bool overBound() const noexcept { return used_.load() > kOutputBytesMax; }
  /// Answers what there is now.
  std::size_t add(std::size_t bytes) noexcept {
    const std::size_t before = used_.fetch_add(bytes);
    count(counted(before + bytes) - counted(before));
    return before + bytes;
  }
  /// What was added before. Answers what is left.
  std::size_t remove(std::size_t bytes) noexcept {
    const std::size_t before = used_.fetch_sub(bytes);
    count(counted(before - bytes) - counted(before));
    return before - bytes;
  }

 private:
  static std::int64_t counted(std::size_t bytes) noexcept {
    return bytes > kUncounted ? static_cast<std::int64_t>(bytes - kUncounted) : 0;
  }
  void count(std::int64_t change) noexcept {
    if (change != 0) runtime_.fetch_add(change, std::memory_order_relaxed);
  }

  std::atomic<std::size_t> used_{0};
  std::atomic<std::int64_t>& runtime_;
};

}  // namespace mqclient::remoting
