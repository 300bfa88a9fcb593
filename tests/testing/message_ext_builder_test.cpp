#include "mqclient/testing/message_ext_builder.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "mqclient/mqclient.h"
#include "mqclient/testing/matchers.h"

namespace mqclient {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(MessageExtBuilder, BuildsWhatAListenerIsGiven) {
  const WallTime born{std::chrono::milliseconds{1'800'000'000'123}};
  const MessageExt message = MessageExtBuilder("orders")
                                 .setBody("{\"id\":42}")
                                 .setTags("paid")
                                 .setKeys("42", "shop")
                                 .putProperty("colour", "red")
                                 .putProperty("MSG_REGION", "eu")
                                 .setMsgId("THE-ID")
                                 .setBrokerName("broker-b")
                                 .setQueueId(3)
                                 .setQueueOffset(17)
                                 .setCommitLogOffset(4711)
                                 .setBornHost("10.0.0.1:1234")
                                 .setStoreHost("10.0.0.2:10911")
                                 .setBornTime(born)
                                 .setStoreTime(born + 5ms)
                                 .setReconsumeTimes(2)
                                 .build();
  EXPECT_EQ(message.topic(), "orders");
  EXPECT_EQ(message.body(), "{\"id\":42}");
  EXPECT_EQ(message.tags(), "paid");
  EXPECT_EQ(message.keys(), "42 shop");
  EXPECT_EQ(message.property("colour"), "red");
  EXPECT_EQ(message.property("MSG_REGION"), "eu");
  EXPECT_EQ(message.msgId(), "THE-ID");
  EXPECT_EQ(message.messageQueue(), MessageQueue("orders", "broker-b", 3));
  EXPECT_EQ(message.queueOffset(), 17);
  EXPECT_EQ(message.commitLogOffset(), 4711);
  EXPECT_EQ(message.bornHost(), "10.0.0.1:1234");
  EXPECT_EQ(message.storeHost(), "10.0.0.2:10911");
  EXPECT_EQ(message.bornTime(), born);
  EXPECT_EQ(message.storeTime(), born + 5ms);
  EXPECT_EQ(message.reconsumeTimes(), 2);
  EXPECT_EQ(message.offsetMsgId(), "0A00000200002A9F0000000000001267");
}

TEST(MessageExtBuilder, OfAMessageItIsWhatTheRealBrokerWouldDeliver) {
  const Message sent = Message("orders", "{}").setKeys("42").setTags("paid").putUserProperty("colour", "red");
  MockCluster cluster = MockCluster::start({.time = MockTime::kVirtual}).value();
  auto producer = DefaultMQProducer::start("shop", cluster.client()).value();
  producer.send(sent).value();
  const MessageExt delivered = cluster.messages("orders").front();

  const MessageExt built = MessageExtBuilder(sent).build();
  EXPECT_EQ(built.topic(), delivered.topic());
  EXPECT_EQ(built.body(), delivered.body());
  EXPECT_EQ(built.tags(), delivered.tags());
  EXPECT_EQ(built.keys(), delivered.keys());
  EXPECT_EQ(built.property("colour"), delivered.property("colour"));
  EXPECT_EQ(built.msgId().size(), delivered.msgId().size());
}

TEST(MessageExtBuilder, WhatIsNotSetIsTheSameInEveryRunAndTheIdDiffersByPlace) {
  const MessageExt first = MessageExtBuilder("orders").build();
  EXPECT_EQ(first.body(), "");
  EXPECT_EQ(first.messageQueue(), MessageQueue("orders", "broker-a", 0));
  EXPECT_EQ(first.queueOffset(), 0);
  EXPECT_EQ(first.bornTime(), WallTime(std::chrono::seconds{1'704'067'200}));
  EXPECT_EQ(first.msgId(), MessageExtBuilder("orders").build().msgId());
  EXPECT_NE(first.msgId(), MessageExtBuilder("orders").setQueueOffset(1).build().msgId());
  EXPECT_NE(first.msgId(), MessageExtBuilder("orders").setQueueId(1).build().msgId());
  EXPECT_NE(first.msgId(), MessageExtBuilder("prices").build().msgId());
}

TEST(MessageExtBuilder, OutlivesItsBuilderAndCanBeSentOn) {
  const MessageExt message = [] {
    MessageExtBuilder builder("orders");
    return builder.setBody(std::string(1'000, 'x')).setKeys("42").build();
  }();
  EXPECT_EQ(message.body(), std::string(1'000, 'x'));
  const Message on = message.toMessage();
  EXPECT_THAT(on, HasKey("42"));
  EXPECT_EQ(on.body().size(), 1'000u);
}

TEST(MessageExtBuilder, WhatNoBrokerCouldHoldIsNamedAllAtOnce) {
  MessageExtBuilder bad("a topic with blanks");
  bad.setTags("a\x01tag")
      .setBody("kept")
      .setQueueId(-1)
      .setQueueOffset(-2)
      .setReconsumeTimes(-3)
      .setStoreHost("nowhere");
  try {
    (void)bad.build();
    FAIL() << "it was built";
  } catch (const MQClientException& e) {
    EXPECT_EQ(e.error().code(), ErrorCode::kInvalidArgument);
    for (const char* word : {"topic", "TAGS", "queue id is -1", "offset is -2", "times are -3", "'nowhere'"}) {
      EXPECT_THAT(e.error().message(), HasSubstr(word));
    }
  }
}

}  // namespace
}  // namespace mqclient
