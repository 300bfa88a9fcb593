// What comes again, and when: the clock is moved by hand, so "not before" can be tested as well as "in the end".
#include <chrono>
#include <string>
#include <vector>

#include "mqclient/mqclient.h"
#include "mqclient/testing/testing.h"

using namespace mqclient;
using namespace std::chrono_literals;
using ::testing::ElementsAre;

namespace {

// ---- code of yours: needs a printer, and asks for the order again while it is out of paper

class Billing {
 public:
  explicit Billing(const ClientOptions& client)
      : consumer_(DefaultMQPushConsumer::start(
                      "billing", {{"orders"}},
                      [this](Messages messages, ConsumeConcurrentlyContext&) { return print(messages.front()); },
                      client, {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()})
                      .value()) {}

  bool has_paper{true};
  int tries{0};
  std::vector<std::string> printed;

 private:
  ConsumeConcurrentlyStatus print(const MessageExt& order) {
    ++tries;
    if (!has_paper) return ConsumeConcurrentlyStatus::RECONSUME_LATER;
    printed.push_back(std::string(order.keys()) + " at try " + std::to_string(order.reconsumeTimes() + 1));
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  }

  DefaultMQPushConsumer consumer_;
};

// ---- its tests

class OutOfPaper : public MockClusterTest {
 protected:
  OutOfPaper() {
    cluster.createTopic({.topicName = "orders", .readQueueNums = 1, .writeQueueNums = 1}).value();
    auto shop = DefaultMQProducer::start("shop", cluster.client()).value();
    for (const char* order : {"42", "43"}) shop.send(Message("orders", "{}").setKeys(order)).value();
  }

  const MessageQueue queue{"orders", "broker-a", 0};
};

TEST_F(OutOfPaper, OrdersComeAgainAfterAWhileAndNotBefore) {
  Billing billing(cluster.client());
  billing.has_paper = false;
  EXPECT_TRUE(eventually(cluster, 20s, [&] { return billing.tries == 2; }));

  EXPECT_THAT(cluster.clock().advance(4s), IsOk());
  EXPECT_EQ(billing.tries, 2) << "a printer without paper is not asked in a circle";
  EXPECT_THAT(cluster.clock().advance(1s), IsOk());
  EXPECT_EQ(billing.tries, 4);
}

TEST_F(OutOfPaper, NothingCountsAsDoneUntilThereIsPaper) {
  Billing billing(cluster.client());
  billing.has_paper = false;
  EXPECT_THAT(cluster.clock().advance(1h), IsOk());
  EXPECT_THAT(cluster, CommittedAt("billing", queue, ::testing::Le(0)));

  const std::string last_try = std::to_string(billing.tries / 2 + 1);
  billing.has_paper = true;
  EXPECT_TRUE(eventually(cluster, 20s, CommittedAt("billing", queue, 2)));
  EXPECT_THAT(billing.printed, ElementsAre("42 at try " + last_try, "43 at try " + last_try));
}

}  // namespace
