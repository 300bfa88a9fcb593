#pragma once

#include <atomic>
#include <cstdint>

namespace mqclient::base {

/// Stands in for a strand's atomic word: every access is a point where the test's scheduler may switch to another of
/// its fibers. One OS thread runs them all, so a plain word is enough and the interleaving is exactly the schedule.
class SteppedWord {
 public:
  SteppedWord(std::uintptr_t v) noexcept : value_(v) {}
  ~SteppedWord();

  std::uintptr_t load(std::memory_order) const noexcept {
    step();
    return value_;
  }
  std::uintptr_t exchange(std::uintptr_t v, std::memory_order) noexcept {
    step();
    const std::uintptr_t before = value_;
    value_ = v;
    return before;
  }
  bool compare_exchange_weak(std::uintptr_t& expected, std::uintptr_t desired, std::memory_order,
                             std::memory_order) noexcept {
    step();
    if (value_ != expected) {
      expected = value_;
      return false;
    }
    value_ = desired;
    pushed();
    return true;
  }
  /// Only the leave (busy to idle) is a strong one.
  bool compare_exchange_strong(std::uintptr_t& expected, std::uintptr_t desired, std::memory_order,
                               std::memory_order) noexcept {
    step();
    if (value_ != expected) {
      expected = value_;
      return false;
    }
    if (plant_lost_wake) step();  // the mutant looks and then stores: a push in between is forgotten
    value_ = desired;
    return true;
  }

  static void step() noexcept;    // the scheduler's
  static void pushed() noexcept;  // the running fiber's post has taken its place
  static inline bool plant_lost_wake = false;

 private:
  std::uintptr_t value_;
};

using StrandWord = SteppedWord;

}  // namespace mqclient::base
