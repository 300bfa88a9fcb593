#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/engine.h"
#include "mock_broker/broker/topic_table.h"
#include "mock_broker/store/message_store.h"
#include "protocol/body/heartbeat.h"
#include "protocol/remoting_command.h"
#include "remoting/responder.h"

namespace mqclient::broker {

/// One client of one group: a connection and what its last heartbeat said.
struct ClientChannel {
  base::Ref<remoting::Peer> peer;
  std::string clientId;
  protocol::LanguageCode language{};
  std::int32_t version{0};
  protocol::SerializeType type{};  ///< what it speaks, so what it is spoken to in
  base::SteadyTime last_heartbeat{};
};

/// A subscription and its filter, ready to test units with.
struct Subscription {
  std::int64_t subVersion{0};
  std::string expressionType;
  std::string subString;
  std::shared_ptr<const store::TagFilter> filter;  ///< null: everything
};
std::shared_ptr<const store::TagFilter> filterOf(const protocol::SubscriptionData& subscription);

struct ConsumerGroup {
  std::map<std::uint64_t, ClientChannel> channels;  ///< by connection
  TextMap<Subscription> subscriptions;              ///< by topic; the group's, so all members must want the same
  protocol::ConsumeType consumeType{};
  protocol::MessageModel messageModel{};
  protocol::ConsumeFromWhere consumeFromWhere{};
  std::int32_t heartbeatFingerprint{0};
};

/// Who is connected: consumers and producers by group. *tables* strand. ConsumerManager.java, ProducerManager.java
///
/// Bounds  groups live as long as they have a connection; the server bounds those. Consumer groups are bounded by the
///         group table, producer groups for each connection.
class ClientTable {
 public:
  /// Notes a consumer. True: the group's members must hear of a change (a new connection, or a topic came or went).
  bool registerConsumer(const std::string& group, ClientChannel channel, const protocol::ConsumerData& data,
                        bool without_sub);
  /// Ignored when the connection is in `groups_max` producer groups already.
  void registerProducer(const std::string& group, ClientChannel channel, std::size_t groups_max);
  /// True: it was there, and others are left to be told.
  bool unregisterConsumer(std::string_view group, std::uint64_t peer_id);
  void unregisterProducer(std::string_view group, std::uint64_t peer_id);

  /// Takes a connection out of every group; answers the consumer groups that have others left to be told.
  std::vector<std::string> removePeer(std::uint64_t peer_id);
  /// Connections whose last heartbeat, in whatever group, is older than `before`.
  std::vector<base::Ref<remoting::Peer>> silentSince(base::SteadyTime before) const;

  const ConsumerGroup* findConsumers(std::string_view group) const;
  const std::map<std::uint64_t, ClientChannel>* findProducers(std::string_view group) const;
  ConsumerGroup* findConsumers(std::string_view group);
  /// Every client, once for each of its groups.
  std::vector<const ClientChannel*> channels() const;
  bool empty() const noexcept { return peers_.empty(); }
  void clear();

 private:
  struct PeerGroups {
    std::vector<std::string> consumer_groups;
    std::vector<std::string> producer_groups;
  };
  void forget(std::uint64_t peer_id, std::vector<std::string> PeerGroups::*kind, std::string_view group);

  TextMap<ConsumerGroup> consumers_;
  TextMap<std::map<std::uint64_t, ClientChannel>> producers_;
  std::map<std::uint64_t, PeerGroups> peers_;
};

}  // namespace mqclient::broker
