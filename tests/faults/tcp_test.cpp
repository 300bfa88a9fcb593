// What only sockets can do, and what looks different over them.
#include "protocol/headers/namesrv.h"
#include "protocol/remoting_command.h"
#include "tests/faults/faults_fixture.h"
#include "tests/remoting/tcp_support.h"

namespace mqclient::faults {
namespace {

class OverTcp : public FaultsTest {
 protected:
  OverTcp() : FaultsTest({.transport = MockTransport::kTcp}) {}

  /// A nameserver's answer about "orders", byte for byte, after `fault` is set.
  static constexpr RequestCode kRoute = RequestCode::GET_ROUTEINFO_BY_TOPIC;
  std::string askForRoute(remoting::Peer4& peer) {
    const base::Chain request =
        protocol::encodeRequest({.code = kRoute, .opaque = 77}, protocol::GetRouteInfoRequestHeader{.topic = "orders"});
    EXPECT_TRUE(peer.write(request.toString()));
    return request.toString();
  }
};

TEST_F(OverTcp, ResetIsRst) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::reset());
  const auto sent = send("a");
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), ErrorCode::kConnectionLost);
  EXPECT_NE(sent.error().message().find("reset by peer"), std::string::npos) << sent.error();
  EXPECT_EQ(stored(), Bodies{});
  EXPECT_TRUE(send("b"));
}

TEST_F(OverTcp, DisconnectIsFin) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::disconnectBefore());
  const auto sent = send("a");
  ASSERT_FALSE(sent);
  EXPECT_NE(sent.error().message().find("closed by the peer"), std::string::npos) << sent.error();
  EXPECT_EQ(stored(), Bodies{});
}

TEST_F(OverTcp, FinishAnswersFirst) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::finish());
  EXPECT_TRUE(send("a"));
  EXPECT_EQ(stored(), Bodies{"a"});
}

TEST_F(OverTcp, CutAfterLetsSoManyBytesThrough) {
  Fault fault = inject({.code = kRoute, .nth = 1}, FaultAction::cutAfter(10));
  auto peer = remoting::Peer4::connectedTo(cluster.namesrvAddr());
  askForRoute(peer);
  const std::string got = peer.read(1'000);
  ASSERT_EQ(got.size(), 10u);
  EXPECT_EQ(got, cluster.requests({.code = kRoute, .direction = FrameDirection::kFromNode}).back().raw.substr(0, 10));
}

TEST_F(OverTcp, SlicesArriveOneByOneAndMakeTheWholeAnswer) {
  Fault fault = inject({.code = kRoute, .nth = 1}, FaultAction::slices(1));
  auto peer = remoting::Peer4::connectedTo(cluster.namesrvAddr());
  askForRoute(peer);
  std::string whole;
  std::size_t pieces = 0;
  while (whole.empty() || whole != cluster.requests({.code = kRoute}).back().raw) {
    const std::string piece = peer.readSome(1u << 16);
    ASSERT_FALSE(piece.empty());
    whole += piece;
    ++pieces;
  }
  EXPECT_GT(pieces, whole.size() / 10) << "few of them met on the way";
}

TEST_F(OverTcp, ASendSurvivesAnAnswerInSlices) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::slices(1));
  EXPECT_TRUE(send("a"));
  EXPECT_EQ(fault.fired(), 1);
}

TEST_F(OverTcp, OversizeIsNotWaitedFor) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::oversize());
  const auto sent = send("a");
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), ErrorCode::kCorrupt) << sent.error();
  EXPECT_TRUE(send("b"));
}

TEST_F(OverTcp, GarbageIsFoundByTheClient) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::garbage());
  const auto sent = send("a");
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), ErrorCode::kCorrupt) << sent.error();
}

TEST_F(OverTcp, ARefusedConnectionIsEndedAtOnce) {
  Fault fault = inject({.role = NodeRole::kNameserver}, FaultAction::refuse());
  auto peer = remoting::Peer4::connectedTo(cluster.namesrvAddr());
  EXPECT_EQ(peer.readSome(1), "");
  fault.clear();
  auto again = remoting::Peer4::connectedTo(cluster.namesrvAddr());
  askForRoute(again);
  EXPECT_EQ(again.readSome(1).size(), 1u);
}

TEST_F(OverTcp, AHeldFrameIsReleasedFromAnyThread) {
  Held held = cluster.hold({.code = kSend}).value();
  Future<SendResult> sent = sendAsync("a");
  EXPECT_EQ(held.wait()->body, "a");
  EXPECT_EQ(stored(), Bodies{});
  held.release();
  EXPECT_TRUE(std::move(sent).get());
  EXPECT_EQ(stored(), Bodies{"a"});
}

TEST_F(OverTcp, FaultsComeAndGoUnderLoad) {
  // From four threads, while faults are set and cleared: each send ends, what ended well is stored.
  std::atomic<int> acknowledged{0};
  std::vector<std::thread> senders;
  for (int t = 0; t < 4; ++t) {
    senders.emplace_back([&] {
      for (int i = 0; i < 100; ++i) acknowledged += send("x") ? 1 : 0;
    });
  }
  for (int i = 0; i < 20; ++i) {
    Fault duplicate = inject({.code = kSend, .probability = 0.5}, FaultAction::duplicate());
    Fault cut = inject({.code = kSend, .probability = 0.05}, FaultAction::disconnectAfter());
    duplicate.optional();
    cut.optional();
    Held held = cluster.hold({.code = kSend, .nth = 3}).value();
    held.optional();
    (void)held.wait(50ms);
  }
  for (std::thread& t : senders) t.join();
  EXPECT_GE(stored().size(), static_cast<std::size_t>(acknowledged.load()));
  EXPECT_GT(acknowledged, 0);
}

}  // namespace
}  // namespace mqclient::faults
