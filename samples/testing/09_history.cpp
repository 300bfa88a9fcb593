// Many messages, many faults, several seeds: write down what happened and have it judged afterwards. The seed is in the
// name of the test, and the same seed is the same run: --gtest_filter='Seeds/*/7' repeats the seventh.
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "mqclient/mqclient.h"
#include "mqclient/testing/testing.h"

using namespace mqclient;
using namespace std::chrono_literals;
using ::testing::IsEmpty;

namespace {

constexpr int kOrders = 100;
constexpr std::uint64_t kSeeds = 8;

/// A shop and a billing on a cluster whose every fourth send goes wrong in one way or another.
class Scenario {
 public:
  explicit Scenario(MockCluster& cluster) : cluster_(cluster) {}

  void run() {
    cluster_.createTopic({.topicName = "orders", .readQueueNums = 2, .writeQueueNums = 2}).value();
    Fault lost = sometimes(FaultAction::drop());
    Fault unsure = sometimes(FaultAction::applyThenDropReply());
    Fault busy = sometimes(FaultAction::reply(ResponseCode::SYSTEM_BUSY));
    Fault cut = sometimes(FaultAction::disconnectBefore());

    auto billing = startBilling();
    auto shop = DefaultMQProducer::start("shop", named("shop")).value();
    for (int i = 0; i < kOrders; ++i) {
      const std::string order = "order-" + std::to_string(i);
      history.invoke("shop", "orders", order, i);
      history.sendEnded("shop", "orders", order, shop.send(Message("orders", "{}").setMsgId(order)));
    }
    EXPECT_TRUE(eventually(cluster_, 120s, [&] { return everythingIsCommitted(); }));
    for (const MessageExt& m : cluster_.messages("orders")) history.stored(m);
    EXPECT_THAT(cluster_.faultsNeverFired(), IsEmpty());
  }

  History history;

 private:
  /// A name that is the same in every run; without one it holds the process id.
  ClientOptions named(const char* name) {
    ClientOptions client = cluster_.client();
    client.instanceName = name;
    return client;
  }
  Fault sometimes(FaultAction action) {
    return cluster_.inject({.code = RequestCode::SEND_MESSAGE_V2, .probability = 0.07}, std::move(action)).value();
  }
  DefaultMQPushConsumer startBilling() {
    const auto listener = [this](Messages messages, ConsumeConcurrentlyContext&) {
      for (const MessageExt& m : messages) {
        history.deliver("billing-1", "billing", m);
        history.finish("billing-1", "billing", m);
      }
      return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
    };
    return DefaultMQPushConsumer::start(
               "billing", {{"orders"}}, listener, named("billing-1"),
               {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET(), .consumeThreadMax = 1})
        .value();
  }
  bool everythingIsCommitted() {
    for (const MessageExt& m : cluster_.messages("orders")) {
      if (cluster_.committedOffset("billing", m.messageQueue()) <= m.queueOffset()) return false;
    }
    return true;
  }

  MockCluster& cluster_;
};

class Promises : public MockClusterTest, public ::testing::WithParamInterface<std::uint64_t> {
 protected:
  Promises() : MockClusterTest({.brokers = 2, .seed = GetParam()}) {}
};

TEST_P(Promises, AreKeptWhileSendsGoWrong) {
  Scenario scenario(cluster);
  scenario.run();
  for (const CheckReport& report : checkHistory(scenario.history)) EXPECT_THAT(report, Holds());
}

TEST_P(Promises, AreKeptTheSameWayByTheSameSeed) {
  auto again =
      MockCluster::start({.brokers = 2, .time = MockTime::kVirtual, .seed = GetParam(), .recordFromStart = true})
          .value();
  Scenario(cluster).run();
  Scenario(again).run();
  EXPECT_EQ(cluster.trace(), again.trace());
}

INSTANTIATE_TEST_SUITE_P(Seeds, Promises, ::testing::Range<std::uint64_t>(1, kSeeds + 1));

}  // namespace
