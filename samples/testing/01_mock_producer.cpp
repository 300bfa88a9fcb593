// A unit test of code that sends: a mock producer expects the call and decides how it ends. No broker, no thread.
#include <string>

#include "mqclient/mqclient.h"
#include "mqclient/testing/testing.h"

using namespace mqclient;
using ::testing::_;
using ::testing::AllOf;

namespace {

// ---- code of yours: it takes the interface, so a test chooses what is behind it

enum class Placed { kYes, kTryAgain, kNever };

Placed place(MQProducer& producer, const std::string& order) {
  const auto sent = producer.send(Message("orders", "{}").setKeys(order).setTags("placed"));
  if (sent) return Placed::kYes;
  return isRetriable(sent.error()) ? Placed::kTryAgain : Placed::kNever;
}

// ---- its tests

TEST(Place, SendsOneMessageWithKeyAndTag) {
  MockMQProducer producer;
  EXPECT_CALL(producer, doSend(AllOf(HasKey("42"), HasTag("placed")), _, _)).WillOnce(SucceedWith(SendResult{}));
  EXPECT_EQ(place(producer, "42"), Placed::kYes);
}

TEST(Place, AsksToTryAgainWhileTheBrokerIsBusy) {
  MockMQProducer producer;
  EXPECT_CALL(producer, doSend).WillOnce(FailWith(ErrorCode::kFlowControl));
  EXPECT_EQ(place(producer, "42"), Placed::kTryAgain);
}

TEST(Place, GivesUpWhatNoBrokerWillTake) {
  MockMQProducer producer;
  EXPECT_CALL(producer, doSend).WillOnce(FailWith(ErrorCode::kMessageIllegal, "the body is too large"));
  EXPECT_EQ(place(producer, "42"), Placed::kNever);
}

}  // namespace
