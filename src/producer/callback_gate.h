#pragma once

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
      : target_(std::move(target)), running_(base::makeRef<Running>()) {}

  void submit(base::Job& job) noexcept override;
  base::Ref<base::Engine> engine() noexcept override { return target_->engine(); }

  /// Completes once every callback submitted so far has returned. Ask once; later callbacks are not counted.
  void whenIdle(base::Completion<void> done);
  /// The calling thread runs one of these callbacks.
  bool insideCallback() const noexcept { return base::runningCallbackOf() == this; }

 private:
  /// Shared by the callbacks that wait or run; ends with the last one.
  class Running final : public base::Object {
   public:
    base::Completion<void> ended;

   private:
    ~Running() override {
      if (ended) std::move(ended)(Result<void>());
    }
  };

  const std::shared_ptr<base::CallbackTarget> target_;
  base::Mutex mutex_;
  base::Ref<Running> running_ MQ_GUARDED_BY(mutex_);
};

}  // namespace mqclient::producer
