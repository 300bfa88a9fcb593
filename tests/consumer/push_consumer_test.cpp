// The member of a group as a whole: starting, its share, what the user asks for, closing.
#include "consumer/push_consumer.h"

#include <gtest/gtest.h>

#include "base/wait.h"
#include "tests/consumer/scripted_broker.h"

namespace mqclient::consumer {
namespace {

using Status = ConsumeConcurrentlyStatus;
using PushConsumerTest = ScriptedTest;

/// A listener whose every invocation waits for the test.
struct Waiting {
  std::vector<Promise<Status>> pending;
  MessageListener listener() {
    return MessageListener([this](Messages, ConsumeConcurrentlyContext&) -> Future<Status> {
      pending.emplace_back();
      return pending.back().future();
    });
  }
};

// ---- starting

TEST_F(PushConsumerTest, WhenStartReturnsTheQueuesArePulled) {
  broker->queues = 4;
  auto consumer = DefaultMQPushConsumer::start("group", {{kTopic}}, collecting(), clientOptions()).value();
  EXPECT_EQ(broker->counts[RequestCode::QUERY_CONSUMER_OFFSET], 4) << "what is sent from now on is not skipped";
  EXPECT_EQ(consumer.progress().size(), 4u);
  ASSERT_TRUE(broker->last_heartbeat);
  const protocol::ConsumerData& told = broker->last_heartbeat->consumerDataSet.at(0);
  EXPECT_EQ(told.groupName, "group");
  EXPECT_EQ(told.consumeType, protocol::ConsumeType::CONSUME_PASSIVELY);
  EXPECT_EQ(told.messageModel, protocol::MessageModel::CLUSTERING);
  EXPECT_EQ(told.consumeFromWhere, protocol::ConsumeFromWhere::CONSUME_FROM_LAST_OFFSET);
  EXPECT_EQ(told.subscriptionDataSet.size(), 1u);
  engine->runUntilIdle();
  EXPECT_TRUE(consumer.ready().get());
}

TEST_F(PushConsumerTest, BadArgumentsAreRefusedAtOnceAndTogether) {
  const auto refused =
      DefaultMQPushConsumer::start("a b", {{"bad/topic"}}, collecting(), clientOptions(), {.pullBatchSize = 0});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  for (const char* part : {"a b", "bad/topic", "pullBatchSize"}) {
    EXPECT_NE(refused.error().message().find(part), std::string::npos) << refused.error();
  }
  EXPECT_TRUE(broker->counts.empty());
}

TEST_F(PushConsumerTest, WithoutANameserverStartFails) {
  for (const auto& server : servers) server->close(base::Completion<void>());
  engine->runUntilIdle();
  std::optional<Result<DefaultMQPushConsumer>> result;
  engine->spawn("start",
                [&] { result = DefaultMQPushConsumer::start("group", {{kTopic}}, collecting(), clientOptions()); });
  engine->advance(20s);
  ASSERT_TRUE(result);
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().code(), ErrorCode::kNoNameServer) << result->error();
}

TEST_F(PushConsumerTest, ATopicWithoutAnAnswerInTimeDoesNotKeepTheOthersFromStarting) {
  std::vector<Responder> silent;
  broker->scripts[RequestCode::GET_ROUTEINFO_BY_TOPIC] = [&](Request& request, Responder& r) {
    const auto header = *protocol::decodeHeader<protocol::GetRouteInfoRequestHeader>(request.command.ext);
    if (header.topic != kTopic) return silent.push_back(std::move(r));
    broker->usual(RequestCode::GET_ROUTEINFO_BY_TOPIC, request, std::move(r));
  };
  ClientOptions options = clientOptions();
  options.startTimeout = 500ms;
  std::optional<Result<DefaultMQPushConsumer>> result;
  engine->spawn("start", [&] {
    result = DefaultMQPushConsumer::start("group", {{kTopic}, {"silent"}}, collecting(), options);
  });
  engine->advance(499ms);
  EXPECT_FALSE(result);
  engine->advance(1ms);
  ASSERT_TRUE(result && *result);
  engine->runUntilIdle();
  EXPECT_EQ((*result)->progress().size(), 1u);
  for (Responder& r : silent) std::move(r).discard(remoting::Discard::kStopping);
  result.reset();
}

TEST_F(PushConsumerTest, AnOfflineStartWaitsForNobodyAndBecomesReadyLater) {
  broker->scripts[RequestCode::GET_ROUTEINFO_BY_TOPIC] = [](Request&, Responder& r) {
    std::move(r).answer(ResponseCode::SYSTEM_ERROR, "not yet");
  };
  ClientOptions options = clientOptions();
  options.startTimeout = 0ms;
  auto consumer = DefaultMQPushConsumer::start("group", {{kTopic}}, collecting(), options).value();
  Future<void> ready = consumer.ready();
  engine->advance(5s);
  EXPECT_FALSE(ready.isReady());
  EXPECT_TRUE(consumer.progress().empty());
  broker->scripts.clear();
  engine->advance(3s);
  EXPECT_TRUE(ready.isReady());
  EXPECT_TRUE(std::move(ready).get());
  EXPECT_EQ(consumer.progress().size(), 1u);
}

TEST_F(PushConsumerTest, ATopicWithoutARouteIsAskedForEachSecond) {
  broker->has_route = false;
  auto consumer = start(collecting()).value();
  EXPECT_TRUE(consumer.progress().empty());
  broker->has_route = true;
  engine->advance(1500ms);
  EXPECT_EQ(consumer.progress().size(), 1u);
}

TEST_F(PushConsumerTest, TheFirstMemberStartsAtOnceASecondOneLetsTheOthersCommit) {
  broker->other_members = {"zzz"};
  broker->queues = 2;
  auto consumer = start(collecting()).value();
  EXPECT_EQ(consumer.progress().size(), 1u);
  engine->advance(499ms);
  EXPECT_EQ(broker->counts[RequestCode::QUERY_CONSUMER_OFFSET], 0);
  EXPECT_EQ(consumer.progress().at(0).why, "the previous owner may still commit");
  engine->advance(2ms);
  EXPECT_EQ(broker->counts[RequestCode::QUERY_CONSUMER_OFFSET], 1);
  EXPECT_TRUE(broker->pulling());
}

// ---- its share

TEST_F(PushConsumerTest, ExplainsItsShare) {
  broker->other_members = {"zzz"};
  broker->queues = 3;
  auto consumer = start(collecting()).value();
  const RebalanceReport report = consumer.explain(kTopic);
  EXPECT_EQ(report.self, consumer.clientId());
  ASSERT_EQ(report.rows.size(), 3u);
  EXPECT_EQ(report.rows[0].owner, consumer.clientId());
  EXPECT_EQ(report.rows[1].owner, consumer.clientId());
  EXPECT_EQ(report.rows[2].owner, "zzz");
  EXPECT_FALSE(consumer.explain("other").divergence.empty());
}

TEST_F(PushConsumerTest, ABrokerThatForgotUsIsToldAgainAndNothingIsDropped) {
  auto consumer = start(collecting()).value();
  broker->members.clear();  // as after a restart
  const int heartbeats = broker->counts[RequestCode::HEART_BEAT];
  engine->advance(22s);
  EXPECT_EQ(consumer.progress().size(), 1u);
  EXPECT_GT(broker->counts[RequestCode::HEART_BEAT], heartbeats);
  EXPECT_EQ(broker->members.size(), 1u);
}

TEST_F(PushConsumerTest, MoreQueuesArriveWithTheRoute) {
  auto consumer = start(collecting()).value();
  broker->queues = 3;
  engine->advance(40s);
  EXPECT_EQ(consumer.progress().size(), 3u);
}

// ---- what the user asks for

TEST_F(PushConsumerTest, SubscribesAndUnsubscribesWhileRunning) {
  auto consumer = start(collecting()).value();
  ASSERT_TRUE(consumer.subscribe({"second", byTag("a")}));
  engine->advance(3s);
  EXPECT_EQ(consumer.progress().size(), 2u);
  EXPECT_EQ(broker->last_heartbeat->consumerDataSet.at(0).subscriptionDataSet.size(), 2u);
  ASSERT_TRUE(consumer.unsubscribe("second"));
  engine->advance(3s);
  EXPECT_EQ(consumer.progress().size(), 1u);
  EXPECT_EQ(broker->last_heartbeat->consumerDataSet.at(0).subscriptionDataSet.size(), 1u);

  EXPECT_EQ(consumer.subscribe({"bad topic"}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(consumer.subscribe({"t", byTag("||")}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(consumer.unsubscribe("never").error().code(), ErrorCode::kInvalidArgument);
}

// The obvious way to change a filter: the share of the topic is taken anew, whoever comes first.
TEST_F(PushConsumerTest, ATopicSubscribedAgainAtOnceIsConsumed) {
  auto consumer = start(collecting()).value();
  ASSERT_TRUE(consumer.unsubscribe(kTopic));
  ASSERT_TRUE(consumer.subscribe({kTopic, byTag("paid")}));
  engine->advance(3s);
  ASSERT_EQ(consumer.progress().size(), 1u);
  EXPECT_EQ(broker->held.at(0).header.subVersion,
            broker->last_heartbeat->consumerDataSet.at(0).subscriptionDataSet.at(0).subVersion);
}

// A share that was asked for before and answered after the topic was given up is nobody's.
TEST_F(PushConsumerTest, ATopicSubscribedAgainWhileItsShareIsComputedIsConsumed) {
  auto consumer = start(collecting()).value();
  std::vector<Responder> asked;
  broker->scripts[RequestCode::GET_CONSUMER_LIST_BY_GROUP] = [&](Request&, Responder& r) {
    asked.push_back(std::move(r));
  };
  ASSERT_TRUE(consumer.subscribe({kTopic, byTag("paid")}));  // a run begins
  engine->advance(1001ms);
  ASSERT_EQ(asked.size(), 1u);
  broker->scripts.clear();
  ASSERT_TRUE(consumer.unsubscribe(kTopic));
  engine->runUntilIdle();
  protocol::GetConsumerListByGroupResponseBody members;
  members.consumerIdList.assign(broker->members.begin(), broker->members.end());
  std::move(asked[0]).answer(ResponseCode::SUCCESS, "", protocol::NoHeader{}, base::Slice::of(members.encode()));
  engine->runUntilIdle();
  EXPECT_TRUE(consumer.progress().empty());
  ASSERT_TRUE(consumer.subscribe({kTopic}));
  engine->advance(3s);
  EXPECT_EQ(consumer.progress().size(), 1u);
}

TEST_F(PushConsumerTest, UnsubscribingCommitsWhatIsFinished) {
  broker->stored_offset = 0;
  auto consumer = start(collecting()).value();
  broker->deliver(0, 3);
  engine->runUntilIdle();
  ASSERT_TRUE(consumer.unsubscribe(kTopic));
  engine->advance(1s);
  EXPECT_TRUE(consumer.progress().empty());
  EXPECT_EQ(broker->lastCommit(), 3) << "its broker is not forgotten before";
}

TEST_F(PushConsumerTest, AChangedSelectorHasANewerVersion) {
  auto consumer = start(collecting()).value();
  const std::int64_t before = broker->held.at(0).header.subVersion;
  ASSERT_TRUE(consumer.subscribe({kTopic, byTag("paid")}));
  ASSERT_TRUE(consumer.subscribe({kTopic, byTag("open")}));
  engine->advance(2s);
  broker->answerPull(ResponseCode::PULL_NOT_FOUND, 0);
  engine->runUntilIdle();
  const auto& told = broker->last_heartbeat->consumerDataSet.at(0).subscriptionDataSet.at(0);
  EXPECT_EQ(told.subString, "open");
  EXPECT_GE(told.subVersion, before + 1);
  EXPECT_EQ(broker->held.at(0).header.subVersion, told.subVersion);
}

TEST_F(PushConsumerTest, SuspendedItPullsNoMoreAndResumesAtOnce) {
  auto consumer = start(collecting()).value();
  consumer.suspend();
  broker->deliver(0, 2);
  engine->advance(3s);
  EXPECT_EQ(seen.size(), 2u) << "what was under way still arrives";
  EXPECT_FALSE(broker->pulling());
  EXPECT_TRUE(consumer.progress().at(0).paused);
  consumer.resume();
  engine->runUntilIdle();
  EXPECT_TRUE(broker->pulling());
  EXPECT_FALSE(consumer.progress().at(0).paused);
}

TEST_F(PushConsumerTest, SeekBeginsANewPeriod) {
  broker->stored_offset = 10;
  Waiting waiting;
  auto consumer = start(waiting.listener()).value();
  broker->deliver(10, 1);
  engine->runUntilIdle();
  const MessageQueue queue(kTopic, kBroker, 0);
  ASSERT_TRUE(consumer.seek(queue, 3));
  engine->runUntilIdle();
  EXPECT_EQ(broker->pulled_offsets.back(), 3);
  EXPECT_EQ(broker->lastCommit(), 3) << "also backwards";
  waiting.pending[0].set(Status::CONSUME_SUCCESS);  // of the old period: void
  engine->runUntilIdle();
  EXPECT_EQ(consumer.progress().at(0).consumed, 3);

  EXPECT_EQ(consumer.seek(MessageQueue(kTopic, kBroker, 9), 3).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(consumer.seek(queue, -1).error().code(), ErrorCode::kInvalidArgument);
}

/// Two calls of a user whose thread is faster than the consumer's: their tasks wait in one turn of a strand.
TEST_F(PushConsumerTest, OfTwoSeeksTheLaterOneCounts) {
  broker->stored_offset = 0;
  auto consumer = start(collecting()).value();
  const MessageQueue queue(kTopic, kBroker, 0);
  inOneTurn([&] {
    ASSERT_TRUE(consumer.seek(queue, 3));
    ASSERT_TRUE(consumer.seek(queue, 7));
  });
  EXPECT_EQ(broker->pulled_offsets.back(), 7);
  EXPECT_EQ(broker->lastCommit(), 7);
}

TEST_F(PushConsumerTest, CommitIsAnswered) {
  broker->stored_offset = 0;
  broker->queues = 2;
  auto consumer = start(collecting()).value();
  broker->deliver(0, 2, 0);
  broker->deliver(0, 3, 1);
  engine->runUntilIdle();
  EXPECT_TRUE(consumer.commit().get());
  EXPECT_EQ(broker->lastCommit(0), 2);
  EXPECT_EQ(broker->lastCommit(1), 3);
  broker->scripts[RequestCode::UPDATE_CONSUMER_OFFSET] = [](Request&, Responder& r) {
    std::move(r).answer(ResponseCode::SYSTEM_ERROR, "scripted");
  };
  broker->deliver(2, 1, 0);
  engine->runUntilIdle();
  const Result<void> refused = consumer.commit().get();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("scripted"), std::string::npos);
}

// ---- closing

TEST_F(PushConsumerTest, CloseFinishesCommitsAndLeaves) {
  broker->stored_offset = 0;
  Waiting waiting;
  auto consumer = start(waiting.listener()).value();
  broker->deliver(0, 2);
  engine->runUntilIdle();
  Future<CloseReport> closing = consumer.closeAsync();
  engine->advance(2s);
  EXPECT_FALSE(closing.isReady()) << "the listener still runs";
  for (auto& pending : waiting.pending) pending.set(Status::CONSUME_SUCCESS);
  engine->runUntilIdle();
  ASSERT_TRUE(closing.isReady());
  const CloseReport report = std::move(closing).get().value();
  EXPECT_TRUE(report.complete()) << report.toString();
  EXPECT_EQ(report.drained, 2u);
  EXPECT_EQ(report.took, 2s);
  EXPECT_EQ(broker->lastCommit(), 2);
  EXPECT_TRUE(broker->members.empty());
  EXPECT_EQ(broker->counts[RequestCode::UNREGISTER_CLIENT], 1);

  const CloseReport again = consumer.close();
  EXPECT_EQ(again.drained, 2u) << "whoever asks later gets the same";
  EXPECT_EQ(again.took, 2s);
  EXPECT_EQ(consumer.subscribe({"t"}).error().code(), ErrorCode::kClosed);
  EXPECT_FALSE(consumer.ready().get());
}

TEST_F(PushConsumerTest, ACloseThatMeetsASeekWaitsForNothingAndKeepsIt) {
  broker->stored_offset = 0;
  auto consumer = start(collecting()).value();
  const CloseReport report =
      closeInOneTurn(consumer, [&] { ASSERT_TRUE(consumer.seek(MessageQueue(kTopic, kBroker, 0), 3)); });
  EXPECT_TRUE(report.complete()) << report.toString();
  EXPECT_EQ(broker->lastCommit(), 3);
}

// The old period's last commit is still to come when the queue is taken away: the sought offset is the last word.
TEST_F(PushConsumerTest, AQueueGivenUpWhileItMovesIsCommittedWhereItWasMovedTo) {
  broker->stored_offset = 10;
  auto consumer = start(collecting()).value();
  broker->deliver(10, 2);
  engine->runUntilIdle();
  inOneTurn([&] {
    ASSERT_TRUE(consumer.seek(MessageQueue(kTopic, kBroker, 0), 3));
    ASSERT_TRUE(consumer.unsubscribe(kTopic));
    consumer.commit().then([](const Result<void>&) {});  // in the queue's strand before both
  });
  engine->advance(1s);
  EXPECT_EQ(broker->commits, (std::vector<std::pair<int, std::int64_t>>{{0, 12}, {0, 3}}));
}

TEST_F(PushConsumerTest, CloseWaitsForTheLastCommitsOfATopicJustUnsubscribed) {
  broker->stored_offset = 10;
  auto consumer = start(collecting()).value();
  broker->deliver(10, 2);
  engine->runUntilIdle();
  broker->scripts[RequestCode::UPDATE_CONSUMER_OFFSET] = [](Request&, Responder& r) {
    std::move(r).answer(ResponseCode::SYSTEM_ERROR, "scripted");
  };
  const CloseReport report = closeInOneTurn(consumer, [&] { ASSERT_TRUE(consumer.unsubscribe(kTopic)); });
  EXPECT_EQ(report.offsetsNotCommitted, (std::vector<MessageQueue>{{kTopic, kBroker, 0}}));
}

TEST_F(PushConsumerTest, NothingBeginsAfterCloseBegan) {
  Waiting waiting;
  auto consumer = start(waiting.listener()).value();
  Future<CloseReport> closing = consumer.closeAsync();
  engine->runUntilIdle();
  EXPECT_TRUE(closing.isReady());
  EXPECT_TRUE(waiting.pending.empty());
  EXPECT_TRUE(std::move(closing).get()->complete());
}

TEST_F(PushConsumerTest, ACloseIsBoundedAndSaysWhatStillRuns) {
  broker->stored_offset = 0;
  Waiting waiting;
  auto consumer = start(waiting.listener()).value();
  broker->deliver(0, 3);
  engine->runUntilIdle();
  waiting.pending[0].set(Status::CONSUME_SUCCESS);
  engine->runUntilIdle();
  Future<CloseReport> closing = consumer.closeAsync(5s);
  engine->advance(3999ms);
  EXPECT_FALSE(closing.isReady());
  engine->advance(1001ms);
  ASSERT_TRUE(closing.isReady());
  const CloseReport report = std::move(closing).get().value();
  EXPECT_EQ(report.listenersRunning, 2u);
  EXPECT_EQ(report.abandoned, 2u);
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(broker->lastCommit(), 1) << "what is finished is committed all the same";
  for (auto& pending : waiting.pending) pending.set(Status::CONSUME_SUCCESS);  // or the destructor waits for them
  engine->runUntilIdle();
  EXPECT_EQ(broker->lastCommit(), 1) << "void";
}

TEST_F(PushConsumerTest, AnUnansweredCommitIsReported) {
  broker->stored_offset = 0;
  auto consumer = start(collecting()).value();
  broker->deliver(0, 1);
  engine->runUntilIdle();
  broker->scripts[RequestCode::UPDATE_CONSUMER_OFFSET] = [](Request&, Responder& r) {
    std::move(r).answer(ResponseCode::SYSTEM_ERROR, "scripted");
  };
  const CloseReport report = consumer.close();
  EXPECT_EQ(report.offsetsNotCommitted, (std::vector<MessageQueue>{{kTopic, kBroker, 0}}));
  EXPECT_FALSE(report.complete());
}

TEST_F(PushConsumerTest, AMessageThatWaitsForItsRetryIsAbandonedNotWaitedFor) {
  broker->stored_offset = 0;
  next_status = Status::RECONSUME_LATER;
  auto consumer = start(collecting()).value();
  broker->deliver(0, 1);
  engine->runUntilIdle();
  const CloseReport report = consumer.close();
  EXPECT_EQ(report.took, 0ms);
  EXPECT_EQ(report.abandoned, 1u);
}

TEST_F(PushConsumerTest, ClosingInItsOwnListenerBeginsAndDoesNotWait) {
  broker->stored_offset = 0;
  std::optional<DefaultMQPushConsumer> consumer;
  std::optional<CloseReport> inside_report;
  consumer = start(MessageListener([&](Messages, ConsumeConcurrentlyContext&) {
               inside_report = consumer->close();
               return Status::CONSUME_SUCCESS;
             })).value();
  broker->deliver(0, 1);
  engine->runUntilIdle();
  ASSERT_TRUE(inside_report);
  EXPECT_EQ(inside_report->listenersRunning, 1u);
  const CloseReport report = consumer->close();
  EXPECT_TRUE(report.complete()) << report.toString();
  EXPECT_EQ(report.drained, 1u);
  EXPECT_EQ(broker->lastCommit(), 1);
}

TEST_F(PushConsumerTest, ADestructorThatWaitsForTheListenerSaysSoEveryTenSeconds) {
  broker->stored_offset = 0;
  std::vector<std::pair<base::SteadyTime, std::string>> lines;
  ClientOptions client = clientOptions();
  client.logLevel = LogLevel::kWarn;
  client.log = [&](LogLevel, std::string_view, std::string_view text) {
    if (text.find("destructor") != std::string_view::npos) lines.emplace_back(engine->now(), text);
  };
  auto captured = std::make_shared<int>(0);
  std::optional<DefaultMQPushConsumer> consumer =
      DefaultMQPushConsumer::start(
          "group", {{kTopic}},
          [&, captured](Messages, ConsumeConcurrentlyContext&) {
            engine->waitFor(*base::makeRef<base::WaitSlot>(), engine->now() + 35s);
            return Status::CONSUME_SUCCESS;
          },
          client)
          .value();
  broker->deliver(0, 2);
  engine->runUntilIdle();
  const base::SteadyTime before = engine->now();
  bool ended = false;
  engine->spawn("end", [&] {
    consumer.reset();
    ended = true;
  });
  engine->advance(9'999ms);
  EXPECT_TRUE(lines.empty());
  engine->advance(25s);
  EXPECT_FALSE(ended);
  engine->advance(1ms);
  EXPECT_TRUE(ended);
  EXPECT_EQ(captured.use_count(), 1) << "what it captured went with it";
  ASSERT_EQ(lines.size(), 3u);
  for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i].first - before, 10s * static_cast<int>(i + 1));
  for (const char* word : {"consumer", "group", "30 s", "2 calls of your listener"}) {
    EXPECT_NE(lines[2].second.find(word), std::string::npos) << word << ": " << lines[2].second;
  }
}

TEST_F(PushConsumerTest, DestroyedInItsOwnListenerItEndsElsewhere) {
  broker->stored_offset = 0;
  std::optional<DefaultMQPushConsumer> consumer;
  consumer = start(MessageListener([&](Messages, ConsumeConcurrentlyContext&) {
               consumer.reset();
               return Status::CONSUME_SUCCESS;
             })).value();
  broker->deliver(0, 1);
  engine->runUntilIdle();
  EXPECT_FALSE(consumer);
  EXPECT_EQ(broker->lastCommit(), 1);
  EXPECT_TRUE(broker->members.empty());
}

TEST_F(PushConsumerTest, TheListenerDiesWithTheConsumer) {
  auto owned = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = owned;
  {
    auto consumer = start(MessageListener([owned = std::move(owned)](Messages, ConsumeConcurrentlyContext&) {
                      return Status::CONSUME_SUCCESS;
                    })).value();
    broker->deliver(0, 1);
    engine->runUntilIdle();
    EXPECT_FALSE(watch.expired());
  }
  EXPECT_TRUE(watch.expired());
}

TEST_F(PushConsumerTest, MovedFromItAnswersClosed) {
  auto consumer = start(collecting()).value();
  DefaultMQPushConsumer other = std::move(consumer);
  EXPECT_EQ(consumer.subscribe({"t"}).error().code(), ErrorCode::kClosed);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(consumer.commit().get().error().code(), ErrorCode::kClosed);
  EXPECT_TRUE(consumer.close().complete());
  EXPECT_EQ(other.progress().size(), 1u);
}

TEST_F(PushConsumerTest, EndedConsumersLeaveNoTimers) {
  { auto consumer = start(collecting()).value(); }
  broker->letGo();
  engine->runUntilIdle();
  EXPECT_EQ(engine->armedTimers(), 0u) << engine->pendingReport();
}

}  // namespace
}  // namespace mqclient::consumer
