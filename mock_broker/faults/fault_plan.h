#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/engine.h"
#include "base/mutex.h"
#include "base/ref.h"
#include "mock_broker/faults/recording.h"
#include "mock_broker/faults/rule.h"

namespace mqclient::faults {

/// Where a connection was accepted.
struct Node {
  NodeRole role{};
  std::string name{};
  bool operator==(const Node&) const = default;
};

/// What shall go wrong in a cluster, and what passed: rules, holds, the recording. One a cluster, shared by the fault
/// transports of its nodes. Any thread.
///
/// Cost     until watch() it is one flag that is read for each frame; from then on for ever every frame is read,
///          offered to each rule, and kept a while.
class FaultPlan final : public base::Object {
 public:
  FaultPlan(base::Ref<base::Engine> engine, Carrier carrier);

  bool watching() const noexcept { return watching_.load(std::memory_order_relaxed); }
  /// True: this call began it.
  bool watch() noexcept { return !watching_.exchange(true); }

  void addNode(const Node& node);
  /// What connections that are older than the watching belong to: by the client's address.
  void learnClient(std::string address, std::string client_id);
  std::string clientAt(const std::string& address) const;

  /// Errors   kInvalidArgument, kUnsupported: what can never match or act, with what there is.
  Result<std::shared_ptr<Rule>> inject(Match match, FaultAction action);
  Result<std::shared_ptr<Rule>> hold(Match match);
  /// Ends a rule; what a hold has goes on, through `next` if that is not null.
  void clear(const std::shared_ptr<Rule>& rule, const std::shared_ptr<Rule>& next = nullptr);
  /// A rule for takeHeld()'s frames that matches nothing by itself.
  Result<std::shared_ptr<Rule>> onceReleased(FaultAction action);
  /// The rules that neither fired nor were excused, ended ones too.
  std::vector<std::string> neverFired() const;

  // ---- for connections
  /// Offers a frame to every rule; answers the one that acts, or null.
  std::shared_ptr<Rule> decide(const Captured& frame);
  /// A connect to `node`: true if it is refused.
  bool refuses(const Node& node, const std::string& from);
  std::uint64_t nextConnection() noexcept { return connections_.fetch_add(1, std::memory_order_relaxed) + 1; }
  /// A connection has ended: its frames are no longer held, and its client's address may become another's.
  void forget(const void* connection, const std::string& address);
  Recording& recording() noexcept { return recording_; }
  const Recording& recording() const noexcept { return recording_; }
  void note(std::string what, std::string about) {
    recording_.addEvent(sinceStart(), std::move(what), std::move(about));
  }
  std::chrono::milliseconds sinceStart() const;
  base::Engine& engine() const noexcept { return *engine_; }
  Carrier carrier() const noexcept { return carrier_; }

 private:
  using Rules = std::vector<std::shared_ptr<Rule>>;
  Rules rules() const;
  std::shared_ptr<Rule> firstDue(const Captured& frame, ActsOn accept_or_not);
  Result<void> validate(const Match& match, const FaultAction* action) const;
  std::shared_ptr<Rule> add(Match match, std::optional<FaultAction> action);

  const base::Ref<base::Engine> engine_;
  const Carrier carrier_;
  const base::SteadyTime started_;
  std::atomic<bool> watching_{false};
  std::atomic<std::uint64_t> connections_{0};
  Recording recording_;

  mutable base::Mutex mutex_;
  std::vector<Node> nodes_ MQ_GUARDED_BY(mutex_);
  Rules rules_ MQ_GUARDED_BY(mutex_);                          // in the order of inject
  std::vector<std::string> ended_idle_ MQ_GUARDED_BY(mutex_);  // rules that ended without having fired
  std::map<std::string, std::string> clients_ MQ_GUARDED_BY(mutex_);
};

}  // namespace mqclient::faults
