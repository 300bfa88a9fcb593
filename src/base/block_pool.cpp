#include "base/block_pool.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/cache_line.h"
#include "base/mutex.h"

namespace mqclient::base {

#if MQCLIENT_BLOCK_POOL

namespace {

struct Free {
  Free* next;
  Free* next_batch;  // of a batch's first block, in the common stock
};
static_assert(sizeof(Free) <= BlockPool::kClassBytes);

constexpr std::size_t classOf(std::size_t bytes) noexcept {
  return bytes == 0 ? 0 : (bytes - 1) / BlockPool::kClassBytes;
}
constexpr std::size_t bytesOf(std::size_t index) noexcept {
  return (index + 1) * BlockPool::kClassBytes;
}

void giveBack(Free* list) noexcept {
  while (list) ::operator delete(static_cast<void*>(std::exchange(list, list->next)));
}

/// Batches that threads had too many of. Never destroyed: threads may end after everything static.
class Common {
 public:
  /// Null: none is there.
  Free* take(std::size_t index) noexcept {
    MutexLock lock(mutex_);
    Free* const batch = batches_[index];
    if (!batch) return nullptr;
    batches_[index] = batch->next_batch;
    bytes_ -= BlockPool::kBatch * bytesOf(index);
    return batch;
  }
  /// `batch` has kBatch blocks.
  void give(std::size_t index, Free* batch) noexcept {
    {
      MutexLock lock(mutex_);
      const std::size_t bytes = BlockPool::kBatch * bytesOf(index);
      if (bytes_ + bytes <= BlockPool::kCommonBytes) {
        bytes_ += bytes;
        batch->next_batch = batches_[index];
        batches_[index] = batch;
        return;
      }
    }
    giveBack(batch);
  }

 private:
  Mutex mutex_;
  std::size_t bytes_ MQ_GUARDED_BY(mutex_) = 0;
  std::array<Free*, BlockPool::kClasses> batches_ MQ_GUARDED_BY(mutex_){};
};

Common& common() noexcept {
  static Common& stock = *new Common;
  return stock;
}

struct Stock {
  Free* first = nullptr;
  std::size_t count = 0;
};
enum class Phase : std::uint8_t { kUnused, kInUse, kEnded };

// Apart from what ends with the thread: blocks are dropped later still.
constinit thread_local std::array<Stock, BlockPool::kClasses> t_stocks{};
constinit thread_local Phase t_phase = Phase::kUnused;

struct ThreadEnd {
  ThreadEnd() noexcept { t_phase = Phase::kInUse; }
  ~ThreadEnd() {
    t_phase = Phase::kEnded;
    for (Stock& s : t_stocks) giveBack(std::exchange(s, Stock{}).first);
  }
};

/// The next one to be given out: another thread's core may still have it.
inline void fetch(Free* block, std::size_t bytes) noexcept {
  constexpr std::size_t kFetched = 6 * kCacheLine;
  fetchForWriting(block, std::min(bytes, kFetched));
}

/// False: the thread keeps nothing, for it ends.
[[gnu::noinline]] bool begin() noexcept {
  if (t_phase == Phase::kEnded) return false;
  thread_local const ThreadEnd end;
  static_cast<void>(&end);
  return true;
}

[[gnu::noinline]] void* allocateSlowly(std::size_t index) {
  Stock& stock = t_stocks[index];
  if (t_phase == Phase::kInUse || begin()) {
    if (Free* const batch = common().take(index)) {
      stock.first = batch->next;
      stock.count = BlockPool::kBatch - 1;
      return batch;
    }
  }
  return ::operator new(bytesOf(index));
}

[[gnu::noinline]] void freeSlowly(Free* block, std::size_t index) noexcept {
  Stock& stock = t_stocks[index];
  if (t_phase != Phase::kInUse && !begin()) return ::operator delete(static_cast<void*>(block));
  if (stock.count < BlockPool::kThreadBlocks) {
    block->next = stock.first;
    stock.first = block;
    ++stock.count;
    return;
  }
  block->next = stock.first;  // the last ones dropped, for others
  Free* last = block;
  for (std::size_t n = 1; n < BlockPool::kBatch; ++n) last = last->next;
  stock.first = std::exchange(last->next, nullptr);
  stock.count -= BlockPool::kBatch - 1;
  common().give(index, block);
}

}  // namespace

void* BlockPool::allocate(std::size_t bytes) {
  if (bytes > kLargest) return ::operator new(bytes);
  const std::size_t index = classOf(bytes);
  Stock& stock = t_stocks[index];
  if (Free* const block = stock.first) {
    stock.first = block->next;
    --stock.count;
    fetch(stock.first, bytesOf(index));
    return block;
  }
  return allocateSlowly(index);
}

void BlockPool::free(void* p, std::size_t bytes) noexcept {
  if (bytes > kLargest) return ::operator delete(p);
  const std::size_t index = classOf(bytes);
  auto* const block = static_cast<Free*>(p);
  Stock& stock = t_stocks[index];
  if (t_phase == Phase::kInUse && stock.count < kThreadBlocks) {
    block->next = stock.first;
    stock.first = block;
    ++stock.count;
    return;
  }
  freeSlowly(block, index);
}

#else

void* BlockPool::allocate(std::size_t bytes) {
  return ::operator new(bytes);
}

void BlockPool::free(void* p, std::size_t bytes) noexcept {
  ::operator delete(p, bytes);
}

#endif

}  // namespace mqclient::base
