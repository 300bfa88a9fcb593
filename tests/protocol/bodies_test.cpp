#include <gtest/gtest.h>

#include "bytes.h"
#include "protocol/body/client.h"
#include "protocol/body/heartbeat.h"
#include "protocol/body/offsets.h"
#include "protocol/body/register_broker.h"
#include "protocol/body/route.h"
#include "protocol/body/running_info.h"
#include "protocol/body/topic_config.h"
#include "protocol/hash.h"
#include "protocol/limits.h"
#include "protocol/subscription.h"

namespace mqclient::protocol {
namespace {

TEST(TopicRouteData, GoldenInBothDialects) {
  const std::string bare =
      R"({"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"broker-a","cluster":"DefaultCluster","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}]})";
  std::string quoted = bare;
  quoted.replace(quoted.find("0:\"10.0"), 1, "\"0\"");
  quoted.replace(quoted.find(",1:\"10.0") + 1, 1, "\"1\"");
  TopicRouteData route;
  route.brokerDatas.push_back({.cluster = "DefaultCluster",
                               .brokerName = "broker-a",
                               .brokerAddrs = {{0, "10.0.0.1:10911"}, {1, "10.0.0.2:10911"}}});
  route.queueDatas.push_back({.brokerName = "broker-a", .readQueueNums = 4, .writeQueueNums = 4, .perm = 6});
  EXPECT_EQ(route.encode(), quoted);
  EXPECT_EQ(route.encode(JsonDialect::kFastjsonBareKeys), bare);
  for (const std::string& text : {bare, quoted}) {
    const auto back = TopicRouteData::decode(text);
    ASSERT_TRUE(back) << back.error();
    EXPECT_EQ(*back, route);
  }
}

TEST(TopicRouteData, IgnoresWhatItDoesNotKnow) {
  const auto route = TopicRouteData::decode(
      R"({"queueDatas":null,"brokerDatas":[{"brokerAddrs":{"0":"a:1"},"cluster":null}],"orderTopicConf":"b:4","topicQueueMappingByBroker":{"broker-a":{"currIdMap":{0:0}}}})");
  ASSERT_TRUE(route) << route.error();
  EXPECT_EQ(route->orderTopicConf, "b:4");
  EXPECT_EQ(route->brokerDatas[0].brokerAddrs.at(0), "a:1");
  EXPECT_FALSE(TopicRouteData::decode(R"({"brokerDatas":[{"brokerAddrs":{"zero":"a:1"}}]})"));
  EXPECT_FALSE(TopicRouteData::decode("{} trailing"));
}

HeartbeatData goldenHeartbeat() {
  HeartbeatData h;
  h.clientID = "10.0.0.9@1234#5678";
  h.producerDataSet.push_back({"PG"});
  ConsumerData consumer;
  consumer.groupName = "CG";
  consumer.subscriptionDataSet.push_back(buildSubscriptionData("TopicTest", "TagA || TagB", 1700000000000).value());
  h.consumerDataSet.push_back(consumer);
  return h;
}

TEST(HeartbeatData, GoldenTextAndFingerprint) {
  const HeartbeatData h = goldenHeartbeat();
  EXPECT_EQ(
      h.encode(),
      R"({"clientID":"10.0.0.9@1234#5678","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"CG","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[2598919,2598920],"expressionType":"TAG","subString":"TagA || TagB","subVersion":1700000000000,"tagsSet":["TagA","TagB"],"topic":"TopicTest"}],"unitMode":false}],"heartbeatFingerprint":0,"producerDataSet":[{"groupName":"PG"}],"withoutSub":false})");
  EXPECT_EQ(h.computeFingerprint(), 808946106);
  EXPECT_EQ(HeartbeatData::decode(h.encode()).value(), h);
}

TEST(HeartbeatData, GoldenOfTheCppClient) {
  const auto h = HeartbeatData::decode(
      R"({"clientID":"x","consumerDataSet":[{"groupName":"G","consumeType":1,"messageModel":1,"consumeFromWhere":0,"subscriptionDataSet":[{"subString":"*","subVersion":"123","topic":"T"}]}]})");
  ASSERT_TRUE(h) << h.error();
  ASSERT_EQ(h->consumerDataSet.size(), 1u);
  const ConsumerData& c = h->consumerDataSet[0];
  EXPECT_EQ(c.consumeType, ConsumeType::CONSUME_PASSIVELY);
  EXPECT_EQ(c.messageModel, MessageModel::CLUSTERING);
  EXPECT_EQ(c.consumeFromWhere, ConsumeFromWhere::CONSUME_FROM_LAST_OFFSET);
  EXPECT_EQ(c.subscriptionDataSet.at(0).subVersion, 123);
  EXPECT_TRUE(h->producerDataSet.empty());
}

TEST(HeartbeatData, EnumsByNameOrOrdinal) {
  for (int i = 0; i < 6; ++i) {
    const auto where = static_cast<ConsumeFromWhere>(i);
    const auto text = [&](const std::string& value) {
      return R"({"consumerDataSet":[{"consumeFromWhere":)" + value + "}]}";
    };
    EXPECT_EQ(HeartbeatData::decode(text(std::to_string(i)))->consumerDataSet[0].consumeFromWhere, where);
    EXPECT_EQ(
        HeartbeatData::decode(text("\"" + std::string(toString(where)) + "\""))->consumerDataSet[0].consumeFromWhere,
        where);
  }
  EXPECT_EQ(HeartbeatData::decode(R"({"consumerDataSet":[{"messageModel":"LATER"}]})")->consumerDataSet[0].messageModel,
            MessageModel::CLUSTERING);
}

TEST(ResetOffsetBody, GoldenShapes) {
  ResetOffsetBody body;
  body.offsetTable[{"TopicTest", "broker-a", 0}] = 10;
  body.offsetTable[{"TopicTest", "broker-a", 1}] = 20;
  EXPECT_EQ(
      body.encode(),
      R"({"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"TopicTest"}:10,{"brokerName":"broker-a","queueId":1,"topic":"TopicTest"}:20}})");
  for (
      const char* text :
      {R"({"offsetTable":{{"brokerName":"broker-a","queueId":1,"topic":"TopicTest"}:20,{"brokerName":"broker-a","queueId":0,"topic":"TopicTest"}:10}})",
       R"({"offsetTable":{"{\"brokerName\":\"broker-a\",\"queueId\":1,\"topic\":\"TopicTest\"}":20,"{\"brokerName\":\"broker-a\",\"queueId\":0,\"topic\":\"TopicTest\"}":10}})",
       R"({"offsetTable":[{"brokerName":"broker-a","offset":20,"queueId":1,"topic":"TopicTest"},{"brokerName":"broker-a","offset":10,"queueId":0,"topic":"TopicTest"}]})"}) {
    const auto back = ResetOffsetBody::decode(text);
    ASSERT_TRUE(back) << back.error();
    EXPECT_EQ(*back, body);
  }
  EXPECT_EQ(ResetOffsetBody::decode(body.encode(ResetOffsetShape::kArrayForCpp)).value(), body);
  EXPECT_FALSE(ResetOffsetBody::decode(R"({"offsetTable":[[{"topic":"T"},5]]})"));
}

TEST(RegisterBrokerBody, Golden) {
  RegisterBrokerBody body;
  auto& wrapper = body.topicConfigSerializeWrapper;
  wrapper.dataVersion.timestamp = wrapper.mappingDataVersion.timestamp = 1700000000000;
  wrapper.topicConfigTable["TopicTest"] = {.topicName = "TopicTest", .readQueueNums = 4, .writeQueueNums = 4};
  const std::string text = body.encode();
  EXPECT_EQ(
      text,
      R"({"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":0,"stateVersion":0,"timestamp":1700000000000},"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":1700000000000},"topicConfigTable":{"TopicTest":{"attributes":{},"order":false,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"TopicTest","topicSysFlag":0,"writeQueueNums":4}},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}})");
  EXPECT_EQ(text.size(), 449u);
  EXPECT_EQ(crc32Masked(text), 280752254u);
  EXPECT_EQ(RegisterBrokerBody::decode(text).value(), body);
}

TEST(RegisterBrokerBody, GoldenCompressed) {
  const std::string zlib = test::bytesOf(
      "78da636060b0a8564ace2fcd2b492d52b232d0512a2e492c490d4b2d2acecccf030b9464e6a60205730b94ac0ccd0d10a096818181118865"
      "43f2"
      "0b329343806a144c80d04c21d8d3cfddc7353ec4d15da11aa488293a1648320000521b1b60");
  const auto body = RegisterBrokerBody::decodeCompressed(zlib, 413, kMaxMessageSize);
  ASSERT_TRUE(body) << body.error();
  const auto& wrapper = body->topicConfigSerializeWrapper;
  EXPECT_EQ(wrapper.dataVersion.timestamp, 1700000000000);
  ASSERT_EQ(wrapper.topicConfigTable.size(), 1u);
  const TopicConfig& topic = wrapper.topicConfigTable.at("TopicTest");
  EXPECT_EQ(topic.readQueueNums, 4);
  EXPECT_EQ(topic.writeQueueNums, 4);
  EXPECT_EQ(topic.perm, 6);
  EXPECT_EQ(topic.topicFilterType, "SINGLE_TAG");
  EXPECT_FALSE(RegisterBrokerBody::decodeCompressed(zlib, 413, 50)) << "bounded";
  EXPECT_FALSE(RegisterBrokerBody::decodeCompressed("{}", 413, 50));
}

TEST(LockBatch, RoundTrip) {
  LockBatchRequestBody request;
  request.consumerGroup = "CG";
  request.clientId = "cid";
  request.mqSet.push_back({"TopicTest", "broker-a", 0});
  EXPECT_EQ(
      request.encode(),
      R"({"clientId":"cid","consumerGroup":"CG","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"TopicTest"}],"onlyThisBroker":false})");
  EXPECT_EQ(LockBatchRequestBody::decode(request.encode()).value(), request);
  LockBatchResponseBody reply;
  reply.lockOKMQSet = request.mqSet;
  EXPECT_EQ(reply.encode(), R"({"lockOKMQSet":[{"brokerName":"broker-a","queueId":0,"topic":"TopicTest"}]})");
  EXPECT_EQ(LockBatchResponseBody::decode(reply.encode()).value(), reply);
  EXPECT_EQ(UnlockBatchRequestBody::decode(request.encode())->mqSet, request.mqSet);
}

TEST(Bodies, RoundTrips) {
  GetConsumerListByGroupResponseBody list;
  list.consumerIdList = {"c1", "c2"};
  EXPECT_EQ(list.encode(), R"({"consumerIdList":["c1","c2"]})");
  EXPECT_EQ(GetConsumerListByGroupResponseBody::decode(list.encode()).value(), list);

  ConsumerRunningInfo info;
  info.properties["PROP_CONSUME_TYPE"] = "CONSUME_PASSIVELY";
  info.mqTable[{"T", "broker-a", 1}].commitOffset = 5;
  info.statusTable["T"].pullRT = 0.25;
  EXPECT_EQ(ConsumerRunningInfo::decode(info.encode()).value(), info);

  GetConsumerStatusBody status;
  status.messageQueueTable[{"T", "broker-a", 1}] = 7;
  status.consumerTable["cid"][{"T", "broker-a", 1}] = 7;
  EXPECT_EQ(GetConsumerStatusBody::decode(status.encode()).value(), status);

  ConsumeMessageDirectlyResult result;
  result.spentTimeMills = 3;
  EXPECT_EQ(result.encode(), R"({"autoCommit":true,"consumeResult":"CR_SUCCESS","order":false,"spentTimeMills":3})");
  EXPECT_EQ(ConsumeMessageDirectlyResult::decode(result.encode()).value(), result);

  SubscriptionGroupConfig group;
  group.groupName = "CG";
  EXPECT_EQ(
      group.encode(),
      R"({"attributes":{},"brokerId":0,"consumeBroadcastEnable":true,"consumeEnable":true,"consumeFromMinEnable":true,"consumeMessageOrderly":false,"consumeTimeoutMinute":15,"groupName":"CG","groupRetryPolicy":{"type":"CUSTOMIZED"},"groupSysFlag":0,"notifyConsumerIdsChangedEnable":true,"retryMaxTimes":16,"retryQueueNums":1,"whichBrokerWhenConsumeSlowly":1})");
  EXPECT_EQ(SubscriptionGroupConfig::decode(group.encode()).value(), group);

  CheckClientRequestBody check;
  check.clientId = "cid";
  check.group = "CG";
  check.namespaceName = "ns";
  check.subscriptionData.topic = "T";
  EXPECT_NE(check.encode().find(R"("namespace":"ns")"), std::string::npos);
  EXPECT_EQ(CheckClientRequestBody::decode(check.encode()).value(), check);

  KVTable table;
  table.table["k"] = "v";
  EXPECT_EQ(table.encode(), R"({"table":{"k":"v"}})");
  EXPECT_EQ(KVTable::decode(table.encode()).value(), table);
}

TEST(Bodies, EveryTruncationIsAnError) {
  const std::string text = goldenHeartbeat().encode();
  for (std::size_t n = 0; n < text.size(); ++n) EXPECT_FALSE(HeartbeatData::decode(text.substr(0, n))) << n;
}

}  // namespace
}  // namespace mqclient::protocol
