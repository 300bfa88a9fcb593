// Who is connected and who must hear of it. ClientManageProcessor.java, ConsumerManager.java
#include <utility>

#include "mock_broker/broker/pull.h"
#include "protocol/body/client.h"
#include "protocol/names.h"
#include "protocol/subscription.h"

namespace mqclient::broker {

void BrokerCore::heartBeat(remoting::Request&& request, remoting::Responder&& responder) {
  const base::Slice body = request.command.body.flatten();
  auto data = protocol::HeartbeatData::decode(body.text());
  if (!data) return std::move(responder).answer(ResponseCode::SYSTEM_ERROR, data.error().message());
  std::size_t entries = data->consumerDataSet.size() + data->producerDataSet.size();
  for (const auto& consumer : data->consumerDataSet) entries += consumer.subscriptionDataSet.size();
  if (entries > options_.subscriptions_per_client_max) {
    return std::move(responder).answer(ResponseCode::INVALID_PARAMETER,
                                       "the heartbeat has " + std::to_string(entries) +
                                           " groups and subscriptions, at most " +
                                           std::to_string(options_.subscriptions_per_client_max) + " are taken");
  }
  ClientChannel channel;
  channel.peer = std::move(request.peer);
  channel.clientId = data->clientID;
  channel.language = request.command.language;
  channel.version = request.command.version;
  channel.type = request.command.serializeType;
  inTables([this, data = *std::move(data), channel = std::move(channel), responder = std::move(responder)]() mutable {
    registerClients(data, channel, std::move(responder));
  });
}

void BrokerCore::registerClients(const protocol::HeartbeatData& data, const ClientChannel& heard,
                                 remoting::Responder responder) {
  // A connection that ended meanwhile has been cleaned up already and would stay for ever.
  if (stopping_ || !heard.peer->open()) {
    return std::move(responder).discard(stopping_ ? remoting::Discard::kStopping : remoting::Discard::kPeerGone);
  }
  ClientChannel channel = heard;
  channel.last_heartbeat = engine_->now();
  bool subscriptions_unknown = false;
  for (const protocol::ConsumerData& consumer : data.consumerDataSet) {
    const protocol::SubscriptionGroupConfig* config = groups_.find(consumer.groupName);
    if (!config) continue;  // as Java does: the pulls of that group will say why
    bool order = false;
    for (const auto& subscription : consumer.subscriptionDataSet) {
      const auto topic = topics_.find(subscription.topic);
      order |= topic && topic->config.order;
    }
    makeRetryTopic(*config, order);
    const bool notify_enabled = config->notifyConsumerIdsChangedEnable;
    const bool changed = clients_.registerConsumer(consumer.groupName, channel, consumer, data.withoutSub);
    ConsumerGroup* group = clients_.findConsumers(consumer.groupName);
    if (data.heartbeatFingerprint != 0 && group->heartbeatFingerprint != data.heartbeatFingerprint) {
      subscriptions_unknown = true;
      group->heartbeatFingerprint = data.heartbeatFingerprint;
    }
    if (changed && notify_enabled) notifyConsumerIdsChanged(consumer.groupName);
  }
  for (const protocol::ProducerData& producer : data.producerDataSet) {
    if (protocol::complaintAboutGroup(producer.groupName)) continue;
    clients_.registerProducer(producer.groupName, channel, options_.subscriptions_per_client_max);
  }
  armScan();
  protocol::HeartbeatResponseHeader header;
  header.IS_SUPPORT_HEART_BEAT_V2 = true;
  header.IS_SUB_CHANGE = data.heartbeatFingerprint == 0 || subscriptions_unknown;
  std::move(responder).answer(ResponseCode::SUCCESS, {}, header);
}

void BrokerCore::notifyConsumerIdsChanged(const std::string& name) {
  const ConsumerGroup* group = clients_.findConsumers(name);
  if (!group || group->messageModel == protocol::MessageModel::BROADCASTING ||
      !options_.notifyConsumerIdsChangedEnable) {
    return;
  }
  for (const auto& [id, channel] : group->channels) {
    channel.peer->sendOneway(protocol::encodeRequest({.code = RequestCode::NOTIFY_CONSUMER_IDS_CHANGED,
                                                      .opaque = engine_->nextOpaque(),
                                                      .oneway = protocol::Oneway::kYes,
                                                      .type = channel.type},
                                                     protocol::NotifyConsumerIdsChangedRequestHeader{name}));
  }
}

void BrokerCore::unregisterClient(protocol::UnregisterClientRequestHeader header, remoting::Request&& request,
                                  remoting::Responder&& responder) {
  inTables(
      [this, header = std::move(header), peer = std::move(request.peer), responder = std::move(responder)]() mutable {
        if (!header.producerGroup.empty()) clients_.unregisterProducer(header.producerGroup, peer->id());
        if (!header.consumerGroup.empty() && clients_.unregisterConsumer(header.consumerGroup, peer->id())) {
          const auto* config = groups_.findExisting(header.consumerGroup);
          if (!config || config->notifyConsumerIdsChangedEnable) notifyConsumerIdsChanged(header.consumerGroup);
        }
        std::move(responder).answer(ResponseCode::SUCCESS);
      });
}

void BrokerCore::getConsumerListByGroup(protocol::GetConsumerListByGroupRequestHeader header, remoting::Request&&,
                                        remoting::Responder&& responder) {
  inTables([this, header = std::move(header), responder = std::move(responder)]() mutable {
    const ConsumerGroup* group = clients_.findConsumers(header.consumerGroup);
    if (!group) {
      return std::move(responder).answer(ResponseCode::SYSTEM_ERROR,
                                         "no consumer for this group, " + header.consumerGroup);
    }
    protocol::GetConsumerListByGroupResponseBody body;
    for (const auto& [id, channel] : group->channels) body.consumerIdList.push_back(channel.clientId);
    std::move(responder).answer(ResponseCode::SUCCESS, {}, protocol::NoHeader{}, base::Slice::of(body.encode()));
  });
}

void BrokerCore::checkClientConfig(remoting::Request&& request, remoting::Responder&& responder) {
  const base::Slice text = request.command.body.flatten();
  const auto body = protocol::CheckClientRequestBody::decode(text.text());
  if (!body) return std::move(responder).answer(ResponseCode::SYSTEM_ERROR, body.error().message());
  if (protocol::isTagType(body->subscriptionData)) return std::move(responder).answer(ResponseCode::SUCCESS);
  std::move(responder).answer(ResponseCode::SYSTEM_ERROR, "The broker does not support consumer to filter message by " +
                                                              body->subscriptionData.expressionType);
}

void BrokerCore::onPeerClosed(remoting::Peer& peer) noexcept {
  inTables([this, id = peer.id()] { peerClosed(id); });
}

void BrokerCore::peerClosed(std::uint64_t peer_id) {
  holds_.forgetPeer(peer_id);
  dropHolds(holds_.ofPeer(peer_id), remoting::Discard::kPeerGone);
  for (const std::string& group : clients_.removePeer(peer_id)) {
    const auto* config = groups_.findExisting(group);
    if (!config || config->notifyConsumerIdsChangedEnable) notifyConsumerIdsChanged(group);
  }
}

void BrokerCore::armScan() {
  if (!scan_timer_.armed() && !clients_.empty() && !stopping_) {
    scan_timer_.armAfter(self(), options_.scanNotActiveChannelPeriod);
  }
}

void BrokerCore::scanClients() {
  for (const auto& peer : clients_.silentSince(engine_->now() - options_.channelExpiredTimeout)) {
    peer->close(Error(ErrorCode::kTimeout,
                      "no heartbeat for " + std::to_string(options_.channelExpiredTimeout.count()) + " ms"));
    peerClosed(peer->id());
  }
  armScan();
}

}  // namespace mqclient::broker
