// A user's test over mqclient::testing: an interface mocked, and a cluster in virtual time.
#include "mqclient/mqclient.h"
#include "mqclient/testing/testing.h"

using namespace mqclient;
using ::testing::_;

TEST(Order, FailsWhenTheBrokerIsBusy) {
  MockMQProducer producer;
  EXPECT_CALL(producer, doSend(HasKey("42"), _, _)).WillOnce(FailWith(ErrorCode::kFlowControl));
  EXPECT_THAT(producer.send(Message("orders", "{}").setKeys("42")), IsError(ErrorCode::kFlowControl));
}

TEST_F(MockClusterTest, StoresAnOrder) {
  auto producer = DefaultMQProducer::start("shop", cluster.client()).value();
  EXPECT_THAT(producer.send(Message("orders", "{}")), IsOk());
  EXPECT_THAT(cluster, Stored("orders", ::testing::ElementsAre(HasBody("{}"))));
}

TEST(Listener, IsGivenABuiltMessage) {
  FakeMQPushConsumer consumer({{"orders"}}, [](Messages messages, ConsumeConcurrentlyContext&) {
    EXPECT_THAT(messages, ::testing::ElementsAre(HasTag("paid")));
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  });
  EXPECT_THAT(consumer.deliver(MessageExtBuilder("orders").setTags("paid").build()).status, IsOk());
}
