#pragma once

#include <cstdint>

#include "base/engine.h"
#include "base/strand.h"

namespace mqclient::base {

/// A one-shot timer of something a strand guards: an intrusive node, arming allocates nothing.
///
/// Contract  arm() and cancel() are called inside the strand (or before anybody else knows the object). When due, the
///           engine posts to the strand, never early, late by one tick (1 ms) plus queueing; onTimer() then runs inside
///           it. cancel() true: onTimer() will not run for the last arm(). False: it was not armed, or its post is
///           already under way and will find itself stale and do nothing. Arming again replaces the earlier due time.
/// Lifetime  while armed or posted the timer holds `alive`; the owner cancels in its close step.
class Timer : public Task {
 public:
  explicit Timer(Strand& strand) noexcept : strand_(&strand) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// `alive_owner` is kept until the timer has fired or was cancelled.
  void arm(Ref<Object> alive_owner, SteadyTime due) noexcept;
  void armAfter(Ref<Object> alive_owner, Nanos delay) noexcept;
  bool cancel() noexcept;
  bool armed() const noexcept { return wanted_; }
  SteadyTime due() const noexcept { return due_; }

 protected:
  ~Timer() = default;
  virtual void onTimer() noexcept = 0;

 private:
  Next run() noexcept final;

  Strand* strand_;
  SteadyTime due_{};
  bool wanted_ = false;  // strand only: the owner wants onTimer() at due_
  bool posted_ = false;  // strand only: in the wheel, or its post is on the way
  Ref<Object> again_;    // strand only: for an arm() that found the post on the way
                         // below: guarded by the engine's timer lock
 public:
  struct Node {
    Timer* prev = nullptr;
    Timer* next = nullptr;
    std::uint32_t wheel = 0;  // which wheel (or heap index)
    std::uint32_t slot = 0;
    std::int64_t tick = 0;    // absolute tick or nanos at which to fire
    std::uint64_t order = 0;  // ties: arming order (simulation draws among equals)
    bool linked = false;      // in the wheel, not yet posted
  };
  Node node;  ///< for engines only
  Strand& strand() const noexcept { return *strand_; }
};

/// A timer that calls a function. The common case.
class FunctionTimer final : public Timer {
 public:
  FunctionTimer(Strand& strand, UniqueFunction<void()> call) noexcept : Timer(strand), call_(std::move(call)) {}

 private:
  void onTimer() noexcept override { call_(); }
  UniqueFunction<void()> call_;
};

}  // namespace mqclient::base
