#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/ref.h"
#include "mock_broker/store/consume_queue.h"

namespace mqclient::broker {

class PullRequest;

/// Pulls that wait for a message, by queue and by connection. *tables* strand. PullRequestHoldService.java
///
/// Invariant  a queue's `waiters` counts its entries here, so that the log knows whom to wake (B6).
class HoldTable {
 public:
  HoldTable();
  ~HoldTable();
  HoldTable(const HoldTable&) = delete;
  HoldTable& operator=(const HoldTable&) = delete;

  void insert(base::Ref<PullRequest> pull);
  void remove(PullRequest& pull);
  std::vector<base::Ref<PullRequest>> ofQueue(const store::ConsumeQueue& queue) const;
  std::vector<base::Ref<PullRequest>> ofPeer(std::uint64_t peer_id) const;
  std::vector<base::Ref<PullRequest>> all() const;
  /// The connection is closed: its entry goes if it has no holds any more.
  void forgetPeer(std::uint64_t peer_id);
  std::size_t size() const noexcept { return size_; }

 private:
  // Vectors stay when they are empty: a pull that waits for each message allocates nothing here. Queues are bounded by
  // the topics, connections by the server; a connection's goes with its last hold once the connection is closed.
  std::unordered_map<const store::ConsumeQueue*, std::vector<base::Ref<PullRequest>>> by_queue_;
  std::unordered_map<std::uint64_t, std::vector<PullRequest*>> by_peer_;
  std::size_t size_ = 0;
};

}  // namespace mqclient::broker
