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
    slot = found->second.slot;
  }
  return slot->get();
}

RouteTable::Entry& RouteTable::entry(std::string_view topic) {
  const auto found = slots_.find(topic);
  if (found != slots_.end()) return found->second;
  return slots_.emplace(std::string(topic), Entry{base::makeRef<RouteSlot>(std::string(topic))}).first->second;
}

base::Ref<RouteSlot> RouteTable::slot(std::string_view topic) {
  base::MutexLock lock(mutex_);
  return entry(topic).slot;
}

base::Ref<RouteSlot> RouteTable::hold(std::string_view topic) {
  base::MutexLock lock(mutex_);
  Entry& held = entry(topic);
  ++held.holders;
  return held.slot;
}

void RouteTable::letGo(std::string_view topic) {
  base::MutexLock lock(mutex_);
  const auto found = slots_.find(topic);
  if (found != slots_.end() && found->second.holders > 0) --found->second.holders;
}

std::vector<std::pair<std::string, RoutePtr>> RouteTable::all() const {
  std::vector<std::pair<std::string, RoutePtr>> routes;
  base::MutexLock lock(mutex_);
  for (const auto& [topic, entry] : slots_) {
    if (RoutePtr route = entry.slot->get()) routes.emplace_back(topic, std::move(route));
  }
  return routes;
}

bool RouteTable::forget(std::string_view topic) {
  base::Ref<RouteSlot> dropped;
  {
    base::MutexLock lock(mutex_);
    const auto found = slots_.find(topic);
    if (found == slots_.end() || found->second.holders > 0) return false;
    dropped = std::move(found->second.slot);
    slots_.erase(found);
  }
  return dropped->get() != nullptr;
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
