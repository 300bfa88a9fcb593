// The program of yours, unchanged, at another address: each test once inside this process and once over loopback TCP,
// and once with nothing but NAMESRV_ADDR, as a deployment would say it.
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>

#include "mqclient/mqclient.h"
#include "mqclient/testing/testing.h"

using namespace mqclient;
using namespace std::chrono_literals;
using ::testing::SizeIs;

namespace {

// ---- code of yours: knows its cluster by the options alone; by default the environment names it

class Shop {
 public:
  explicit Shop(const ClientOptions& client = {})
      : producer_(DefaultMQProducer::start("shop", client).value()),
        consumer_(DefaultMQPushConsumer::start("billing", {{"orders"}},
                                               [this](Messages messages, ConsumeConcurrentlyContext&) {
                                                 billed_ += messages.size();
                                                 return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
                                               },
                                               client,
                                               {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()})
                      .value()) {}

  Result<SendResult> place(const std::string& order) { return producer_.send(Message("orders", "{}").setKeys(order)); }
  std::size_t billed() const { return billed_; }
  bool close() { return consumer_.close().complete() && producer_.close().complete(); }

 private:
  std::atomic<std::size_t> billed_{0};  // over TCP listeners have threads of their own
  DefaultMQProducer producer_;
  DefaultMQPushConsumer consumer_;
};

// ---- its tests

void placeAndBill(MockCluster& cluster, Shop& shop) {
  for (const char* order : {"42", "43", "44"}) EXPECT_THAT(shop.place(order), IsOk());
  EXPECT_TRUE(eventually(cluster, 10s, [&] { return shop.billed() == 3; }));
  EXPECT_TRUE(shop.close());
  EXPECT_EQ(shop.billed(), 3u);
  EXPECT_THAT(cluster, Stored("orders", SizeIs(3)));
}

class EveryHome : public EachHome {
 protected:
  EveryHome() { cluster.createTopic({.topicName = "orders", .readQueueNums = 2, .writeQueueNums = 2}).value(); }
};

TEST_P(EveryHome, BillsEachOrderOnce) {
  Shop shop(cluster.client());
  placeAndBill(cluster, shop);
}

INSTANTIATE_TEST_SUITE_P(Homes, EveryHome, allMockHomes(), nameOfMockHome);

// An mqbroker, or a cluster of Apache RocketMQ, is one more address in the same place.
TEST(Environment, NamesTheClusterOfAProgramThatKnowsNone) {
  auto cluster = MockCluster::start({.transport = MockTransport::kTcp}).value();
  cluster.createTopic({.topicName = "orders", .readQueueNums = 2, .writeQueueNums = 2}).value();
  ASSERT_EQ(::setenv("NAMESRV_ADDR", cluster.namesrvAddr().c_str(), 1), 0);
  {
    Shop shop;
    placeAndBill(cluster, shop);
  }
  ::unsetenv("NAMESRV_ADDR");
}

}  // namespace
