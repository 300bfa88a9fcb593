// Slow and hostile peers by the thousand (R17, R18): what they cost the server, and that the others do not notice.
#include "tests/remoting/tcp_support.h"
#include "tests/support/slack.h"

namespace mqclient::remoting {
namespace {

using mqclient::testing::residentBytes;

class HostileTest : public TcpTest {
 protected:
  void serve(TcpOptions tcp) {
    mqclient::testing::allowManyDescriptors();
    server_ = *RemotingServer::start(engine_, makeTcpTransport(tcp), "127.0.0.1:0", handler_, base::Log::silent(),
                                     {.connections_per_address_max = 5'000});
  }
  /// Another client's round trip.
  void expectServed(Peer4& healthy) {
    ASSERT_TRUE(healthy.write(requestFrame(3).toString()));
    ASSERT_FALSE(healthy.readFrame().empty());
  }
  void TearDown() override {
    Count done;
    server_->close(Completion<void>::of([&](Result<void>&&) { done.add(); }));
    EXPECT_TRUE(done.reaches(1));
    server_.reset();
    TcpTest::TearDown();
  }
  Ref<SuccessHandler> handler_ = base::makeRef<SuccessHandler>();
  Ref<RemotingServer> server_;
};

TEST_F(HostileTest, AThousandSlowPeersCostLittleAndEndAtTheFrameDeadline) {
  constexpr int kPeers = 1'000;
  serve({.frame_deadline = base::Millis(1'000)});
  Peer4 healthy = Peer4::connectedTo(server_->address());
  std::vector<Peer4> slow;
  for (int i = 0; i < kPeers; ++i) slow.push_back(Peer4::connectedTo(server_->address()));
  expectServed(healthy);
  const std::size_t before = residentBytes();
  std::string begun(24, '\0');  // of 16 MiB, with a header of 1 MiB
  base::putBe32(begun.data(), (16u << 20) - 4);
  base::putBe32(begun.data() + 4, 1u << 20);
  for (const char byte : begun) {
    for (Peer4& peer : slow) peer.write(std::string_view(&byte, 1));  // the first may have been closed already
    expectServed(healthy);
  }
  EXPECT_LE(residentBytes(), before + static_cast<std::size_t>(mqclient::testing::slack()) * (64u << 20));
  EXPECT_TRUE(handler_->closed.reaches(kPeers));
  expectServed(healthy);
}

TEST_F(HostileTest, TenThousandHostileFramesCostAMegabyteAtMost) {
  constexpr int kTries = 10'000;
  serve({});
  Peer4 healthy = Peer4::connectedTo(server_->address());
  const std::string hostile[] = {
      std::string("\x80\x00\x00\x00", 4),                  // 2 GiB, or less than nothing
      std::string("\xFF\xFF\xFF\xFF", 4),                  // -1
      std::string("\x01\x00\x00\x00\x01", 5),              // 16 MiB + 4
      std::string("\x00\x00\x00\x20\x01\x00\x01\x00", 8),  // a header longer than its frame
  };
  std::size_t before = 0;
  for (int i = 0; i < kTries; ++i) {
    if (i == kTries / 10) before = residentBytes();  // what the first ones brought stays: pools, arenas
    Peer4 peer = Peer4::connectedTo(server_->address());
    ASSERT_TRUE(peer.write(hostile[i % 4]));
    ASSERT_EQ(peer.readToEnd(), "");
    if (i % 500 == 0) expectServed(healthy);
  }
  EXPECT_TRUE(handler_->closed.reaches(kTries));
  EXPECT_EQ(server_->counters().corrupt_closed, static_cast<std::uint64_t>(kTries));
  EXPECT_LE(residentBytes(), before + static_cast<std::size_t>(mqclient::testing::slack()) * (1u << 20));
  expectServed(healthy);
}

}  // namespace
}  // namespace mqclient::remoting
