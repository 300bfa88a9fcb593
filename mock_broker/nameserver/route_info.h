#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/engine.h"
#include "protocol/body/register_broker.h"
#include "protocol/body/route.h"

namespace mqclient::nameserver {

/// One broker's registration as it arrived (103), decoded.
struct Registration {
  std::string cluster_name;
  std::string broker_name;
  std::string broker_addr;
  std::int64_t broker_id = 0;
  std::string ha_server_addr;
  std::optional<std::int64_t> heartbeat_timeout_millis;
  bool enable_acting_master = false;
  protocol::TopicConfigSerializeWrapper topics;
};

/// What a registration learns about its replica group.
struct RegistrationAnswer {
  std::string master_addr;     ///< for slaves with a live master, else empty
  std::string ha_server_addr;  ///< the master's
};

/// The nameserver's tables and the rules that change them: pure, no clock, no connection. Nameservers never talk to
/// each other; nothing here survives a restart, brokers register again within 30 s.
///
/// Guarded by the nameserver's strand.
/// Source   RouteInfoManager.java, RocketMQ 5.x.
class RouteInfo {
 public:
  /// The default when a registration names no timeout of its own. NamesrvConfig / BrokerLiveInfo.
  static constexpr base::Millis kBrokerExpiry{120'000};
  /// What a registration may name at most; ours, a clock of nanoseconds cannot count every number of milliseconds.
  static constexpr base::Millis kBrokerExpiryMax{24 * 3'600'000};

  /// Takes a registration in. `connection` is what onConnectionClosed will name. Nullopt: refused (a broker id that is
  /// new must register its whole table before it may register a single topic).
  std::optional<RegistrationAnswer> registerBroker(const Registration& r, std::uint64_t connection,
                                                   base::SteadyTime now);
  void unregisterBroker(const std::string& cluster_name, const std::string& broker_addr, const std::string& broker_name,
                        std::int64_t broker_id);
  /// Any sign of life (322): the registration's clock starts anew. False: this broker is not registered.
  bool touch(const std::string& cluster_name, const std::string& broker_addr, base::SteadyTime now);
  const protocol::DataVersion* dataVersion(const std::string& cluster_name, const std::string& broker_addr) const;
  /// The broker that registered over this connection is gone at once.
  void onConnectionClosed(std::uint64_t connection);
  /// Removes brokers that were silent for longer than their timeout; answers their connections, to be closed.
  std::vector<std::uint64_t> expire(base::SteadyTime now);

  void forget(const std::string& topic) { topics_.erase(topic); }

  /// Nullopt: no queue data for the topic, or none of its brokers is known (TOPIC_NOT_EXIST).
  std::optional<protocol::TopicRouteData> route(const std::string& topic) const;
  std::size_t brokers() const noexcept { return live_.size(); }

 private:
  using Address = std::pair<std::string, std::string>;  // cluster, "ip:port"
  struct Live {
    base::SteadyTime last_update{};
    base::Millis timeout{};
    protocol::DataVersion data_version;
    std::uint64_t connection = 0;
    std::string broker_name;
    std::int64_t broker_id = 0;
    std::string ha_server_addr;
  };
  struct Group {  // brokers of one name
    std::string cluster;
    std::map<std::int64_t, std::string> addresses;  // id -> "ip:port"; 0 is the master
    bool enable_acting_master = false;
  };

  void remove(const Address& address, const std::string& broker_name, std::int64_t broker_id);
  void putQueueData(const Registration& r, const protocol::TopicConfig& config, bool prime_slave);

  std::map<std::string, std::map<std::string, protocol::QueueData>> topics_;  // topic -> broker name -> queues
  std::map<std::string, Group> groups_;                                       // broker name -> replica group
  std::map<std::string, std::set<std::string>> clusters_;                     // cluster -> broker names
  std::map<Address, Live> live_;
};

}  // namespace mqclient::nameserver
