#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/engine.h"
#include "base/mutex.h"
#include "mqclient/function.h"
#include "mqclient/mock_faults.h"

namespace mqclient::faults {

/// Where a verb does its work.
enum class ActsOn { kFrame, kReply, kAccept };
ActsOn actsOn(FaultVerb verb) noexcept;

/// What carries the frames of a cluster.
enum class Carrier { kLink, kSockets };

/// Every complaint about an action by itself: what it cannot do on `carrier`, amounts that do nothing.
/// Errors   kUnsupported, kInvalidArgument.
Result<void> validate(const FaultAction& action, Carrier carrier);

class Rule;

/// A frame that waits for a hold to end.
struct HeldFrame {
  const void* connection;  ///< whose it is
  /// It goes on, through `next` if that is not null. Any thread.
  UniqueFunction<void(const std::shared_ptr<Rule>& next)> go;
};

/// One match with what happens to the frames it finds, and how often that was. Shared by the handle, the plan, and
/// connections where a reply is awaited. Any thread.
class Rule {
 public:
  /// `action` nothing: frames are held. `now` is where the match's time window begins.
  Rule(Match match, std::optional<FaultAction> action, base::SteadyTime now);

  /// Counts `frame` if it fits; true when its turn has come.
  bool isDue(const Captured& frame, base::Engine& engine);
  const Match& match() const noexcept { return match_; }
  bool holds() const noexcept { return !action_.has_value(); }
  /// Not of a hold.
  const FaultAction& action() const noexcept { return *action_; }
  /// The compressed body of decompressionBomb.
  const base::Slice& bomb() const noexcept { return bomb_; }
  /// "SEND_MESSAGE_V2 of topic orders at broker-a: drop"
  std::string toString() const;

  void noteFired() noexcept { fired_.fetch_add(1, std::memory_order_relaxed); }
  int fired() const noexcept { return fired_.load(std::memory_order_relaxed); }
  void makeOptional() noexcept { optional_.store(true, std::memory_order_relaxed); }
  bool isOptional() const noexcept { return optional_.load(std::memory_order_relaxed); }
  void end() noexcept { ended_.store(true, std::memory_order_release); }
  bool ended() const noexcept { return ended_.load(std::memory_order_acquire); }

  /// Keeps a frame until takeHeld(); false: the hold has ended, the frame stays the caller's.
  bool hold(HeldFrame& frame, const Captured& seen);
  /// The hold has ended: everything it has, in order.
  std::vector<HeldFrame> takeHeld();
  /// The connection has ended, and with it its frames.
  void dropHeldOf(const void* connection);
  std::optional<Captured> firstHeld() const;

 private:
  const Match match_;
  const std::optional<FaultAction> action_;
  const base::SteadyTime since_;
  const base::Slice bomb_;
  std::atomic<int> fitted_{0};
  std::atomic<int> fired_{0};
  std::atomic<bool> optional_{false};
  std::atomic<bool> ended_{false};

  mutable base::Mutex mutex_;
  std::vector<HeldFrame> held_ MQ_GUARDED_BY(mutex_);
  std::optional<Captured> first_held_ MQ_GUARDED_BY(mutex_);
};

}  // namespace mqclient::faults
