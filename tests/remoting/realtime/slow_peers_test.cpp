// R17: a thousand peers that send a byte a second, beside one that works. Measured on the OS clock.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>

#include "base/wait.h"
#include "tests/remoting/tcp_support.h"

namespace mqclient::remoting {
namespace {

using mqclient::testing::residentBytes;

constexpr std::size_t kPeers = 1'000;
constexpr auto kWindow = 60ms;
constexpr int kRounds = 9;
constexpr int kUnderWay = 64;
constexpr double kLeastPart = 0.9;
constexpr std::size_t kBytesMax = 64u << 20;
/// Long enough for all windows; the default is 10 s.
constexpr base::Millis kFrameDeadline{1'500};

class SlowPeers : public TcpTest {
 protected:
  /// Asks again with each answer, until it is told to stop.
  struct Asking {
    Asking(base::Engine& e, RemotingClient& c, std::string a) : engine(e), client(c), address(std::move(a)) {}
    void ask() {
      const int opaque = engine.nextOpaque();
      client.invoke(address, opaque, requestFrame(opaque), engine.now() + 20s,
                    Completion<RemotingCommand>::of([this](Result<RemotingCommand>&& r) {
                      if (r) answers.fetch_add(1, std::memory_order_relaxed);
                      if (!r || over.load(std::memory_order_relaxed)) return ended.add();
                      ask();
                    }));
    }
    base::Engine& engine;
    RemotingClient& client;
    const std::string address;
    std::atomic<std::uint64_t> answers{0};
    std::atomic<bool> over{false};
    Count ended;
  };

  void letPass(base::Nanos time) {
    const auto never = base::makeRef<base::WaitSlot>();
    engine_->waitFor(*never, engine_->now() + time);
  }
  /// Answers a second in a window of time.
  double rate(const Asking& asking) {
    const std::uint64_t answers = asking.answers.load();
    const auto began = std::chrono::steady_clock::now();
    letPass(kWindow);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    return static_cast<double>(asking.answers.load() - answers) / took.count();
  }
};

TEST_F(SlowPeers, AThousandLeaveAnotherItsThroughput) {
  mqclient::testing::allowManyDescriptors();
  const Ref<SuccessHandler> handler = base::makeRef<SuccessHandler>();
  Ref<RemotingServer> server =
      *RemotingServer::start(engine_, transport({.frame_deadline = kFrameDeadline}), "127.0.0.1:0", handler,
                             base::Log::silent(), {.connections_per_address_max = 2 * kPeers});
  Ref<RemotingClient> client = RemotingClient::make(engine_, transport(), base::Log::silent());
  Asking asking(*engine_, *client, server->address());
  for (int i = 0; i < kUnderWay; ++i) asking.ask();
  letPass(kWindow);

  const std::size_t before = residentBytes();
  std::vector<Peer4> peers;
  for (std::size_t i = 0; i < kPeers; ++i) peers.push_back(Peer4::connectedTo(server->address()));
  enum class Drip { kNot, kOn, kOver };
  std::atomic<Drip> drip{Drip::kNot};
  std::thread dripping([&] {  // a byte a millisecond to one after the other, so a byte a second each
    for (std::size_t i = 0; drip != Drip::kOver; letPass(1ms)) {
      if (drip == Drip::kNot) continue;
      peers[i % kPeers].write(std::string_view("\0\0\1\0\0", 5).substr(i / kPeers % 5, 1));
      ++i;
    }
  });
  // Each window is compared with the one before it, in which nobody drips, and the median counts: what the machine does
  // besides lasts longer than two windows, and is not what is measured.
  std::vector<double> parts;
  double most = 0;
  for (int round = 0; round < kRounds; ++round) {
    const double alone = rate(asking);
    drip = Drip::kOn;
    parts.push_back(rate(asking) / alone);
    drip = Drip::kNot;
    most = std::max(most, alone);
  }
  std::nth_element(parts.begin(), parts.begin() + kRounds / 2, parts.end());
  const double part = parts[kRounds / 2];
  const std::size_t after = residentBytes();
  const std::size_t grown = after > before ? after - before : 0;
  EXPECT_EQ(handler->closed.get(), 0) << "they were there all the time";
  drip = Drip::kOn;
  EXPECT_TRUE(handler->closed.reaches(static_cast<int>(kPeers))) << "and are closed at the frame's deadline";
  drip = Drip::kOver;
  dripping.join();
  asking.over = true;
  EXPECT_TRUE(asking.ended.reaches(kUnderWay));
  std::printf("%zu slow peers leave %.0f %% of %.0f answers/s and take %.1f MiB\n", kPeers, 100 * part, most,
              static_cast<double>(grown) / (1u << 20));
  EXPECT_GE(part, kLeastPart);
  EXPECT_LE(grown, kBytesMax);

  Count done;
  client->close(Completion<void>::of([&](Result<void>&&) { done.add(); }));
  server->close(Completion<void>::of([&](Result<void>&&) { done.add(); }));
  EXPECT_TRUE(done.reaches(2));
}

}  // namespace
}  // namespace mqclient::remoting
