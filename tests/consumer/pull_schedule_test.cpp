#include "consumer/pull_schedule.h"

#include <gtest/gtest.h>

#include "consumer/invocation_gate.h"
#include "consumer/push_options.h"
#include "protocol/body/route.h"

namespace mqclient::consumer {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMiB = 1u << 20;
const FlowLimits kLimits{.queue_messages = 10, .queue_bytes = 2 * kMiB, .queue_span = 100, .consumer_bytes = 8 * kMiB};

// DefaultMQPushConsumerImpl.pullMessage: each limit may be reached, only exceeding it pauses.
TEST(FlowControl, HoldsEachLimitAtItsEdge) {
  EXPECT_EQ(whyNotPull({10, 0, 0, 0}, kLimits), nullptr);
  EXPECT_STREQ(whyNotPull({11, 0, 0, 0}, kLimits), "pullThresholdForQueue is reached");
  EXPECT_EQ(whyNotPull({0, 3 * kMiB - 1, 0, 0}, kLimits), nullptr) << "whole MiB are compared";
  EXPECT_STREQ(whyNotPull({0, 3 * kMiB, 0, 0}, kLimits), "pullThresholdSizeForQueue is reached");
  EXPECT_EQ(whyNotPull({0, 0, 100, 0}, kLimits), nullptr);
  EXPECT_STREQ(whyNotPull({0, 0, 101, 0}, kLimits), "consumeConcurrentlyMaxSpan is reached");
  EXPECT_EQ(whyNotPull({0, 0, 0, 8 * kMiB - 1}, kLimits), nullptr);
  EXPECT_STREQ(whyNotPull({0, 0, 0, 8 * kMiB}, kLimits), "cachedBytesMax of the consumer is reached");
}

TEST(FlowControl, ABrokersFlowControlIsAShortPause) {
  EXPECT_EQ(delayAfter(Error(ErrorCode::kFlowControl, "busy", 215)), 20ms);
  EXPECT_EQ(delayAfter(Error(ErrorCode::kFlowControl, "busy", 2)), 1000ms);
  EXPECT_EQ(delayAfter(Error(ErrorCode::kTimeout, "silent")), 1000ms);
  EXPECT_EQ(delayAfter(Error(ErrorCode::kBroker, "no subscription", 24)), 1000ms);
}

TEST(EmptyBackoff, GrowsWhileTheBrokerDoesNotHold) {
  EmptyBackoff backoff;
  EXPECT_EQ(backoff.afterEmpty(false, 1ms), 100ms);
  EXPECT_EQ(backoff.afterEmpty(false, 1ms), 200ms);
  EXPECT_EQ(backoff.afterEmpty(false, 1ms), 400ms);
  EXPECT_EQ(backoff.afterEmpty(false, 1ms), 800ms);
  EXPECT_EQ(backoff.afterEmpty(false, 1ms), 1000ms);
  EXPECT_EQ(backoff.afterEmpty(false, 1ms), 1000ms);
  EXPECT_EQ(backoff.afterEmpty(true, 1ms), 0ms) << "a filter leaves things out: go on";
  EXPECT_EQ(backoff.afterEmpty(false, 1ms), 100ms);
  EXPECT_EQ(backoff.afterEmpty(false, 15s), 0ms) << "it was held";
  EXPECT_EQ(backoff.afterEmpty(false, 1ms), 100ms);
}

TEST(InvocationGate, DrainsOnceAfterTheLast) {
  int drained = 0;
  InvocationGate gate([&] { ++drained; });
  EXPECT_TRUE(gate.enter());
  EXPECT_TRUE(gate.enter());
  gate.leave();
  EXPECT_EQ(gate.running(), 1u);
  gate.close();
  EXPECT_EQ(drained, 0);
  EXPECT_FALSE(gate.enter());
  gate.leave();
  EXPECT_EQ(drained, 1);
  gate.close();
  EXPECT_EQ(drained, 1);
  EXPECT_EQ(gate.running(), 0u);
}

TEST(InvocationGate, AnEmptyOneDrainsWhenClosed) {
  int drained = 0;
  InvocationGate gate([&] { ++drained; });
  gate.close();
  gate.close();
  EXPECT_EQ(drained, 1);
}

// ---- checks before a start

const MessageListener kListener([](Messages, ConsumeConcurrentlyContext&) {
  return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
});

std::string complaint(const std::string& group, const std::vector<Subscription>& subscriptions,
                      const MessageListener& listener = kListener, const PushConsumerOptions& options = {}) {
  const auto checked = checkPushConsumer(group, subscriptions, listener, options, 7);
  if (checked) return "";
  EXPECT_EQ(checked.error().code(), ErrorCode::kInvalidArgument);
  return checked.error().message();
}

TEST(PushOptions, DefaultsAreFine) {
  const auto checked = checkPushConsumer("g", {{"t", byTag("a || b")}, {"u"}}, kListener, {}, 7);
  ASSERT_TRUE(checked);
  ASSERT_EQ(checked->size(), 2u);
  EXPECT_EQ(checked->at("t").tagsSet, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(checked->at("t").subVersion, 7);
  EXPECT_EQ(checked->at("u").subString, "*");
}

TEST(PushOptions, EveryComplaintComesAtOnce) {
  const std::string all = complaint("DEFAULT_CONSUMER", {{"a/b"}, {"t", byTag(" || ")}, {"u"}, {"u"}},
                                    MessageListener(std::shared_ptr<MessageListenerConcurrently>()),
                                    {.consumeThreadMax = 0, .pullBatchSize = 1025});
  for (const char* part : {"DEFAULT_CONSUMER", "a/b", "subscription to t", "'u' is subscribed twice", "null pointer",
                           "consumeThreadMax is 0, allowed are 1 to 1000", "pullBatchSize is 1025"}) {
    EXPECT_NE(all.find(part), std::string::npos) << part << " in: " << all;
  }
}

TEST(PushOptions, RangesAreJavas) {
  const auto bad = [](const PushConsumerOptions& options) {
    return !complaint("g", {{"t"}}, kListener, options).empty();
  };
  EXPECT_FALSE(bad({.consumeThreadMax = 1000, .consumeMessageBatchMaxSize = 1024, .pullBatchSize = 1024}));
  EXPECT_TRUE(bad({.consumeThreadMax = 1001}));
  EXPECT_TRUE(bad({.consumeMessageBatchMaxSize = 0}));
  EXPECT_TRUE(bad({.consumeMessageBatchMaxSize = 1025}));
  EXPECT_FALSE(bad({.pullThresholdForQueue = 65535}));
  EXPECT_TRUE(bad({.pullThresholdForQueue = 65536}));
  EXPECT_TRUE(bad({.pullThresholdSizeForQueue = 1025}));
  EXPECT_TRUE(bad({.consumeConcurrentlyMaxSpan = 0}));
  EXPECT_TRUE(bad({.cachedBytesMax = 0}));
  EXPECT_TRUE(bad({.pullInterval = Millis{-1}}));
  EXPECT_TRUE(bad({.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_TIMESTAMP(WallTime{} - 1s)}));
  EXPECT_NE(complaint(std::string(121, 'g'), {{"t"}}), "");
  EXPECT_EQ(complaint(std::string(120, 'g'), {{"t"}}), "");
}

TEST(SubscribeQueues, AreTheReadableOnesInOrder) {
  protocol::TopicRouteData route;
  const auto add = [&](const char* broker, int read, int write, int perm) {
    protocol::QueueData data;
    data.brokerName = broker;
    data.readQueueNums = read;
    data.writeQueueNums = write;
    data.perm = perm;
    route.queueDatas.push_back(data);
  };
  add("b", 2, 4, 6);
  add("a", 1, 1, 4);
  add("c", 8, 8, 2);  // write only
  const std::vector<MessageQueue> queues = subscribeQueues("t", route);
  EXPECT_EQ(queues, (std::vector<MessageQueue>{{"t", "a", 0}, {"t", "b", 0}, {"t", "b", 1}}));
}

}  // namespace
}  // namespace mqclient::consumer
