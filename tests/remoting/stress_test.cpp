// Real threads: what the deterministic tests cannot order. Run under ThreadSanitizer.

#include <atomic>
#include <barrier>
#include <thread>

#include "base/wait.h"
#include "remoting_support.h"

namespace mqclient::remoting {
namespace {

/// Counts completions; the last one wakes the test.
struct Tally final : base::Receiver<RemotingCommand> {
  Tally(base::Engine& e, int n) : engine(e), left(n), slot(base::makeRef<base::WaitSlot>()) {}
  void onResult(Result<RemotingCommand>&& r) noexcept override {
    (r ? answered : failed).fetch_add(1, std::memory_order_relaxed);
    if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) slot->settle();
  }
  bool wait() { return engine.waitFor(*slot, engine.now() + 60s); }
  base::Engine& engine;
  std::atomic<int> left;
  std::atomic<int> answered{0}, failed{0};
  Ref<base::WaitSlot> slot;
};

struct Answering final : RequestHandler {
  void handle(Request&& request, Responder&& responder) noexcept override {
    std::move(responder).answer(ResponseCode::SUCCESS, {}, protocol::NoHeader{}, std::move(request.command.body));
  }
};

class RemotingStress : public ::testing::Test {
 protected:
  static constexpr int kThreads = 4;
  void start(RemotingClientOptions options = {}) {
    server_ = *RemotingServer::start(engine_, network_, kAddress, base::makeRef<Answering>(), log_,
                                     {.in_flight_per_connection_max = 1'000'000});
    client_ = RemotingClient::make(engine_, network_, log_, options);
  }
  template <class F>
  void inThreads(F f) {
    std::barrier<> go(kThreads);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        go.arrive_and_wait();
        f(t);
      });
    }
    for (std::thread& t : threads) t.join();
  }
  void invoke(Tally& tally) {
    const int opaque = engine_->nextOpaque();
    client_->invoke(kAddress, opaque, requestFrame(opaque, RequestCode::HEART_BEAT, "body"), engine_->now() + 60s,
                    Completion<RemotingCommand>(tally));
  }
  template <class T>
  void close(const Ref<T>& what) {
    const Ref<base::WaitSlot> slot = base::makeRef<base::WaitSlot>();
    what->close(Completion<void>::of([slot](Result<void>&&) { slot->settle(); }));
    EXPECT_TRUE(engine_->waitFor(*slot, engine_->now() + 60s));
  }

  Ref<base::Engine> engine_ = *base::makeThreadedEngine({});
  Ref<InProcessNetwork> network_ = InProcessNetwork::make();
  Ref<base::Log> log_ = base::Log::silent();
  Ref<RemotingServer> server_;
  Ref<RemotingClient> client_;
};

TEST_F(RemotingStress, EveryInvocationIsAnsweredOnce) {
  constexpr int kEach = 25'000;
  start({.in_flight_max = std::size_t{kThreads} * kEach});
  Tally tally(*engine_, kThreads * kEach);
  inThreads([&](int) {
    for (int i = 0; i < kEach; ++i) invoke(tally);
  });
  ASSERT_TRUE(tally.wait());
  EXPECT_EQ(tally.answered.load(), kThreads * kEach);
  EXPECT_EQ(server_->requests(), static_cast<std::uint64_t>(kThreads * kEach));
  EXPECT_EQ(client_->counters().unknown_answers.load(), 0u);
  close(client_);
  close(server_);
  EXPECT_EQ(network_->openConnections(), 0u);
}

TEST_F(RemotingStress, ConnectionsThatComeAndGoLoseNoCompletion) {
  constexpr int kEach = 5'000;
  start({.in_flight_max = std::size_t{kThreads} * kEach,
         .reconnect_backoff_min = base::Millis(1),
         .reconnect_backoff_max = base::Millis(1)});
  Tally tally(*engine_, (kThreads - 1) * kEach);
  inThreads([&](int t) {
    for (int i = 0; i < kEach; ++i) {
      if (t > 0) {
        invoke(tally);
      } else if (i % 10 == 0) {
        client_->forget(kAddress);
      }
    }
  });
  ASSERT_TRUE(tally.wait());
  EXPECT_EQ(tally.answered.load() + tally.failed.load(), (kThreads - 1) * kEach);
  close(client_);
  close(server_);
  EXPECT_EQ(network_->openConnections(), 0u);
}

TEST_F(RemotingStress, ClosingBothSidesUnderLoadSettlesEverything) {
  for (int round = 0; round < 20; ++round) {
    constexpr int kEach = 200;
    start();
    Tally tally(*engine_, 2 * kEach);
    inThreads([&](int t) {
      if (t < 2) {
        for (int i = 0; i < kEach; ++i) invoke(tally);
      } else if (t == 2) {
        server_->close({});
      } else {
        client_->close({});
      }
    });
    ASSERT_TRUE(tally.wait());
    close(client_);
    close(server_);
    EXPECT_EQ(network_->openConnections(), 0u);
  }
}

}  // namespace
}  // namespace mqclient::remoting
