#include "mock_broker/broker/client_table.h"

#include <algorithm>
#include <utility>

#include "protocol/subscription.h"

namespace mqclient::broker {

std::shared_ptr<const store::TagFilter> filterOf(const protocol::SubscriptionData& subscription) {
  if (!protocol::isTagType(subscription) || subscription.codeSet.empty()) return nullptr;
  auto filter = std::make_shared<store::TagFilter>();
  filter->codes = subscription.codeSet;
  std::sort(filter->codes.begin(), filter->codes.end());
  return filter;
}

bool ClientTable::registerConsumer(const std::string& name, ClientChannel channel, const protocol::ConsumerData& data,
                                   bool without_sub) {
  const std::uint64_t peer_id = channel.peer->id();
  ConsumerGroup& group = consumers_[name];
  const bool joined = group.channels.insert_or_assign(peer_id, std::move(channel)).second;
  if (joined) peers_[peer_id].consumer_groups.push_back(name);
  group.consumeType = data.consumeType;
  group.messageModel = data.messageModel;
  group.consumeFromWhere = data.consumeFromWhere;
  if (without_sub) return joined;

  bool topics_changed = false;
  for (const protocol::SubscriptionData& wanted : data.subscriptionDataSet) {
    const auto [known, added] = group.subscriptions.try_emplace(wanted.topic);
    topics_changed |= added;
    if (!added && wanted.subVersion <= known->second.subVersion) continue;
    known->second = {wanted.subVersion, wanted.expressionType, wanted.subString, filterOf(wanted)};
  }
  const auto unwanted = [&data](const auto& known) {
    return std::none_of(data.subscriptionDataSet.begin(), data.subscriptionDataSet.end(),
                        [&known](const protocol::SubscriptionData& s) { return s.topic == known.first; });
  };
  // A heartbeat names every topic of its group, so as a rule the counts agree and there is nothing to look for.
  if (group.subscriptions.size() > data.subscriptionDataSet.size()) {
    topics_changed |= std::erase_if(group.subscriptions, unwanted) > 0;
  } else if (topics_changed) {
    std::erase_if(group.subscriptions, unwanted);
  }
  return joined || topics_changed;
}

void ClientTable::registerProducer(const std::string& group, ClientChannel channel, std::size_t groups_max) {
  const std::uint64_t peer_id = channel.peer->id();
  const auto known = producers_.find(group);
  const bool joined = known == producers_.end() || !known->second.contains(peer_id);
  if (joined) {
    PeerGroups& groups = peers_[peer_id];
    if (groups.producer_groups.size() >= groups_max) return;
    groups.producer_groups.push_back(group);
  }
  producers_[group].insert_or_assign(peer_id, std::move(channel));
}

void ClientTable::forget(std::uint64_t peer_id, std::vector<std::string> PeerGroups::*kind, std::string_view group) {
  const auto peer = peers_.find(peer_id);
  if (peer == peers_.end()) return;
  std::erase(peer->second.*kind, group);
  if (peer->second.consumer_groups.empty() && peer->second.producer_groups.empty()) peers_.erase(peer);
}

bool ClientTable::unregisterConsumer(std::string_view name, std::uint64_t peer_id) {
  const auto group = consumers_.find(name);
  if (group == consumers_.end() || group->second.channels.erase(peer_id) == 0) return false;
  forget(peer_id, &PeerGroups::consumer_groups, name);
  if (!group->second.channels.empty()) return true;
  consumers_.erase(group);
  return false;
}

void ClientTable::unregisterProducer(std::string_view name, std::uint64_t peer_id) {
  const auto group = producers_.find(name);
  if (group == producers_.end() || group->second.erase(peer_id) == 0) return;
  forget(peer_id, &PeerGroups::producer_groups, name);
  if (group->second.empty()) producers_.erase(group);
}

std::vector<std::string> ClientTable::removePeer(std::uint64_t peer_id) {
  const auto peer = peers_.find(peer_id);
  if (peer == peers_.end()) return {};
  const PeerGroups groups = peer->second;
  std::vector<std::string> left;
  for (const std::string& group : groups.consumer_groups) {
    if (unregisterConsumer(group, peer_id)) left.push_back(group);
  }
  for (const std::string& group : groups.producer_groups) unregisterProducer(group, peer_id);
  return left;
}

std::vector<base::Ref<remoting::Peer>> ClientTable::silentSince(base::SteadyTime before) const {
  std::map<std::uint64_t, base::Ref<remoting::Peer>> silent;
  const auto note = [&](const std::map<std::uint64_t, ClientChannel>& channels) {
    for (const auto& [id, channel] : channels) {
      if (channel.last_heartbeat < before) silent.emplace(id, channel.peer);
    }
  };
  for (const auto& [name, group] : consumers_) note(group.channels);
  for (const auto& [name, channels] : producers_) note(channels);
  std::vector<base::Ref<remoting::Peer>> peers;
  peers.reserve(silent.size());
  for (auto& [id, peer] : silent) peers.push_back(std::move(peer));
  return peers;
}

ConsumerGroup* ClientTable::findConsumers(std::string_view group) {
  const auto found = consumers_.find(group);
  return found == consumers_.end() ? nullptr : &found->second;
}

const ConsumerGroup* ClientTable::findConsumers(std::string_view group) const {
  const auto found = consumers_.find(group);
  return found == consumers_.end() ? nullptr : &found->second;
}

const std::map<std::uint64_t, ClientChannel>* ClientTable::findProducers(std::string_view group) const {
  const auto found = producers_.find(group);
  return found == producers_.end() ? nullptr : &found->second;
}

void ClientTable::clear() {
  consumers_.clear();
  producers_.clear();
  peers_.clear();
}

std::vector<const ClientChannel*> ClientTable::channels() const {
  std::vector<const ClientChannel*> all;
  for (const auto& [name, group] : consumers_) {
    for (const auto& [peer, channel] : group.channels) all.push_back(&channel);
  }
  for (const auto& [name, producers] : producers_) {
    for (const auto& [peer, channel] : producers) all.push_back(&channel);
  }
  return all;
}

}  // namespace mqclient::broker
