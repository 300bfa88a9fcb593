#include "base/sleep_row.h"

#include <bit>
#include <new>
#include <utility>

#include "base/mutex.h"
#include "base/parker.h"

namespace mqclient::base {

namespace {

/// Never destroyed: threads may end after everything static.
class Registry {
 public:
  SleepPlace take() noexcept {
    MutexLock lock(mutex_);
    SleepRow* row = rows_;
    while (row && row->taken == UINT32_MAX) row = row->next;
    if (!row) {
      row = new (std::nothrow) SleepRow;
      if (!row) return shared();
      row->next = rows_;
      rows_ = row;
    }
    const std::uint32_t bit = 1u << std::countr_one(row->taken);
    row->taken |= bit;
    return {row, bit};
  }
  void giveBack(const SleepPlace& place) noexcept {
    MutexLock lock(mutex_);
    place.row->taken &= ~place.bit;
  }
  /// For a thread that can have none of its own, without memory or at its very end: it is woken with all such threads.
  SleepPlace shared() noexcept { return {&shared_, 1}; }

 private:
  Mutex mutex_;
  SleepRow* rows_ MQ_GUARDED_BY(mutex_) = nullptr;
  SleepRow shared_;
};

Registry& registry() noexcept {
  static Registry& all = *new Registry;
  return all;
}

// Apart from what ends with the thread: something may wait later still.
constinit thread_local SleepPlace t_place{};

struct ThreadEnd {
  ThreadEnd() noexcept { t_place = registry().take(); }
  ~ThreadEnd() { registry().giveBack(std::exchange(t_place, registry().shared())); }
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
