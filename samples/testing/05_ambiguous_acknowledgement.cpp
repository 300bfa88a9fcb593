// The broker stored the message and its answer got lost: the sender cannot know. Applied::kUnknown says so, and what
// repeats the very same message keeps its id, by which whoever consumes it tells the copy.
#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "mqclient/mqclient.h"
#include "mqclient/testing/testing.h"

using namespace mqclient;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::SizeIs;

namespace {

// ---- code of yours

/// Repeats an order whose fate is unknown, with its id; what has failed for sure is the caller's.
Result<SendResult> place(MQProducer& producer, const std::string& order) {
  Message message = Message("orders", "{}").setKeys(order);
  auto sent = producer.send(message);
  if (sent || sent.error().applied() == Applied::kNo) return sent;
  return producer.send(message.setMsgId(sent.error().msgId()));
}

/// Writes one bill for a message, however often it comes.
class Bills {
 public:
  void take(const MessageExt& order) {
    if (seen_.emplace(order.msgId()).second) written_.emplace_back(order.keys());
  }
  const std::vector<std::string>& written() const { return written_; }

 private:
  std::set<std::string> seen_;
  std::vector<std::string> written_;
};

// ---- its tests

class Ambiguous : public MockClusterTest {
 protected:
  Fault losesTheFirstReply() {
    return cluster.inject({.code = RequestCode::SEND_MESSAGE_V2, .nth = 1}, FaultAction::applyThenDropReply()).value();
  }
  // The producer's own retries are off, so that each test says itself what is sent again.
  DefaultMQProducer producer =
      DefaultMQProducer::start("shop", cluster.client(), {.retryTimesWhenSendFailed = 0}).value();
};

TEST_F(Ambiguous, TheSendEndsUnknownAndOneIsStored) {
  Fault lost = losesTheFirstReply();
  const auto sent = producer.send(Message("orders", "{}").setKeys("42"));
  ASSERT_THAT(sent, IsError(ErrorCode::kTimeout));
  EXPECT_EQ(sent.error().applied(), Applied::kUnknown);
  EXPECT_THAT(cluster, Stored("orders", ElementsAre(HasKey("42"))));
  EXPECT_EQ(lost.fired(), 1);
}

TEST_F(Ambiguous, RepeatedItIsStoredTwiceAndBilledOnce) {
  Fault lost = losesTheFirstReply();
  EXPECT_THAT(place(producer, "42"), IsOk());
  const std::vector<MessageExt> stored = cluster.messages("orders");
  ASSERT_THAT(stored, SizeIs(2));
  EXPECT_EQ(stored[0].msgId(), stored[1].msgId());

  Bills bills;
  auto consumer = DefaultMQPushConsumer::start("billing", {{"orders"}},
                                               [&](Messages messages, ConsumeConcurrentlyContext&) {
                                                 for (const MessageExt& m : messages) bills.take(m);
                                                 return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
                                               },
                                               cluster.client(),
                                               {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()})
                      .value();
  for (const MessageExt& message : stored) {
    EXPECT_TRUE(eventually(cluster, 20s, CommittedAt("billing", message.messageQueue(), message.queueOffset() + 1)));
  }
  EXPECT_THAT(bills.written(), ElementsAre("42"));
}

}  // namespace
