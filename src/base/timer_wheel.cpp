#include "base/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "base/parker.h"

namespace mqclient::base {

void TimerWheel::link(Timer& timer) noexcept {
  Timer::Node& n = timer.node;
  const std::int64_t tick = std::max(n.tick, current_);
  const auto differs = static_cast<std::uint64_t>(tick ^ current_);
  const unsigned level = differs == 0 ? 0 : (static_cast<unsigned>(std::bit_width(differs)) - 1) / kBits;
  const unsigned index = static_cast<unsigned>(tick >> (level * kBits)) & (kSlots - 1);
  n.slot = level * kSlots + index;
  Timer*& head = slots_[n.slot];
  n.prev = nullptr;
  n.next = head;
  if (head) head->node.prev = &timer;
  head = &timer;
  n.linked = true;
  occupied_[level] |= std::uint64_t{1} << index;
  levels_ |= 1u << level;
}

void TimerWheel::unlink(Timer& timer) noexcept {
  Timer::Node& n = timer.node;
  if (n.next) n.next->node.prev = n.prev;
  if (n.prev) {
    n.prev->node.next = n.next;
  } else {
    slots_[n.slot] = n.next;
    if (!n.next) {
      const unsigned level = n.slot / kSlots;
      occupied_[level] &= ~(std::uint64_t{1} << (n.slot % kSlots));
      if (occupied_[level] == 0) levels_ &= ~(1u << level);
    }
  }
  n.linked = false;
}

std::int64_t TimerWheel::slotBegin(unsigned level, unsigned index) const noexcept {
  const std::int64_t above = (current_ >> ((level + 1) * kBits)) << ((level + 1) * kBits);
  return above | (static_cast<std::int64_t>(index) << (level * kBits));
}

bool TimerWheel::arm(Timer& timer, std::int64_t due) noexcept {
  // Up to the next tick: never early, late by less than one.
  const std::int64_t tick = due <= 0 ? 0 : (due - 1) / kTickNanos + 1;
  MutexLock lock(mutex_);
  timer.node.tick = tick;
  link(timer);
  // Compared in ticks: the last one's nanoseconds would not fit.
  if (planned_ == 0 || (planned_ != kNoDeadline && tick >= planned_ / kTickNanos)) return false;
  planned_ = tick >= kNoDeadline / kTickNanos ? kNoDeadline : std::max<std::int64_t>(1, tick * kTickNanos);
  return true;
}

bool TimerWheel::cancel(Timer& timer) noexcept {
  MutexLock lock(mutex_);
  if (!timer.node.linked) return false;
  unlink(timer);
  return true;
}

std::size_t TimerWheel::expire(std::int64_t now, std::span<Timer*> out) noexcept {
  const std::int64_t now_tick = now / kTickNanos;
  std::size_t n = 0;
  MutexLock lock(mutex_);
  while (n < out.size() && levels_ != 0) {
    const auto level = static_cast<unsigned>(std::countr_zero(levels_));
    const auto index = static_cast<unsigned>(std::countr_zero(occupied_[level]));
    const std::int64_t begin = slotBegin(level, index);
    if (begin > now_tick) break;
    current_ = std::max(current_, begin);
    if (level == 0) {
      while (n < out.size()) {
        Timer* t = slots_[index];
        if (!t) break;
        unlink(*t);
        out[n++] = t;
      }
      continue;
    }
    Timer* list = slots_[level * kSlots + index];
    slots_[level * kSlots + index] = nullptr;
    occupied_[level] &= ~(std::uint64_t{1} << index);
    if (occupied_[level] == 0) levels_ &= ~(1u << level);
    while (list) {
      Timer* t = list;
      list = t->node.next;
      link(*t);
    }
  }
  // Only past what is still linked: with out full, the rest of the tick waits for the next call.
  if (n < out.size()) current_ = std::max(current_, now_tick);
  return n;
}

std::int64_t TimerWheel::planWake() noexcept {
  MutexLock lock(mutex_);
  if (levels_ == 0) return planned_ = kNoDeadline;
  const auto level = static_cast<unsigned>(std::countr_zero(levels_));
  const auto index = static_cast<unsigned>(std::countr_zero(occupied_[level]));
  std::int64_t tick = slotBegin(level, index);
  if (level > 0) {
    // The exact tick, so that a sleeping engine is woken by timers and not by the wheel's own housekeeping.
    std::int64_t earliest = INT64_MAX;
    int seen = 0;
    for (const Timer* t = slots_[level * kSlots + index]; t && seen < kScanned; t = t->node.next, ++seen) {
      earliest = std::min(earliest, t->node.tick);
    }
    if (seen < kScanned) tick = earliest;
  }
  planned_ = tick >= kNoDeadline / kTickNanos ? kNoDeadline : std::max<std::int64_t>(1, tick * kTickNanos);
  return planned_;
}

void TimerWheel::dropPlan() noexcept {
  MutexLock lock(mutex_);
  planned_ = 0;
}

bool TimerWheel::empty() const noexcept {
  MutexLock lock(mutex_);
  return levels_ == 0;
}

}  // namespace mqclient::base
