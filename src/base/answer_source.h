#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/engine.h"
#include "base/io.h"
#include "base/mutex.h"
#include "base/wait.h"

namespace mqclient::base {

/// What a blocked thread needs to wait at a socket instead of on its slot: how others end its wait, and where it
/// receives.
///
/// Threads  kick(): any, between sit() and the return to the pool. Everything else: the thread that sat down.
class WaitSeat {
 public:
  /// Null: the system has no descriptor left.
  static std::unique_ptr<WaitSeat> make() noexcept;
  ~WaitSeat();
  WaitSeat(const WaitSeat&) = delete;
  WaitSeat& operator=(const WaitSeat&) = delete;

  /// The calling thread waits here now.
  void sit() noexcept;
  /// Nobody kicks any more; what was kicked and not noticed is forgotten.
  void leave() noexcept;
  /// The wait is to end. Costs nothing when the waiting thread itself calls it: it is awake.
  void kick() noexcept;
  enum class Woke { kSocket, kKicked, kDeadline };
  /// Until `fd` can be read or has ended, somebody kicks, or `deadline` (SteadyTime::max(): none).
  Woke waitAt(int fd, SteadyTime deadline) noexcept;
  ReadBuffer& buffer() noexcept { return buffer_; }

 private:
  static constexpr std::size_t kBlockBytes = 32u << 10;
  static constexpr std::size_t kLeastRoom = 16u << 10;

  explicit WaitSeat(int event) noexcept : event_(event) {}

  const int event_;
  std::atomic<const void*> sitting_{nullptr};  // a mark of the thread
  std::atomic<bool> kicked_{false};
  ReadBuffer buffer_{kBlockBytes, kLeastRoom};
};

/// Where the answer to a request comes in, so that the thread that waits for it can fetch it: on its way over a reactor
/// it would cost two more switches of threads.
class AnswerSource {
 public:
  /// Receives, and hands on what it receives, until `slot` is settled or `deadline` has passed. Sooner when somebody
  /// else receives here, or something must be done that a waiting thread cannot: then the slot is settled as usual.
  virtual void receiveUntil(WaitSlot& slot, WaitSeat& seat, SteadyTime deadline) noexcept = 0;

 protected:
  ~AnswerSource() = default;
};

/// A blocking call of this thread, from before its request is made until it has the answer. The connection on which
/// this thread sends meanwhile leaves itself here (the first one that does), and Engine::waitFor() takes it.
/// Calls nest: a queue selector may send.
class BlockingCall {
 public:
  BlockingCall() noexcept;
  ~BlockingCall();
  BlockingCall(const BlockingCall&) = delete;
  BlockingCall& operator=(const BlockingCall&) = delete;

  struct Source {
    AnswerSource* at = nullptr;  ///< null: none
    Ref<Object> alive;
  };
  /// The calling thread is in one.
  static bool underWay() noexcept;
  /// Outside a blocking call nothing happens.
  static void offer(AnswerSource& source, Object& alive) noexcept;
  static Source take() noexcept;

 private:
  BlockingCall* const outer_;
  Source source_;
};

/// The seats of an engine: as many as ever were needed at a time.
class SeatPool {
 public:
  /// Waits for `slot` at `source`; returns when it is settled, or when it should be waited for as usual.
  void waitAt(AnswerSource& source, WaitSlot& slot, SteadyTime deadline) noexcept;

 private:
  Mutex mutex_;
  std::vector<std::unique_ptr<WaitSeat>> free_ MQ_GUARDED_BY(mutex_);
};

}  // namespace mqclient::base
