#pragma once

#include <cstddef>
#include <new>
#include <string>

namespace mqclient::base {

/// Memory for what every message makes and drops: operations, tasks, frames. As a rule one thread makes them and
/// another drops them, and then the general allocator takes its slow way, under a lock, on both.
///
/// Shape    a stock of free blocks per thread and size class. A thread with too many gives half of them to a common
///          stock at once, a thread without takes as many from there: one lock for kBatchesAtOnce batches. A thread
///          that has slept takes one batch first: where many wait for each message of theirs, whole stocks would lie in
///          no cache any more (docs/decisions/0016-threads-that-wait.md). What the common stock does not take goes back
///          to the general allocator, as do larger blocks.
/// Bounds   at most kThreadBlocks a thread and class, and kCommonBytes in the common stock of all classes.
/// Why      what goes back to the general allocator goes to the arena of the thread that asked for it, where others
///          cannot use it: with a common stock of 4 MiB, thousands of sends that fail and are tried again by another
///          thread took half as much again (docs/decisions/0013).
/// Threads  any, also while they end. With MQCLIENT_BLOCK_POOL off everything goes to the general allocator, so that
///          tools which watch it see every block.
struct BlockPool {
  static constexpr std::size_t kClassBytes = 64;
  static constexpr std::size_t kLargest = 2'048;
  static constexpr std::size_t kClasses = kLargest / kClassBytes;
  static constexpr std::size_t kBatch = 8;
  static constexpr std::size_t kBatchesAtOnce = 4;
  static constexpr std::size_t kThreadBlocks = 2 * kBatchesAtOnce * kBatch;
  static constexpr std::size_t kCommonBytes = std::size_t{32} << 20;

  /// As operator new.
  static void* allocate(std::size_t bytes);
  /// `bytes` as asked for.
  static void free(void* block, std::size_t bytes) noexcept;
  static bool isOn() noexcept;
  /// The calling thread waited for something, and may do little before it waits again.
  static void threadSlept() noexcept;
};

/// Base of classes whose objects lie in the pool.
struct Pooled {
  static void* operator new(std::size_t bytes) { return BlockPool::allocate(bytes); }
  static void operator delete(void* p, std::size_t bytes) noexcept { BlockPool::free(p, bytes); }

 protected:
  ~Pooled() = default;
};

template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() noexcept = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) noexcept {}
  T* allocate(std::size_t n) {
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    return static_cast<T*>(BlockPool::allocate(n * sizeof(T)));
  }
  void deallocate(T* p, std::size_t n) noexcept { BlockPool::free(p, n * sizeof(T)); }
  template <class U>
  bool operator==(const PoolAllocator<U>&) const noexcept {
    return true;
  }
};

/// Characters that another thread drops than the one that makes them.
using PooledString = std::basic_string<char, std::char_traits<char>, PoolAllocator<char>>;

}  // namespace mqclient::base
