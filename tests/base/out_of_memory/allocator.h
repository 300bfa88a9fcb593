#pragma once

#include <cstdint>

namespace mqclient::base::testing {

/// While one lives, no thread of this program gets memory from operator new: it throws std::bad_alloc, and is counted.
/// One at a time. Nothing of GoogleTest's may run meanwhile, a failed expectation writes text.
class OutOfMemory {
 public:
  OutOfMemory() noexcept;
  ~OutOfMemory();
  OutOfMemory(const OutOfMemory&) = delete;
  OutOfMemory& operator=(const OutOfMemory&) = delete;

  /// How often memory was asked for, by any thread.
  std::int64_t refused() const noexcept;
};

}  // namespace mqclient::base::testing
