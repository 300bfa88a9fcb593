#include "mock_broker/nameserver/route_info.h"

#include <algorithm>

#include "protocol/names.h"

namespace mqclient::nameserver {

std::optional<RegistrationAnswer> RouteInfo::registerBroker(const Registration& r, std::uint64_t connection,
                                                            base::SteadyTime now) {
  const Address address{r.cluster_name, r.broker_addr};
  clusters_[r.cluster_name].insert(r.broker_name);
  auto [group_at, register_first] = groups_.try_emplace(r.broker_name);
  Group& group = group_at->second;
  group.cluster = r.cluster_name;
  group.enable_acting_master = r.enable_acting_master;

  // The same address under another id: a slave that became master, or a master that came back as slave.
  std::erase_if(group.addresses,
                [&](const auto& entry) { return entry.second == r.broker_addr && entry.first != r.broker_id; });

  const auto holder = group.addresses.find(r.broker_id);
  if (holder != group.addresses.end() && holder->second != r.broker_addr) {
    // Two addresses claim one id: the one with the greater state version stays.
    const auto other = live_.find({r.cluster_name, holder->second});
    if (other != live_.end() && other->second.data_version.stateVersion > r.topics.dataVersion.stateVersion) {
      live_.erase(address);
      return RegistrationAnswer{};
    }
  }
  if (holder == group.addresses.end() && r.topics.topicConfigTable.size() == 1) {
    if (register_first) {
      groups_.erase(group_at);
      clusters_[r.cluster_name].erase(r.broker_name);
      if (clusters_[r.cluster_name].empty()) clusters_.erase(r.cluster_name);
    }
    return std::nullopt;
  }
  register_first = register_first || holder == group.addresses.end();
  group.addresses[r.broker_id] = r.broker_addr;

  const bool is_master = r.broker_id == 0;
  const bool prime_slave = !is_master && r.enable_acting_master && group.addresses.begin()->first == r.broker_id;
  const auto live = live_.find(address);
  const bool version_changed = live == live_.end() || !(live->second.data_version == r.topics.dataVersion);
  if (is_master || prime_slave) {
    for (const auto& [topic, config] : r.topics.topicConfigTable) {
      const auto known = topics_.find(topic);
      const bool missing = known == topics_.end() || !known->second.contains(r.broker_name);
      if (register_first || version_changed || missing) putQueueData(r, config, prime_slave);
    }
  }

  const base::Millis timeout(r.heartbeat_timeout_millis.value_or(kBrokerExpiry.count()));
  live_[address] = Live{.last_update = now,
                        .timeout = std::clamp(timeout, base::Millis(0), kBrokerExpiryMax),
                        .data_version = r.topics.dataVersion,
                        .connection = connection,
                        .broker_name = r.broker_name,
                        .broker_id = r.broker_id,
                        .ha_server_addr = r.ha_server_addr};

  RegistrationAnswer answer;
  if (!is_master) {
    const auto master = group.addresses.find(0);
    if (master != group.addresses.end()) {
      const auto master_live = live_.find({r.cluster_name, master->second});
      if (master_live != live_.end()) {
        answer.master_addr = master->second;
        answer.ha_server_addr = master_live->second.ha_server_addr;
      }
    }
  }
  return answer;
}

void RouteInfo::putQueueData(const Registration& r, const protocol::TopicConfig& config, bool prime_slave) {
  protocol::QueueData data;
  data.brokerName = r.broker_name;
  data.readQueueNums = config.readQueueNums;
  data.writeQueueNums = config.writeQueueNums;
  data.perm = prime_slave ? config.perm & ~protocol::kPermWrite : config.perm;
  data.topicSysFlag = config.topicSysFlag;
  topics_[config.topicName][r.broker_name] = data;
}

void RouteInfo::unregisterBroker(const std::string& cluster_name, const std::string& broker_addr,
                                 const std::string& broker_name, std::int64_t broker_id) {
  remove({cluster_name, broker_addr}, broker_name, broker_id);
}

bool RouteInfo::touch(const std::string& cluster_name, const std::string& broker_addr, base::SteadyTime now) {
  const auto live = live_.find({cluster_name, broker_addr});
  if (live == live_.end()) return false;
  live->second.last_update = now;
  return true;
}

const protocol::DataVersion* RouteInfo::dataVersion(const std::string& cluster_name,
                                                    const std::string& broker_addr) const {
  const auto live = live_.find({cluster_name, broker_addr});
  return live == live_.end() ? nullptr : &live->second.data_version;
}

void RouteInfo::onConnectionClosed(std::uint64_t connection) {
  for (auto it = live_.begin(); it != live_.end();) {
    const auto at = it++;
    if (at->second.connection == connection) {
      remove(Address(at->first), std::string(at->second.broker_name), at->second.broker_id);
    }
  }
}

std::vector<std::uint64_t> RouteInfo::expire(base::SteadyTime now) {
  std::vector<std::uint64_t> connections;
  for (auto it = live_.begin(); it != live_.end();) {
    const auto at = it++;
    if (at->second.last_update + at->second.timeout < now) {
      connections.push_back(at->second.connection);
      remove(Address(at->first), std::string(at->second.broker_name), at->second.broker_id);
    }
  }
  return connections;
}

void RouteInfo::remove(const Address& address, const std::string& broker_name, std::int64_t broker_id) {
  live_.erase(address);
  const auto group_at = groups_.find(broker_name);
  if (group_at == groups_.end()) return;
  Group& group = group_at->second;
  const auto entry = group.addresses.find(broker_id);
  if (entry != group.addresses.end() && entry->second == address.second) group.addresses.erase(entry);

  if (group.addresses.empty()) {
    const auto cluster = clusters_.find(group.cluster);
    if (cluster != clusters_.end()) {
      cluster->second.erase(broker_name);
      if (cluster->second.empty()) clusters_.erase(cluster);
    }
    groups_.erase(group_at);
    for (auto it = topics_.begin(); it != topics_.end();) {
      const auto topic = it++;
      topic->second.erase(broker_name);
      if (topic->second.empty()) topics_.erase(topic);
    }
  } else if (group.enable_acting_master && !group.addresses.contains(0)) {
    // Only slaves are left and one of them stands in: its queues can be read, not written.
    for (auto& [topic, by_broker] : topics_) {
      const auto queues = by_broker.find(broker_name);
      if (queues != by_broker.end()) queues->second.perm &= ~protocol::kPermWrite;
    }
  }
}

std::optional<protocol::TopicRouteData> RouteInfo::route(const std::string& topic) const {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return std::nullopt;
  protocol::TopicRouteData route;
  for (const auto& [broker_name, queues] : found->second) {
    const auto group = groups_.find(broker_name);
    if (group == groups_.end()) continue;
    route.queueDatas.push_back(queues);
    protocol::BrokerData broker;
    broker.cluster = group->second.cluster;
    broker.brokerName = broker_name;
    broker.brokerAddrs = group->second.addresses;
    broker.enableActingMaster = group->second.enable_acting_master;
    route.brokerDatas.push_back(std::move(broker));
  }
  if (route.brokerDatas.empty()) return std::nullopt;
  return route;
}

}  // namespace mqclient::nameserver
