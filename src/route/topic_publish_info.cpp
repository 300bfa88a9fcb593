#include "route/topic_publish_info.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "protocol/body/route.h"
#include "protocol/names.h"

namespace mqclient::route {

namespace {

/// Collects queues broker by broker.
class Builder {
 public:
  Builder(std::string_view topic, const protocol::TopicRouteData& route, FaultStrategy& faults)
      : topic_(topic), route_(route), faults_(faults) {}

  std::string masterOf(std::string_view broker_name) const {
    for (const protocol::BrokerData& broker : route_.brokerDatas) {
      if (broker.brokerName != broker_name) continue;
      const auto master = broker.brokerAddrs.find(protocol::kMasterId);
      return master == broker.brokerAddrs.end() ? std::string() : master->second;
    }
    return {};
  }
  void add(TopicPublishInfo& info, std::string_view broker_name, std::string address, int queue_nums) const {
    const auto index = static_cast<std::uint32_t>(info.brokers.size());
    info.brokers.push_back({faults_.broker(broker_name), std::move(address)});
    for (int id = 0; id < queue_nums; ++id) {
      info.queues.emplace_back(topic_, broker_name, id);
      info.broker_of.push_back(index);
    }
  }

 private:
  std::string_view topic_;
  const protocol::TopicRouteData& route_;
  FaultStrategy& faults_;
};

/// "brokerA:4;brokerB:2"; entries that are not of that form are passed over.
void addOrderedQueues(TopicPublishInfo& info, const Builder& builder, std::string_view conf) {
  while (!conf.empty()) {
    const std::size_t end = std::min(conf.find(';'), conf.size());
    const std::string_view entry = conf.substr(0, end);
    conf.remove_prefix(std::min(end + 1, conf.size()));
    const std::size_t colon = entry.find(':');
    if (colon == std::string_view::npos || colon == 0) continue;
    int count = 0;
    const std::string_view digits = entry.substr(colon + 1);
    if (std::from_chars(digits.data(), digits.data() + digits.size(), count).ec != std::errc()) continue;
    const std::string_view name = entry.substr(0, colon);
    builder.add(info, name, builder.masterOf(name), count);
  }
}

/// The first queue in turn that `fits`; nullopt: none.
template <class Fits>
std::optional<std::size_t> firstInTurn(const TopicPublishInfo& info, std::uint32_t start, Fits fits) {
  const std::size_t n = info.queues.size();
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t at = (start + i) % n;
    if (fits(info.brokerOf(at))) return at;
  }
  return std::nullopt;
}

}  // namespace

std::shared_ptr<const TopicPublishInfo> makePublishInfo(std::string_view topic, const protocol::TopicRouteData& route,
                                                        std::uint64_t version, FaultStrategy& faults,
                                                        int queue_nums_max) {
  auto info = std::make_shared<TopicPublishInfo>();
  info->version = version;
  info->from_default_topic = queue_nums_max != kAllQueues;
  const Builder builder(topic, route, faults);
  if (route.orderTopicConf && !route.orderTopicConf->empty()) {
    info->order_topic = true;
    addOrderedQueues(*info, builder, *route.orderTopicConf);
    return info;
  }
  std::vector<const protocol::QueueData*> by_broker;
  for (const protocol::QueueData& data : route.queueDatas) by_broker.push_back(&data);
  std::ranges::sort(by_broker, {}, [](const protocol::QueueData* d) { return std::string_view(d->brokerName); });
  for (const protocol::QueueData* data : by_broker) {
    if (!protocol::isWriteable(data->perm)) continue;
    std::string master = builder.masterOf(data->brokerName);
    if (master.empty()) continue;
    const int queues =
        queue_nums_max == kAllQueues ? data->writeQueueNums : std::min(queue_nums_max, data->readQueueNums);
    builder.add(*info, data->brokerName, std::move(master), queues);
  }
  return info;
}

std::size_t selectOneMessageQueue(const TopicPublishInfo& info, std::atomic<std::uint32_t>& turn, bool avoid_slow,
                                  std::int64_t now, const BrokerState* last_broker) noexcept {
  const std::uint32_t start = turn.fetch_add(1, std::memory_order_relaxed);
  const std::size_t next = start % info.queues.size();
  const TopicPublishInfo::Broker& usual = info.brokerOf(next);
  const auto reachable = [&](const TopicPublishInfo::Broker& b) {
    return b.state.get() != last_broker && !b.address.empty();
  };
  // The common case first: the queue in turn is fine.
  if (reachable(usual) && (!avoid_slow || usual.state->availableAt(now))) return next;
  if (avoid_slow) {
    const auto available = firstInTurn(
        info, start, [&](const TopicPublishInfo::Broker& b) { return reachable(b) && b.state->availableAt(now); });
    if (available) return *available;
  }
  if (const auto other = firstInTurn(info, start, reachable)) return *other;
  return next;
}

}  // namespace mqclient::route
