// A race, made to happen: what a pull brought is on its way to one member of a group while the queue goes to another.
// A frame is held where it passes and released when the test says so; nothing depends on luck.
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "mqclient/mqclient.h"
#include "mqclient/testing/testing.h"

using namespace mqclient;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

namespace {

// ---- code of yours: a member of the group, which keeps what it was given

class Member {
 public:
  Member(ClientOptions client, const char* name) : consumer_(start(std::move(client), name)) {}

  const std::vector<std::string>& taken() const { return taken_; }
  const MQPushConsumer& consumer() const { return consumer_; }

 private:
  DefaultMQPushConsumer start(ClientOptions client, const char* name) {
    client.instanceName = name;  // shares are dealt in the order of the names
    const auto listener = [this](Messages messages, ConsumeConcurrentlyContext&) {
      for (const MessageExt& m : messages) taken_.emplace_back(m.keys());
      return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
    };
    return DefaultMQPushConsumer::start("billing", {{"orders"}}, listener, client,
                                        {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()})
        .value();
  }

  std::vector<std::string> taken_;
  DefaultMQPushConsumer consumer_;
};

// ---- the test

class Rebalance : public MockClusterTest {
 protected:
  Rebalance() { cluster.createTopic({.topicName = "orders", .readQueueNums = 2, .writeQueueNums = 2}).value(); }
  const MessageQueue moves{"orders", "broker-a", 1};
};

TEST_F(Rebalance, WhileAPullIsUnderWayGivesAnOrderToOneMemberOnly) {
  auto shop = DefaultMQProducer::start("shop", cluster.client()).value();
  EXPECT_THAT(shop.send(Message("orders", "{}").setKeys("42"), moves), IsOk());
  Held reply = cluster
                   .hold({.code = RequestCode::PULL_MESSAGE,
                          .queueId = moves.queueId(),
                          .direction = FrameDirection::kFromNode,
                          .nth = 1})
                   .value();

  Member first(cluster.client(), "first");
  EXPECT_THAT(reply.wait(), IsOk()) << "the order is on its way to the first member, and stays there";

  Member second(cluster.client(), "second");
  EXPECT_TRUE(eventually(cluster, 60s, moves, IsAssignedTo(second.consumer())));
  EXPECT_TRUE(eventually(cluster, 60s, [&] { return !second.taken().empty(); }));
  EXPECT_TRUE(eventually(cluster, 60s, moves, Not(IsAssignedTo(first.consumer()))));

  reply.release();
  EXPECT_THAT(cluster.clock().advance(60s), IsOk());
  EXPECT_THAT(first.taken(), IsEmpty()) << "the queue is not its own any more when the order arrives";
  EXPECT_THAT(second.taken(), ElementsAre("42"));
}

}  // namespace
