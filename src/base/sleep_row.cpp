#include "base/sleep_row.h"

#include <bit>
#include <new>
#include <type_traits>
#include <utility>

#include "base/mutex.h"
#include "base/parker.h"

namespace mqclient::base {

namespace {

/// All rows but the spare one.
struct Registry {
  SleepPlace take() noexcept {
    MutexLock lock(mutex);
    SleepRow* row = rows;
    while (row && row->taken.load(std::memory_order_relaxed) == UINT32_MAX) row = row->next;
    if (!row) {
      row = new (std::nothrow) SleepRow;
      if (!row) return shared();
      row->next = rows;
      rows = row;
    }
    const std::uint32_t bit = 1u << std::countr_one(row->taken.load(std::memory_order_relaxed));
    row->taken.fetch_or(bit, std::memory_order_relaxed);
    return {row, bit};
  }
  /// Without the lock: a forked process may have it, and no thread that gives it up.
  static void giveBack(const SleepPlace& place) noexcept {
    place.row->taken.fetch_and(~place.bit, std::memory_order_relaxed);
  }
  /// For a thread that can have none of its own, without memory or at its very end: it is woken with all such threads.
  SleepPlace shared() noexcept { return {&spare, 1}; }

  Mutex mutex;
  SleepRow* rows MQ_GUARDED_BY(mutex) = nullptr;
  SleepRow spare;
};

// Never destroyed: threads may end after everything static.
constinit Registry g_registry;
static_assert(std::is_trivially_destructible_v<Registry>);

// Apart from what ends with the thread: something may wait later still.
constinit thread_local SleepPlace t_place{};

struct ThreadEnd {
  ThreadEnd() noexcept { t_place = g_registry.take(); }
  ~ThreadEnd() { Registry::giveBack(std::exchange(t_place, g_registry.shared())); }
};

}  // namespace

SleepPlace SleepPlace::ofThisThread() noexcept {
  if (!t_place.row) {
    thread_local const ThreadEnd end;
    static_cast<void>(&end);
  }
  return t_place;
}

bool SleepPlace::park(std::uint32_t seen, std::int64_t deadline) const noexcept {
  return sleepWhile(row->turn, seen, deadline, bit);
}

void SleepRow::wake(std::uint32_t bits) noexcept {
  turn.fetch_add(1, std::memory_order_release);
  wakeSleepers(turn, bits);
}

}  // namespace mqclient::base
