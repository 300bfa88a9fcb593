#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/completion.h"
#include "base/engine.h"
#include "base/snapshot.h"
#include "base/strand.h"
#include "base/timer.h"
#include "mqclient/allocate_message_queue_strategy.h"
#include "mqclient/rebalance_report.h"

namespace mqclient::rebalance {

/// Whether somebody else may have worked on a queue a moment ago and should get the time to commit.
enum class PreviousOwner { kNobody, kPossible };

/// Who wants to know its share: a consumer, as far as rebalancing knows it. Everything is called inside the strand.
class RebalanceTarget : public base::Object {
 public:
  virtual std::vector<std::string> topics() = 0;
  /// The readable queues of a topic, ascending; nothing while its route is unknown. An empty list counts as unknown: a
  /// nameserver that has nothing to say takes no queue away.
  virtual std::optional<std::vector<MessageQueue>> queuesOf(const std::string& topic) = 0;
  /// Asks a broker of the topic for the group's members. `done` may run anywhere.
  virtual void askMembers(const std::string& topic, base::Completion<std::vector<std::string>> done) = 0;

  virtual void onAssigned(const std::string& topic, const std::vector<MessageQueue>& added, PreviousOwner previous) = 0;
  virtual void onRevoked(const std::string& topic, const std::vector<MessageQueue>& removed) = 0;
  /// A run over all topics has ended.
  virtual void onRunEnded(bool balanced) = 0;
  /// The broker's member list and ours do not fit together; told once per change.
  virtual void onDiverged(const std::string& topic, const std::string& what) = 0;
};

/// Keeps one consumer's share of its topics' queues up to date: asks for the members, computes the share, tells the
/// target what came and went.
///
/// When     at the first trigger at once; after a trigger (a member joined or left, a route changed) at once, but at
///          most once per kMinInterval, so that a storm of notifications costs one run a second; without any every
///          kInterval; after a run that could not finish (no members, an answer without ourselves) after kMinInterval.
/// Keeps    what is owned stays owned while a topic's route or members cannot be learned: a transient silence never
///          drops a queue. Only a member list or a route with other queues does. A topic that the target does not name
///          any more keeps its share until forget().
/// Threads  every member inside `strand`, unless it says otherwise. User strategies run on a listener thread.
/// Source   RebalanceService.java, RebalanceImpl.java
class RebalanceLoop {
 public:
  static constexpr base::Millis kInterval{20'000};    ///< rocketmq.client.rebalance.waitInterval
  static constexpr base::Millis kMinInterval{1'000};  ///< rocketmq.client.rebalance.minInterval

  /// `target` owns the loop, and timers and questions hold the target. A null strategy: averagely.
  RebalanceLoop(base::Strand& strand, RebalanceTarget& target, std::string group, std::string self,
                std::shared_ptr<const AllocateMessageQueueStrategy> strategy);
  ~RebalanceLoop();
  RebalanceLoop(const RebalanceLoop&) = delete;
  RebalanceLoop& operator=(const RebalanceLoop&) = delete;

  void trigger();
  /// The target has given up its queues of the topic: should it name it again, its whole share comes anew.
  void forget(const std::string& topic);
  /// No more runs; answers that are still to come are ignored. What is owned stays as it is, untold. Idempotent.
  void close();

  /// Runs begun so far.
  std::uint64_t runs() const noexcept { return runs_; }
  /// What the last run computed, and from what. Any thread.
  RebalanceReport explain(std::string_view topic) const;

 private:
  /// What one topic's share was computed from. Immutable once published.
  struct Inputs {
    std::vector<MessageQueue> queues;
    std::vector<std::string> members;
    std::vector<std::string> divergence;
  };
  using AllInputs = std::map<std::string, Inputs, std::less<>>;

  /// By the target, now: it may have ceased to while a share was computed, which is nobody's then.
  bool named(const std::string& topic);
  void run();
  void onMembers(const std::string& topic, std::vector<MessageQueue> queues, Result<std::vector<std::string>> members);
  void allocateOnListenerThread(const std::string& topic, Inputs inputs, PreviousOwner previous);
  void apply(const std::string& topic, Inputs inputs, Result<std::vector<MessageQueue>> mine, PreviousOwner previous);
  void publish(const std::string& topic, Inputs inputs);
  void diverged(const std::string& topic, std::string what);
  void topicDone(bool balanced);
  void arm(base::SteadyTime due);

  base::Strand& strand_;
  RebalanceTarget* const target_;
  const std::string group_;
  const std::string self_;
  const std::shared_ptr<const AllocateMessageQueueStrategy> strategy_;
  base::FunctionTimer timer_;

  bool closed_ = false;
  bool running_ = false;
  bool again_ = false;    // triggered while running
  bool balanced_ = true;  // so far in this run
  bool others_seen_ = false;
  std::size_t pending_ = 0;  // topics of this run without a result
  std::uint64_t runs_ = 0;
  std::optional<base::SteadyTime> last_run_;
  std::map<std::string, std::vector<MessageQueue>, std::less<>> mine_;  // ascending
  std::map<std::string, std::string, std::less<>> diverged_;            // last told, by topic
  base::Snapshot<AllInputs> inputs_;
};

}  // namespace mqclient::rebalance
