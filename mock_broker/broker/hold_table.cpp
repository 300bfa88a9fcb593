#include "mock_broker/broker/hold_table.h"

#include <utility>

#include "mock_broker/broker/pull.h"

namespace mqclient::broker {

HoldTable::HoldTable() = default;
HoldTable::~HoldTable() = default;

void HoldTable::insert(base::Ref<PullRequest> held) {
  PullRequest& pull = *held;
  auto& of_queue = by_queue_[pull.queue.get()];
  auto& of_peer = by_peer_[pull.peer->id()];
  pull.queue_index = of_queue.size();
  pull.peer_index = of_peer.size();
  pull.held = true;
  of_peer.push_back(&pull);
  of_queue.push_back(std::move(held));
  ++size_;
  pull.queue->waiters.fetch_add(1, std::memory_order_seq_cst);
}

void HoldTable::remove(PullRequest& pull) {
  pull.queue->waiters.fetch_sub(1, std::memory_order_relaxed);
  pull.held = false;
  --size_;
  const auto of_peer = by_peer_.find(pull.peer->id());
  of_peer->second[pull.peer_index] = of_peer->second.back();
  of_peer->second[pull.peer_index]->peer_index = pull.peer_index;
  of_peer->second.pop_back();
  auto& of_queue = by_queue_[pull.queue.get()];
  base::Ref<PullRequest> mine = std::move(of_queue[pull.queue_index]);  // dies last
  const std::size_t index = pull.queue_index;
  if (index + 1 != of_queue.size()) {
    of_queue[index] = std::move(of_queue.back());
    of_queue[index]->queue_index = index;
  }
  of_queue.pop_back();
}

std::vector<base::Ref<PullRequest>> HoldTable::ofQueue(const store::ConsumeQueue& queue) const {
  const auto found = by_queue_.find(&queue);
  return found == by_queue_.end() ? std::vector<base::Ref<PullRequest>>() : found->second;
}

std::vector<base::Ref<PullRequest>> HoldTable::ofPeer(std::uint64_t peer_id) const {
  std::vector<base::Ref<PullRequest>> pulls;
  if (const auto found = by_peer_.find(peer_id); found != by_peer_.end()) {
    for (PullRequest* pull : found->second) pulls.emplace_back(pull);
  }
  return pulls;
}

void HoldTable::forgetPeer(std::uint64_t peer_id) {
  const auto found = by_peer_.find(peer_id);
  if (found != by_peer_.end() && found->second.empty()) by_peer_.erase(found);
}

std::vector<base::Ref<PullRequest>> HoldTable::all() const {
  std::vector<base::Ref<PullRequest>> pulls;
  for (const auto& [queue, held] : by_queue_) pulls.insert(pulls.end(), held.begin(), held.end());
  return pulls;
}

}  // namespace mqclient::broker
