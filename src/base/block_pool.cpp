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

/// `count` batches, linked by their first blocks.
struct Batches {
  Free* first = nullptr;
  Free* last = nullptr;
  std::size_t count = 0;
};

void giveBackBatches(Free* batch) noexcept {
  while (batch) giveBack(std::exchange(batch, batch->next_batch));
}

/// Batches that threads had too many of. Never destroyed: threads may end after everything static.
class Common {
 public:
  /// At most `count`, those that were given last first; none if none are there.
  Batches take(std::size_t index, std::size_t count) noexcept {
    MutexLock lock(mutex_);
    Batches taken;
    if (!batches_[index]) return taken;
    taken = {.first = batches_[index], .last = batches_[index], .count = 1};
    while (taken.count < count && taken.last->next_batch) {
      taken.last = taken.last->next_batch;
      ++taken.count;
    }
    batches_[index] = std::exchange(taken.last->next_batch, nullptr);
    bytes_ -= taken.count * BlockPool::kBatch * bytesOf(index);
    return taken;
  }
  void give(std::size_t index, const Batches& batches) noexcept {
    {
      MutexLock lock(mutex_);
      const std::size_t bytes = batches.count * BlockPool::kBatch * bytesOf(index);
      if (bytes_ + bytes <= BlockPool::kCommonBytes) {
        bytes_ += bytes;
        batches.last->next_batch = batches_[index];
        batches_[index] = batches.first;
        return;
      }
    }
    giveBackBatches(batches.first);
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
  Free* first = nullptr;  // blocks
  Free* more = nullptr;   // whole batches, fewer than kBatchesAtOnce
  std::size_t count = 0;  // blocks of both
};
enum class Phase : std::uint8_t { kUnused, kInUse, kEnded };

// Apart from what ends with the thread: blocks are dropped later still.
constinit thread_local std::array<Stock, BlockPool::kClasses> t_stocks{};
constinit thread_local Phase t_phase = Phase::kUnused;
constinit thread_local std::size_t t_batches = 1;  // to take from the common stock next time

struct ThreadEnd {
  ThreadEnd() noexcept { t_phase = Phase::kInUse; }
  ~ThreadEnd() {
    t_phase = Phase::kEnded;
    for (Stock& s : t_stocks) {
      const Stock left = std::exchange(s, Stock{});
      giveBack(left.first);
      giveBackBatches(left.more);
    }
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
  if (!stock.more && (t_phase == Phase::kInUse || begin())) {
    const Batches taken = common().take(index, t_batches);
    t_batches = BlockPool::kBatchesAtOnce;
    stock.more = taken.first;
    stock.count = taken.count * BlockPool::kBatch;
  }
  if (!stock.more) return ::operator new(bytesOf(index));
  Free* const block = std::exchange(stock.more, stock.more->next_batch);
  stock.first = block->next;
  --stock.count;
  return block;
}

[[gnu::noinline]] void freeSlowly(Free* block, std::size_t index) noexcept {
  Stock& stock = t_stocks[index];
  if (t_phase != Phase::kInUse && !begin()) return ::operator delete(static_cast<void*>(block));
  block->next = stock.first;
  stock.first = block;
  if (++stock.count <= BlockPool::kThreadBlocks) return;
  // The last ones dropped, for others. So many are there beside whole batches.
  static_assert(BlockPool::kThreadBlocks >= (2 * BlockPool::kBatchesAtOnce - 1) * BlockPool::kBatch);
  Batches given;
  for (; given.count < BlockPool::kBatchesAtOnce; ++given.count) {
    Free* const batch = stock.first;
    Free* last = batch;
    for (std::size_t n = 1; n < BlockPool::kBatch; ++n) last = last->next;
    stock.first = std::exchange(last->next, nullptr);
    batch->next_batch = nullptr;
    (given.last ? given.last->next_batch : given.first) = batch;
    given.last = batch;
  }
  stock.count -= given.count * BlockPool::kBatch;
  common().give(index, given);
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

bool BlockPool::isOn() noexcept {
  return true;
}

void BlockPool::threadSlept() noexcept {
  t_batches = 1;
}

#else

void* BlockPool::allocate(std::size_t bytes) {
  return ::operator new(bytes);
}

void BlockPool::free(void* p, std::size_t bytes) noexcept {
  ::operator delete(p, bytes);
}

bool BlockPool::isOn() noexcept {
  return false;
}

void BlockPool::threadSlept() noexcept {}

#endif

}  // namespace mqclient::base
