// One of two brokers is busy, or slow: sends go to the other one, and the test says how it is done, frame by frame.
#include <chrono>
#include <string>
#include <vector>

#include "mqclient/mqclient.h"
#include "mqclient/testing/testing.h"

using namespace mqclient;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

namespace {

constexpr int kOrders = 20;
const Match kSendsToA{.code = RequestCode::SEND_MESSAGE_V2, .node = "broker-a"};

class TwoBrokers : public MockClusterTest {
 protected:
  // Made by an administrator, a topic is on both; made by its first send, it is on the broker of that send alone.
  TwoBrokers() : MockClusterTest({.brokers = 2}) {
    cluster.createTopic({.topicName = "orders", .readQueueNums = 2, .writeQueueNums = 2}).value();
  }

  // Each fault of a test has fired: one that did not shows a test that tests something else.
  void TearDown() override { EXPECT_THAT(cluster.faultsNeverFired(), IsEmpty()); }

  std::vector<SendResult> placeOrders() {
    std::vector<SendResult> sent;
    for (int i = 0; i < kOrders; ++i) sent.push_back(shop.send(Message("orders", "{}")).value());
    return sent;
  }
  std::vector<std::string> brokersOfWhatIsStored() {
    std::vector<std::string> names;
    for (const MessageExt& m : cluster.messages("orders")) names.push_back(m.messageQueue().brokerName());
    return names;
  }

  DefaultMQProducer shop = DefaultMQProducer::start("shop", cluster.client()).value();
};

TEST_F(TwoBrokers, ABusyOneIsPassedOver) {
  Fault busy = cluster.inject(kSendsToA, FaultAction::reply(ResponseCode::SYSTEM_BUSY, "too many requests")).value();
  placeOrders();
  EXPECT_THAT(brokersOfWhatIsStored(), AllOf(SizeIs(kOrders), Each("broker-b")));
  EXPECT_EQ(busy.fired(), 1) << "asked once, it is avoided for a while";
  const Match sends{.code = RequestCode::SEND_MESSAGE_V2, .direction = FrameDirection::kToNode};
  EXPECT_EQ(cluster.requests(sends).size(), kOrders + 1u) << "one of them was sent twice";
}

TEST_F(TwoBrokers, ASlowOneCostsASendOneTryAndIsAvoidedFromThenOn) {
  Fault slow = cluster.inject(kSendsToA, FaultAction::delayBefore(10s)).value();
  const std::vector<SendResult> sent = placeOrders();
  EXPECT_EQ(slow.fired(), 1) << "the first send that met it is the last one";
  EXPECT_THAT(sent.back().brokersTried, ElementsAre("broker-b"));
  EXPECT_THAT(brokersOfWhatIsStored(), AllOf(SizeIs(kOrders), Each("broker-b")));

  // Slow is not lost: what was given up arrives in the end, beside its repetition of the same id.
  EXPECT_THAT(cluster.clock().advance(10s), IsOk());
  EXPECT_THAT(cluster, Stored("orders", SizeIs(kOrders + 1)));
}

TEST_F(TwoBrokers, BothBusyIsAnErrorThatSaysTryLater) {
  Fault busy =
      cluster.inject({.code = RequestCode::SEND_MESSAGE_V2}, FaultAction::reply(ResponseCode::SYSTEM_BUSY)).value();
  const auto sent = shop.send(Message("orders", "{}"));
  ASSERT_THAT(sent, IsError(ErrorCode::kFlowControl));
  EXPECT_TRUE(isRetriable(sent.error()));
  EXPECT_EQ(sent.error().applied(), Applied::kNo);
  EXPECT_EQ(busy.fired(), 3) << "the first try and two more";
}

}  // namespace
