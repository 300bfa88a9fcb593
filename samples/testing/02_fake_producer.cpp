// What happens between a send and its answer: a fake producer keeps sends pending until the test ends them, one by one.
// Callbacks run inside completeNext() and errorNext(), so there is nothing to wait for.
#include <string>
#include <vector>

#include "mqclient/mqclient.h"
#include "mqclient/testing/testing.h"

using namespace mqclient;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace {

// ---- code of yours: a basket shows what was placed once the broker has it

class Basket {
 public:
  explicit Basket(MQProducer& producer) : producer_(producer) {}

  void place(const std::string& order) {
    producer_.sendAsync(Message("orders", "{}").setKeys(order)).then([this, order](const Result<SendResult>& sent) {
      (sent ? placed_ : failed_).push_back(order);
    });
  }
  const std::vector<std::string>& placed() const { return placed_; }
  const std::vector<std::string>& failed() const { return failed_; }

 private:
  MQProducer& producer_;
  std::vector<std::string> placed_;
  std::vector<std::string> failed_;
};

// ---- its tests

TEST(Basket, ShowsAnOrderOnceTheBrokerHasIt) {
  FakeMQProducer producer(FakeCompletion::kByHand);
  Basket basket(producer);
  basket.place("42");
  EXPECT_THAT(producer.messages(), ElementsAre(HasKey("42")));
  EXPECT_THAT(basket.placed(), IsEmpty());

  EXPECT_TRUE(producer.completeNext());
  EXPECT_THAT(basket.placed(), ElementsAre("42"));
}

TEST(Basket, TellsWhichOneOfSeveralFailed) {
  FakeMQProducer producer(FakeCompletion::kByHand);
  Basket basket(producer);
  for (const char* order : {"42", "43", "44"}) basket.place(order);
  EXPECT_EQ(producer.pending(), 3u);

  EXPECT_TRUE(producer.completeNext());
  EXPECT_TRUE(producer.errorNext(Error(ErrorCode::kTimeout, "no answer", 0, Applied::kUnknown)));
  EXPECT_TRUE(producer.completeNext());
  EXPECT_THAT(basket.placed(), ElementsAre("42", "44"));
  EXPECT_THAT(basket.failed(), ElementsAre("43"));
}

TEST(Basket, IsToldWhenTheProducerEndsUnderASend) {
  FakeMQProducer producer(FakeCompletion::kByHand);
  Basket basket(producer);
  basket.place("42");
  EXPECT_EQ(producer.close().abandoned, 1u);
  EXPECT_THAT(basket.failed(), ElementsAre("42"));
}

}  // namespace
