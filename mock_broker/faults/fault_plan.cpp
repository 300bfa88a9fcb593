#include "mock_broker/faults/fault_plan.h"

#include <algorithm>
#include <utility>

namespace mqclient::faults {

namespace {

/// Names of ended rules that never fired; a test that injects in a loop must not grow without end.
constexpr std::size_t kEndedIdleMax = 1'024;

/// What a connect does not show yet.
bool asksForAFrame(const Match& match) {
  return match.code || !match.topic.empty() || !match.group.empty() || !match.clientId.empty() || match.queueId ||
         match.connection || match.direction == FrameDirection::kFromNode;
}

}  // namespace

FaultPlan::FaultPlan(base::Ref<base::Engine> engine, Carrier carrier)
    : engine_(std::move(engine)), carrier_(carrier), started_(engine_->now()) {}

std::chrono::milliseconds FaultPlan::sinceStart() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(engine_->now() - started_);
}

void FaultPlan::addNode(const Node& node) {
  base::MutexLock lock(mutex_);
  if (std::ranges::find(nodes_, node) == nodes_.end()) nodes_.push_back(node);
}

void FaultPlan::learnClient(std::string address, std::string client_id) {
  base::MutexLock lock(mutex_);
  clients_[std::move(address)] = std::move(client_id);
}

std::string FaultPlan::clientAt(const std::string& address) const {
  base::MutexLock lock(mutex_);
  const auto found = clients_.find(address);
  return found == clients_.end() ? std::string() : found->second;
}

Result<void> FaultPlan::validate(const Match& match, const FaultAction* action) const {
  std::string complaints;
  const auto complain = [&](const std::string& text) { complaints += (complaints.empty() ? "" : "; ") + text; };
  if (match.nth < 0) complain("nth is " + std::to_string(match.nth) + ", it is 0 for each frame or counts from 1");
  if (!(match.probability >= 0 && match.probability <= 1)) {
    complain("probability is " + std::to_string(match.probability) + ", it is 0 to 1");
  }
  if (match.from.count() < 0 || match.until <= match.from) {
    complain("the time window from " + std::to_string(match.from.count()) + " ms until " +
             std::to_string(match.until.count()) + " ms is empty or begins in the past");
  }
  if (!match.node.empty()) {
    base::MutexLock lock(mutex_);
    std::string names;
    bool known = false;
    for (const Node& node : nodes_) {
      known = known || (node.name == match.node && (!match.role || *match.role == node.role));
      names += (names.empty() ? "" : ", ") + node.name;
    }
    if (!known)
      complain("there is no node " + match.node + (match.role ? " of that role" : "") + "; there are: " + names);
  }
  if (action && actsOn(action->verb()) == ActsOn::kAccept && asksForAFrame(match)) {
    complain(
        "refuse acts on connects, which show no code, topic, group, client, queue, connection or reply; match role "
        "and node only");
  }
  if (!complaints.empty()) return Error(ErrorCode::kInvalidArgument, "match: " + complaints);
  return action ? faults::validate(*action, carrier_) : Result<void>();
}

std::shared_ptr<Rule> FaultPlan::add(Match match, std::optional<FaultAction> action) {
  auto rule = std::make_shared<Rule>(std::move(match), std::move(action), engine_->now());
  {
    base::MutexLock lock(mutex_);
    rules_.push_back(rule);
  }
  note("fault injected", rule->toString());
  return rule;
}

Result<std::shared_ptr<Rule>> FaultPlan::inject(Match match, FaultAction action) {
  if (auto valid = validate(match, &action); !valid) return valid.error();
  return add(std::move(match), std::move(action));
}

Result<std::shared_ptr<Rule>> FaultPlan::hold(Match match) {
  if (auto valid = validate(match, nullptr); !valid) return valid.error();
  return add(std::move(match), std::nullopt);
}

Result<std::shared_ptr<Rule>> FaultPlan::onceReleased(FaultAction action) {
  if (actsOn(action.verb()) == ActsOn::kAccept) {
    return Error(ErrorCode::kInvalidArgument, "refuse acts on connects; a held frame has its connection");
  }
  if (auto valid = faults::validate(action, carrier_); !valid) return valid.error();
  return std::make_shared<Rule>(Match{}, std::move(action), engine_->now());
}

void FaultPlan::clear(const std::shared_ptr<Rule>& rule, const std::shared_ptr<Rule>& next) {
  std::vector<HeldFrame> held = rule->takeHeld();
  {
    base::MutexLock lock(mutex_);
    if (std::erase(rules_, rule) == 0) return;
    if (rule->fired() == 0 && !rule->isOptional() && ended_idle_.size() < kEndedIdleMax) {
      ended_idle_.push_back(rule->toString());
    }
  }
  note("fault cleared", rule->toString() + ", fired " + std::to_string(rule->fired()) + " times");
  for (HeldFrame& frame : held) frame.go(next);
}

std::vector<std::string> FaultPlan::neverFired() const {
  base::MutexLock lock(mutex_);
  std::vector<std::string> names = ended_idle_;
  for (const auto& rule : rules_) {
    if (rule->fired() == 0 && !rule->isOptional()) names.push_back(rule->toString());
  }
  return names;
}

FaultPlan::Rules FaultPlan::rules() const {
  base::MutexLock lock(mutex_);
  return rules_;
}

std::shared_ptr<Rule> FaultPlan::firstDue(const Captured& frame, ActsOn accept_or_not) {
  std::shared_ptr<Rule> first;
  for (const auto& rule : rules()) {
    const bool for_connects = !rule->holds() && actsOn(rule->action().verb()) == ActsOn::kAccept;
    if (for_connects != (accept_or_not == ActsOn::kAccept)) continue;
    if (rule->isDue(frame, *engine_) && !first) first = rule;  // the others have counted it all the same
  }
  return first;
}

std::shared_ptr<Rule> FaultPlan::decide(const Captured& frame) {
  return firstDue(frame, ActsOn::kFrame);
}

bool FaultPlan::refuses(const Node& node, const std::string& from) {
  Captured connect;
  connect.role = node.role;
  connect.node = node.name;
  connect.from = from;
  connect.at = sinceStart();
  const std::shared_ptr<Rule> rule = firstDue(connect, ActsOn::kAccept);
  if (!rule) return false;
  rule->noteFired();
  note("connect refused", from + " at " + node.name);
  return true;
}

void FaultPlan::forget(const void* connection, const std::string& address) {
  {
    base::MutexLock lock(mutex_);
    clients_.erase(address);
  }
  for (const auto& rule : rules()) {
    if (rule->holds()) rule->dropHeldOf(connection);
  }
}

}  // namespace mqclient::faults
