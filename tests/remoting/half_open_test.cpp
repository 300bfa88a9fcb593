// R16 for answers that take their time: a connection over which bytes come is alive, also while no frame is whole.
#include "tests/remoting/remoting_support.h"

namespace mqclient::remoting {
namespace {

/// Connects at once, to nobody.
struct SlowTransport final : Transport {
  void connect(base::Engine&, std::string, Ref<ConnectionHandler> handler, base::SteadyTime,
               Completion<Ref<Connection>> done) override {
    link = base::makeRef<HandmadeConnection>(kAddress, handler);
    handler->strand().post(handler, [connection = Ref<Connection>(link), done = std::move(done)]() mutable {
      std::move(done)(std::move(connection));
    });
  }
  Result<Ref<ListenSocket>> listen(base::Engine&, std::string, Ref<Acceptor>) override {
    return Error(ErrorCode::kUnreachable, "not here");
  }
  Ref<HandmadeConnection> link;
};

class HalfOpenTest : public RemotingTest {
 protected:
  void SetUp() override { client_ = RemotingClient::make(engine_, transport_, log_, {}); }
  std::uint64_t closed() const { return client_->counters().half_open_closed.load(); }

  const Ref<SlowTransport> transport_ = base::makeRef<SlowTransport>();
};

TEST_F(HalfOpenTest, AFrameThatTakesItsTimeIsNoSilence) {
  const auto large = invoke(1, 60s);
  for (int n = 2; n < 12; ++n) {  // small requests meanwhile: their answers are behind the large one
    const auto small = invoke(n, 3s);
    transport_->link->bytes += 100'000;
    engine_->advance(3s);
    EXPECT_EQ(small->code(), ErrorCode::kTimeout);
  }
  EXPECT_EQ(closed(), 0u);
  EXPECT_TRUE(large->pending());
}

TEST_F(HalfOpenTest, ABeginningWithoutAnEndIsNoLife) {
  const auto large = invoke(1, 60s);
  transport_->link->bytes += 100'000;
  for (int n = 2; n < 5; ++n) {
    invoke(n, 3s);
    engine_->advance(3s);
  }
  EXPECT_EQ(closed(), 1u);
  EXPECT_EQ(large->code(), ErrorCode::kConnectionLost);
}

}  // namespace
}  // namespace mqclient::remoting
