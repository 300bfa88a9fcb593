// From producer to listener, through a real broker inside this process, in virtual time: time stands still until
// somebody waits and then jumps, so that hours cost nothing and the same test is the same run.
#include <chrono>
#include <string>
#include <vector>

#include "mqclient/mqclient.h"
#include "mqclient/testing/testing.h"

using namespace mqclient;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace {

// ---- code of yours: writes a bill for every order that was paid

class Billing {
 public:
  explicit Billing(const ClientOptions& client)
      : consumer_(DefaultMQPushConsumer::start("billing", {{"orders", byTag("paid")}},
                                               [this](Messages messages, ConsumeConcurrentlyContext&) {
                                                 for (const MessageExt& m : messages) bills_.emplace_back(m.keys());
                                                 return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
                                               },
                                               client,
                                               {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()})
                      .value()) {}

  const std::vector<std::string>& bills() const { return bills_; }
  CloseReport close() { return consumer_.close(); }

 private:
  std::vector<std::string> bills_;
  DefaultMQPushConsumer consumer_;
};

// ---- its tests

class Orders : public MockClusterTest {
 protected:
  Orders() { cluster.createTopic({.topicName = "orders", .readQueueNums = 1, .writeQueueNums = 1}).value(); }

  void place(const char* order, const char* tag) {
    EXPECT_THAT(shop.send(Message("orders", "{}").setKeys(order).setTags(tag)), IsOk());
  }

  DefaultMQProducer shop = DefaultMQProducer::start("shop", cluster.client()).value();
  const MessageQueue queue{"orders", "broker-a", 0};
};

TEST_F(Orders, AreBilledOncePaid) {
  place("42", "placed");
  place("42", "paid");
  place("43", "placed");
  EXPECT_THAT(cluster, Stored("orders", ElementsAre(HasTag("placed"), HasTag("paid"), HasTag("placed"))));

  Billing billing(cluster.client());
  EXPECT_TRUE(eventually(cluster, 20s, [&] { return !billing.bills().empty(); }));
  EXPECT_TRUE(billing.close().complete());
  EXPECT_THAT(billing.bills(), ElementsAre("42"));
}

TEST_F(Orders, AreBilledWhereBillingStoppedBefore) {
  place("42", "paid");
  {
    Billing billing(cluster.client());
    EXPECT_TRUE(eventually(cluster, 20s, [&] { return !billing.bills().empty(); }));
    EXPECT_TRUE(billing.close().complete());
  }
  EXPECT_THAT(cluster, CommittedAt("billing", queue, 1));

  place("43", "paid");
  Billing again(cluster.client());
  EXPECT_TRUE(eventually(cluster, 20s, [&] { return !again.bills().empty(); }));
  EXPECT_THAT(again.bills(), ElementsAre("43"));
}

TEST_F(Orders, AreBilledAfterAnHourOfSilence) {
  Billing billing(cluster.client());
  EXPECT_THAT(cluster.clock().advance(1h), IsOk());
  EXPECT_THAT(billing.bills(), IsEmpty());
  place("42", "paid");
  EXPECT_TRUE(eventually(cluster, 1s, [&] { return billing.bills().size() == 1; }));
}

}  // namespace
