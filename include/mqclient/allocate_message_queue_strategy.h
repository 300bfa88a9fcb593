#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mqclient/export.h"
#include "mqclient/message.h"

namespace mqclient {
inline namespace v1 {

/// Divides the queues of a topic among the members of a group. Every member computes its own share from the same two
/// lists, so all must use the same strategy, and it must depend on nothing else. Called on listener threads.
class AllocateMessageQueueStrategy {
 public:
  virtual ~AllocateMessageQueueStrategy() = default;

  /// The name members compare, e.g. "AVG".
  virtual std::string name() const = 0;
  /// The queues of `self`, out of `queues`. `queues` and `members` (client ids) are ascending, without duplicates.
  virtual std::vector<MessageQueue> allocate(std::string_view consumerGroup, std::string_view self, Queues queues,
                                             std::span<const std::string> members) const = 0;
};

/// One contiguous run each: with q queues and m members the first q % m members get one more than the rest; members
/// beyond q get none. The default. AllocateMessageQueueAveragely.java
class MQCLIENT_EXPORT AllocateMessageQueueAveragely final : public AllocateMessageQueueStrategy {
 public:
  std::string name() const override;
  std::vector<MessageQueue> allocate(std::string_view consumerGroup, std::string_view self, Queues queues,
                                     std::span<const std::string> members) const override;
};

}  // namespace v1
}  // namespace mqclient
