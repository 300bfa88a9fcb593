#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "mqclient/function.h"
#include "mqclient/message.h"

namespace mqclient::consumer {

/// Lets the first commit of a consumer's topic at a broker go alone; what comes meanwhile waits for its answer.
///
/// Apache's brokers (seen at 4.9.7) make the table of a group's offsets of a topic with its first commit, and not in
/// one step: of several first commits at once all are answered SUCCESS and all but one may be forgotten.
///
/// Threads  any; `send` runs on the caller's thread or on that of the answer waited for, never under the lock.
/// Source   ConsumerOffsetManager.java, commitOffset
class FirstCommits {
 public:
  using Send = UniqueFunction<void()>;

  /// Runs `send` now or later. Whatever it begins ends with answered().
  void run(const MessageQueue& queue, Send send);
  void answered(const MessageQueue& queue, bool ok);
  /// The broker told an offset of `queue` that somebody committed: it has the table.
  void known(const MessageQueue& queue);
  /// The broker has the table: commits need not wait any more.
  bool done(const MessageQueue& queue) const;

 private:
  enum class State { kNone, kUnderWay, kDone };
  struct Part {
    State state = State::kNone;
    std::vector<std::pair<MessageQueue, Send>> waiting;  // at most what the queues of the part commit meanwhile
  };
  using Name = std::pair<std::string, std::string>;  // topic, broker

  static Name nameOf(const MessageQueue& queue) { return {queue.topic(), queue.brokerName()}; }

  mutable base::Mutex mutex_;
  std::map<Name, Part> parts_ MQ_GUARDED_BY(mutex_);
};

}  // namespace mqclient::consumer
