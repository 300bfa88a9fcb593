#include "mock_broker/faults/fault_connection.h"

#include <algorithm>
#include <utility>

#include "mock_broker/faults/damage.h"

namespace mqclient::faults {

using base::Chain;
using base::Object;
using base::Ref;
using base::Slice;

namespace {

/// Requests remembered until their reply passes. Those that a node discards stay: beyond this none is added.
constexpr std::size_t kOwedMax = 16'384;
/// Less than a third of a send's timeout, so that a try outlives it.
constexpr base::Millis kReorderWait{500};
constexpr base::Millis kBetweenSlices{1};
/// Of frames whose fate nobody asks about.
constexpr std::uint64_t kNoTag = 0;
constexpr base::Nanos kSecond{1'000'000'000};

std::size_t indexOf(FrameDirection direction) {
  return static_cast<std::size_t>(direction);
}

FrameDirection oppositeOf(FrameDirection direction) {
  return direction == FrameDirection::kToNode ? FrameDirection::kFromNode : FrameDirection::kToNode;
}

}  // namespace

FaultConnection::FaultConnection(Ref<remoting::Connection> inner, Ref<FaultPlan> plan, std::shared_ptr<const Node> node)
    : inner_(std::move(inner)), plan_(std::move(plan)), node_(std::move(node)), number_(plan_->nextConnection()) {}

void FaultConnection::attach(Ref<remoting::ConnectionHandler> session) {
  session_ = std::move(session);
  timer_.emplace(session_->strand(), [this] { wake(); });
  if (watched()) plan_->note("connection opened", peerAddress() + " at " + node_->name);
}

void FaultConnection::send(Chain frame, std::uint64_t tag, base::SteadyTime /*useful_until*/) noexcept {
  if (!watched()) return inner_->send(std::move(frame), tag);
  session_->strand().post(Ref<Object>(this), [this, frame = std::move(frame), tag]() mutable {
    meet(FrameDirection::kFromNode, std::move(frame), tag);
  });
}

void FaultConnection::onFrame(Chain&& frame) {
  meet(FrameDirection::kToNode, std::move(frame), kNoTag);
}

void FaultConnection::onClosed() {
  ended_ = true;
  timer_->cancel();
  waiting_.clear();
  for (auto& owed : owed_) owed.clear();
  for (auto& kept : reordered_) kept.reset();
  throttle_.reset();
  if (!watched()) return;
  plan_->forget(this, peerAddress());
  plan_->note("connection closed", peerAddress() + " at " + node_->name);
}

// ---- a frame comes

void FaultConnection::meet(FrameDirection direction, Chain frame, std::uint64_t tag) {
  if (over()) {
    if (direction == FrameDirection::kFromNode)
      inner_->send(std::move(frame), tag);  // which says that it did not leave
    return;
  }
  Passing passing{tag, std::move(frame), {}, {}};
  passing.read = readFrame(passing.frame);
  Captured& seen = passing.read.seen;
  const bool in = direction == FrameDirection::kToNode;
  seen.direction = direction;
  seen.role = node_->role;
  seen.node = node_->name;
  seen.connection = number_;
  seen.from = in ? peerAddress() : localAddress();
  seen.to = in ? localAddress() : peerAddress();
  seen.at = plan_->sinceStart();
  if (client_id_.empty()) client_id_ = plan_->clientAt(peerAddress());
  if (!seen.clientId.empty()) client_id_ = seen.clientId;
  seen.clientId = client_id_;

  std::shared_ptr<Rule> waited;
  if (passing.read.kind == FrameKind::kReply) waited = takeOwed(seen);
  if (half_open_) return record(std::move(seen), toString(FaultVerb::kHalfOpen));
  std::shared_ptr<Rule> rule = plan_->decide(seen);
  if (!rule && waited && !waited->ended()) return act(std::move(passing), waited);
  if (rule) return apply(std::move(passing), rule);
  record(seen, nullptr);
  pass(std::move(passing));
}

std::shared_ptr<Rule> FaultConnection::takeOwed(Captured& reply) {
  auto& owed = owed_[indexOf(oppositeOf(reply.direction))];
  const auto found = owed.find(reply.opaque);
  if (found == owed.end()) return nullptr;
  Owed request = std::move(found->second);
  owed.erase(found);
  reply.code = request.code;
  reply.topic = std::move(request.topic);
  reply.group = std::move(request.group);
  reply.queueId = request.queueId;
  return std::move(request.rule);
}

void FaultConnection::apply(Passing passing, const std::shared_ptr<Rule>& rule) {
  if (rule->holds()) return hold(std::move(passing), rule);
  const bool is_request = passing.read.kind == FrameKind::kRequest;
  const bool in = passing.read.seen.direction == FrameDirection::kToNode;
  if (!is_request || !in || actsOn(rule->action().verb()) != ActsOn::kReply) return act(std::move(passing), rule);
  if (!passing.read.seen.oneway) {
    passing.on_reply = rule;
    record(passing.read.seen, nullptr);
    return pass(std::move(passing));
  }
  const FaultVerb verb = rule->action().verb();
  const bool ends = verb == FaultVerb::kDisconnectAfter || verb == FaultVerb::kFinish;
  if (ends) rule->noteFired();
  record(passing.read.seen, ends ? toString(verb) : nullptr);
  pass(std::move(passing));
  if (ends) end(How::kClose, verb);
}

// ---- what rules do

void FaultConnection::act(Passing passing, const std::shared_ptr<Rule>& rule) {
  const FaultAction& action = rule->action();
  const FaultVerb verb = action.verb();
  if (damages(verb)) {
    std::optional<Chain> bad = damaged(*rule, passing.frame, plan_->engine());
    record(passing.read.seen, bad ? toString(verb) : nullptr);
    if (bad) {
      rule->noteFired();
      passing.frame = *std::move(bad);
    }
    return pass(std::move(passing));
  }
  rule->noteFired();
  record(passing.read.seen, toString(verb));
  switch (verb) {
    case FaultVerb::kReply:
      return answer(passing, action);
    case FaultVerb::kDelayBefore:
    case FaultVerb::kDelayAfter:
      return after(base::Millis(action.amount()),
                   [this, late = std::move(passing)]() mutable { pass(std::move(late)); });
    case FaultVerb::kDrop:
    case FaultVerb::kApplyThenDropReply:
      return;
    case FaultVerb::kDuplicate:
      pass(passing);
      return pass(std::move(passing));
    case FaultVerb::kReorder:
      return keepForReorder(std::move(passing));
    case FaultVerb::kDisconnectBefore:
    case FaultVerb::kDisconnectAfter:
      return end(How::kClose, verb);
    case FaultVerb::kReset:
      return end(How::kReset, verb);
    case FaultVerb::kFinish:
      pass(std::move(passing));
      return end(How::kClose, verb);
    case FaultVerb::kHalfOpen:
      half_open_ = true;
      return;
    case FaultVerb::kCutAfter:
      return emitCut(passing.frame, action.amount(), verb);
    case FaultVerb::kSlices:
      return emitSlices(passing.frame, passing.tag, action.amount());
    case FaultVerb::kThrottle:
      throttle_ = rule;
      return pass(std::move(passing));
    default:
      return pass(std::move(passing));
  }
}

void FaultConnection::hold(Passing passing, const std::shared_ptr<Rule>& rule) {
  const Captured seen = passing.read.seen;
  // A hold that has ended meanwhile leaves the frame in `waiting`.
  auto waiting = std::make_shared<Passing>(std::move(passing));
  HeldFrame held{this, [self = Ref<FaultConnection>(this), waiting](const std::shared_ptr<Rule>& next) {
                   self->resume(std::move(*waiting), next);
                 }};
  if (rule->hold(held, seen)) return record(seen, "hold");
  record(seen, nullptr);
  pass(std::move(*waiting));
}

void FaultConnection::resume(Passing passing, const std::shared_ptr<Rule>& next) {
  session_->strand().post(Ref<Object>(this), [this, passing = std::move(passing), next]() mutable {
    if (over() || half_open_) return;
    if (next) return apply(std::move(passing), next);
    pass(std::move(passing));
  });
}

void FaultConnection::answer(const Passing& passing, const FaultAction& action) {
  const Captured& seen = passing.read.seen;
  Chain frame = protocol::encodeResponse({seen.opaque, passing.read.type}, action.responseCode(), action.remark());
  if (passing.read.kind != FrameKind::kRequest) {  // it replaces the reply that came
    Passing replaced = passing;
    replaced.frame = std::move(frame);
    return pass(std::move(replaced));
  }
  if (seen.oneway) return;
  Captured reply = readFrame(frame).seen;
  reply.code = seen.code;
  reply.topic = seen.topic;
  reply.group = seen.group;
  reply.queueId = seen.queueId;
  reply.direction = oppositeOf(seen.direction);
  reply.role = seen.role;
  reply.node = seen.node;
  reply.clientId = seen.clientId;
  reply.connection = seen.connection;
  reply.from = seen.to;
  reply.to = seen.from;
  reply.at = seen.at;
  record(std::move(reply), toString(FaultVerb::kReply));
  if (seen.direction == FrameDirection::kToNode) return emit(std::move(frame), kNoTag);
  session_->onFrame(std::move(frame));
}

void FaultConnection::keepForReorder(Passing passing) {
  const FrameDirection direction = passing.read.seen.direction;
  passReordered(direction);  // one at a time
  reordered_[indexOf(direction)] = std::move(passing);
  after(kReorderWait, [this, direction] { passReordered(direction); });
}

void FaultConnection::passReordered(FrameDirection direction) {
  std::optional<Passing>& kept = reordered_[indexOf(direction)];
  if (!kept || over()) return;
  Passing late = std::move(*kept);
  kept.reset();
  pass(std::move(late));
}

void FaultConnection::end(How how, FaultVerb verb) {
  closing_ = true;
  Error why(ErrorCode::kConnectionLost, std::string("the fault ") + toString(verb) + " ended the connection");
  if (how == How::kReset) return inner_->abort(std::move(why));
  inner_->close(std::move(why));
}

void FaultConnection::record(Captured seen, const char* fault) {
  if (fault) seen.fault = fault;
  plan_->recording().addFrame(std::move(seen));
}

// ---- on its way

void FaultConnection::pass(Passing passing) {
  if (over()) return;
  const Captured& seen = passing.read.seen;
  const FrameDirection direction = seen.direction;
  auto& owed = owed_[indexOf(direction)];
  if (passing.read.kind == FrameKind::kRequest && !seen.oneway && owed.size() < kOwedMax) {
    owed.emplace(seen.opaque, Owed{seen.code, seen.topic, seen.group, seen.queueId, std::move(passing.on_reply)});
  }
  if (direction == FrameDirection::kToNode) {
    session_->onFrame(std::move(passing.frame));
  } else {
    emit(std::move(passing.frame), passing.tag);
  }
  passReordered(direction);
}

void FaultConnection::emit(Chain frame, std::uint64_t tag) {
  const base::SteadyTime now = plan_->engine().now();
  const bool slow = throttle_ && !throttle_->ended();
  if (!slow && output_free_ <= now) return inner_->send(std::move(frame), tag);
  output_free_ = std::max(output_free_, now);
  if (slow) {
    // In two steps: bytes times nanoseconds of a large frame would still fit, the rate may be anything.
    const auto size = static_cast<std::int64_t>(frame.size());
    const std::int64_t rate = throttle_->action().amount();
    output_free_ += kSecond * (size / rate) + base::Nanos(kSecond.count() * (size % rate) / rate);
  }
  at(output_free_, [this, frame = std::move(frame), tag]() mutable { inner_->send(std::move(frame), tag); });
}

void FaultConnection::emitCut(const Chain& frame, std::int64_t bytes, FaultVerb verb) {
  const std::size_t whole = frame.size();
  const std::size_t part = std::min(whole, static_cast<std::size_t>(bytes));
  // A link hands on whole frames only.
  if (part > 0 && (part == whole || plan_->carrier() == Carrier::kSockets)) {
    inner_->send(Chain(frame.flatten().sub(0, part)), kNoTag);
  }
  end(How::kClose, verb);
}

void FaultConnection::emitSlices(const Chain& frame, std::uint64_t tag, std::int64_t bytes) {
  const Slice whole = frame.flatten();
  const std::size_t step = std::min(whole.size(), static_cast<std::size_t>(bytes));
  output_free_ = std::max(output_free_, plan_->engine().now());
  for (std::size_t from = 0; from < whole.size(); from += step) {
    Chain piece(whole.sub(from, std::min(step, whole.size() - from)));
    output_free_ += kBetweenSlices;
    at(output_free_, [this, piece = std::move(piece), tag]() mutable { inner_->send(std::move(piece), tag); });
  }
}

// ---- time

void FaultConnection::after(base::Nanos delay, UniqueFunction<void()> what) {
  at(plan_->engine().now() + delay, std::move(what));
}

void FaultConnection::at(base::SteadyTime due, UniqueFunction<void()> what) {
  const auto place = waiting_.emplace(due, std::move(what));
  if (place == waiting_.begin()) timer_->arm(Ref<Object>(this), due);
}

void FaultConnection::wake() {
  while (!over() && !waiting_.empty() && waiting_.begin()->first <= plan_->engine().now()) {
    auto due = waiting_.extract(waiting_.begin());
    due.mapped()();
  }
  if (!over() && !waiting_.empty()) timer_->arm(Ref<Object>(this), waiting_.begin()->first);
}

}  // namespace mqclient::faults
