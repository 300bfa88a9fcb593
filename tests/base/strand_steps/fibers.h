#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "base/strand.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace mqclient::testing {

/// Threads of a model: stacks switched by hand on one OS thread, each with an Activation of its own. Who runs next is
/// the chooser's decision at every step(). Stacks are kept for the next round.
class Fibers {
 public:
  class Chooser {
   public:
    /// Whether to consider a switch at all where the current fiber can go on.
    virtual bool maySwitch() = 0;
    /// `runnable` holds numbers of fibers, the current one first if it can go on; answers an index into it.
    virtual std::size_t choose(const std::vector<std::size_t>& runnable, bool current_can_go_on) = 0;

   protected:
    ~Chooser() = default;
  };

  explicit Fibers(std::size_t count);
  ~Fibers();

  /// Runs bodies[i] on fiber i until all have returned. ready[i] (may be empty: always) says whether fiber i, when it
  /// has called wait(), can go on. False: some fiber waits for ever.
  bool run(std::vector<std::function<void()>> bodies, std::vector<std::function<bool()>> ready, Chooser& chooser);

  bool inside() const noexcept { return current_ != kMain; }
  std::size_t current() const noexcept { return current_; }
  void step() noexcept;  ///< another fiber may run now
  void wait() noexcept;  ///< another fiber runs now, until ready[current] holds

 private:
  static constexpr std::size_t kMain = ~std::size_t{0};
  static constexpr std::size_t kStackBytes = 256 * 1024;
  enum class State { kReady, kWaiting, kDone };
  struct Fiber {
    std::unique_ptr<std::byte[]> stack;
#if defined(__x86_64__)
    void* sp = nullptr;
#else
    ucontext_t context;
#endif
    base::Activation activation;
    State state = State::kDone;
    std::function<void()> body;
    std::function<bool()> ready;
  };

  static void entry();
  void loop() noexcept;
  void leave() noexcept;  // the current fiber cannot go on: to whoever is chosen, or to main
  void switchTo(std::size_t next) noexcept;
  void findRunnable() noexcept;

  std::vector<Fiber> fibers_;  // the last one is main
  std::vector<std::size_t> runnable_;
  Chooser* chooser_ = nullptr;
  std::size_t current_ = kMain;
};

}  // namespace mqclient::testing
