#include "route/topic_publish_info.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "protocol/body/route.h"
#include "route/nameserver_list.h"

namespace mqclient::route {
namespace {

using namespace std::chrono_literals;

protocol::QueueData queues(std::string broker, int read, int write, int perm = 6) {
  protocol::QueueData data;
  data.brokerName = std::move(broker);
  data.readQueueNums = read;
  data.writeQueueNums = write;
  data.perm = perm;
  return data;
}
protocol::BrokerData broker(std::string name, std::map<std::int64_t, std::string> addresses) {
  protocol::BrokerData data;
  data.brokerName = std::move(name);
  data.brokerAddrs = std::move(addresses);
  return data;
}
std::string asText(const TopicPublishInfo& info) {
  std::string text;
  for (const MessageQueue& q : info.queues)
    text += (text.empty() ? "" : " ") + q.brokerName() + std::to_string(q.queueId());
  return text;
}

class PublishInfo : public ::testing::Test {
 protected:
  std::shared_ptr<const TopicPublishInfo> make(int queue_nums_max = kAllQueues) {
    return makePublishInfo("t", route_, 1, faults_, queue_nums_max);
  }
  protocol::TopicRouteData route_;
  FaultStrategy faults_{FaultStrategy::Avoid::kOn};
};

TEST_F(PublishInfo, TakesWriteQueuesOfWritableBrokersWithAMasterByName) {
  route_.queueDatas = {queues("c", 4, 1), queues("b", 8, 2), queues("a", 4, 4, 4), queues("d", 2, 2),
                       queues("nowhere", 4, 4)};
  route_.brokerDatas = {broker("a", {{0, "a:1"}}), broker("b", {{0, "b:1"}, {1, "b:2"}}), broker("c", {{0, "c:1"}}),
                        broker("d", {{1, "d:2"}})};
  const auto info = make();
  EXPECT_EQ(asText(*info), "b0 b1 c0") << "a may not be written, d has no master, the last has no broker";
  EXPECT_EQ(info->brokerOf(1).address, "b:1");
  EXPECT_EQ(info->brokerOf(2).address, "c:1");
  EXPECT_FALSE(info->order_topic);
}

TEST_F(PublishInfo, AnOrderTopicKeepsItsListWhateverBrokersSay) {
  route_.orderTopicConf = "b:2;a:1;broken;:3";
  route_.queueDatas = {queues("a", 4, 4, 4)};
  route_.brokerDatas = {broker("a", {{0, "a:1"}})};
  const auto info = make();
  EXPECT_EQ(asText(*info), "b0 b1 a0");
  EXPECT_TRUE(info->order_topic);
  EXPECT_EQ(info->brokerOf(0).address, "") << "b is not there; its queues stay";
}

TEST_F(PublishInfo, TheDefaultTopicLendsAsManyQueuesAsAskedFor) {
  route_.queueDatas = {queues("a", 8, 8, 7), queues("b", 3, 8, 7)};
  route_.brokerDatas = {broker("a", {{0, "a:1"}}), broker("b", {{0, "b:1"}})};
  EXPECT_EQ(asText(*make(4)), "a0 a1 a2 a3 b0 b1 b2");
  EXPECT_TRUE(make(4)->from_default_topic);
}

TEST_F(PublishInfo, NegativeAndAbsurdCountsAreHarmless) {
  route_.queueDatas = {queues("a", -1, -1), queues("b", 4, std::numeric_limits<int>::max())};
  route_.brokerDatas = {broker("a", {{0, "a:1"}}), broker("b", {{0, "b:1"}})};
  EXPECT_EQ(make()->queues.size(), 65'536u);
}

class Choice : public PublishInfo {
 protected:
  Choice() {
    route_.queueDatas = {queues("a", 4, 4), queues("b", 4, 4)};
    route_.brokerDatas = {broker("a", {{0, "a:1"}}), broker("b", {{0, "b:1"}})};
    info_ = make();
  }
  std::size_t next(const BrokerState* last = nullptr) {
    return selectOneMessageQueue(*info_, turn_, faults_.avoids(), now_, last);
  }
  std::shared_ptr<const TopicPublishInfo> info_;
  std::atomic<std::uint32_t> turn_{0};
  std::int64_t now_ = std::chrono::nanoseconds(100s).count();
};

TEST_F(Choice, EachQueueInTurnAlsoWhereTheCounterWraps) {
  turn_ = std::numeric_limits<std::uint32_t>::max() - 10;
  std::map<std::size_t, int> hits;
  for (int i = 0; i < 801; ++i) ++hits[next()];
  for (const auto& [queue, n] : hits) EXPECT_NEAR(n, 100, 1) << queue;
  EXPECT_EQ(hits.size(), 8u);
}

TEST_F(Choice, ARetryGoesToAnotherBroker) {
  const BrokerState* const a = info_->brokers[0].state.get();
  for (int i = 0; i < 20; ++i) EXPECT_NE(info_->brokerOf(next(a)).state.get(), a);
}

TEST_F(Choice, AnIsolatedBrokerIsAvoidedAndItsPartSharedEvenly) {
  BrokerState& a = *info_->brokers[0].state;
  EXPECT_TRUE(faults_.record(a, now_, 0, Outcome::kNoAnswer)) << "isolated from now on";
  EXPECT_FALSE(faults_.record(a, now_, 0, Outcome::kNoAnswer)) << "it was already";
  std::map<std::size_t, int> hits;
  for (int i = 0; i < 400; ++i) ++hits[next()];
  EXPECT_EQ(hits.size(), 4u);
  for (const auto& [queue, n] : hits) EXPECT_NEAR(n, 100, 1) << queue;
  now_ += std::chrono::nanoseconds(FaultStrategy::kIsolation).count();
  hits.clear();
  for (int i = 0; i < 80; ++i) ++hits[next()];
  EXPECT_EQ(hits.size(), 8u) << "the isolation is over";
}

TEST_F(Choice, WithAllIsolatedItStillChoosesAndPrefersAnother) {
  for (const auto& broker : info_->brokers) faults_.record(*broker.state, now_, 0, Outcome::kUnreachable);
  const BrokerState* const a = info_->brokers[0].state.get();
  EXPECT_LT(next(), 8u);
  EXPECT_NE(info_->brokerOf(next(a)).state.get(), a);
}

TEST_F(Choice, OneBrokerAloneIsTriedAgain) {
  route_.queueDatas = {queues("a", 2, 2)};
  info_ = make();
  EXPECT_LT(next(info_->brokers[0].state.get()), 2u);
}

TEST(FaultStrategyTest, TheTableOfLatencies) {
  const std::pair<base::Millis, base::Millis> rows[] = {{0ms, 0ms},    {49ms, 0ms},    {100ms, 0ms},   {549ms, 0ms},
                                                        {550ms, 2s},   {1799ms, 2s},   {1800ms, 5s},   {3000ms, 6s},
                                                        {5000ms, 10s}, {14999ms, 10s}, {15000ms, 30s}, {1h, 30s}};
  for (const auto& [latency, pause] : rows) EXPECT_EQ(FaultStrategy::unavailableFor(latency), pause) << latency.count();
}

TEST(FaultStrategyTest, OnlyWhatTheBrokerDidCountsAgainstIt) {
  EXPECT_EQ(outcomeOf(Error(ErrorCode::kTimeout, "")), Outcome::kNoAnswer);
  EXPECT_EQ(outcomeOf(Error(ErrorCode::kConnectionLost, "")), Outcome::kNoAnswer);
  EXPECT_EQ(outcomeOf(Error(ErrorCode::kUnreachable, "")), Outcome::kUnreachable);
  EXPECT_EQ(outcomeOf(Error(ErrorCode::kFlowControl, "", 2)), Outcome::kBusy);
  EXPECT_EQ(outcomeOf(Error(ErrorCode::kBroker, "", 1)), Outcome::kBrokerError);
  for (const ErrorCode fault_of_ours :
       {ErrorCode::kMessageIllegal, ErrorCode::kNoPermission, ErrorCode::kTopicNotExist, ErrorCode::kQueueFull}) {
    EXPECT_EQ(outcomeOf(Error(fault_of_ours, "", 13)), Outcome::kAnswered);
  }
}

TEST(FaultStrategyTest, AQuickAnswerEndsTheIsolationAndALateOneCannotShortenIt) {
  FaultStrategy faults(FaultStrategy::Avoid::kOn);
  const base::Ref<BrokerState> broker = faults.broker("a");
  const std::int64_t now = std::chrono::nanoseconds(100s).count();
  faults.record(*broker, now, 0, Outcome::kNoAnswer);
  faults.record(*broker, now, std::chrono::nanoseconds(600ms).count(), Outcome::kAnswered);
  EXPECT_FALSE(broker->availableAt(now + std::chrono::nanoseconds(9s).count())) << "slow: the later end counts";
  faults.record(*broker, now, std::chrono::nanoseconds(1ms).count(), Outcome::kAnswered);
  EXPECT_TRUE(broker->availableAt(now));
}

TEST(NameserverListTest, KeepsTheChosenOneInFrontAndAllInTheList) {
  NameserverList list({"a:1", "b:1", "c:1"}, 7);
  list.prefer("c:1");
  EXPECT_EQ(list.inOrderOfTrying().front(), "c:1");
  list.prefer("unknown:1");
  EXPECT_EQ(list.inOrderOfTrying().front(), "c:1");
  EXPECT_EQ(list.inOrderOfTrying().size(), 3u);
  std::map<std::string, int> first;
  for (std::uint64_t seed = 0; seed < 300; ++seed)
    ++first[NameserverList({"a:1", "b:1", "c:1"}, seed).inOrderOfTrying()[0]];
  for (const auto& [address, n] : first) EXPECT_NEAR(n, 100, 40) << address;
}

TEST(SameRoute, OrderDoesNotCount) {
  protocol::TopicRouteData a;
  a.queueDatas = {queues("a", 4, 4), queues("b", 4, 4)};
  a.brokerDatas = {broker("a", {{0, "a:1"}}), broker("b", {{0, "b:1"}})};
  protocol::TopicRouteData b = a;
  std::swap(b.queueDatas[0], b.queueDatas[1]);
  std::swap(b.brokerDatas[0], b.brokerDatas[1]);
  EXPECT_TRUE(sameRoute(a, b));
  b.queueDatas[0].writeQueueNums = 5;
  EXPECT_FALSE(sameRoute(a, b));
  EXPECT_TRUE(usable(a));
  a.brokerDatas = {broker("a", {})};
  EXPECT_FALSE(usable(a)) << "brokers without an address are as good as none";
}

}  // namespace
}  // namespace mqclient::route
