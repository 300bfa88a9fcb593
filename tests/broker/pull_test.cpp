#include "broker_support.h"

namespace mqclient::broker {
namespace {

using Pull = TestClient::Pull;
using Pulls = BrokerTest;
using protocol::PullMessageResponseHeader;

constexpr std::int32_t kAll = protocol::kPullSubscription;

TEST_F(Pulls, FoundMessagesWithAllFields) {
  start();
  for (const char* body : {"a", "b", "c"}) client->send({.body = body});
  const auto pulled = client->pull({.offset = 1, .sysFlag = kAll});
  ASSERT_EQ(pulled->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(pulled->remark(), "FOUND");
  EXPECT_EQ(pulled->bodies(), (std::vector<std::string>{"b", "c"}));
  const auto header = pulled->header<PullMessageResponseHeader>();
  EXPECT_EQ(header.suggestWhichBrokerId, 0);
  EXPECT_EQ(header.nextBeginOffset, 3);
  EXPECT_EQ(header.minOffset, 0);
  EXPECT_EQ(header.maxOffset, 3);
  for (const char* field : {"suggestWhichBrokerId", "nextBeginOffset", "minOffset", "maxOffset"}) {
    EXPECT_TRUE(pulled->answer().ext.find(field)) << field;
  }
}

struct StatusRow {
  const char* what;
  std::int64_t offset;
  ResponseCode code;
  const char* remark;
  std::int64_t next;
};

TEST_F(Pulls, StatusTable) {
  start();
  ASSERT_EQ(client->createTopic(kTopic, 2)->code(), ResponseCode::SUCCESS);
  client->send({});
  client->send({});
  for (const auto& row : {StatusRow{"at the end", 2, ResponseCode::PULL_NOT_FOUND, "OFFSET_OVERFLOW_ONE", 2},
                          StatusRow{"beyond", 5, ResponseCode::PULL_OFFSET_MOVED, "OFFSET_OVERFLOW_BADLY", 2},
                          StatusRow{"below", -1, ResponseCode::PULL_OFFSET_MOVED, "OFFSET_TOO_SMALL", 0}}) {
    const auto pulled = client->pull({.offset = row.offset, .sysFlag = kAll});
    EXPECT_EQ(pulled->code(), row.code) << row.what;
    EXPECT_EQ(pulled->remark(), row.remark);
    EXPECT_EQ(pulled->header<PullMessageResponseHeader>().nextBeginOffset, row.next) << row.what;
  }
  const auto tagged = client->pull({.offset = 0, .sysFlag = kAll, .subscription = "TagA"});
  EXPECT_EQ(tagged->code(), ResponseCode::PULL_RETRY_IMMEDIATELY);
  EXPECT_EQ(tagged->header<PullMessageResponseHeader>().nextBeginOffset, 2);
  // A queue that never held anything.
  EXPECT_EQ(client->pull({.queueId = 1, .offset = 0, .sysFlag = kAll})->code(), ResponseCode::PULL_NOT_FOUND);
  const auto moved = client->pull({.queueId = 1, .offset = 9, .sysFlag = kAll});
  EXPECT_EQ(moved->code(), ResponseCode::PULL_OFFSET_MOVED);
  EXPECT_EQ(moved->header<PullMessageResponseHeader>().nextBeginOffset, 0);
}

TEST_F(Pulls, TheOldestMessagesGo) {
  start({.memoryLogBytesMax = 8192, .mappedFileSizeCommitLog = 4096, .consumeQueueUnitsPerFile = 4});
  for (int i = 0; i < 40; ++i) ASSERT_EQ(client->send({.body = std::string(700, 'x')})->code(), ResponseCode::SUCCESS);
  std::int64_t min = 0;
  inspect([&min](const Inspection& i) {
    min = i.minOffset(kTopic, 0);
    EXPECT_GT(i.counters().segments_dropped, 0U);
  });
  EXPECT_GT(min, 0);
  const auto late = client->pull({.offset = 0, .sysFlag = kAll});
  EXPECT_EQ(late->code(), ResponseCode::PULL_OFFSET_MOVED);
  EXPECT_EQ(late->header<PullMessageResponseHeader>().nextBeginOffset, min);
  EXPECT_EQ(client->pull({.offset = min, .sysFlag = kAll})->code(), ResponseCode::SUCCESS);
}

TEST_F(Pulls, ChecksInOrder) {
  start({.autoCreateSubscriptionGroup = false});
  // The group first...
  EXPECT_EQ(client->pull({.topic = "none", .sysFlag = kAll})->code(), ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST);
  const std::string group = "TOOLS_CONSUMER";
  // ...then the topic, its permission, the queue...
  EXPECT_EQ(client->pull({.group = group, .topic = "none", .sysFlag = kAll})->code(), ResponseCode::TOPIC_NOT_EXIST);
  ASSERT_EQ(client->createTopic("closed", 1, 2)->code(), ResponseCode::SUCCESS);
  const auto forbidden = client->pull({.group = group, .topic = "closed", .sysFlag = kAll});
  EXPECT_EQ(forbidden->code(), ResponseCode::NO_PERMISSION);
  EXPECT_EQ(forbidden->header<PullMessageResponseHeader>().forbiddenType, 3);
  ASSERT_EQ(client->createTopic(kTopic, 4)->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->pull({.group = group, .queueId = 4, .sysFlag = kAll})->code(), ResponseCode::INVALID_PARAMETER);
  EXPECT_EQ(client->pull({.group = group, .queueId = -1, .sysFlag = kAll})->code(), ResponseCode::INVALID_PARAMETER);
  EXPECT_EQ(client->pull({.group = group, .queueId = 3, .sysFlag = kAll})->code(), ResponseCode::PULL_NOT_FOUND);
  // ...then the subscription.
  EXPECT_EQ(client->pull({.group = group, .sysFlag = kAll, .subscription = "||"})->code(),
            ResponseCode::SUBSCRIPTION_PARSE_FAILED);
  EXPECT_EQ(client->pull({.group = group, .sysFlag = kAll, .subscription = "a > 1", .expressionType = "SQL92"})->code(),
            ResponseCode::SYSTEM_ERROR);
  EXPECT_EQ(client->pull({.group = group})->code(), ResponseCode::SUBSCRIPTION_NOT_EXIST);
  client->heartbeat(group, {{"other", "*"}});
  EXPECT_EQ(client->pull({.group = group})->code(), ResponseCode::SUBSCRIPTION_NOT_EXIST);
  client->heartbeat(group, {{kTopic, "*"}}, 5);
  EXPECT_EQ(client->pull({.group = group, .subVersion = 6})->code(), ResponseCode::SUBSCRIPTION_NOT_LATEST);
  EXPECT_EQ(client->pull({.group = group, .subVersion = 5})->code(), ResponseCode::PULL_NOT_FOUND);
}

TEST_F(Pulls, ABrokerThatMayNotBeRead) {
  start({.brokerPermission = 2});
  const auto refused = client->pull({.sysFlag = kAll});
  EXPECT_EQ(refused->code(), ResponseCode::NO_PERMISSION);
  EXPECT_EQ(refused->header<PullMessageResponseHeader>().forbiddenType, 1);
}

TEST_F(Pulls, TheRegisteredSubscriptionFilters) {
  start();
  client->sendTagged("a", "TagA");
  client->sendTagged("b", "TagB");
  client->sendTagged("c", "TagC");
  client->heartbeat(kGroup, {{kTopic, "TagA || TagC"}});
  EXPECT_EQ(client->pull({})->bodies(), (std::vector<std::string>{"a", "c"}));
  client->heartbeat(kGroup, {{kTopic, "TagB"}}, 1);
  EXPECT_EQ(client->pull({})->bodies(), (std::vector<std::string>{"a", "c"})) << "not newer: not taken";
  client->heartbeat(kGroup, {{kTopic, "TagB"}}, 2);
  EXPECT_EQ(client->pull({})->bodies(), std::vector<std::string>{"b"});
}

TEST_F(Pulls, LitePullIsAPull) {
  start();
  client->send({});
  EXPECT_EQ(client->pull({.sysFlag = kAll | protocol::kPullLite, .code = RequestCode::LITE_PULL_MESSAGE})->code(),
            ResponseCode::SUCCESS);
}

TEST_F(Pulls, MaxMsgNumsIsClamped) {
  start({.maxTransferCountOnMessageInMemory = 2'000, .pull_count_max = 10});
  for (int i = 0; i < 20; ++i) client->send({});
  for (const auto& [asked, got] : {std::pair{9, 9}, {10, 10}, {11, 10}, {1 << 30, 10}, {0, 1}, {-5, 1}}) {
    EXPECT_EQ(client->pull({.count = asked, .sysFlag = kAll})->bodies().size(), static_cast<std::size_t>(got)) << asked;
  }
}

TEST_F(Pulls, TheCommitBitCommitsOnce) {
  start();
  client->send({});
  client->pull({.sysFlag = kAll | protocol::kPullCommitOffset, .commitOffset = 1});
  inspect([](const Inspection& i) { EXPECT_EQ(i.committedOffset(kGroup, kTopic, 0), 1); });
  // A hold that is woken later must not set back what was committed meanwhile.
  const auto held = client->pull({.offset = 1, .sysFlag = kHeldPull | protocol::kPullCommitOffset, .commitOffset = 2});
  EXPECT_TRUE(held->pending());
  inspect([](const Inspection& i) { EXPECT_EQ(i.committedOffset(kGroup, kTopic, 0), 2); });
  protocol::UpdateConsumerOffsetRequestHeader commit{.consumerGroup = kGroup, .topic = kTopic, .commitOffset = 3};
  EXPECT_EQ(client->call(RequestCode::UPDATE_CONSUMER_OFFSET, commit)->code(), ResponseCode::SUCCESS);
  client->send({});
  EXPECT_EQ(held->code(), ResponseCode::SUCCESS);
  inspect([](const Inspection& i) { EXPECT_EQ(i.committedOffset(kGroup, kTopic, 0), 3); });
}

// ---- long polling

TEST_F(Pulls, AnArrivalWakesTheHold) {
  start();
  client->createTopic(kTopic, 4);
  const auto held = client->longPull(0);
  const auto elsewhere = client->longPull(0, "*", 1);
  EXPECT_TRUE(held->pending());
  client->send({.body = "arrived"});
  ASSERT_EQ(held->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(held->bodies(), std::vector<std::string>{"arrived"});
  EXPECT_TRUE(elsewhere->pending());
  EXPECT_EQ(this->held(), 1U);
}

TEST_F(Pulls, OnlyAMatchingTagWakes) {
  start();
  client->createTopic(kTopic, 4);
  const auto held = client->longPull(0, "TagB");
  client->sendTagged("a", "TagA");
  client->send({});
  EXPECT_TRUE(held->pending());
  client->sendTagged("b", "TagB");
  EXPECT_EQ(held->bodies(), std::vector<std::string>{"b"});
  EXPECT_EQ(held->header<PullMessageResponseHeader>().nextBeginOffset, 3);
}

TEST_F(Pulls, TheHoldEndsAtItsTime) {
  start();
  client->createTopic(kTopic, 4);
  const auto held = client->longPull(0);
  const auto tagged = client->longPull(0, "TagB", 1);
  client->sendTagged("a", "TagA", 1);
  engine->advance(14'999ms);
  EXPECT_TRUE(held->pending());
  EXPECT_TRUE(tagged->pending());
  engine->advance(1ms);
  EXPECT_EQ(held->code(), ResponseCode::PULL_NOT_FOUND);
  EXPECT_EQ(held->remark(), "NO_MESSAGE_IN_QUEUE");
  EXPECT_EQ(tagged->code(), ResponseCode::PULL_RETRY_IMMEDIATELY) << "past what did not match";
  EXPECT_EQ(tagged->header<PullMessageResponseHeader>().nextBeginOffset, 1);
  EXPECT_EQ(this->held(), 0U);
}

TEST_F(Pulls, ShortPolling) {
  start({.longPollingEnable = false});
  client->createTopic(kTopic, 4);
  const auto held = client->longPull(0);
  engine->advance(999ms);
  EXPECT_TRUE(held->pending());
  engine->advance(1ms);
  EXPECT_EQ(held->code(), ResponseCode::PULL_NOT_FOUND);
}

TEST_F(Pulls, AWokenPullIsCheckedAgain) {
  start();
  client->createTopic(kTopic, 4);
  const auto held = client->longPull(0);
  client->createTopic(kTopic, 4, 2);  // no longer readable
  client->send({});
  EXPECT_EQ(held->code(), ResponseCode::NO_PERMISSION);
}

TEST_F(Pulls, AClosedConnectionLosesItsHolds) {
  start();
  client->createTopic(kTopic, 4);
  TestClient other(engine, network, "client-b");
  const auto mine = client->longPull(0);
  const auto theirs = other.longPull(0);
  EXPECT_EQ(held(), 2U);
  other.close();
  engine->runUntilIdle();
  EXPECT_EQ(held(), 1U);
  client->send({});
  EXPECT_EQ(mine->code(), ResponseCode::SUCCESS);
  ASSERT_EQ(theirs->settled, 1);
  EXPECT_FALSE(*theirs->result);
}

TEST_F(Pulls, HoldsAreBounded) {
  start({.held_pulls_max = 2});
  client->createTopic(kTopic, 4);
  const auto one = client->longPull(0);
  const auto two = client->longPull(0);
  const auto three = client->longPull(0);
  EXPECT_TRUE(one->pending());
  EXPECT_TRUE(two->pending());
  EXPECT_EQ(three->code(), ResponseCode::PULL_NOT_FOUND);
  client->send({});
  EXPECT_EQ(one->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(two->code(), ResponseCode::SUCCESS);
}

TEST_F(Pulls, AStopDropsHolds) {
  start();
  client->createTopic(kTopic, 4);
  const auto held = client->longPull(0);
  stop();
  ASSERT_EQ(held->settled, 1);
  EXPECT_FALSE(*held->result) << "the connection ends; nobody is told a lie";
  inspect([](const Inspection& i) {
    EXPECT_EQ(i.heldPulls(), 0U);
    EXPECT_EQ(i.counters().responders_dropped, 0U);
  });
}

}  // namespace
}  // namespace mqclient::broker
