#include "broker_support.h"

namespace mqclient::broker {
namespace {

struct Offsets : BrokerTest {
  CallPtr query(const std::string& topic, std::int32_t queue, std::optional<bool> zero = {}) {
    protocol::QueryConsumerOffsetRequestHeader header;
    header.consumerGroup = kGroup;
    header.topic = topic;
    header.queueId = queue;
    header.setZeroIfNotFound = zero;
    return client->call(RequestCode::QUERY_CONSUMER_OFFSET, header);
  }
  CallPtr commit(std::int32_t queue, std::int64_t offset, const std::string& topic = kTopic,
                 const std::string& group = kGroup) {
    protocol::UpdateConsumerOffsetRequestHeader header;
    header.consumerGroup = group;
    header.topic = topic;
    header.queueId = queue;
    header.commitOffset = offset;
    return client->call(RequestCode::UPDATE_CONSUMER_OFFSET, header);
  }
  template <class Response, class Header>
  std::int64_t ask(RequestCode code, Header header) {
    const auto call = client->call(code, header);
    EXPECT_EQ(call->code(), ResponseCode::SUCCESS);
    return call->template header<Response>().offset;
  }
  std::int64_t max(const std::string& topic, std::int32_t queue) {
    return ask<protocol::GetMaxOffsetResponseHeader>(
        RequestCode::GET_MAX_OFFSET, protocol::GetMaxOffsetRequestHeader{.topic = topic, .queueId = queue});
  }
  std::int64_t min(const std::string& topic, std::int32_t queue) {
    return ask<protocol::GetMinOffsetResponseHeader>(
        RequestCode::GET_MIN_OFFSET, protocol::GetMinOffsetRequestHeader{.topic = topic, .queueId = queue});
  }
  std::int64_t search(std::int64_t ms, const std::string& boundary = {}) {
    return ask<protocol::SearchOffsetResponseHeader>(
        RequestCode::SEARCH_OFFSET_BY_TIMESTAMP,
        protocol::SearchOffsetRequestHeader{.topic = kTopic, .queueId = 0, .timestamp = ms, .boundaryType = boundary});
  }
  std::int64_t offsetOf(const CallPtr& call) {
    return call->header<protocol::QueryConsumerOffsetResponseHeader>().offset;
  }
};

TEST_F(Offsets, WhatIsCommittedIsFound) {
  start();
  client->heartbeat(kGroup, {{kTopic, "*"}});
  client->createTopic(kTopic, 4);
  EXPECT_EQ(commit(2, 17)->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(offsetOf(query(kTopic, 2)), 17);
  EXPECT_EQ(commit(2, 5)->code(), ResponseCode::SUCCESS) << "a smaller value is taken";
  EXPECT_EQ(offsetOf(query(kTopic, 2)), 5);
}

TEST_F(Offsets, AOnewayCommitCounts) {
  start();
  client->heartbeat(kGroup, {{kTopic, "*"}});
  client->createTopic(kTopic, 4);
  client->oneway(RequestCode::UPDATE_CONSUMER_OFFSET, protocol::UpdateConsumerOffsetRequestHeader{
                                                          .consumerGroup = kGroup, .topic = kTopic, .commitOffset = 3});
  inspect([](const Inspection& i) { EXPECT_EQ(i.committedOffset(kGroup, kTopic, 0), 3); });
}

TEST_F(Offsets, WhoMayCommitWhat) {
  start();
  client->heartbeat(kGroup, {{kTopic, "*"}});
  client->createTopic(kTopic, 4);
  EXPECT_EQ(commit(0, 1, kTopic, "strangers")->code(), ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST);
  EXPECT_EQ(commit(0, 1, "none")->code(), ResponseCode::TOPIC_NOT_EXIST);
  EXPECT_EQ(commit(3, 1)->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(commit(4, 1)->code(), ResponseCode::INVALID_PARAMETER);
  EXPECT_EQ(commit(-1, 1)->code(), ResponseCode::INVALID_PARAMETER);
  client->createTopic(kTopic, 2);
  EXPECT_EQ(commit(3, 2)->code(), ResponseCode::SUCCESS) << "a queue taken away is still drained";
}

TEST_F(Offsets, AYoungQueueStartsAtZero) {
  start({.memoryLogBytesMax = 8192, .mappedFileSizeCommitLog = 4096});
  EXPECT_EQ(query("none", 0)->code(), ResponseCode::QUERY_NOT_FOUND);
  client->createTopic(kTopic, 4);
  EXPECT_EQ(offsetOf(query(kTopic, 0)), 0) << "empty";
  client->send({});
  EXPECT_EQ(offsetOf(query(kTopic, 0)), 0) << "all of it is there";
  EXPECT_EQ(query(kTopic, 0, false)->code(), ResponseCode::QUERY_NOT_FOUND);
  for (int i = 0; i < 20; ++i) client->send({.body = std::string(1000, 'x')});
  EXPECT_GT(min(kTopic, 0), 0);
  EXPECT_EQ(query(kTopic, 0)->code(), ResponseCode::QUERY_NOT_FOUND) << "the beginning is gone: the client decides";
}

TEST_F(Offsets, EndsOfQueues) {
  start();
  EXPECT_EQ(max("none", 0), 0);
  EXPECT_EQ(min("none", 0), 0);
  for (int i = 0; i < 3; ++i) client->send({.queueId = 1});
  EXPECT_EQ(max(kTopic, 1), 3);
  EXPECT_EQ(min(kTopic, 1), 0);
  EXPECT_EQ(max(kTopic, 0), 0);
}

TEST_F(Offsets, ByTime) {
  start();
  const std::int64_t begin = engine->wallMillis();
  for (int i = 0; i < 3; ++i) {
    client->send({});
    engine->advance(100ms);
  }
  EXPECT_EQ(search(begin), 0);
  EXPECT_EQ(search(begin + 1), 1);
  EXPECT_EQ(search(begin + 100), 1);
  EXPECT_EQ(search(begin + 150, "UPPER"), 1);
  EXPECT_EQ(search(begin + 150, "lower"), 2);
  EXPECT_EQ(search(begin + 150, "upper"), 1);
  EXPECT_EQ(search(begin + 1000), 3);
  const auto earliest = client->call(RequestCode::GET_EARLIEST_MSG_STORETIME,
                                     protocol::GetEarliestMsgStoretimeRequestHeader{.topic = kTopic, .queueId = 0});
  EXPECT_EQ(earliest->header<protocol::GetEarliestMsgStoretimeResponseHeader>().timestamp, begin);
  const auto none = client->call(RequestCode::GET_EARLIEST_MSG_STORETIME,
                                 protocol::GetEarliestMsgStoretimeRequestHeader{.topic = kTopic, .queueId = 1});
  EXPECT_EQ(none->header<protocol::GetEarliestMsgStoretimeResponseHeader>().timestamp, -1);
}

}  // namespace
}  // namespace mqclient::broker
