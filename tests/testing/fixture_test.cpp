#include "mqclient/testing/fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "mqclient/mqclient.h"
#include "mqclient/testing/matchers.h"

namespace mqclient {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class TwoBrokers : public MockClusterTest {
 protected:
  TwoBrokers() : MockClusterTest({.brokers = 2}) {}
  DefaultMQProducer producer = DefaultMQProducer::start("shop", cluster.client()).value();
};

TEST_F(TwoBrokers, TheClusterIsThereBeforeTheMembersAndHasTheShapeThatWasAskedFor) {
  EXPECT_THAT(cluster.brokerNames(), SizeIs(2));
  EXPECT_THAT(producer.send(Message("orders", "x")), IsOk());
  EXPECT_THAT(cluster, Stored("orders", SizeIs(1)));
}

TEST_F(TwoBrokers, EachTestHasACluster) {
  EXPECT_THAT(cluster, Stored("orders", SizeIs(0)));
}

TEST_F(MockClusterTest, TimeIsVirtual) {
  EXPECT_THAT(cluster.clock().advance(24h), IsOk());
}

TEST(MockClusterTestItself, AFaultThatNoFrameMeetsFailsTheTest) {
  MockCluster cluster = MockCluster::start({.time = MockTime::kVirtual}).value();
  static MockCluster* watched = nullptr;  // the macro's statement sees only what is static
  watched = &cluster;
  EXPECT_NONFATAL_FAILURE(
      {
        const detail::EndOfTest end(*watched);
        const Fault fault = watched->inject({.topic = "nowhere"}, FaultAction::drop()).value();
      },
      "no frame has met the fault \"any frame of topic nowhere: drop\"");
}

TEST_F(MockClusterTest, AnOptionalFaultMayMissAndOneThatFiredIsFine) {
  Fault may = cluster.inject({.topic = "nobody sends there"}, FaultAction::drop()).value();
  may.optional();
  const Fault busy =
      cluster.inject({.code = RequestCode::SEND_MESSAGE_V2}, FaultAction::reply(ResponseCode::SYSTEM_BUSY)).value();
  auto producer = DefaultMQProducer::start("shop", cluster.client()).value();
  EXPECT_THAT(producer.send(Message("orders", "x")), IsError());
  EXPECT_GE(busy.fired(), 1);
}

class Impossible : public MockClusterTest {
 public:
  Impossible() : MockClusterTest({.brokers = 0}) {}
  void TestBody() override {}
};

TEST(MockClusterTestItself, AShapeThatCannotBeIsAFailureThatSaysSo) {
  try {
    Impossible fixture;
    FAIL() << "it started";
  } catch (const MQClientException& e) {
    EXPECT_THAT(e.what(), HasSubstr("brokers is 0"));
  }
}

class Shared : public SharedMockClusterTest {
 protected:
  static inline std::set<std::string> addresses;
  static inline std::set<std::string> names;
  void sendOne() {
    addresses.insert(cluster.namesrvAddr());
    EXPECT_TRUE(names.insert(topic()).second);
    EXPECT_TRUE(names.insert("group " + group()).second);
    auto producer = DefaultMQProducer::start("shop", cluster.client()).value();
    EXPECT_THAT(producer.send(Message(topic(), "x")), IsOk());
    EXPECT_THAT(cluster, Stored(topic(), SizeIs(1)));
    EXPECT_EQ(addresses.size(), 1u);
  }
};

TEST_F(Shared, OneClusterServesTheSuite) {
  sendOne();
}
TEST_F(Shared, AndEachTestHasATopicAndAGroupOfItsOwn) {
  sendOne();
  EXPECT_EQ(topic(), "Shared_AndEachTestHasATopicAndAGroupOfItsOwn");
}
TEST_F(Shared,
       AlsoWithANameThatIsLongerThanAnyTopicMayBeAndThereforeMustBeCutSomewhereWithoutBecomingTheSameAsAnotherOne) {
  sendOne();
}
TEST_F(Shared,
       AlsoWithANameThatIsLongerThanAnyTopicMayBeAndThereforeMustBeCutSomewhereWithoutBecomingTheSameAsAnotherTwo) {
  sendOne();
}

class SharedOfThree : public SharedMockClusterTest {
 public:
  static void SetUpTestSuite() { startShared({.brokers = 3}); }
};

TEST_F(SharedOfThree, ASuiteChoosesItsShape) {
  EXPECT_THAT(cluster.brokerNames(), SizeIs(3));
  auto producer = DefaultMQProducer::start("shop", cluster.client()).value();
  EXPECT_THAT(producer.fetchPublishMessageQueues(topic(2)), IsOkAnd(SizeIs(6)));
}

class InEveryHome : public EachHome {
 protected:
  InEveryHome() : EachHome({.brokers = 2}) {}
};

TEST_P(InEveryHome, AMessageArrives) {
  EXPECT_THAT(cluster.brokerNames(), SizeIs(2));
  auto producer = DefaultMQProducer::start("shop", cluster.client()).value();
  std::atomic<int> seen{0};
  auto consumer = DefaultMQPushConsumer::start("billing", {{"orders"}},
                                               [&](Messages messages, ConsumeConcurrentlyContext&) {
                                                 seen += static_cast<int>(messages.size());
                                                 return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
                                               },
                                               cluster.client(),
                                               {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()})
                      .value();
  EXPECT_THAT(producer.send(Message("orders", "x")), IsOk());
  EXPECT_TRUE(eventually(cluster, 60s, [&] { return seen == 1; }));
  const bool in_process = cluster.namesrvAddr().starts_with("mock://");
  EXPECT_EQ(in_process, GetParam() == MockTransport::kMemory);
  EXPECT_EQ(nameOfMockHome({GetParam(), 0}), in_process ? "InProcess" : "Tcp");
}

INSTANTIATE_TEST_SUITE_P(Homes, InEveryHome, allMockHomes(), nameOfMockHome);

}  // namespace
}  // namespace mqclient
