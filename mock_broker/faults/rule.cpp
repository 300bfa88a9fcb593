#include "mock_broker/faults/rule.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "mock_broker/faults/captured_frame.h"
#include "protocol/compression.h"
#include "protocol/limits.h"

namespace mqclient {
inline namespace v1 {

namespace {

struct VerbRow {
  FaultVerb verb;
  const char* name;
  faults::ActsOn acts_on;
};

using enum faults::ActsOn;

/// In the order of the enumerators.
constexpr std::array kVerbs{
    VerbRow{FaultVerb::kReply, "reply", kFrame},
    VerbRow{FaultVerb::kDelayBefore, "delayBefore", kFrame},
    VerbRow{FaultVerb::kDelayAfter, "delayAfter", kReply},
    VerbRow{FaultVerb::kDrop, "drop", kFrame},
    VerbRow{FaultVerb::kApplyThenDropReply, "applyThenDropReply", kReply},
    VerbRow{FaultVerb::kDuplicate, "duplicate", kFrame},
    VerbRow{FaultVerb::kReorder, "reorder", kFrame},
    VerbRow{FaultVerb::kDisconnectBefore, "disconnectBefore", kFrame},
    VerbRow{FaultVerb::kDisconnectAfter, "disconnectAfter", kReply},
    VerbRow{FaultVerb::kReset, "reset", kFrame},
    VerbRow{FaultVerb::kFinish, "finish", kReply},
    VerbRow{FaultVerb::kHalfOpen, "halfOpen", kFrame},
    VerbRow{FaultVerb::kCutAfter, "cutAfter", kReply},
    VerbRow{FaultVerb::kSlices, "slices", kReply},
    VerbRow{FaultVerb::kThrottle, "throttle", kFrame},
    VerbRow{FaultVerb::kFlipBits, "flipBits", kReply},
    VerbRow{FaultVerb::kGarbage, "garbage", kReply},
    VerbRow{FaultVerb::kOversize, "oversize", kReply},
    VerbRow{FaultVerb::kWrongOpaque, "wrongOpaque", kReply},
    VerbRow{FaultVerb::kWrongCrc, "wrongCrc", kReply},
    VerbRow{FaultVerb::kDecompressionBomb, "decompressionBomb", kReply},
    VerbRow{FaultVerb::kRefuse, "refuse", kAccept},
};

constexpr bool rowsAreInOrder() {
  for (std::size_t i = 0; i < kVerbs.size(); ++i) {
    if (kVerbs[i].verb != static_cast<FaultVerb>(i)) return false;
  }
  return true;
}
static_assert(rowsAreInOrder());

const VerbRow& rowOf(FaultVerb verb) {
  return kVerbs[static_cast<std::size_t>(verb)];
}

}  // namespace

const char* toString(FaultVerb verb) noexcept {
  return rowOf(verb).name;
}

}  // namespace v1

namespace faults {

namespace {

/// A bomb has this much more than any consumer inflates.
constexpr std::size_t kBeyondTheBound = 1u << 20;

/// Made here, by who injects first: inside a strand it would take too long. Kept, since it takes 50 ms, and a
/// simulation injects thousands.
base::Slice bombFor(const std::optional<FaultAction>& action) {
  if (!action || action->verb() != FaultVerb::kDecompressionBomb) return {};
  static const auto* const kBomb = new base::Slice(
      protocol::deflateZlib(std::vector<std::byte>(protocol::kMaxInflatedBodySize + kBeyondTheBound), /*level=*/1));
  return *kBomb;
}

Error badAmount(const FaultAction& action, const char* wants) {
  return Error(ErrorCode::kInvalidArgument, std::string(mqclient::toString(action.verb())) + ": " + wants + ", not " +
                                                std::to_string(action.amount()));
}

}  // namespace

ActsOn actsOn(FaultVerb verb) noexcept {
  return rowOf(verb).acts_on;
}

Result<void> validate(const FaultAction& action, Carrier carrier) {
  switch (action.verb()) {
    case FaultVerb::kDelayBefore:
    case FaultVerb::kDelayAfter:
      if (action.amount() < 0) return badAmount(action, "the delay is 0 ms or more");
      break;
    case FaultVerb::kCutAfter:
      if (action.amount() < 0) return badAmount(action, "the bytes are 0 or more");
      break;
    case FaultVerb::kFlipBits:
      if (action.amount() < 1 || action.amount() > std::numeric_limits<int>::max()) {
        return badAmount(action, "the bits are 1 or more");
      }
      break;
    case FaultVerb::kThrottle:
      if (action.amount() < 1) return badAmount(action, "the bytes a second are 1 or more");
      break;
    case FaultVerb::kSlices:
      if (action.amount() < 1) return badAmount(action, "the bytes of a slice are 1 or more");
      if (carrier == Carrier::kLink) {
        return Error(ErrorCode::kUnsupported,
                     "slices: inside the process frames travel whole; start the cluster with MockTransport::kTcp");
      }
      break;
    default:
      break;
  }
  return {};
}

Rule::Rule(Match match, std::optional<FaultAction> action, base::SteadyTime now)
    : match_(std::move(match)), action_(std::move(action)), since_(now), bomb_(bombFor(action_)) {}

bool Rule::isDue(const Captured& frame, base::Engine& engine) {
  if (ended() || !fits(match_, frame, FrameDirection::kToNode)) return false;
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(engine.now() - since_);
  if (age < match_.from || age >= match_.until) return false;
  const int n = fitted_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (match_.nth != 0 && n != match_.nth) return false;
  if (match_.probability >= 1) return true;
  constexpr double kWordRange = 18446744073709551616.0;  // 2^64
  return static_cast<double>(engine.random()) < match_.probability * kWordRange;
}

std::string Rule::toString() const {
  std::string text = match_.code ? std::string(mqclient::toString(*match_.code)) : "any frame";
  if (match_.code && mqclient::toString(*match_.code) == "UNKNOWN") {
    text = "request code " + std::to_string(static_cast<int>(*match_.code));
  }
  const auto add = [&](const char* what, const std::string& value) {
    if (!value.empty()) text += std::string(what) + value;
  };
  add(" of topic ", match_.topic);
  add(" of group ", match_.group);
  add(" of client ", match_.clientId);
  if (match_.queueId) add(" of queue ", std::to_string(*match_.queueId));
  add(" at ", match_.node);
  if (match_.nth > 0) add(", number ", std::to_string(match_.nth));
  return text + ": " + (holds() ? "hold" : mqclient::toString(action_->verb()));
}

bool Rule::hold(HeldFrame& frame, const Captured& seen) {
  base::MutexLock lock(mutex_);
  if (ended()) return false;
  if (!first_held_) first_held_ = seen;
  held_.push_back(std::move(frame));
  noteFired();
  return true;
}

std::vector<HeldFrame> Rule::takeHeld() {
  base::MutexLock lock(mutex_);
  end();
  return std::exchange(held_, {});
}

void Rule::dropHeldOf(const void* connection) {
  std::vector<HeldFrame> gone;  // dies outside the lock: it may be the last to know the connection
  base::MutexLock lock(mutex_);
  const auto its =
      std::stable_partition(held_.begin(), held_.end(), [&](const HeldFrame& f) { return f.connection != connection; });
  gone.assign(std::make_move_iterator(its), std::make_move_iterator(held_.end()));
  held_.erase(its, held_.end());
}

std::optional<Captured> Rule::firstHeld() const {
  base::MutexLock lock(mutex_);
  return first_held_;
}

}  // namespace faults
}  // namespace mqclient
