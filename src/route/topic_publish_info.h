#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ref.h"
#include "mqclient/message.h"
#include "route/fault_strategy.h"
#include "route/route_table.h"

namespace mqclient::route {

/// The queues a producer may write to, made once from one version of a route (TopicPublishInfo.java). Immutable.
///
/// Shape    orderTopicConf "brokerA:4;brokerB:2" if there is one: those queues in that order, whatever permissions and
///          masters say. Else by broker name: brokers with write permission and a master, writeQueueNums queues each.
struct TopicPublishInfo {
  struct Broker {
    base::Ref<BrokerState> state;
    std::string address;  ///< of the master; empty: none known (order topics keep queues of dead brokers)
  };
  bool order_topic = false;
  /// From the route of the create-topic key: the topic itself is not there yet, the broker will make it.
  bool from_default_topic = false;
  std::uint64_t version = 0;  ///< of the slot it was made from
  std::vector<MessageQueue> queues;
  std::vector<std::uint32_t> broker_of;  ///< index into brokers, one a queue
  std::vector<Broker> brokers;

  bool ok() const noexcept { return !queues.empty(); }
  const Broker& brokerOf(std::size_t queue) const noexcept { return brokers[broker_of[queue]]; }
};

/// No bound on queues a broker is asked for.
inline constexpr int kAllQueues = -1;

/// `queue_nums_max`: for the default topic's route, at most so many queues a broker (defaultTopicQueueNums).
std::shared_ptr<const TopicPublishInfo> makePublishInfo(std::string_view topic, const protocol::TopicRouteData& route,
                                                        std::uint64_t version, FaultStrategy& faults,
                                                        int queue_nums_max = kAllQueues);

/// The next queue in turn: each call advances `turn`, so n sends over q queues give each n/q ± 1.
///
/// Shape    with avoidance on, the first one in turn whose broker is available and not `last_broker`; else the first
///          whose broker is not `last_broker`; else the next one. Brokers without an address are passed over likewise.
/// Errors   none; `info` must be ok().
/// Threads  any; `turn` is shared by all senders of a producer and topic, wraps.
std::size_t selectOneMessageQueue(const TopicPublishInfo& info, std::atomic<std::uint32_t>& turn, bool avoid_slow,
                                  std::int64_t now, const BrokerState* last_broker) noexcept;

}  // namespace mqclient::route
