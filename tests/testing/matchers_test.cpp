#include "mqclient/testing/matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "mqclient/mqclient.h"
#include "mqclient/testing/message_ext_builder.h"

namespace mqclient {
namespace {

using namespace std::chrono_literals;
using ::testing::_;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

/// What a matcher says about a value that it does not match: "expected; actual".
template <class T, class M>
std::string complaint(const T& value, const M& matcher) {
  const ::testing::Matcher<const T&> m = ::testing::SafeMatcherCast<const T&>(matcher);
  ::testing::StringMatchResultListener why;
  EXPECT_FALSE(m.MatchAndExplain(value, &why)) << "it matches";
  return ::testing::DescribeMatcher<const T&>(m) + "; " + why.str();
}

const Message kSent = Message("orders", "{}").setKeys("42", "shop").setTags("paid").putUserProperty("colour", "red");

TEST(Matchers, SeeMessagesAndReceivedMessagesAlike) {
  EXPECT_THAT(kSent, HasBody("{}"));
  EXPECT_THAT(kSent, HasTag("paid"));
  EXPECT_THAT(kSent, HasKey("42"));
  EXPECT_THAT(kSent, HasKey("shop"));
  EXPECT_THAT(kSent, HasProperty("colour", "red"));
  const MessageExt received = MessageExtBuilder(kSent).build();
  EXPECT_THAT(received, HasBody(StartsWith("{")));
  EXPECT_THAT(received, HasTag("paid"));
  EXPECT_THAT(received, HasKey(StartsWith("sh")));
  EXPECT_THAT(received, HasProperty("colour", Not("blue")));

  EXPECT_THAT(kSent, Not(HasKey("42 shop")));
  EXPECT_THAT(kSent, Not(HasKey("4")));
  EXPECT_THAT(Message("orders", "x"), Not(HasTag("paid")));
}

TEST(Matchers, SayWhatAMessageHasInstead) {
  EXPECT_EQ(complaint(kSent, HasBody("[]")), "has a body that is equal to \"[]\"; whose body is \"{}\"");
  EXPECT_EQ(complaint(kSent, HasTag("sent")), "has a tag that is equal to \"sent\"; whose tag is \"paid\"");
  EXPECT_THAT(complaint(Message("orders", "x"), HasTag("sent")), HasSubstr("which has no tag"));
  EXPECT_EQ(complaint(kSent, HasKey("43")), "has a key that is equal to \"43\"; whose keys are { \"42\", \"shop\" }");
  EXPECT_THAT(complaint(kSent, HasProperty("size", "7")), HasSubstr("whose property size is not there"));
  EXPECT_THAT(complaint(kSent, HasProperty("colour", "blue")), HasSubstr("whose property colour is \"red\""));
}

TEST(Matchers, OfResults) {
  const Result<int> seven = 7;
  const Result<int> late = Error(ErrorCode::kTimeout, "no answer from broker-a");
  const Result<void> nothing;
  EXPECT_THAT(seven, IsOk());
  EXPECT_THAT(nothing, IsOk());
  EXPECT_THAT(seven, IsOkAnd(Ge(7)));
  EXPECT_THAT(late, IsError());
  EXPECT_THAT(late, IsError(ErrorCode::kTimeout));
  EXPECT_THAT(late, IsError(ErrorCode::kTimeout, HasSubstr("broker-a")));
  EXPECT_THAT(late.error(), HasErrorCode(ErrorCode::kTimeout));
  EXPECT_THAT(seven, Not(IsError()));
  EXPECT_THAT(late, Not(IsOkAnd(7)));
  EXPECT_THAT(late, Not(IsError(ErrorCode::kTimeout, HasSubstr("broker-b"))));
}

TEST(Matchers, SayWhichErrorThereWasInstead) {
  const Result<int> late = Error(ErrorCode::kTimeout, "no answer from broker-a");
  EXPECT_THAT(complaint(late, IsOk()), HasSubstr("no answer from broker-a"));
  EXPECT_THAT(complaint(late, IsOkAnd(7)), HasSubstr("no answer from broker-a"));
  EXPECT_THAT(complaint(late, IsError(ErrorCode::kNoRoute)), HasSubstr("is equal to NoRoute"));
  EXPECT_THAT(complaint(late, IsError(ErrorCode::kNoRoute)), HasSubstr("no answer from broker-a"));
  EXPECT_THAT(complaint(late.error(), HasErrorCode(ErrorCode::kNoRoute)), HasSubstr("no answer from broker-a"));
  EXPECT_THAT(complaint(Result<int>(8), IsOkAnd(7)), HasSubstr("is a success whose value"));
  EXPECT_THAT(complaint(Result<int>(8), IsError(ErrorCode::kNoRoute)), HasSubstr("which is a success"));
}

TEST(Printers, ShowValuesAndNotBytes) {
  EXPECT_EQ(::testing::PrintToString(kSent), "message to orders, body \"{}\", tag \"paid\", keys \"42 shop\"");
  EXPECT_EQ(::testing::PrintToString(MessageExtBuilder(kSent).setQueueId(2).setQueueOffset(7).build()),
            "message of orders in broker-a/2@7, body \"{}\", tag \"paid\", keys \"42 shop\"");
  EXPECT_EQ(::testing::PrintToString(Message("t", std::string(200, 'x'))),
            "message to t, body \"" + std::string(80, 'x') + "\"... (200 bytes)");
  EXPECT_EQ(::testing::PrintToString(Result<int>(7)), "success: 7");
  EXPECT_EQ(::testing::PrintToString(Result<void>()), "success");
  EXPECT_THAT(::testing::PrintToString(Result<int>(Error(ErrorCode::kTimeout, "late"))), HasSubstr("late"));
  EXPECT_EQ(::testing::PrintToString(ErrorCode::kTimeout), "Timeout");
  EXPECT_EQ(
      ::testing::PrintToString(SendResult{.msgId = "ID", .messageQueue = MessageQueue("t", "b", 1), .queueOffset = 7}),
      "SEND_OK, id \"ID\" in MessageQueue [topic=t, brokerName=b, queueId=1]@7");
}

/// A virtual cluster with one topic of one queue.
class ClusterFacts : public ::testing::Test {
 protected:
  ClusterFacts() { cluster.createTopic({.topicName = "orders", .readQueueNums = 1, .writeQueueNums = 1}).value(); }

  DefaultMQPushConsumer startConsumer() {
    return DefaultMQPushConsumer::start(
               "billing", {{"orders"}},
               [](Messages, ConsumeConcurrentlyContext&) { return ConsumeConcurrentlyStatus::CONSUME_SUCCESS; },
               cluster.client(), {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()})
        .value();
  }

  const MessageQueue queue{"orders", "broker-a", 0};
  MockCluster cluster = MockCluster::start({.time = MockTime::kVirtual}).value();
  DefaultMQProducer producer = DefaultMQProducer::start("shop", cluster.client()).value();
};

TEST_F(ClusterFacts, StoredMessagesAreAListOfThem) {
  EXPECT_THAT(cluster, Stored("orders", SizeIs(0)));
  producer.send(Message("orders", "a").setKeys("1")).value();
  producer.send(Message("orders", "b").setKeys("2")).value();
  EXPECT_THAT(cluster, Stored("orders", ElementsAre(HasKey("1"), HasBody("b"))));
  EXPECT_THAT(cluster, Not(Stored("orders", SizeIs(3))));
  EXPECT_THAT(complaint(cluster, Stored("orders", SizeIs(3))),
              HasSubstr("which stores 2 of them: { message of orders in broker-a/0@0, body \"a\", keys \"1\""));
}

TEST(Matchers, SeeWhatTheNodesReceived) {
  MockCluster cluster = MockCluster::start({.time = MockTime::kVirtual, .recordFromStart = true}).value();
  auto producer = DefaultMQProducer::start("shop", cluster.client()).value();
  producer.send(Message("orders", "{}").setKeys("42")).value();
  const Match sends{.code = RequestCode::SEND_MESSAGE_V2};
  EXPECT_THAT(cluster, Received(sends, ElementsAre(Field(&Captured::body, "{}"))));
  EXPECT_THAT(cluster, Received(Match{.code = RequestCode::PULL_MESSAGE}, SizeIs(0)));
  EXPECT_THAT(complaint(cluster, Received(sends, SizeIs(2))),
              AllOf(HasSubstr("which received 1 of them"),
                    HasSubstr("request SEND_MESSAGE_V2 to broker-a, topic \"orders\", group "
                              "\"shop\", queue ")));
  Match replies = sends;
  replies.direction = FrameDirection::kFromNode;
  EXPECT_THAT(cluster, Received(replies, ElementsAre(Field(&Captured::responseCode, 0))));
}

TEST_F(ClusterFacts, CommittedOffsetsComeEventually) {
  EXPECT_THAT(complaint(cluster, CommittedAt("billing", queue, 2)), HasSubstr("where nothing is committed"));
  producer.send(Message("orders", "a")).value();
  producer.send(Message("orders", "b")).value();
  DefaultMQPushConsumer consumer = startConsumer();
  EXPECT_TRUE(eventually(cluster, 20s, CommittedAt("billing", queue, 2)));
  EXPECT_THAT(cluster, CommittedAt("billing", queue, Ge(1)));
  EXPECT_THAT(complaint(cluster, CommittedAt("billing", queue, 3)), HasSubstr("where it is 2"));
}

TEST_F(ClusterFacts, AQueueMovesFromOneConsumerToAnother) {
  std::optional<DefaultMQPushConsumer> first = startConsumer();
  EXPECT_TRUE(eventually(cluster, 20s, queue, IsAssignedTo(*first)));
  DefaultMQPushConsumer second = startConsumer();
  // One queue, two members: the one whose client id is lower has it.
  ASSERT_TRUE(eventually(cluster, 20s, [&] { return second.explain("orders").members.size() == 2; }));
  const bool firsts = first->clientId() < second.clientId();
  DefaultMQPushConsumer& with = firsts ? *first : second;
  DefaultMQPushConsumer& without = firsts ? second : *first;
  EXPECT_TRUE(eventually(cluster, 20s, queue, IsAssignedTo(with)));
  EXPECT_TRUE(eventually(cluster, 20s, queue, Not(IsAssignedTo(without))));
  EXPECT_THAT(complaint(queue, IsAssignedTo(without)), HasSubstr("which is " + with.clientId() + "'s"));
  EXPECT_THAT(complaint(MessageQueue("orders", "broker-x", 0), IsAssignedTo(with)), HasSubstr("does not know"));
}

TEST_F(ClusterFacts, WhatDoesNotComeInTimeIsToldWithWhatThereWasAtTheEnd) {
  producer.send(Message("orders", "a")).value();
  const ::testing::AssertionResult stored = eventually(cluster, 90s, Stored("orders", SizeIs(2)));
  EXPECT_FALSE(stored);
  EXPECT_THAT(stored.message(), HasSubstr("not within 90000 ms of the cluster's time"));
  EXPECT_THAT(stored.message(), HasSubstr("stores messages of orders"));
  EXPECT_THAT(stored.message(), HasSubstr("which stores 1 of them"));
  EXPECT_THAT(stored.message(), HasSubstr("cluster mock://"));
  const ::testing::AssertionResult never = eventually(cluster, 1s, [] { return false; });
  EXPECT_FALSE(never);
  EXPECT_THAT(never.message(), HasSubstr("the condition still does not hold"));
}

}  // namespace
}  // namespace mqclient
