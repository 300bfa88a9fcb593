#include <gtest/gtest.h>

#include <array>
#include <set>

#include "base/log.h"
#include "remoting/in_process.h"
#include "remoting/remoting_client.h"
#include "remoting/remoting_server.h"
#include "sim/link_policy.h"
#include "sim_support.h"

// The first real protocol on the simulated engine: clients and servers over links that delay, fall silent and end. One
// seed is one run, byte for byte; whatever happens to the links, every call is settled once and by its deadline.
namespace mqclient::sim {
namespace {

using protocol::RemotingCommand;

constexpr std::array kServers{"127.0.0.1:10911", "127.0.0.1:10921"};
constexpr int kClients = 3;
constexpr int kCallsPerClient = 40;
constexpr base::Millis kCallDeadline{2000};

struct EchoServer final : remoting::RequestHandler {
  void handle(remoting::Request&& request, remoting::Responder&& responder) noexcept override {
    ++requests;
    std::move(responder).answer(ResponseCode::SUCCESS, {}, protocol::NoHeader{}, std::move(request.command.body));
  }
  int requests = 0;
};

struct Figures {
  std::uint64_t trace = 0;
  std::uint64_t schedule = 0;
  int answered = 0;
  int failed = 0;
  LinkCounters links;
};

void closeNow(SimEngine& engine, UniqueFunction<void(base::Completion<void>)> close) {
  auto [future, done] = base::makeOperation<void>(engine.callbackTarget());
  close(std::move(done));
  EXPECT_TRUE(std::move(future).get());
}

Figures talk(std::uint64_t seed) {
  Figures run;
  const Ref<SimEngine> engine = seeded(seed);
  const auto network = remoting::InProcessNetwork::make();
  const auto policy = std::make_shared<SeededLinkPolicy>(
      engine, LinkFaults{.cuts_per_million = 20'000, .blackholes_per_million = 20'000, .refusals_per_million = 50'000});
  network->setPolicy(policy);
  const auto handler = base::makeRef<EchoServer>();
  std::vector<Ref<remoting::RemotingServer>> servers;
  for (const char* address : kServers) {
    servers.push_back(remoting::RemotingServer::start(engine, network, address, handler, base::Log::silent()).value());
  }
  for (int c = 0; c < kClients; ++c) {
    engine->spawn("client " + std::to_string(c), [&, c] {
      const auto client = remoting::RemotingClient::make(engine, network, base::Log::silent());
      for (int i = 0; i < kCallsPerClient; ++i) {
        const std::string body = "c" + std::to_string(c) + " call " + std::to_string(i);
        const std::int32_t opaque = engine->nextOpaque();
        auto [future, done] = base::makeOperation<RemotingCommand>(engine->callbackTarget());
        const base::SteadyTime deadline = engine->now() + kCallDeadline;
        client->invoke(kServers[static_cast<std::size_t>(i) % kServers.size()], opaque,
                       protocol::encodeRequest({.code = RequestCode::HEART_BEAT, .opaque = opaque},
                                               protocol::NoHeader{}, base::Chain(base::Slice::copyOf(body))),
                       deadline, std::move(done));
        const Result<RemotingCommand> answer = std::move(future).get();
        EXPECT_LE(engine->now(), deadline);
        if (answer) {
          EXPECT_EQ(answer->opaque, opaque);
          EXPECT_EQ(answer->body.toString(), body);
          ++run.answered;
        } else {
          ++run.failed;
        }
      }
      closeNow(*engine, [&](base::Completion<void> closed) { client->close(std::move(closed)); });
    });
  }
  EXPECT_TRUE(engine->pumpUntil([&] { return engine->bodies() == 0; }, 1h)) << "seed " << seed << '\n'
                                                                            << engine->pendingReport();
  policy->calm();
  for (const auto& server : servers) {
    closeNow(*engine, [&](base::Completion<void> closed) { server->close(std::move(closed)); });
    EXPECT_EQ(server->counters().responders_dropped, 0u);
  }
  engine->advance(10min);
  EXPECT_EQ(engine->armedTimers(), 0u) << engine->pendingReport();
  run.trace = engine->traceHash();
  run.schedule = engine->scheduleHash();
  run.links = policy->counters();
  return run;
}

TEST(RemotingSeeds, OneSeedIsOneRunAndEveryCallIsSettled) {
  std::set<std::uint64_t> traces;
  std::uint64_t faults = 0;
  int answered = 0;
  int failed = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Figures first = talk(seed);
    const Figures second = talk(seed);
    EXPECT_EQ(first.trace, second.trace) << "seed " << seed;
    EXPECT_EQ(first.schedule, second.schedule) << "seed " << seed;
    EXPECT_EQ(first.answered + first.failed, kClients * kCallsPerClient) << "seed " << seed;
    traces.insert(first.trace);
    faults += first.links.faults();
    answered += first.answered;
    failed += first.failed;
  }
  EXPECT_EQ(traces.size(), 20u);
  EXPECT_GT(faults, 20u);
  EXPECT_GT(failed, 0);
  EXPECT_GT(answered, failed);
}

}  // namespace
}  // namespace mqclient::sim
