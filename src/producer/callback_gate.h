#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "base/completion.h"
#include "base/engine.h"

namespace mqclient::producer {

/// Where a producer's callbacks go: to the engine's target, counted, so that close() can tell when the last one has
/// returned and what it captured may go. Counting costs a reference and no memory. Any thread.
class CallbackGate final : public base::CallbackTarget {
 public:
  explicit CallbackGate(std::shared_ptr<base::CallbackTarget> target)
      : target_(std::move(target)), tally_(base::makeRef<Tally>()) {}
  ~CallbackGate() override { dropOwnShare(); }

  void submit(base::Job& job) noexcept override;
  base::Ref<base::Engine> engine() noexcept override { return target_->engine(); }

  /// Completes once every callback submitted so far has returned. Ask once; later callbacks are not counted.
  void whenIdle(base::Completion<void> done);
  /// How many callbacks wait or run; after whenIdle() those submitted before it.
  std::size_t notReturned() const noexcept { return tally_->running.callbacks(counting_.load()); }
  /// The calling thread runs one of these callbacks.
  bool insideCallback() const noexcept { return base::runningCallbackOf() == this; }

 private:
  struct Tally;
  /// Shared by the callbacks that wait or run, and by the gate while it counts; over with the last one. Its memory is
  /// the tally's, so that its shares can be asked for, and refused, after its end.
  class Running final : public base::Object {
   public:
    explicit Running(Tally& tally) noexcept : tally_(tally) {}
    std::size_t callbacks(bool counting) const noexcept {
      const std::size_t own = counting ? 1 : 0;
      const std::size_t all = shares();
      return all > own ? all - own : 0;
    }
    base::Completion<void> ended;  // set before the gate gives its share up

   private:
    void lastReferenceGone() noexcept override;
    Tally& tally_;
  };
  struct Tally final : base::Object {
    Tally() noexcept : running(*this) { retain(); }  // running's own reference, until its end
    Running running;
  };
  void dropOwnShare() noexcept {
    if (counting_.exchange(false)) tally_->running.release();
  }

  const std::shared_ptr<base::CallbackTarget> target_;
  const base::Ref<Tally> tally_;
  std::atomic<bool> counting_{true};
};

}  // namespace mqclient::producer
