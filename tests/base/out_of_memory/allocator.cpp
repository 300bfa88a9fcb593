// The program's operator new: malloc, unless a test has taken it away. Array, nothrow and sized forms come here too.
#include "tests/base/out_of_memory/allocator.h"

#include <atomic>
#include <cassert>
#include <cstdlib>
#include <new>

namespace {

constinit std::atomic<bool> g_out_of_memory{false};
constinit std::atomic<std::int64_t> g_refused{0};

}  // namespace

void* operator new(std::size_t bytes) {
  if (g_out_of_memory.load(std::memory_order_relaxed)) {
    g_refused.fetch_add(1, std::memory_order_relaxed);
    throw std::bad_alloc();
  }
  if (void* memory = std::malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace mqclient::base::testing {

OutOfMemory::OutOfMemory() noexcept {
  assert(!g_out_of_memory.load());
  g_refused.store(0);
  g_out_of_memory.store(true);
}
OutOfMemory::~OutOfMemory() {
  g_out_of_memory.store(false);
}
std::int64_t OutOfMemory::refused() const noexcept {
  return g_refused.load();
}

}  // namespace mqclient::base::testing
