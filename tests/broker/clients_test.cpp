#include "broker_support.h"

namespace mqclient::broker {
namespace {

using protocol::MessageModel;

struct Clients : BrokerTest {
  std::vector<std::string> members() {
    std::vector<std::string> ids;
    inspect([&ids](const Inspection& i) { ids = i.members(kGroup); });
    return ids;
  }
  std::vector<std::string> listed(const std::string& group = kGroup) {
    const auto call = client->call(RequestCode::GET_CONSUMER_LIST_BY_GROUP,
                                   protocol::GetConsumerListByGroupRequestHeader{.consumerGroup = group});
    if (call->code() != ResponseCode::SUCCESS) return {std::string(toString(call->code()))};
    const std::string body = call->answer().body.toString();
    return protocol::GetConsumerListByGroupResponseBody::decode(body)->consumerIdList;
  }
  using Groups = std::vector<std::string>;
};

TEST_F(Clients, AHeartbeatMakesGroupAndRetryTopic) {
  start();
  const auto beat = client->heartbeat(kGroup, {{kTopic, "*"}});
  ASSERT_EQ(beat->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(beat->answer().ext.find("IS_SUPPORT_HEART_BEAT_V2"), "true");
  EXPECT_EQ(beat->answer().ext.find("IS_SUB_CHANGE"), "true");
  inspect([](const Inspection& i) {
    const auto retry = i.topicConfig("%RETRY%group");
    ASSERT_TRUE(retry);
    EXPECT_EQ(retry->readQueueNums, 1);
    EXPECT_EQ(retry->writeQueueNums, 1);
    EXPECT_EQ(retry->perm, 6);
    const auto groups = i.subscriptionGroups();
    EXPECT_EQ(std::count(groups.begin(), groups.end(), kGroup), 1);
    const auto consumers = i.consumers(kGroup);
    ASSERT_EQ(consumers.size(), 1U);
    EXPECT_EQ(consumers[0].clientId, "client-a");
    EXPECT_EQ(consumers[0].language, "CPP");
    EXPECT_EQ(consumers[0].version, protocol::kVersion);
    EXPECT_EQ(i.producers("producers").size(), 1U);
  });
  EXPECT_EQ(listed(), Groups{"client-a"});
  EXPECT_EQ(listed("nobody"), Groups{"SYSTEM_ERROR"});
}

TEST_F(Clients, ChangesAreToldToEveryMember) {
  start();
  TestClient other(engine, network, "client-b");
  client->heartbeat(kGroup, {{kTopic, "*"}});
  EXPECT_EQ(client->notified(), Groups{kGroup}) << "a new member hears it too";
  client->heartbeat(kGroup, {{kTopic, "*"}});
  EXPECT_EQ(client->notified(), Groups{kGroup}) << "nothing changed";
  other.heartbeat(kGroup, {{kTopic, "*"}});
  EXPECT_EQ(client->notified(), (Groups{kGroup, kGroup}));
  EXPECT_EQ(other.notified(), Groups{kGroup});
  EXPECT_EQ(members(), (Groups{"client-a", "client-b"}));

  client->forgetPushes();
  client->heartbeat(kGroup, {{kTopic, "TagA"}}, 2);
  EXPECT_TRUE(client->notified().empty()) << "another expression of a known topic";
  client->heartbeat(kGroup, {{kTopic, "TagA"}, {"second", "*"}}, 2);
  EXPECT_EQ(client->notified(), Groups{kGroup}) << "a topic came";
  client->heartbeat(kGroup, {{kTopic, "TagA"}}, 2);
  EXPECT_EQ(client->notified(), (Groups{kGroup, kGroup})) << "a topic went";

  client->forgetPushes();
  other.close();
  engine->runUntilIdle();
  EXPECT_EQ(client->notified(), Groups{kGroup}) << "at once";
  EXPECT_EQ(members(), Groups{"client-a"});
}

TEST_F(Clients, InTheFormatTheClientSpeaks) {
  start();
  client->type = protocol::SerializeType::JSON;
  client->heartbeat(kGroup, {{kTopic, "*"}});
  EXPECT_EQ(client->notified(), Groups{kGroup});
}

TEST_F(Clients, UnregisteringTellsTheOthers) {
  start();
  TestClient other(engine, network, "client-b");
  client->heartbeat(kGroup, {{kTopic, "*"}});
  other.heartbeat(kGroup, {{kTopic, "*"}});
  client->forgetPushes();
  other.forgetPushes();
  const auto left = other.call(RequestCode::UNREGISTER_CLIENT,
                               protocol::UnregisterClientRequestHeader{
                                   .clientID = "client-b", .producerGroup = "producers", .consumerGroup = kGroup});
  EXPECT_EQ(left->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(members(), Groups{"client-a"});
  EXPECT_EQ(client->notified(), Groups{kGroup});
  EXPECT_TRUE(other.notified().empty());
  inspect([](const Inspection& i) { EXPECT_EQ(i.producers("producers").size(), 1U); });
  // The last one leaves nobody to tell.
  client->call(RequestCode::UNREGISTER_CLIENT,
               protocol::UnregisterClientRequestHeader{.clientID = "client-a", .consumerGroup = kGroup});
  EXPECT_TRUE(members().empty());
}

TEST_F(Clients, BroadcastingGroupsAreNotTold) {
  start();
  client->heartbeat(kGroup, {{kTopic, "*"}}, 1, MessageModel::BROADCASTING);
  EXPECT_TRUE(client->notified().empty());
}

TEST_F(Clients, NotificationsCanBeSwitchedOff) {
  start({.notifyConsumerIdsChangedEnable = false});
  client->heartbeat(kGroup, {{kTopic, "*"}});
  EXPECT_TRUE(client->notified().empty());
}

TEST_F(Clients, SilentClientsExpireAndNotBefore) {
  BrokerOptions options;
  options.server.idle_close = 3'600s;  // not this rule
  start(options);
  TestClient other(engine, network, "client-b");
  client->heartbeat(kGroup, {{kTopic, "*"}});
  other.heartbeat(kGroup, {{kTopic, "*"}});
  for (int i = 0; i < 4; ++i) {
    engine->advance(29'900ms);
    client->heartbeat(kGroup, {{kTopic, "*"}});
  }
  client->forgetPushes();
  EXPECT_EQ(members(), (Groups{"client-a", "client-b"})) << "119.6 s of silence";
  engine->advance(10'500ms);  // 120 s, and the next scan
  EXPECT_EQ(members(), Groups{"client-a"});
  EXPECT_EQ(client->notified(), Groups{kGroup}) << "the others are told";
}

TEST_F(Clients, SubscriptionsOfOneClientAreBounded) {
  start({.subscriptions_per_client_max = 5});  // the groups count: one producer group, one consumer group
  std::vector<std::pair<std::string, std::string>> topics;
  for (int i = 0; i < 2; ++i) topics.emplace_back("topic" + std::to_string(i), "*");
  EXPECT_EQ(client->heartbeat(kGroup, topics)->code(), ResponseCode::SUCCESS);
  topics.emplace_back("topic2", "*");
  EXPECT_EQ(client->heartbeat(kGroup, topics)->code(), ResponseCode::SUCCESS);
  topics.emplace_back("topic3", "*");
  EXPECT_EQ(client->heartbeat(kGroup, topics)->code(), ResponseCode::INVALID_PARAMETER);
}

TEST_F(Clients, ProducerGroupsOfOneConnectionAreBounded) {
  start({.subscriptions_per_client_max = 3});
  for (int i = 0; i < 5; ++i) {
    protocol::HeartbeatData data;
    data.clientID = "client-a";
    data.producerDataSet.push_back({"producers" + std::to_string(i)});
    EXPECT_EQ(client->callBody(RequestCode::HEART_BEAT, data.encode())->code(), ResponseCode::SUCCESS);
  }
  inspect([](const Inspection& i) {
    EXPECT_EQ(i.producers("producers2").size(), 1U);
    EXPECT_TRUE(i.producers("producers3").empty());
  });
}

TEST_F(Clients, ABodyThatIsNoHeartbeat) {
  start();
  EXPECT_EQ(client->callBody(RequestCode::HEART_BEAT, "{{{")->code(), ResponseCode::SYSTEM_ERROR);
  EXPECT_EQ(client->callBody(RequestCode::HEART_BEAT, "{}")->code(), ResponseCode::SUCCESS);
}

TEST_F(Clients, IllegalGroupsAreNoGroups) {
  start();
  EXPECT_EQ(client->heartbeat("../group", {{kTopic, "*"}})->code(), ResponseCode::SUCCESS);
  inspect([](const Inspection& i) {
    EXPECT_TRUE(i.members("../group").empty());
    EXPECT_FALSE(i.topicConfig("%RETRY%../group"));
  });
}

TEST_F(Clients, ClientConfigs) {
  start();
  protocol::CheckClientRequestBody body;
  body.clientId = "client-a";
  body.group = kGroup;
  body.subscriptionData = *protocol::buildSubscriptionData(kTopic, "TagA", 1);
  EXPECT_EQ(client->callBody(RequestCode::CHECK_CLIENT_CONFIG, body.encode())->code(), ResponseCode::SUCCESS);
  body.subscriptionData.expressionType = "SQL92";
  EXPECT_EQ(client->callBody(RequestCode::CHECK_CLIENT_CONFIG, body.encode())->code(), ResponseCode::SYSTEM_ERROR);
}

TEST_F(Clients, ASecondFingerprintIsAChange) {
  start();
  protocol::HeartbeatData data;
  data.clientID = "client-a";
  protocol::ConsumerData consumer;
  consumer.groupName = kGroup;
  consumer.subscriptionDataSet.push_back(*protocol::buildSubscriptionData(kTopic, "TagA", 1));
  data.consumerDataSet.push_back(consumer);
  data.heartbeatFingerprint = 17;
  const auto beat = [&] {
    return std::string(
        client->callBody(RequestCode::HEART_BEAT, data.encode())->answer().ext.find("IS_SUB_CHANGE").value_or("?"));
  };
  EXPECT_EQ(beat(), "true");
  EXPECT_EQ(beat(), "false");
  data.consumerDataSet[0].subscriptionDataSet.clear();
  data.withoutSub = true;
  EXPECT_EQ(beat(), "false");
  EXPECT_EQ(client->pull({})->code(), ResponseCode::TOPIC_NOT_EXIST);
  client->sendTagged("a", "TagA");
  client->sendTagged("b", "TagB");
  EXPECT_EQ(client->pull({})->bodies(), Groups{"a"}) << "the subscription is still there";
  data.heartbeatFingerprint = 18;
  EXPECT_EQ(beat(), "true");
}

}  // namespace
}  // namespace mqclient::broker
