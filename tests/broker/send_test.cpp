#include "broker_support.h"
#include "protocol/hash.h"

namespace mqclient::broker {
namespace {

using Send = TestClient::Send;
using Sends = BrokerTest;
using protocol::SendMessageResponseHeader;

std::optional<std::string> property(const StoredMessage& m, std::string_view name) {
  const auto found = protocol::PropertiesView(m.properties).find(name);
  return found ? std::optional(std::string(*found)) : std::nullopt;
}

TEST_F(Sends, StoresWhatWasSent) {
  start();
  const auto sent = client->send({.queueId = 2,
                                  .properties = "KEYS\x01k1\x02UNIQ_KEY\x01"
                                                "7F0001\x02"});
  ASSERT_EQ(sent->code(), ResponseCode::SUCCESS) << sent->remark();
  const auto header = sent->header<SendMessageResponseHeader>();
  EXPECT_EQ(header.msgId, "7F00000100002A9F0000000000000000");
  EXPECT_EQ(header.queueId, 2);
  EXPECT_EQ(header.queueOffset, 0);
  EXPECT_EQ(header.transactionId, "7F0001");
  EXPECT_EQ(header.msgRegion, "DefaultRegion");
  EXPECT_EQ(header.traceOn, "true");

  const auto stored = messages(kTopic);
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].topic, kTopic);
  EXPECT_EQ(stored[0].queueId, 2);
  EXPECT_EQ(stored[0].body, "hello");
  EXPECT_EQ(stored[0].flag, TestClient::kFlag);
  EXPECT_EQ(stored[0].bornTimestamp, TestClient::kBornMs);
  EXPECT_EQ(stored[0].storeTimestamp, engine->wallMillis());
  EXPECT_EQ(stored[0].storeHost, kBrokerAddress);
  EXPECT_TRUE(stored[0].bornHost.starts_with("127.0.0.1:"));
  EXPECT_EQ(property(stored[0], "KEYS"), "k1");
  EXPECT_EQ(property(stored[0], "MSG_REGION"), "DefaultRegion");
  EXPECT_EQ(property(stored[0], "TRACE_ON"), "true");
  EXPECT_EQ(property(stored[0], "CLUSTER"), "DefaultCluster");
}

TEST_F(Sends, ACompressedBodyIsStoredAndPulledAsItCame) {
  start();
  for (const std::int32_t flag : {0x1, 0x101, 0x201, 0x301, 0x701}) {
    const std::string body = "not even compressed " + std::to_string(flag);
    ASSERT_EQ(client->send({.body = body, .sysFlag = flag})->code(), ResponseCode::SUCCESS);
    const auto stored = messages(kTopic);
    EXPECT_EQ(stored.back().body, body);
    EXPECT_EQ(stored.back().sysFlag, flag);
  }
}

TEST_F(Sends, AllCodesAndBothFormats) {
  start();
  protocol::SendMessageRequestHeader header;
  header.producerGroup = "producers";
  header.topic = kTopic;
  header.defaultTopic = protocol::kAutoCreateTopicKeyTopic;
  for (const auto type : {protocol::SerializeType::ROCKETMQ, protocol::SerializeType::JSON}) {
    client->type = type;
    const auto plain = client->call(RequestCode::SEND_MESSAGE, header, Slice::copyOf("v1"));
    EXPECT_EQ(plain->code(), ResponseCode::SUCCESS);
    EXPECT_EQ(plain->answer().serializeType, type) << "answered in the request's format";
    EXPECT_EQ(client->send({.body = "v2"})->code(), ResponseCode::SUCCESS);
  }
  EXPECT_EQ(messages(kTopic).size(), 4U);
}

TEST_F(Sends, MakesAUniqKeyWhenThereIsNone) {
  start();
  const auto a = client->send({.properties = "KEYS\x01k"})->header<SendMessageResponseHeader>();  // no last separator
  const auto b = client->send({})->header<SendMessageResponseHeader>();
  EXPECT_EQ(a.transactionId.size(), 32U);
  EXPECT_NE(a.transactionId, b.transactionId);
  const auto stored = messages(kTopic);
  EXPECT_EQ(property(stored[0], "UNIQ_KEY"), a.transactionId);
  EXPECT_EQ(property(stored[1], "UNIQ_KEY"), b.transactionId);
  EXPECT_EQ(property(stored[0], "KEYS"), "k");
}

TEST_F(Sends, WhatTheBrokerAddsReplacesWhatCameAlong) {
  start();
  const std::string properties =
      "POP_CK\x01x\x02MSG_REGION\x01moon\x02"
      "A\x01"
      "1\x02UNIQ_KEY\x01id\x02"
      "CLUSTER\x01other\x02";
  const auto sent = client->send({.properties = properties});
  EXPECT_EQ(sent->header<SendMessageResponseHeader>().transactionId, "id");
  const auto stored = messages(kTopic);
  EXPECT_EQ(property(stored[0], "POP_CK"), std::nullopt);
  EXPECT_EQ(property(stored[0], "MSG_REGION"), "DefaultRegion");
  EXPECT_EQ(property(stored[0], "CLUSTER"), "DefaultCluster");
  EXPECT_EQ(property(stored[0], "A"), "1");
}

TEST_F(Sends, ATopicIsMadeFromTheTemplate) {
  start();
  EXPECT_EQ(client->send({.topic = "four", .queues = 4})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->send({.topic = "eight", .queues = 40})->code(), ResponseCode::SUCCESS);
  inspect([](const Inspection& i) {
    const auto four = i.topicConfig("four");
    ASSERT_TRUE(four);
    EXPECT_EQ(four->readQueueNums, 4);
    EXPECT_EQ(four->writeQueueNums, 4);
    EXPECT_EQ(four->perm, 6) << "without the inherit bit";
    EXPECT_EQ(i.topicConfig("eight")->writeQueueNums, 8) << "defaultTopicQueueNums";
  });
}

TEST_F(Sends, WithoutAutoCreationAnUnknownTopicDoesNotExist) {
  start({.autoCreateTopicEnable = false});
  const auto refused = client->send({});
  EXPECT_EQ(refused->code(), ResponseCode::TOPIC_NOT_EXIST);
  EXPECT_EQ(refused->remark(), "topic[TopicTest] not exist, apply first please!");
  EXPECT_EQ(refused->answer().ext.find("MSG_REGION"), "DefaultRegion") << "on every outcome";
  EXPECT_EQ(refused->answer().ext.find("TRACE_ON"), "true");
  inspect([](const Inspection& i) { EXPECT_FALSE(i.topicConfig("TBW102")); });
}

TEST_F(Sends, ATemplateMustBeInheritable) {
  start();
  ASSERT_EQ(client->createTopic("plain", 4)->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->send({.defaultTopic = "plain"})->code(), ResponseCode::TOPIC_NOT_EXIST);
  EXPECT_EQ(client->send({.defaultTopic = "none"})->code(), ResponseCode::TOPIC_NOT_EXIST);
  EXPECT_EQ(client->send({.defaultTopic = "DefaultCluster"})->code(), ResponseCode::SUCCESS);
}

TEST_F(Sends, RefusesNamesThatAreNone) {
  start();
  for (const std::string topic : {"../../../../etc/passwd", "a b", "a/b", "topic.name", "a\nb"}) {
    EXPECT_EQ(client->send({.topic = topic})->code(), ResponseCode::INVALID_PARAMETER) << topic;
  }
  EXPECT_EQ(client->send({.topic = std::string(127, 't')})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->send({.topic = std::string(128, 't')})->code(), ResponseCode::INVALID_PARAMETER);
}

TEST_F(Sends, RefusesSystemTopics) {
  start();
  for (const std::string topic : {"SELF_TEST_TOPIC", "SCHEDULE_TOPIC_XXXX", "RMQ_SYS_TRANS_HALF_TOPIC",
                                  "RMQ_SYS_TRANS_OP_HALF_TOPIC", "OFFSET_MOVED_EVENT"}) {
    EXPECT_EQ(client->send({.topic = topic})->code(), ResponseCode::NO_PERMISSION) << topic;
  }
}

TEST_F(Sends, QueueIds) {
  start();
  ASSERT_EQ(client->createTopic(kTopic, 4)->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->send({.queueId = 3})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->send({.queueId = 4})->code(), ResponseCode::INVALID_PARAMETER);
  for (int i = 0; i < 20; ++i) {
    const auto any = client->send({.queueId = -1});
    ASSERT_EQ(any->code(), ResponseCode::SUCCESS);
    const auto id = any->header<SendMessageResponseHeader>().queueId;
    EXPECT_TRUE(id >= 0 && id < 4) << id;
  }
}

TEST_F(Sends, BodySizes) {
  start({.maxMessageSize = 1000});
  EXPECT_EQ(client->send({.body = std::string(999, 'x')})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->send({.body = std::string(1000, 'x')})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->send({.body = std::string(1001, 'x')})->code(), ResponseCode::MESSAGE_ILLEGAL);
  EXPECT_EQ(client->send({.body = ""})->code(), ResponseCode::SYSTEM_ERROR) << "no body at all";
}

TEST_F(Sends, PropertySizes) {
  start();
  // What the broker adds counts: MSG_REGION, TRACE_ON, CLUSTER.
  const std::size_t added = protocol::propertySize("MSG_REGION", "DefaultRegion") +
                            protocol::propertySize("TRACE_ON", "true") +
                            protocol::propertySize("CLUSTER", "DefaultCluster");
  const auto send_with = [&](std::size_t size) {
    std::string properties = "UNIQ_KEY\x01id\x02";
    protocol::appendProperty(properties, "P", std::string(size - properties.size() - 3, 'x'));
    EXPECT_EQ(properties.size(), size);
    return client->send({.properties = properties})->code();
  };
  EXPECT_EQ(send_with(32766 - added), ResponseCode::SUCCESS);
  EXPECT_EQ(send_with(32767 - added), ResponseCode::SUCCESS);
  EXPECT_EQ(send_with(32768 - added), ResponseCode::MESSAGE_ILLEGAL);
  const auto stored = messages(kTopic);
  ASSERT_EQ(stored.size(), 2U);
  EXPECT_EQ(stored[1].properties.size(), 32767U);
}

TEST_F(Sends, ARecordThatNoSegmentHolds) {
  start({.memoryLogBytesMax = 8192, .mappedFileSizeCommitLog = 4096});
  EXPECT_EQ(client->send({.body = std::string(3800, 'x')})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->send({.body = std::string(4090, 'x')})->code(), ResponseCode::MESSAGE_ILLEGAL);
  EXPECT_EQ(client->send({.body = "small"})->code(), ResponseCode::SUCCESS);
}

TEST_F(Sends, ServicesThatAreNotHereRefuse) {
  start();
  EXPECT_EQ(client->send({.properties = "TRAN_MSG\x01true\x02"})->code(), ResponseCode::NO_PERMISSION);
  EXPECT_EQ(client->send({.sysFlag = protocol::kTransactionPreparedType})->code(), ResponseCode::NO_PERMISSION);
  EXPECT_EQ(client
                ->send({.properties = "DELAY\x01"
                                      "3\x02"})
                ->code(),
            ResponseCode::MESSAGE_ILLEGAL);
  EXPECT_EQ(client
                ->send({.properties = "TIMER_DELAY_SEC\x01"
                                      "3\x02"})
                ->code(),
            ResponseCode::SYSTEM_ERROR);
  EXPECT_EQ(client
                ->send({.properties = "DELAY\x01"
                                      "0\x02"})
                ->code(),
            ResponseCode::SUCCESS);
  EXPECT_EQ(messages(kTopic).size(), 1U) << "none of them was delivered at once instead";
}

struct Bad {
  std::string e{"not a number"};
  [[maybe_unused]] static constexpr std::string_view kName = "Bad";
  static constexpr auto fields() { return std::tuple{protocol::must("e", &Bad::e)}; }
};

TEST_F(Sends, AHeaderThatCannotBeRead) {
  start();
  const auto refused = client->call(RequestCode::SEND_MESSAGE_V2, Bad{}, Slice::copyOf("x"));
  EXPECT_EQ(refused->code(), ResponseCode::SYSTEM_ERROR);
  EXPECT_NE(refused->remark().find("SendMessageRequestHeaderV2"), std::string::npos) << refused->remark();
}

TEST_F(Sends, TopicsAreBounded) {
  BrokerOptions options;
  start(options);
  std::size_t system = 0;
  inspect([&](const Inspection& i) { system = i.topicConfigs().size(); });
  client.reset();
  stop();
  options.topics_max = system + 2;
  start(options);
  EXPECT_EQ(client->send({.topic = "one"})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->send({.topic = "two"})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->send({.topic = "three"})->code(), ResponseCode::SYSTEM_ERROR);
}

// ---- batches

std::string batchOf(const std::vector<std::pair<std::string, std::string>>& messages) {
  std::vector<protocol::BatchElement> elements;
  for (const auto& [body, properties] : messages) {
    elements.push_back({TestClient::kFlag, std::as_bytes(std::span(body)), properties});
  }
  return std::string(protocol::encodeBatch(elements).text());
}

TEST_F(Sends, ABatchBecomesOneRecordEach) {
  start();
  const std::string body = batchOf({{"one", "UNIQ_KEY\x01id1\x02TAGS\x01TagA\x02"}, {"two", "UNIQ_KEY\x01id2\x02"}});
  ASSERT_EQ(client->send({.body = "before"})->code(), ResponseCode::SUCCESS);
  const auto sent = client->send({.body = body, .properties = "WAIT\x01true\x02", .batch = true});
  ASSERT_EQ(sent->code(), ResponseCode::SUCCESS) << sent->remark();
  const auto header = sent->header<SendMessageResponseHeader>();
  EXPECT_EQ(header.queueOffset, 1);
  const auto stored = messages(kTopic);
  ASSERT_EQ(stored.size(), 3U);
  EXPECT_EQ(stored[1].body, "one");
  EXPECT_EQ(stored[1].queueOffset, 1);
  EXPECT_EQ(stored[2].body, "two");
  EXPECT_EQ(stored[2].queueOffset, 2);
  EXPECT_EQ(stored[1].properties, "UNIQ_KEY\x01id1\x02TAGS\x01TagA\x02") << "as the client encoded them";
  EXPECT_EQ(header.msgId,
            protocol::createOffsetMsgId(*protocol::RecordHost::parse(kBrokerAddress), stored[1].physicalOffset) + "," +
                protocol::createOffsetMsgId(*protocol::RecordHost::parse(kBrokerAddress), stored[2].physicalOffset));
  // Each element has its own tag.
  const auto pulled = client->pull({.offset = 0, .sysFlag = protocol::kPullSubscription, .subscription = "TagA"});
  EXPECT_EQ(pulled->bodies(), std::vector<std::string>{"one"});
}

TEST_F(Sends, BatchLimits) {
  start({.batch_messages_max = 3});
  const std::pair<std::string, std::string> m{"m", ""};
  EXPECT_EQ(client->send({.body = batchOf({m, m}), .batch = true})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->send({.body = batchOf({m, m, m}), .batch = true})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->send({.body = batchOf({m, m, m, m}), .batch = true})->code(), ResponseCode::MESSAGE_ILLEGAL);
  EXPECT_EQ(client->send({.body = "no batch", .batch = true})->code(), ResponseCode::MESSAGE_ILLEGAL);
  EXPECT_EQ(client->send({.body = "", .batch = true})->code(), ResponseCode::MESSAGE_ILLEGAL);
  EXPECT_EQ(client->send({.topic = "%RETRY%group", .body = batchOf({m}), .batch = true})->code(),
            ResponseCode::MESSAGE_ILLEGAL);
  EXPECT_EQ(client
                ->send({.body = batchOf({m}),
                        .properties = "DELAY\x01"
                                      "1\x02",
                        .batch = true})
                ->code(),
            ResponseCode::MESSAGE_ILLEGAL);
  EXPECT_EQ(messages(kTopic).size(), 5U);
}

// ---- retry topics

TEST_F(Sends, RetriesBeyondTheLimitAreDeadLetters) {
  start();
  const std::string retry = "%RETRY%group";
  ASSERT_EQ(client->send({.topic = retry, .body = "again", .reconsumeTimes = 16})->code(), ResponseCode::SUCCESS);
  ASSERT_EQ(client->send({.topic = retry, .body = "dead", .reconsumeTimes = 17})->code(), ResponseCode::SUCCESS);
  const auto retries = messages(retry);
  ASSERT_EQ(retries.size(), 1U);
  EXPECT_EQ(retries[0].body, "again");
  EXPECT_EQ(retries[0].reconsumeTimes, 16);
  const auto dead = messages("%DLQ%group");
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0].body, "dead");
  EXPECT_EQ(property(dead[0], "DELAY"), "-1");
}

TEST_F(Sends, ARetryTopicNeedsItsGroup) {
  start({.autoCreateSubscriptionGroup = false});
  EXPECT_EQ(client->send({.topic = "%RETRY%group"})->code(), ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST);
}

TEST_F(Sends, AfterTheStopNothingIsStored) {
  start();
  const auto before = client->send({});
  EXPECT_EQ(before->code(), ResponseCode::SUCCESS);
  stop();
  const auto after = client->send({});
  ASSERT_EQ(after->settled, 1);
  EXPECT_FALSE(*after->result);
  stop();  // twice is once
}

}  // namespace
}  // namespace mqclient::broker
