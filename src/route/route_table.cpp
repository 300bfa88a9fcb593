#include "route/route_table.h"

#include <algorithm>

#include "protocol/body/route.h"

namespace mqclient::route {

RoutePtr RouteTable::route(std::string_view topic) const {
  base::Ref<RouteSlot> slot;
  {
    base::MutexLock lock(mutex_);
    const auto found = slots_.find(topic);
    if (found == slots_.end()) return nullptr;
    slot = found->second;
  }
  return slot->get();
}

base::Ref<RouteSlot> RouteTable::slot(std::string_view topic) {
  base::MutexLock lock(mutex_);
  const auto found = slots_.find(topic);
  if (found != slots_.end()) return found->second;
  auto slot = base::makeRef<RouteSlot>(std::string(topic));
  slots_.emplace(std::string(topic), slot);
  return slot;
}

std::vector<std::pair<std::string, RoutePtr>> RouteTable::all() const {
  std::vector<std::pair<std::string, RoutePtr>> routes;
  base::MutexLock lock(mutex_);
  for (const auto& [topic, slot] : slots_) {
    if (RoutePtr route = slot->get()) routes.emplace_back(topic, std::move(route));
  }
  return routes;
}

void RouteTable::forget(std::string_view topic) {
  base::Ref<RouteSlot> dropped;
  base::MutexLock lock(mutex_);
  const auto found = slots_.find(topic);
  if (found == slots_.end()) return;
  dropped = std::move(found->second);
  slots_.erase(found);
}

bool sameRoute(const protocol::TopicRouteData& a, const protocol::TopicRouteData& b) {
  protocol::TopicRouteData x = a;
  protocol::TopicRouteData y = b;
  for (protocol::TopicRouteData* route : {&x, &y}) {
    std::ranges::sort(route->queueDatas, {}, &protocol::QueueData::brokerName);
    std::ranges::sort(route->brokerDatas, {}, &protocol::BrokerData::brokerName);
  }
  return x == y;
}

bool usable(const protocol::TopicRouteData& route) noexcept {
  const bool has_broker = std::ranges::any_of(
      route.brokerDatas, [](const protocol::BrokerData& broker) { return !broker.brokerAddrs.empty(); });
  return has_broker && !route.queueDatas.empty();
}

}  // namespace mqclient::route
