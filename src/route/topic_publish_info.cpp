#include "route/topic_publish_info.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <utility>

#include "protocol/body/route.h"
#include "protocol/names.h"

namespace mqclient::route {
namespace {

/// Queues of one broker: the figure comes from the wire, the list is ours (Q23).
constexpr int kQueuesPerBrokerMax = 65'536;

/// Collects queues broker by broker.
class Builder {
 public:
  Builder(std::string_view topic, const protocol::TopicRouteData& route, FaultStrategy& faults)
      : topic_(topic), faults_(faults) {
    for (const protocol::BrokerData& data : route.brokerDatas) data_.emplace(data.brokerName, &data);
  }

  /// Empty: the route names no master of it.
  std::string masterOf(std::string_view broker_name) const {
    const auto found = data_.find(broker_name);
    if (found == data_.end()) return {};
    const auto master = found->second->brokerAddrs.find(protocol::kMasterId);
    return master == found->second->brokerAddrs.end() ? std::string() : master->second;
  }
  void add(const std::string& broker_name, std::string address, int queue_nums) {
    const auto [it, fresh] = index_.try_emplace(broker_name, static_cast<std::uint32_t>(info_->brokers.size()));
    if (fresh) info_->brokers.push_back({faults_.broker(broker_name), std::move(address)});
    for (int id = 0; id < std::min(queue_nums, kQueuesPerBrokerMax); ++id) {
      info_->queues.emplace_back(topic_, broker_name, id);
      info_->broker_of.push_back(it->second);
    }
  }
  std::shared_ptr<TopicPublishInfo> take() && { return std::move(info_); }

 private:
  std::string_view topic_;
  FaultStrategy& faults_;
  std::unordered_map<std::string_view, const protocol::BrokerData*> data_;
  std::unordered_map<std::string, std::uint32_t> index_;
  std::shared_ptr<TopicPublishInfo> info_ = std::make_shared<TopicPublishInfo>();
};

/// "brokerA:4;brokerB:2"; entries that are not of that form are passed over.
void addOrderedQueues(Builder& to, std::string_view conf) {
  while (!conf.empty()) {
    const std::size_t end = std::min(conf.find(';'), conf.size());
    const std::string_view entry = conf.substr(0, end);
    conf.remove_prefix(std::min(end + 1, conf.size()));
    const std::size_t colon = entry.rfind(':');
    if (colon == std::string_view::npos || colon == 0) continue;
    int count = 0;
    const std::string_view digits = entry.substr(colon + 1);
    if (std::from_chars(digits.data(), digits.data() + digits.size(), count).ec != std::errc()) continue;
    const std::string name(entry.substr(0, colon));
    to.add(name, to.masterOf(name), count);
  }
}

}  // namespace

std::shared_ptr<const TopicPublishInfo> makePublishInfo(std::string_view topic, const protocol::TopicRouteData& route,
                                                        std::uint64_t version, FaultStrategy& faults,
                                                        int queue_nums_max) {
  Builder builder(topic, route, faults);
  const bool ordered = route.orderTopicConf && !route.orderTopicConf->empty();
  if (ordered) {
    addOrderedQueues(builder, *route.orderTopicConf);
  } else {
    std::vector<const protocol::QueueData*> by_name;
    by_name.reserve(route.queueDatas.size());
    for (const protocol::QueueData& data : route.queueDatas) by_name.push_back(&data);
    std::ranges::sort(by_name, {},
                      [](const protocol::QueueData* data) -> const std::string& { return data->brokerName; });
    for (const protocol::QueueData* data : by_name) {
      std::string master = builder.masterOf(data->brokerName);
      if (!protocol::isWriteable(data->perm) || master.empty()) continue;
      // Of the default topic's queues the new topic gets as many as it asks for: read = write = the smaller figure.
      const int nums =
          queue_nums_max == kAllQueues ? data->writeQueueNums : std::min(queue_nums_max, data->readQueueNums);
      builder.add(data->brokerName, std::move(master), nums);
    }
  }
  std::shared_ptr<TopicPublishInfo> info = std::move(builder).take();
  info->order_topic = ordered;
  info->from_default_topic = queue_nums_max != kAllQueues;
  info->version = version;
  return info;
}

std::size_t selectOneMessageQueue(const TopicPublishInfo& info, std::atomic<std::uint32_t>& turn, bool avoid_slow,
                                  std::int64_t now, const BrokerState* last_broker) noexcept {
  const std::size_t n = info.queues.size();
  // Each look takes a turn of its own, as Java's does: the queues behind an avoided broker share its part evenly.
  const auto next = [&] { return turn.fetch_add(1, std::memory_order_relaxed) % n; };
  const std::size_t first = next();
  std::size_t at = first;
  std::size_t other = n;  // the first one of another broker, available or not
  for (std::size_t looked = 1;; ++looked) {
    const TopicPublishInfo::Broker& broker = info.brokerOf(at);
    if (broker.state.get() != last_broker && !broker.address.empty()) {
      if (!avoid_slow || broker.state->availableAt(now)) return at;
      if (other == n) other = at;
    }
    if (looked == n) break;
    at = next();
  }
  if (other != n) return other;
  // One broker alone: its next queue; queues without an address only if there is nothing else.
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t candidate = (first + i) % n;
    if (!info.brokerOf(candidate).address.empty()) return candidate;
  }
  return first;
}

}  // namespace mqclient::route
