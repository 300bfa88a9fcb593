#pragma once

#include <cstdint>
#include <deque>

#include "base/completion.h"
#include "base/engine.h"
#include "base/log.h"
#include "base/strand.h"
#include "base/timer.h"
#include "mock_broker/broker/broker.h"
#include "mock_broker/store/message_store.h"

namespace mqclient::broker {

class BrokerCore;
struct SendTask;

/// Makes durable what the log has published. ASYNC_FLUSH: flushIntervalCommitLog after the first byte that is not, so a
/// power loss takes at most what was acknowledged in that time and during the flush behind it. SYNC_FLUSH: at once, and
/// sends are answered afterwards, all that came meanwhile together; before that nobody can read them (R4), or one
/// offset could have shown two messages after a power loss.
///
/// One flush at a time, on a lane. After one that failed nobody knows what the device has: nothing is acknowledged any
/// more until the broker begins anew.
/// Threads  the *log* strand, every member.
/// Source   CommitLog.java (FlushRealTimeService, GroupCommitService)
class Flusher {
 public:
  Flusher(BrokerCore& core, base::Strand& log, store::MessageStore& store, const BrokerOptions& options,
          base::Ref<base::Log> log_out);

  /// Something was published.
  void appended() {
    if (state_ == State::kIdle && type_ != FlushDiskType::NO_FLUSH && !broken_) begin();
  }
  /// Whether a send waits for its flush; if so it is answered from here, after syncFlushTimeout in any case.
  bool holds(SendTask& task);
  bool broken() const noexcept { return broken_; }

  enum class Last { kFlush, kNone };
  /// kFlush: once more, whatever is not durable yet. Completes when nothing is under way and nobody is held.
  void stop(Last last, base::Completion<void> done);

 private:
  enum class State { kIdle, kDue, kDelayed, kUnderWay };
  struct Waiter {
    SendTask* task;
    std::int64_t end;  // physical offset behind its last record
    base::SteadyTime until;
  };

  struct Hidden {
    base::Ref<store::ConsumeQueue> queue;
    std::int64_t offset;  // behind the last of them
    std::int64_t end;     // the same place in the log
  };

  void begin();
  void flush();
  /// Shows what is durable now, to who waits for it too.
  void show();
  void run();
  void ended(const Result<std::int64_t>& flushed);
  enum class Others { kWait, kGiveUp };
  /// Answers whose messages are durable, and, as not flushed in time, who has waited too long or gives up.
  void release(Others others);
  void armTimeout();
  void finish();

  BrokerCore& core_;
  base::Strand& log_;
  store::MessageStore& store_;
  const BrokerOptions& options_;
  const FlushDiskType type_;
  const base::Ref<base::Log> log_out_;
  State state_ = State::kIdle;
  std::int64_t flushed_ = 0;
  bool broken_ = false;
  bool stopping_ = false;
  Last last_ = Last::kNone;
  base::Completion<void> stop_done_;
  std::deque<Waiter> waiters_;  // in order of their ends
  std::deque<Hidden> hidden_;   // the same
  base::FunctionTimer timer_;
  base::FunctionTimer timeout_;
};

}  // namespace mqclient::broker
