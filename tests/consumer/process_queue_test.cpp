// One queue from its start offset to its last commit, against a broker whose every answer is scripted.
#include "consumer/process_queue.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "protocol/compression.h"
#include "protocol/names.h"
#include "tests/consumer/scripted_broker.h"

namespace mqclient::consumer {
namespace {

using Status = ConsumeConcurrentlyStatus;
using ProcessQueueTest = ScriptedTest;

void refuse(Responder& responder, ResponseCode code) {
  std::move(responder).answer(code, "scripted refusal");
}

// ---- where to begin (client.md 3.2)

TEST_F(ProcessQueueTest, BeginsWhereTheGroupStands) {
  broker->stored_offset = 17;
  auto consumer = start(collecting()).value();
  EXPECT_EQ(broker->pulled_offsets, (std::vector<std::int64_t>{17}));
  EXPECT_EQ(broker->counts[RequestCode::GET_MAX_OFFSET], 0);
  EXPECT_TRUE(broker->commits.empty()) << "the broker knows it";
}

TEST_F(ProcessQueueTest, ANewGroupBeginsAtTheEnd) {
  broker->max_offset = 30;
  auto consumer = start(collecting()).value();
  EXPECT_EQ(broker->pulled_offsets, (std::vector<std::int64_t>{30}));
  EXPECT_EQ(broker->lastCommit(), 30) << "and the broker is told, so that a restart does not choose anew";
}

TEST_F(ProcessQueueTest, ANewGroupBeginsAtTheFirstMessage) {
  broker->max_offset = 30;
  broker->min_offset = 12;
  auto consumer = start(collecting(), {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()}).value();
  EXPECT_EQ(broker->pulled_offsets, (std::vector<std::int64_t>{12}));
}

TEST_F(ProcessQueueTest, ANewGroupBeginsAtATime) {
  broker->searched_offset = 21;
  auto consumer = start(collecting(),
                        {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_TIMESTAMP(WallTime(std::chrono::hours(1)))})
                      .value();
  EXPECT_EQ(broker->pulled_offsets, (std::vector<std::int64_t>{21}));
}

TEST_F(ProcessQueueTest, AnErrorIsNeverNotFound) {
  broker->max_offset = 30;
  broker->scripts[RequestCode::QUERY_CONSUMER_OFFSET] = [](Request&, Responder& r) {
    refuse(r, ResponseCode::SYSTEM_ERROR);
  };
  auto options = clientOptions();
  auto running = DefaultMQPushConsumer::start("group", {{kTopic}}, collecting(), [&] {
    options.startTimeout = 0ms;
    return options;
  }());
  auto consumer = *std::move(running);
  engine->advance(10s);
  EXPECT_TRUE(broker->pulled_offsets.empty());
  EXPECT_EQ(broker->counts[RequestCode::GET_MAX_OFFSET], 0);
  EXPECT_GT(broker->counts[RequestCode::QUERY_CONSUMER_OFFSET], 5) << "asked each second";
  EXPECT_LT(broker->counts[RequestCode::QUERY_CONSUMER_OFFSET], 15);
  broker->scripts.clear();
  broker->stored_offset = 4;
  engine->advance(1001ms);
  EXPECT_EQ(broker->pulled_offsets, (std::vector<std::int64_t>{4}));
}

// ---- pulling (client.md 6.3, 6.4)

TEST_F(ProcessQueueTest, MessagesReachTheListenerAndTheNextPullFollowsAtOnce) {
  auto consumer = start(collecting()).value();
  broker->deliver(0, 3);
  engine->runUntilIdle();
  EXPECT_EQ(seen, (std::vector<std::string>{"m0", "m1", "m2"}));
  EXPECT_EQ(batch_sizes, (std::vector<std::size_t>{1, 1, 1}));
  EXPECT_EQ(broker->pulled_offsets, (std::vector<std::int64_t>{0, 3}));
  EXPECT_TRUE(broker->pulling());
}

TEST_F(ProcessQueueTest, BatchesAreCutToTheirSize) {
  auto consumer = start(collecting(), {.consumeMessageBatchMaxSize = 3}).value();
  broker->deliver(0, 8);
  engine->runUntilIdle();
  EXPECT_EQ(batch_sizes, (std::vector<std::size_t>{3, 3, 2}));
}

TEST_F(ProcessQueueTest, AskForWhatTheOptionsSay) {
  auto consumer = start(collecting(), {.pullBatchSize = 8}).value();
  const protocol::PullMessageRequestHeader& header = broker->held.at(0).header;
  EXPECT_EQ(header.maxMsgNums, 8);
  EXPECT_EQ(header.maxMsgBytes, 256 * 1024);
  EXPECT_EQ(header.suspendTimeoutMillis, 15'000);
  EXPECT_EQ(header.consumerGroup, "group");
  EXPECT_EQ(header.expressionType, "TAG");
  EXPECT_EQ(header.sysFlag & protocol::kPullSubscription, 0);
  EXPECT_NE(header.sysFlag & protocol::kPullSuspend, 0);
  EXPECT_EQ(header.subVersion, broker->last_heartbeat->consumerDataSet.at(0).subscriptionDataSet.at(0).subVersion);
}

TEST_F(ProcessQueueTest, AHashCollisionOfTagsIsFilteredHere) {
  auto consumer = start(collecting(), {}, byTag("paid")).value();
  std::string bytes(record(0, "wanted", "TAGS\1paid\2").text());
  bytes += record(1, "other tag", "TAGS\1open\2").text();
  bytes += record(2, "no tag").text();
  bytes += record(3, "wanted too", "TAGS\1paid\2").text();
  broker->answerPull(ResponseCode::SUCCESS, 4, base::Slice::copyOf(bytes));
  engine->runUntilIdle();
  EXPECT_EQ(seen, (std::vector<std::string>{"wanted", "wanted too"}));
  engine->advance(5001ms);
  EXPECT_EQ(broker->lastCommit(), 4) << "the group moves past what its filter left out";
}

TEST_F(ProcessQueueTest, ARecordThatCannotBeReadCostsOnlyItself) {
  auto consumer = start(collecting()).value();
  std::string bytes(record(0, "first").text());
  std::string bad(record(1, "bad").text());
  bad[84] = 0x7f;  // its body seems to be longer than the record
  bytes += bad;
  bytes += record(2, "third").text();
  broker->answerPull(ResponseCode::SUCCESS, 3, base::Slice::copyOf(bytes));
  engine->runUntilIdle();
  EXPECT_EQ(seen, (std::vector<std::string>{"first", "third"}));
  EXPECT_EQ(std::count_if(log.begin(), log.end(),
                          [](const std::string& line) { return line.find("cannot be read") != std::string::npos; }),
            1);
}

// ---- compressed bodies (client.md 6.3, defect 13)

/// A record whose body is `plain`, compressed by `type`.
std::string compressedRecord(std::int64_t offset, std::string_view plain, std::int32_t type) {
  const auto body = protocol::compressBody(type, std::as_bytes(std::span(plain)));
  return std::string(record(offset, body.value().text(), {}, 0, protocol::kCompressedFlag | type).text());
}

TEST_F(ProcessQueueTest, CompressedBodiesReachTheListenerInflated) {
  auto consumer = start(collecting(), {.consumeMessageBatchMaxSize = 3}).value();
  log.clear();
  const std::string plain(100'000, 'z');
  broker->answerPull(ResponseCode::SUCCESS, 3,
                     base::Slice::copyOf(compressedRecord(0, plain + "0", protocol::kCompressionZlib) +
                                         compressedRecord(1, plain + "1", protocol::kCompressionLz4) +
                                         compressedRecord(2, plain + "2", protocol::kCompressionZstd)));
  engine->runUntilIdle();
  EXPECT_EQ(batch_sizes, (std::vector<std::size_t>{3}));
  EXPECT_EQ(seen, (std::vector<std::string>{plain + "0", plain + "1", plain + "2"}));
  EXPECT_TRUE(log.empty());
}

TEST_F(ProcessQueueTest, ABodyThatCannotBeInflatedIsDeliveredAsStoredAndCostsNoOther) {
  std::vector<int> flags;
  auto consumer = start(MessageListener([&](Messages messages, ConsumeConcurrentlyContext&) {
                    seen.emplace_back(messages[0].body());
                    flags.push_back(messages[0].sysFlag());
                    return Status::CONSUME_SUCCESS;
                  })).value();
  log.clear();
  const std::string plain(1'000, 'z');
  std::string bytes = compressedRecord(0, plain, protocol::kCompressionZstd);
  bytes += record(1, "damaged", "UNIQ_KEY\1THEID\2", 0, protocol::kCompressedFlag | protocol::kCompressionLz4).text();
  bytes += record(2, "of a later version", {}, 0, protocol::kCompressedFlag | 0x700).text();
  bytes += record(3, "plain").text();
  broker->answerPull(ResponseCode::SUCCESS, 4, base::Slice::copyOf(bytes));
  engine->runUntilIdle();
  EXPECT_EQ(seen, (std::vector<std::string>{plain, "damaged", "of a later version", "plain"}));
  EXPECT_EQ(flags, (std::vector<int>{0x200, 0x101, 0x701, 0}));
  EXPECT_EQ(consumer.progress().at(0).consumed, 4);
  ASSERT_EQ(log.size(), 2u);
  EXPECT_NE(log[0].find("THEID"), std::string::npos) << log[0];
  EXPECT_NE(log[0].find("LZ4"), std::string::npos) << log[0];
}

TEST_F(ProcessQueueTest, AnInflatedBodyLivesAsLongAsTheListenerHasIt) {
  std::vector<Promise<Status>> pending;
  std::vector<const MessageExt*> given;
  auto consumer = start(MessageListener([&](Messages messages, ConsumeConcurrentlyContext&) -> Future<Status> {
                    given.push_back(&messages[0]);
                    pending.emplace_back();
                    return pending.back().future();
                  })).value();
  const std::string plain(1'000'000, 'z');
  broker->answerPull(ResponseCode::SUCCESS, 2,
                     base::Slice::copyOf(compressedRecord(0, plain, protocol::kCompressionZstd) +
                                         compressedRecord(1, plain, protocol::kCompressionZstd)));
  engine->runUntilIdle();
  ASSERT_EQ(given.size(), 2u);
  EXPECT_EQ(given[0]->body(), plain);
  std::optional<MessageExt> kept = *given[0];
  pending[0].set(Error(ErrorCode::kUserCode, "no"));
  engine->runUntilIdle();
  // The second invocation keeps the delivery of both, and the first message waits for its turn: small again.
  EXPECT_EQ(given[0]->body().size(),
            protocol::compressBody(protocol::kCompressionZstd, std::as_bytes(std::span(plain)))->size());
  EXPECT_EQ(given[1]->body(), plain);
  EXPECT_EQ(kept->body(), plain) << "a copy is the user's";
  engine->advance(5001ms);
  ASSERT_EQ(given.size(), 3u);
  EXPECT_EQ(given[2]->body(), plain) << "and whole when it comes again";
  EXPECT_EQ(given[2]->reconsumeTimes(), 1);
  pending[1].set(Status::CONSUME_SUCCESS);
  pending[2].set(Status::CONSUME_SUCCESS);
  engine->runUntilIdle();
  EXPECT_EQ(consumer.progress().at(0).consumed, 2);
}

TEST_F(ProcessQueueTest, APullAnsweredTwiceIsConsumedOnce) {
  auto consumer = start(collecting()).value();
  broker->deliver(0, 3);
  engine->runUntilIdle();
  broker->answerPull(ResponseCode::SUCCESS, 4, records(1, 3));  // 1, 2 again, and 3
  engine->runUntilIdle();
  EXPECT_EQ(seen, (std::vector<std::string>{"m0", "m1", "m2", "m3"}));
}

TEST_F(ProcessQueueTest, EmptyAnswersThatComeAtOnceSlowDown) {
  broker->scripts[RequestCode::PULL_MESSAGE] = [this](Request& request, Responder& r) {
    broker->usual(RequestCode::PULL_MESSAGE, request, std::move(r));
    broker->answerPull(ResponseCode::PULL_RETRY_IMMEDIATELY, 0);
  };
  auto consumer = start(collecting()).value();
  engine->advance(10s);
  EXPECT_LT(broker->pulled_offsets.size(), 16u) << "0.1 + 0.2 + 0.4 + 0.8 s, then each second";
  EXPECT_GT(broker->pulled_offsets.size(), 9u);
}

TEST_F(ProcessQueueTest, AHeldEmptyAnswerIsFollowedAtOnce) {
  auto consumer = start(collecting()).value();
  engine->advance(15s);
  broker->answerPull(ResponseCode::PULL_NOT_FOUND, 0);
  engine->runUntilIdle();
  EXPECT_TRUE(broker->pulling());
}

TEST_F(ProcessQueueTest, ErrorsWaitASecondAndFlowControlTwentyMilliseconds) {
  auto consumer = start(collecting()).value();
  broker->answerPull(ResponseCode::SYSTEM_ERROR, 0);
  engine->advance(999ms);
  EXPECT_FALSE(broker->pulling());
  engine->advance(2ms);
  ASSERT_TRUE(broker->pulling());
  broker->answerPull(ResponseCode::FLOW_CONTROL, 0);
  engine->advance(19ms);
  EXPECT_FALSE(broker->pulling());
  engine->advance(2ms);
  EXPECT_TRUE(broker->pulling());
}

TEST_F(ProcessQueueTest, AnUnknownSubscriptionIsToldAgain) {
  auto consumer = start(collecting()).value();
  const int heartbeats = broker->counts[RequestCode::HEART_BEAT];
  broker->answerPull(ResponseCode::SUBSCRIPTION_NOT_EXIST, 0);
  engine->runUntilIdle();
  EXPECT_GT(broker->counts[RequestCode::HEART_BEAT], heartbeats);
  engine->advance(1001ms);
  EXPECT_TRUE(broker->pulling());
}

// ---- an offset outside the queue

TEST_F(ProcessQueueTest, BelowTheQueueItMovesForwardAndKeepsWhatIsCached) {
  next_status = Status::RECONSUME_LATER;  // 0 to 2 stay cached
  auto consumer = start(collecting()).value();
  broker->deliver(0, 3);
  engine->runUntilIdle();
  broker->answerPull(ResponseCode::PULL_OFFSET_MOVED, 100);
  engine->runUntilIdle();
  EXPECT_EQ(broker->pulled_offsets.back(), 100);
  EXPECT_TRUE(
      std::any_of(events.begin(), events.end(), [](const ClientEvent& e) { return e.kind == EventKind::kWarning; }));
  next_status = Status::CONSUME_SUCCESS;
  seen.clear();
  engine->advance(5001ms);
  EXPECT_EQ(seen, (std::vector<std::string>{"m0", "m1", "m2"})) << "deleted at the broker, but not lost";
  engine->advance(5001ms);
  EXPECT_EQ(broker->lastCommit(), 100);
}

TEST_F(ProcessQueueTest, AboveTheQueueANewPeriodBeginsAtItsEnd) {
  broker->stored_offset = 50;
  auto consumer = start(collecting()).value();
  broker->answerPull(ResponseCode::PULL_OFFSET_MOVED, 20);
  engine->runUntilIdle();
  EXPECT_EQ(broker->pulled_offsets.back(), 20);
  EXPECT_EQ(broker->lastCommit(), 20);
  broker->deliver(20, 1);
  engine->runUntilIdle();
  EXPECT_EQ(seen, (std::vector<std::string>{"m20"}));
}

TEST_F(ProcessQueueTest, ACorrectionToTheSameOffsetIsNoHotLoop) {
  broker->scripts[RequestCode::PULL_MESSAGE] = [this](Request& request, Responder& r) {
    broker->usual(RequestCode::PULL_MESSAGE, request, std::move(r));
    broker->answerPull(ResponseCode::PULL_OFFSET_MOVED, 0);
  };
  auto consumer = start(collecting()).value();
  engine->advance(10s);
  EXPECT_LT(broker->pulled_offsets.size(), 16u);
}

// ---- flow control

TEST_F(ProcessQueueTest, AFullCachePausesForFiftyMilliseconds) {
  next_status = Status::RECONSUME_LATER;
  auto consumer = start(collecting(), {.pullThresholdForQueue = 2}).value();
  broker->deliver(0, 2);
  engine->runUntilIdle();
  ASSERT_TRUE(broker->pulling()) << "at the limit, not above it";
  broker->deliver(2, 1);
  engine->runUntilIdle();
  EXPECT_FALSE(broker->pulling());
  EXPECT_EQ(consumer.progress().at(0).why, "pullThresholdForQueue is reached");
  EXPECT_EQ(consumer.progress().at(0).cached, 3);
  next_status = Status::CONSUME_SUCCESS;
  engine->advance(5s);  // redelivered: all finished
  engine->advance(51ms);
  EXPECT_TRUE(broker->pulling());
  EXPECT_EQ(consumer.progress().at(0).cached, 0);
}

TEST_F(ProcessQueueTest, TheConsumersBytesAreBoundedOverAllQueues) {
  broker->queues = 2;
  next_status = Status::RECONSUME_LATER;
  auto consumer = start(collecting(), {.cachedBytesMax = 100}).value();
  ASSERT_TRUE(broker->pulling(0) && broker->pulling(1));
  broker->deliver(0, 2, 0);
  engine->runUntilIdle();
  EXPECT_FALSE(broker->pulling(0));
  broker->answerPull(ResponseCode::PULL_NOT_FOUND, 0, {}, 1);
  engine->advance(200ms);
  EXPECT_FALSE(broker->pulling(1)) << "the other queue pauses too";
  next_status = Status::CONSUME_SUCCESS;
  engine->advance(5100ms);
  EXPECT_TRUE(broker->pulling(0));
  EXPECT_TRUE(broker->pulling(1));
}

TEST_F(ProcessQueueTest, AnAnswerBeyondTheConsumersBytesIsNotKeptAndPulledAgain) {
  broker->queues = 2;
  next_status = Status::RECONSUME_LATER;
  auto consumer = start(collecting(), {.cachedBytesMax = record(0, "m0").size()}).value();
  broker->deliver(0, 1, 0);
  broker->answerPull(ResponseCode::SUCCESS, 1, {record(0, "other", {}, 1)}, 1);
  engine->runUntilIdle();
  EXPECT_EQ(seen, (std::vector<std::string>{"m0"}));
  EXPECT_EQ(consumer.progress().at(1).cached, 0);
  EXPECT_EQ(consumer.progress().at(1).why, "cachedBytesMax of the consumer is reached");
  next_status = Status::CONSUME_SUCCESS;
  engine->advance(5100ms);
  ASSERT_TRUE(broker->pulling(1));
  EXPECT_EQ(broker->held.at(1).header.queueOffset, 0);
  broker->answerPull(ResponseCode::SUCCESS, 1, {record(0, "other", {}, 1)}, 1);
  engine->runUntilIdle();
  EXPECT_EQ(seen, (std::vector<std::string>{"m0", "m0", "other"}));
}

TEST_F(ProcessQueueTest, WhatPullsUnderWayWillBringCountsTowardsTheConsumersBytes) {
  const std::size_t one = record(0, "m0").size();
  broker->queues = 2;
  broker->max_offset = 100;
  next_status = Status::RECONSUME_LATER;
  auto consumer = start(collecting(),
                        {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET(), .cachedBytesMax = 2 * one})
                      .value();
  broker->deliver(0, 1, 0);
  engine->runUntilIdle();
  ASSERT_TRUE(broker->pulling(0)) << "the next one has room, which is kept for it";
  broker->answerPull(ResponseCode::SUCCESS, 1, {record(0, "other", {}, 1)}, 1);
  engine->runUntilIdle();
  EXPECT_EQ(consumer.progress().at(1).cached, 0);
  broker->answerPull(ResponseCode::PULL_NOT_FOUND, 1);
  engine->advance(51ms);
  ASSERT_TRUE(broker->pulling(1)) << "nothing came: the room is free again";
  broker->answerPull(ResponseCode::SUCCESS, 1, {record(0, "other", {}, 1)}, 1);
  engine->runUntilIdle();
  EXPECT_EQ(consumer.progress().at(1).cached, 1);
}

TEST_F(ProcessQueueTest, PullIntervalIsKept) {
  auto consumer = start(collecting(), {.pullInterval = 300ms}).value();
  broker->deliver(0, 1);
  engine->advance(299ms);
  EXPECT_FALSE(broker->pulling());
  engine->advance(2ms);
  EXPECT_TRUE(broker->pulling());
}

// ---- results (client.md 6.5)

TEST_F(ProcessQueueTest, AFailedMessageComesAgainAfterFiveSeconds) {
  next_status = Status::RECONSUME_LATER;
  auto consumer = start(collecting()).value();
  broker->deliver(0, 1);
  engine->runUntilIdle();
  EXPECT_EQ(seen.size(), 1u);
  engine->advance(4999ms);
  EXPECT_EQ(seen.size(), 1u);
  engine->advance(2ms);
  EXPECT_EQ(seen, (std::vector<std::string>{"m0", "m0"}));
  EXPECT_EQ(redeliveries, (std::vector<int>{0, 1}));
  next_status = Status::CONSUME_SUCCESS;
  engine->advance(5001ms);
  EXPECT_EQ(redeliveries, (std::vector<int>{0, 1, 2}));
  engine->advance(60s);
  EXPECT_EQ(seen.size(), 3u);
}

TEST_F(ProcessQueueTest, AThrowIsAFailureLoggedWithItsId) {
  int calls = 0;
  auto consumer = start(MessageListener([&](Messages, ConsumeConcurrentlyContext&) -> Status {
                    if (++calls == 1) throw std::runtime_error("no database");
                    return Status::CONSUME_SUCCESS;
                  })).value();
  broker->deliver(0, 1, 0, "UNIQ_KEY\1THEID\2");
  engine->advance(5001ms);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(std::count_if(log.begin(), log.end(),
                          [](const std::string& line) {
                            return line.find("THEID") != std::string::npos &&
                                   line.find("no database") != std::string::npos;
                          }),
            1);
}

TEST_F(ProcessQueueTest, AckIndexAndReconsumeLaterChooseMessages) {
  std::vector<std::vector<std::string>> batches;
  auto consumer = start(MessageListener([&](Messages messages, ConsumeConcurrentlyContext& context) {
                          std::vector<std::string> bodies;
                          for (const MessageExt& m : messages) bodies.emplace_back(m.body());
                          batches.push_back(bodies);
                          if (batches.size() == 1) {
                            context.ackIndex = 2;        // 3 is not done
                            context.reconsumeLater(1);   // nor is 1
                            context.reconsumeLater(99);  // beyond the batch
                          }
                          return Status::CONSUME_SUCCESS;
                        }),
                        {.consumeMessageBatchMaxSize = 4})
                      .value();
  broker->deliver(0, 4);
  engine->runUntilIdle();
  EXPECT_EQ(consumer.progress().at(0).consumed, 1) << "0 is done, 1 holds it back";
  engine->advance(5001ms);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[1], (std::vector<std::string>{"m1", "m3"}));
  EXPECT_EQ(consumer.progress().at(0).consumed, 4);
}

TEST_F(ProcessQueueTest, AckIndexMinusOneFailsAll) {
  auto consumer = start(MessageListener([&](Messages messages, ConsumeConcurrentlyContext& context) {
                    seen.emplace_back(messages[0].body());
                    if (seen.size() == 1) context.ackIndex = -1;
                    return Status::CONSUME_SUCCESS;
                  })).value();
  broker->deliver(0, 1);
  engine->advance(5001ms);
  EXPECT_EQ(seen.size(), 2u);
}

TEST_F(ProcessQueueTest, ACoroutineHoldsNoThreadAndCounts) {
  std::vector<Promise<Status>> pending;
  auto consumer = start(MessageListener([&](Messages, ConsumeConcurrentlyContext&) -> Future<Status> {
                          pending.emplace_back();
                          return pending.back().future();
                        }),
                        {.consumeThreadMax = 1})
                      .value();
  broker->deliver(0, 3);
  engine->runUntilIdle();
  ASSERT_EQ(pending.size(), 3u) << "one thread, three invocations under way";
  EXPECT_EQ(consumer.progress().at(0).consumed, 0);
  pending[1].set(Status::CONSUME_SUCCESS);
  engine->runUntilIdle();
  EXPECT_EQ(consumer.progress().at(0).consumed, 0) << "0 holds it back";
  pending[0].set(Status::CONSUME_SUCCESS);
  engine->runUntilIdle();
  EXPECT_EQ(consumer.progress().at(0).consumed, 2);
  pending[2].set(Error(ErrorCode::kUserCode, "no"));
  engine->runUntilIdle();
  EXPECT_EQ(consumer.progress().at(0).consumed, 2);
  pending.clear();
  engine->advance(5001ms);
  ASSERT_EQ(pending.size(), 1u) << "it comes again";
  pending[0].set(Status::CONSUME_SUCCESS);
  engine->runUntilIdle();
  EXPECT_EQ(consumer.progress().at(0).consumed, 3);
}

// ---- commits (I1, I2, I8, I9)

TEST_F(ProcessQueueTest, CommitsEveryFiveSecondsAndOnlyWhatChanged) {
  broker->stored_offset = 0;
  auto consumer = start(collecting()).value();
  broker->deliver(0, 2);
  engine->advance(4999ms);
  EXPECT_EQ(broker->counts[RequestCode::UPDATE_CONSUMER_OFFSET], 0);
  engine->advance(2ms);
  EXPECT_EQ(broker->counts[RequestCode::UPDATE_CONSUMER_OFFSET], 1);
  EXPECT_EQ(broker->lastCommit(), 2);
  EXPECT_EQ(consumer.progress().at(0).committed, 2);
  engine->advance(14s);
  EXPECT_EQ(broker->counts[RequestCode::UPDATE_CONSUMER_OFFSET], 1);
}

TEST_F(ProcessQueueTest, APullCarriesTheCommit) {
  broker->stored_offset = 0;
  auto consumer = start(collecting()).value();
  broker->deliver(0, 1);
  engine->advance(5001ms);
  EXPECT_EQ(broker->counts[RequestCode::UPDATE_CONSUMER_OFFSET], 1);
  broker->deliver(1, 1);
  engine->runUntilIdle();
  broker->answerPull(ResponseCode::PULL_NOT_FOUND, 2);
  engine->advance(1s);
  EXPECT_EQ(broker->lastCommit(), 2);
  EXPECT_EQ(broker->counts[RequestCode::UPDATE_CONSUMER_OFFSET], 1);
}

// Of several first commits of a group's topic at once, Apache's broker may forget all but one.
TEST_F(ProcessQueueTest, TheFirstCommitOfATopicGoesAlone) {
  broker->queues = 4;
  broker->stored_offset = 0;
  auto consumer = start(collecting()).value();
  std::vector<Responder> asked;
  broker->scripts[RequestCode::UPDATE_CONSUMER_OFFSET] = [&](Request&, Responder& r) { asked.push_back(std::move(r)); };
  for (int queue = 0; queue < 4; ++queue) broker->deliver(0, 2, queue);
  engine->advance(6s);
  ASSERT_EQ(asked.size(), 1u);
  refuse(asked[0], ResponseCode::SYSTEM_ERROR);
  engine->runUntilIdle();
  ASSERT_EQ(asked.size(), 2u) << "the next one is the first now";
  std::move(asked[1]).answer(ResponseCode::SUCCESS);
  engine->runUntilIdle();
  EXPECT_EQ(asked.size(), 4u) << "the others need not wait for each other";
  for (std::size_t i = 2; i < asked.size(); ++i) std::move(asked[i]).answer(ResponseCode::SUCCESS);
  broker->scripts.clear();
  engine->advance(6s);
  for (const QueueProgress& progress : consumer.progress()) EXPECT_EQ(progress.committed, 2) << progress.messageQueue;
}

// A broker may execute a pull later than the commit that was sent after it: Apache has a pool of threads for each. What
// a pull carries must not be older than such a commit, or the messages between come again.
TEST_F(ProcessQueueTest, APullCarriesNoCommitThatALaterOneCouldOvertake) {
  broker->stored_offset = 0;
  auto consumer = start(collecting()).value();
  for (std::int64_t offset = 0; offset < 30; offset += 10) {
    broker->deliver(offset, 10);  // the next pull leaves while these wait for their listener
    engine->runUntilIdle();
  }
  EXPECT_EQ(consumer.progress().at(0).consumed, 30);
  EXPECT_TRUE(broker->commits.empty());
  consumer.close();
  ASSERT_EQ(broker->commits.size(), 1u);
  EXPECT_EQ(broker->lastCommit(), 30);
}

// A member that had the queue before may commit after us what it saw last: the broker would stand behind for ever.
TEST_F(ProcessQueueTest, AnOlderCommitOfAnotherMemberIsPutRightByTheNextPull) {
  broker->stored_offset = 0;
  auto consumer = start(collecting()).value();
  broker->deliver(0, 2);
  engine->advance(5001ms);
  EXPECT_EQ(consumer.progress().at(0).committed, 2);
  broker->commits.clear();
  broker->answerPull(ResponseCode::PULL_NOT_FOUND, 2);
  engine->advance(1s);
  ASSERT_FALSE(broker->commits.empty());
  EXPECT_EQ(broker->commits.front().second, 2) << "confirmed long ago, and said again";
}

TEST_F(ProcessQueueTest, AnOlderCommitIsPutRightAlsoByAMemberThatHasNothingToCommit) {
  broker->stored_offset = 2;
  auto consumer = start(collecting()).value();
  broker->answerPull(ResponseCode::PULL_NOT_FOUND, 2);
  engine->advance(1s);
  ASSERT_FALSE(broker->commits.empty());
  EXPECT_EQ(broker->commits.front().second, 2) << "what the broker told at the beginning shows that it has the table";
}

TEST_F(ProcessQueueTest, AFailedCommitIsRepeated) {
  broker->stored_offset = 0;
  broker->scripts[RequestCode::UPDATE_CONSUMER_OFFSET] = [](Request&, Responder& r) {
    refuse(r, ResponseCode::SYSTEM_ERROR);
  };
  auto consumer = start(collecting()).value();
  broker->deliver(0, 2);
  engine->advance(5001ms);
  EXPECT_EQ(consumer.progress().at(0).committed, 0);
  broker->scripts.clear();
  engine->advance(5001ms);
  EXPECT_EQ(broker->lastCommit(), 2);
  EXPECT_EQ(consumer.progress().at(0).committed, 2);
}

TEST_F(ProcessQueueTest, TheCommitNeverPassesAnUnfinishedMessage) {
  broker->stored_offset = 0;
  int calls = 0;
  auto consumer = start(MessageListener([&](Messages messages, ConsumeConcurrentlyContext&) {
                    ++calls;
                    return messages[0].body() == "m1" ? Status::RECONSUME_LATER : Status::CONSUME_SUCCESS;
                  })).value();
  broker->deliver(0, 3);
  engine->runUntilIdle();
  broker->deliver(3, 3);
  engine->advance(60s);
  EXPECT_GT(calls, 6);
  for (const auto& [queue, offset] : broker->commits) EXPECT_LE(offset, 1);
  EXPECT_EQ(broker->lastCommit(), 1);
}

TEST_F(ProcessQueueTest, AResultAfterTheQueueWasGivenUpIsVoid) {
  broker->stored_offset = 0;
  std::vector<Promise<Status>> pending;
  auto consumer = start(MessageListener([&](Messages, ConsumeConcurrentlyContext&) -> Future<Status> {
                    pending.emplace_back();
                    return pending.back().future();
                  })).value();
  broker->deliver(0, 1);
  engine->runUntilIdle();
  ASSERT_EQ(pending.size(), 1u);
  broker->other_members = {"0"};  // sorts before us: one queue, so it is theirs
  engine->advance(21s);
  EXPECT_TRUE(consumer.progress().empty());
  pending[0].set(Status::CONSUME_SUCCESS);
  engine->advance(21s);
  for (const auto& [queue, offset] : broker->commits) EXPECT_EQ(offset, 0);
}

TEST_F(ProcessQueueTest, AQueueThatComesBackIsANewPeriod) {
  broker->stored_offset = 0;
  std::vector<Promise<Status>> pending;
  auto consumer = start(MessageListener([&](Messages, ConsumeConcurrentlyContext&) -> Future<Status> {
                    pending.emplace_back();
                    return pending.back().future();
                  })).value();
  broker->deliver(0, 1);
  engine->runUntilIdle();
  broker->other_members = {"0"};
  engine->advance(21s);
  broker->letGo();
  broker->other_members.clear();
  engine->advance(21s);
  ASSERT_TRUE(broker->pulling());
  broker->deliver(0, 1);
  engine->runUntilIdle();
  ASSERT_EQ(pending.size(), 2u) << "the same message again";
  pending[0].set(Status::CONSUME_SUCCESS);  // of the old period
  engine->advance(10s);
  EXPECT_EQ(consumer.progress().at(0).consumed, 0);
  for (const auto& [queue, offset] : broker->commits) EXPECT_EQ(offset, 0);
  pending[1].set(Status::CONSUME_SUCCESS);
  engine->advance(10s);
  EXPECT_EQ(broker->lastCommit(), 1);
}

TEST_F(ProcessQueueTest, GivingUpCommitsWhatIsFinished) {
  broker->stored_offset = 0;
  auto consumer = start(collecting()).value();
  broker->deliver(0, 2);
  engine->runUntilIdle();
  broker->other_members = {"0"};
  engine->advance(21s);
  EXPECT_EQ(broker->lastCommit(), 2);
}

// The next owner asks where to begin at once: what is finished must not wait for the answer to an older commit.
TEST_F(ProcessQueueTest, GivingUpCommitsAtOnceAlsoWhileAnotherCommitIsUnderWay) {
  broker->stored_offset = 10;  // somebody committed: no first commit to wait for
  auto consumer = start(collecting()).value();
  std::vector<std::int64_t> asked;
  std::vector<Responder> unanswered;
  broker->scripts[RequestCode::UPDATE_CONSUMER_OFFSET] = [&](Request& request, Responder& r) {
    asked.push_back(
        protocol::decodeHeader<protocol::UpdateConsumerOffsetRequestHeader>(request.command.ext)->commitOffset);
    unanswered.push_back(std::move(r));
  };
  engine->advance(14'500ms);
  broker->deliver(10, 2);
  engine->advance(5'001ms);
  ASSERT_EQ(asked, (std::vector<std::int64_t>{12})) << "the periodic one, just before queues are shared out again";
  broker->deliver(12, 2);
  broker->other_members = {"0"};
  engine->advance(600ms);
  EXPECT_TRUE(consumer.progress().empty());
  EXPECT_EQ(asked, (std::vector<std::int64_t>{12, 14}));
  for (Responder& r : unanswered) std::move(r).answer(ResponseCode::SUCCESS);
}

}  // namespace
}  // namespace mqclient::consumer
