// A listener without a broker: messages are built as a consumer would get them, and handed to it. What it says of each
// of them is what a broker would hear.
#include <charconv>
#include <cstddef>
#include <memory>
#include <string_view>
#include <system_error>
#include <vector>

#include "mqclient/mqclient.h"
#include "mqclient/testing/testing.h"

using namespace mqclient;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace {

// ---- code of yours: adds up amounts, sets aside what is none after three tries

class Bills : public MessageListenerConcurrently {
 public:
  static constexpr int kTries = 3;

  ConsumeConcurrentlyStatus consumeMessage(Messages messages, ConsumeConcurrentlyContext& context) override {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const std::string_view body = messages[i].body();
      int amount = 0;
      const auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), amount);
      if (error == std::errc() && end == body.data() + body.size()) {
        total += amount;
      } else if (messages[i].reconsumeTimes() + 1 < kTries) {
        context.reconsumeLater(i);
      } else {
        set_aside.emplace_back(messages[i].keys());
      }
    }
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  }

  int total{0};
  std::vector<std::string> set_aside;
};

MessageExtBuilder order(const char* key, const char* amount) {
  MessageExtBuilder builder("orders");
  builder.setKeys(key).setBody(amount);
  return builder;
}

// ---- its tests

TEST(Bills, AsksAgainOnlyForTheOneItCouldNotRead) {
  auto bills = std::make_shared<Bills>();
  FakeMQPushConsumer consumer({{"orders"}}, bills);
  const FakeDelivery said = consumer.deliver({
      order("42", "7").setQueueOffset(0).build(),
      order("43", "seven").setQueueOffset(1).build(),
      order("44", "8").setQueueOffset(2).build(),
  });
  EXPECT_THAT(said.finished, ElementsAre(0, 2));
  EXPECT_THAT(said.again, ElementsAre(1));
  EXPECT_EQ(bills->total, 15);
}

TEST(Bills, SetsItAsideAtTheThirdTry) {
  auto bills = std::make_shared<Bills>();
  FakeMQPushConsumer consumer({{"orders"}}, bills);
  EXPECT_THAT(consumer.deliver(order("43", "seven").setReconsumeTimes(1).build()).again, ElementsAre(0));
  EXPECT_THAT(bills->set_aside, IsEmpty());
  EXPECT_THAT(consumer.deliver(order("43", "seven").setReconsumeTimes(2).build()).finished, ElementsAre(0));
  EXPECT_THAT(bills->set_aside, ElementsAre("43"));
}

TEST(Bills, NeedsNotEvenAConsumer) {
  Bills bills;
  const MessageExt message = order("42", "7").build();
  ConsumeConcurrentlyContext context(message.messageQueue());
  EXPECT_EQ(bills.consumeMessage({&message, 1}, context), ConsumeConcurrentlyStatus::CONSUME_SUCCESS);
  EXPECT_EQ(bills.total, 7);
}

}  // namespace
