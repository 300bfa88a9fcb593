// Held frames: what replaces a sleep where two things must happen in an order.
#include <atomic>

#include "tests/faults/faults_fixture.h"

namespace mqclient::faults {
namespace {

class Holding : public FaultsTest {
 protected:
  Held hold(Match match) { return cluster.hold(std::move(match)).value(); }
};

TEST_F(Holding, AHeldRequestIsNotAppliedBeforeItsRelease) {
  Held held = hold({.code = kSend});
  Future<SendResult> sent = sendAsync("a");
  EXPECT_EQ(held.wait()->body, "a");
  advance(2s);
  EXPECT_EQ(stored(), Bodies{});
  held.release();
  EXPECT_TRUE(std::move(sent).get());
  EXPECT_EQ(stored(), Bodies{"a"});
  EXPECT_TRUE(send("b")) << "nothing is held any more";
}

TEST_F(Holding, SeveralGoOnInOrder) {
  Held held = hold({.code = kSend});
  std::vector<Future<SendResult>> sent;
  for (const char* body : {"a", "b", "c"}) sent.push_back(sendAsync(body));
  EXPECT_EQ(held.wait()->body, "a");
  held.release();
  for (auto& s : sent) EXPECT_TRUE(std::move(s).get());
  EXPECT_EQ(stored(), (Bodies{"a", "b", "c"}));
}

TEST_F(Holding, OnlyTheNthIsHeld) {
  Held held = hold({.code = kSend, .nth = 2});
  EXPECT_TRUE(send("a"));
  Future<SendResult> b = sendAsync("b");
  EXPECT_EQ(held.wait()->body, "b");
  EXPECT_TRUE(send("c"));
  held.release();
  EXPECT_TRUE(std::move(b).get());
  EXPECT_EQ(stored(), (Bodies{"a", "c", "b"}));
}

TEST_F(Holding, AHeldReplyLeavesTheRequestApplied) {
  Held held = hold({.code = kSend, .direction = FrameDirection::kFromNode});
  Future<SendResult> sent = sendAsync("a");
  EXPECT_EQ(held.wait()->responseCode, 0);
  EXPECT_EQ(stored(), Bodies{"a"});
  EXPECT_FALSE(sent.isReady());
  held.release();
  EXPECT_TRUE(std::move(sent).get());
}

TEST_F(Holding, WhatIsReleasedMayMeetAFault) {
  Held held = hold({.code = kSend});
  Future<SendResult> sent = sendAsync("a");
  held.wait().value();
  const auto refused = held.releaseWith(FaultAction::slices(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
  EXPECT_FALSE(sent.isReady()) << "it is still held";
  held.releaseWith(FaultAction::disconnectAfter()).value();
  EXPECT_EQ(std::move(sent).get().error().code(), ErrorCode::kConnectionLost);
  EXPECT_EQ(stored(), Bodies{"a"});
}

TEST_F(Holding, TheEndOfTheHandleReleases) {
  Future<SendResult> sent = [&] {
    Held held = hold({.code = kSend});
    Future<SendResult> begun = sendAsync("a");
    held.wait().value();
    return begun;
  }();
  EXPECT_TRUE(std::move(sent).get());
}

TEST_F(Holding, WaitingForWhatDoesNotComeEndsWithWhatItWaitedFor) {
  Held held = hold({.code = RequestCode::PULL_MESSAGE, .group = "nobody"});
  const auto none = held.wait(100ms);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::kTimeout);
  EXPECT_NE(none.error().message().find("PULL_MESSAGE of group nobody: hold"), std::string::npos) << none.error();
  EXPECT_EQ(cluster.faultsNeverFired(), std::vector<std::string>{"PULL_MESSAGE of group nobody: hold"});
  held.optional();
}

TEST_F(Holding, AConnectionThatEndsTakesItsHeldFramesAlong) {
  Held held = hold({.code = kSend, .nth = 1});
  Future<SendResult> sent = sendAsync("a");
  held.wait().value();
  cluster.broker("broker-a")->stop().value();
  EXPECT_FALSE(std::move(sent).get());
  held.release();
  cluster.broker("broker-a")->start().value();
  for (const MessageExt& stored : cluster.messages("orders")) EXPECT_NE(stored.body(), "a");
}

TEST_F(Holding, AHeldPullReplyMeetsARebalance) {
  // The second member takes the only queue over, or does not, while the first one's records are on their way: nothing
  // is lost.
  Taken taken;
  Held held = hold({.code = RequestCode::PULL_MESSAGE,
                    .group = "billing",
                    .direction = FrameDirection::kFromNode,
                    .nth = 1,
                    .where = [](const Captured& reply) { return reply.responseCode == 0; }});
  auto first =
      DefaultMQPushConsumer::start("billing", {{"orders"}}, taken.listener(), cluster.client(), kFromFirst).value();
  EXPECT_NE(held.wait()->body.find("first"), std::string::npos);
  EXPECT_EQ(taken.count(), 0u);
  auto second =
      DefaultMQPushConsumer::start("billing", {{"orders"}}, taken.listener(), cluster.client(), kFromFirst).value();
  ASSERT_TRUE(cluster.waitUntil([&] { return cluster.members("billing").size() == 2; }));
  advance(1s);
  held.release();
  ASSERT_TRUE(cluster.waitUntil([&] { return taken.count() >= 1; }, 60s));
}

}  // namespace
}  // namespace mqclient::faults
