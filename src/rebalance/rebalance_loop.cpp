#include "rebalance/rebalance_loop.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "base/buggify.h"
#include "rebalance/allocate_averagely.h"

namespace mqclient::rebalance {
namespace {

/// A user's strategy may throw, or hand out what does not exist.
Result<std::vector<MessageQueue>> allocate(const AllocateMessageQueueStrategy& strategy, const std::string& group,
                                           const std::string& self, const std::vector<MessageQueue>& queues,
                                           const std::vector<std::string>& members) {
  std::vector<MessageQueue> mine;
  try {
    mine = strategy.allocate(group, self, queues, members);
  } catch (const std::exception& e) {
    return Error(ErrorCode::kUserCode, "the allocation strategy threw: " + std::string(e.what()));
  } catch (...) {
    return Error(ErrorCode::kUserCode, "the allocation strategy threw something that is no std::exception");
  }
  std::sort(mine.begin(), mine.end());
  mine.erase(std::unique(mine.begin(), mine.end()), mine.end());
  for (const MessageQueue& queue : mine) {
    if (!std::binary_search(queues.begin(), queues.end(), queue)) {
      return Error(ErrorCode::kUserCode,
                   "the allocation strategy answered " + queue.toString() + ", which is none of the topic's queues");
    }
  }
  return mine;
}

std::vector<MessageQueue> difference(const std::vector<MessageQueue>& a, const std::vector<MessageQueue>& b) {
  std::vector<MessageQueue> only_a;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(only_a));
  return only_a;
}

}  // namespace

RebalanceLoop::RebalanceLoop(base::Strand& strand, RebalanceTarget& target, std::string group, std::string self,
                             std::shared_ptr<const AllocateMessageQueueStrategy> strategy)
    : strand_(strand),
      target_(&target),
      group_(std::move(group)),
      self_(std::move(self)),
      strategy_(std::move(strategy)),
      timer_(strand, [this] { run(); }),
      inputs_(std::make_shared<const AllInputs>()) {}

RebalanceLoop::~RebalanceLoop() = default;

void RebalanceLoop::trigger() {
  if (closed_) return;
  if (running_) {
    again_ = true;
    return;
  }
  const base::SteadyTime now = strand_.engine().now();
  if (last_run_ && MQ_BUGGIFY(strand_.engine(), kRebalanceIsLate)) {
    arm(now + kMinInterval);
  } else if (!last_run_ || now >= *last_run_ + kMinInterval) {
    timer_.cancel();
    run();
  } else {
    arm(*last_run_ + kMinInterval);
  }
}

void RebalanceLoop::arm(base::SteadyTime due) {
  if (timer_.armed() && timer_.due() <= due) return;
  timer_.arm(base::Ref<base::Object>(target_), due);
}

void RebalanceLoop::close() {
  closed_ = true;
  timer_.cancel();
}

void RebalanceLoop::forget(const std::string& topic) {
  mine_.erase(topic);
  diverged_.erase(topic);
  auto next = std::make_shared<AllInputs>(*inputs_.get());
  if (next->erase(topic) > 0) inputs_.set(std::move(next));
}

bool RebalanceLoop::named(const std::string& topic) {
  const std::vector<std::string> topics = target_->topics();
  return std::find(topics.begin(), topics.end(), topic) != topics.end();
}

void RebalanceLoop::run() {
  if (closed_ || running_) return;
  running_ = true;
  again_ = false;
  balanced_ = true;
  ++runs_;
  last_run_ = strand_.engine().now();

  const std::vector<std::string> topics = target_->topics();
  pending_ = topics.size() + 1;  // the one more is this function: the run must not end inside the loop
  for (const std::string& topic : topics) {
    std::optional<std::vector<MessageQueue>> queues = target_->queuesOf(topic);
    if (!queues || queues->empty()) {
      topicDone(true);  // its first route triggers the next run
      continue;
    }
    target_->askMembers(topic, base::Completion<std::vector<std::string>>::of(
                                   [this, alive = base::Ref<base::Object>(target_), topic,
                                    queues = std::move(*queues)](Result<std::vector<std::string>>&& members) mutable {
                                     strand_.post(alive, [this, topic, queues = std::move(queues),
                                                          members = std::move(members)]() mutable {
                                       onMembers(topic, std::move(queues), std::move(members));
                                     });
                                   }));
  }
  topicDone(true);
}

void RebalanceLoop::onMembers(const std::string& topic, std::vector<MessageQueue> queues,
                              Result<std::vector<std::string>> members) {
  if (closed_) return;
  if (!named(topic)) return topicDone(true);
  if (!members) return topicDone(false);  // keeps what it has; asked again soon
  Inputs inputs;
  inputs.queues = std::move(queues);
  inputs.members = *std::move(members);
  std::sort(inputs.members.begin(), inputs.members.end());
  const auto twice = std::unique(inputs.members.begin(), inputs.members.end());
  if (twice != inputs.members.end()) {
    inputs.divergence.push_back("the broker lists a client id twice");
    inputs.members.erase(twice, inputs.members.end());
  }
  if (!std::binary_search(inputs.members.begin(), inputs.members.end(), self_)) {
    // Either the broker has not heard our heartbeat yet, or it lost its tables. Computing from a list without us would
    // give everything away.
    inputs.divergence.push_back("the broker's list of " + std::to_string(inputs.members.size()) +
                                " members does not have this client");
    diverged(topic, inputs.divergence.back());
    publish(topic, std::move(inputs));
    return topicDone(false);
  }
  diverged(topic, inputs.divergence.empty() ? std::string() : inputs.divergence.front());
  if (inputs.members.size() > 1) others_seen_ = true;
  const PreviousOwner previous = others_seen_ ? PreviousOwner::kPossible : PreviousOwner::kNobody;
  if (strategy_) return allocateOnListenerThread(topic, std::move(inputs), previous);
  std::vector<MessageQueue> mine = allocateAveragely(inputs.queues, inputs.members, self_);
  apply(topic, std::move(inputs), std::move(mine), previous);
}

void RebalanceLoop::allocateOnListenerThread(const std::string& topic, Inputs inputs, PreviousOwner previous) {
  base::Ref<base::Object> alive(target_);
  strand_.engine().awaitedSteps().submit(alive, [this, alive, topic, previous, inputs = std::move(inputs)]() mutable {
    Result<std::vector<MessageQueue>> mine = allocate(*strategy_, group_, self_, inputs.queues, inputs.members);
    strand_.post(alive, [this, topic, previous, inputs = std::move(inputs), mine = std::move(mine)]() mutable {
      apply(topic, std::move(inputs), std::move(mine), previous);
    });
  });
}

void RebalanceLoop::apply(const std::string& topic, Inputs inputs, Result<std::vector<MessageQueue>> mine,
                          PreviousOwner previous) {
  if (closed_) return;
  if (!named(topic)) return topicDone(true);
  if (!mine) {
    inputs.divergence.push_back(mine.error().message());
    diverged(topic, mine.error().message());
    publish(topic, std::move(inputs));
    return topicDone(false);
  }
  std::vector<MessageQueue>& owned = mine_[topic];
  const std::vector<MessageQueue> removed = difference(owned, *mine);
  const std::vector<MessageQueue> added = difference(*mine, owned);
  owned = *std::move(mine);
  publish(topic, std::move(inputs));
  // Give up before taking: both may count against one bound of the target.
  if (!removed.empty()) target_->onRevoked(topic, removed);
  if (!added.empty()) target_->onAssigned(topic, added, previous);
  topicDone(true);
}

void RebalanceLoop::publish(const std::string& topic, Inputs inputs) {
  auto next = std::make_shared<AllInputs>(*inputs_.get());
  (*next)[topic] = std::move(inputs);
  inputs_.set(std::move(next));
}

void RebalanceLoop::diverged(const std::string& topic, std::string what) {
  std::string& told = diverged_[topic];
  if (told == what) return;
  told = std::move(what);
  if (!told.empty()) target_->onDiverged(topic, told);
}

void RebalanceLoop::topicDone(bool balanced) {
  balanced_ = balanced_ && balanced;
  if (--pending_ > 0) return;
  running_ = false;
  const bool soon = again_ || !balanced_;
  again_ = false;
  arm(*last_run_ + (soon ? kMinInterval : kInterval));
  target_->onRunEnded(balanced_);
}

RebalanceReport RebalanceLoop::explain(std::string_view topic) const {
  const std::shared_ptr<const AllInputs> all = inputs_.get();
  RebalanceReport report;
  report.strategy = strategy_ ? strategy_->name() : AllocateMessageQueueAveragely().name();
  report.self = self_;
  const auto it = all->find(topic);
  if (it == all->end()) {
    report.divergence.push_back("not computed yet: the topic is not subscribed, or its route or members are unknown");
    return report;
  }
  const Inputs& inputs = it->second;
  report.members = inputs.members;
  report.divergence = inputs.divergence;
  report.membersHash = hashOf(inputs.members);
  report.queuesHash = hashOf(inputs.queues);

  std::map<MessageQueue, std::string> owners;
  for (const std::string& member : inputs.members) {
    const AllocateMessageQueueAveragely averagely;
    const Result<std::vector<MessageQueue>> share =
        allocate(strategy_ ? *strategy_ : averagely, group_, member, inputs.queues, inputs.members);
    if (!share) continue;  // already among the divergences
    for (const MessageQueue& queue : *share) owners.emplace(queue, member);
  }
  for (std::size_t i = 0; i < inputs.queues.size(); ++i) {
    const MessageQueue& queue = inputs.queues[i];
    const auto owner = owners.find(queue);
    RebalanceReport::Row row{queue};
    if (owner == owners.end()) {
      row.why = "given to nobody by " + report.strategy;
    } else {
      const auto place = std::lower_bound(inputs.members.begin(), inputs.members.end(), owner->second);
      row.owner = owner->second;
      row.why = "queue " + std::to_string(i + 1) + " of " + std::to_string(inputs.queues.size()) + ", member " +
                std::to_string(place - inputs.members.begin() + 1) + " of " + std::to_string(inputs.members.size()) +
                ", " + report.strategy;
    }
    report.rows.push_back(std::move(row));
  }
  return report;
}

}  // namespace mqclient::rebalance
