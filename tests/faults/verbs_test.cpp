// One test a verb, in process and in virtual time: what the client sees, and what the broker has.
#include "tests/faults/faults_fixture.h"

namespace mqclient::faults {
namespace {

class Verb : public FaultsTest {
 protected:
  void expectFailed(const Result<SendResult>& sent, ErrorCode code, Applied applied) {
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code(), code) << sent.error();
    EXPECT_EQ(sent.error().applied(), applied) << sent.error();
  }
};

TEST_F(Verb, ReplyAnswersInsteadOfTheNode) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::reply(ResponseCode::NO_PERMISSION, "not today"));
  const auto refused = send("a");
  expectFailed(refused, ErrorCode::kNoPermission, Applied::kNo);
  EXPECT_NE(refused.error().message().find("not today"), std::string::npos) << refused.error();
  EXPECT_TRUE(send("b"));
  EXPECT_EQ(stored(), Bodies{"b"});
  EXPECT_EQ(fault.fired(), 1);
}

TEST_F(Verb, ReplyReplacesTheAnswerOfWhatWasApplied) {
  Fault fault = inject({.code = kSend, .direction = FrameDirection::kFromNode, .nth = 1},
                       FaultAction::reply(ResponseCode::SYSTEM_ERROR, "so it says"));
  EXPECT_FALSE(send("a"));
  EXPECT_EQ(stored(), Bodies{"a"});
}

TEST_F(Verb, DelayBeforeKeepsTheRequestFromTheNode) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::delayBefore(500ms));
  Future<SendResult> late = sendAsync("late");
  advance(499ms);
  EXPECT_EQ(stored(), Bodies{});
  EXPECT_TRUE(send("overtakes"));
  advance(1ms);
  EXPECT_EQ(stored(), (Bodies{"overtakes", "late"}));
  EXPECT_TRUE(std::move(late).get());
}

TEST_F(Verb, DelayAfterKeepsOnlyTheReply) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::delayAfter(500ms));
  Future<SendResult> late = sendAsync("a");
  advance(499ms);
  EXPECT_EQ(stored(), Bodies{"a"});
  EXPECT_FALSE(late.isReady());
  advance(1ms);
  EXPECT_TRUE(late.isReady());
  EXPECT_TRUE(std::move(late).get());
}

TEST_F(Verb, DropLosesTheRequest) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::drop());
  expectFailed(send("a"), ErrorCode::kTimeout, Applied::kUnknown);
  EXPECT_EQ(stored(), Bodies{});
}

TEST_F(Verb, ApplyThenDropReplyLosesTheReplyOnly) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::applyThenDropReply());
  expectFailed(send("a"), ErrorCode::kTimeout, Applied::kUnknown);
  EXPECT_EQ(stored(), Bodies{"a"});
}

TEST_F(Verb, DuplicateIsAppliedTwiceAndReportedOnce) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::duplicate());
  EXPECT_TRUE(send("a"));
  EXPECT_EQ(stored(), (Bodies{"a", "a"}));
}

TEST_F(Verb, ReorderLetsTheNextOneFirst) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::reorder());
  Future<SendResult> a = sendAsync("a");
  Future<SendResult> b = sendAsync("b");
  EXPECT_TRUE(std::move(a).get());
  EXPECT_TRUE(std::move(b).get());
  EXPECT_EQ(stored(), (Bodies{"b", "a"}));
}

TEST_F(Verb, ReorderWaitsHalfASecondForAnother) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::reorder());
  Future<SendResult> a = sendAsync("a");
  advance(499ms);
  EXPECT_EQ(stored(), Bodies{});
  advance(1ms);
  EXPECT_EQ(stored(), Bodies{"a"});
  EXPECT_TRUE(std::move(a).get());
}

TEST_F(Verb, DisconnectBeforeEndsTheConnectionAndAppliesNothing) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::disconnectBefore());
  expectFailed(send("a"), ErrorCode::kConnectionLost, Applied::kUnknown);
  EXPECT_EQ(stored(), Bodies{});
  EXPECT_TRUE(send("b")) << "over a new connection";
}

TEST_F(Verb, DisconnectAfterEndsItInPlaceOfTheReply) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::disconnectAfter());
  expectFailed(send("a"), ErrorCode::kConnectionLost, Applied::kUnknown);
  EXPECT_EQ(stored(), Bodies{"a"});
}

TEST_F(Verb, DisconnectAfterAOnewayRequestEndsItBehindIt) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::disconnectAfter());
  EXPECT_TRUE(producer->sendOneway(Message("orders", "a")));
  ASSERT_TRUE(cluster.waitUntil([&] { return fault.fired() == 1; }));
  EXPECT_EQ(stored(), Bodies{"a"});
  EXPECT_TRUE(send("b"));
  EXPECT_NE(cluster.requests({.code = kSend}).front().connection, cluster.requests({.code = kSend}).back().connection);
}

TEST_F(Verb, ResetInProcessIsALostConnection) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::reset());
  expectFailed(send("a"), ErrorCode::kConnectionLost, Applied::kUnknown);
  EXPECT_EQ(stored(), Bodies{});
}

TEST_F(Verb, FinishAnswersFirst) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::finish());
  EXPECT_TRUE(send("a"));
  EXPECT_TRUE(send("b")) << "over a new connection";
  EXPECT_EQ(stored(), (Bodies{"a", "b"}));
  EXPECT_NE(cluster.requests({.code = kSend}).front().connection, cluster.requests({.code = kSend}).back().connection);
}

TEST_F(Verb, HalfOpenSwallowsEverythingUntilTheClientNotices) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::halfOpen());
  expectFailed(send("a"), ErrorCode::kTimeout, Applied::kUnknown);
  fault.clear();
  const std::uint64_t silent = cluster.requests({.code = kSend}).front().connection;
  int failed = 0;
  while (!send("b")) ASSERT_LT(++failed, 3) << "the connection is replaced (R16)";
  EXPECT_EQ(stored(), Bodies{"b"});
  EXPECT_NE(cluster.requests({.code = kSend}).back().connection, silent);
  for (const Captured& reply : cluster.requests({.connection = silent, .direction = FrameDirection::kFromNode})) {
    EXPECT_EQ(reply.fault, "halfOpen");
  }
}

TEST_F(Verb, CutAfterLosesTheReplyOfALink) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::cutAfter(10));
  expectFailed(send("a"), ErrorCode::kConnectionLost, Applied::kUnknown);
  EXPECT_EQ(stored(), Bodies{"a"});
}

TEST_F(Verb, CutBehindTheWholeReplyLetsItArrive) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::cutAfter(1u << 20));
  EXPECT_TRUE(send("a"));
}

TEST_F(Verb, SlicesNeedSockets) {
  const auto refused = cluster.inject({.code = kSend}, FaultAction::slices(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message().find("MockTransport::kTcp"), std::string::npos) << refused.error();
}

TEST_F(Verb, ThrottleSlowsTheOutputToItsRate) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::throttle(100));
  const Match request{.code = kSend};
  const Match reply{.code = kSend, .direction = FrameDirection::kFromNode};
  EXPECT_TRUE(send("a"));
  const Millis begun = timeOf(request);
  const auto size = cluster.requests(reply).back().raw.size();
  EXPECT_TRUE(send("b"));
  const Millis second = timeOf(request) - begun;
  EXPECT_GE(second, Millis(size * 10)) << "so many bytes at 100 a second";
  EXPECT_LE(second, Millis(size * 10 + 1));
  fault.clear();
  EXPECT_TRUE(send("c"));
  const Millis cleared = timeOf(request);
  EXPECT_TRUE(send("d"));
  EXPECT_EQ(timeOf(request), cleared);
}

TEST_F(Verb, FlippedBitsEndOneSendAndTheClientGoesOn) {
  // Sixty-four replies with three bits turned over each: whatever the client makes of one, it ends in time and the
  // client goes on.
  int survived = 0;
  for (int i = 0; i < 64; ++i) {
    Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::flipBits(3));
    survived += send("a") ? 1 : 0;
    EXPECT_EQ(fault.fired(), 1);
    advance(5s);  // the client's pause between connects
  }
  EXPECT_EQ(stored().size(), 64u) << "the requests were whole";
  EXPECT_LT(survived, 64);
  EXPECT_TRUE(send("b"));
}

TEST_F(Verb, GarbageEndsTheConnection) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::garbage());
  expectFailed(send("a"), ErrorCode::kCorrupt, Applied::kUnknown);
  EXPECT_EQ(stored(), Bodies{"a"});
  EXPECT_TRUE(send("b"));
}

TEST_F(Verb, OversizeEndsTheConnection) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::oversize());
  expectFailed(send("a"), ErrorCode::kCorrupt, Applied::kUnknown);
  EXPECT_EQ(stored(), Bodies{"a"});
  EXPECT_TRUE(send("b"));
}

TEST_F(Verb, WrongOpaqueIsNobodysAnswer) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::wrongOpaque());
  expectFailed(send("a"), ErrorCode::kTimeout, Applied::kUnknown);
  EXPECT_EQ(stored(), Bodies{"a"});
  EXPECT_TRUE(send("b"));
}

Match firstPullWithRecords() {
  return {.code = RequestCode::PULL_MESSAGE,
          .direction = FrameDirection::kFromNode,
          .nth = 1,
          .where = [](const Captured& reply) { return reply.responseCode == 0; }};
}

TEST_F(Verb, WrongCrcIsNotDeliveredAsIfItWereWhole) {
  send("a").value();
  Fault fault = inject(firstPullWithRecords(), FaultAction::wrongCrc());
  Taken taken;
  auto consumer =
      DefaultMQPushConsumer::start("billing", {{"orders"}}, taken.listener(), cluster.client(), kFromFirst).value();
  ASSERT_TRUE(cluster.waitUntil([&] { return taken.count() >= 2; }, 60s)) << taken.count();
  EXPECT_EQ(taken.count(), 2u);
  EXPECT_EQ(taken.messages()[0].body(), "first");
  EXPECT_EQ(taken.messages()[1].body(), "a");
}

TEST_F(Verb, ADecompressionBombIsNotInflated) {
  Fault fault = inject(firstPullWithRecords(), FaultAction::decompressionBomb());
  Taken taken;
  auto consumer =
      DefaultMQPushConsumer::start("billing", {{"orders"}}, taken.listener(), cluster.client(), kFromFirst).value();
  ASSERT_TRUE(cluster.waitUntil([&] { return taken.count() == 1; }, 60s));
  constexpr std::int32_t kCompressed = 0x1;
  EXPECT_NE(taken.messages()[0].sysFlag() & kCompressed, 0) << "delivered as it came";
  EXPECT_LT(taken.messages()[0].body().size(), 1u << 20);
}

TEST_F(Verb, RefuseFailsConnectsAsLongAsItLives) {
  Fault refused = inject({.role = NodeRole::kBroker}, FaultAction::refuse());
  EXPECT_TRUE(send("a")) << "a connection that stands is not touched";
  Fault cut = inject({.code = kSend, .nth = 1}, FaultAction::finish());
  send("b").value();
  expectFailed(send("c"), ErrorCode::kUnreachable, Applied::kNo);
  refused.clear();
  advance(5s);  // the client's pause between connects
  EXPECT_TRUE(send("d"));
  EXPECT_EQ(stored(), (Bodies{"a", "b", "d"}));
}

}  // namespace
}  // namespace mqclient::faults
