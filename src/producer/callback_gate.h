#pragma once

#include <cstddef>
#include <memory>

#include "base/completion.h"
#include "base/engine.h"
#include "base/mutex.h"

namespace mqclient::producer {

/// Where a producer's callbacks go: to the engine's target, counted, so that close() can tell when the last one has
/// returned and what it captured may go. Counting costs a reference and no memory. Any thread.
class CallbackGate final : public base::CallbackTarget {
 public:
  explicit CallbackGate(std::shared_ptr<base::CallbackTarget> target)
      : target_(std::move(target)), tally_(base::makeRef<Tally>()), running_(base::makeRef<Running>(tally_)) {}

  void submit(base::Job& job) noexcept override;
  base::Ref<base::Engine> engine() noexcept override { return target_->engine(); }

  /// Completes once every callback submitted so far has returned. Ask once; later callbacks are not counted.
  void whenIdle(base::Completion<void> done);
  /// How many callbacks wait or run; after whenIdle() those submitted before it.
  std::size_t notReturned() const noexcept;
  /// The calling thread runs one of these callbacks.
  bool insideCallback() const noexcept { return base::runningCallbackOf() == this; }

 private:
  class Running;
  /// Knows the Running weakly, and so how many share it.
  class Tally final : public base::Object {
   public:
    std::size_t shares() const noexcept;

   private:
    friend class Running;
    mutable base::Mutex mutex_;
    const Running* running_ MQ_GUARDED_BY(mutex_) = nullptr;  // null: ended
  };
  /// Shared by the callbacks that wait or run; ends with the last one.
  class Running final : public base::Object {
   public:
    explicit Running(base::Ref<Tally> tally);
    base::Completion<void> ended;

   private:
    friend class Tally;
    ~Running() override;
    const base::Ref<Tally> tally_;
  };

  const std::shared_ptr<base::CallbackTarget> target_;
  const base::Ref<Tally> tally_;
  mutable base::Mutex mutex_;
  base::Ref<Running> running_ MQ_GUARDED_BY(mutex_);
};

}  // namespace mqclient::producer
