// Seeded schedules over links that delay, swallow and cut: whatever happens, every invocation ends once and in time.

#include "remoting_support.h"
#include "sim/link_policy.h"

namespace mqclient::remoting {
namespace {

struct Echo final : RequestHandler {
  void handle(Request&& request, Responder&& responder) noexcept override {
    if (request.command.isOneway()) return std::move(responder).discard(Discard::kOneway);
    std::move(responder).answer(ResponseCode::SUCCESS, {}, protocol::NoHeader{}, std::move(request.command.body));
  }
};

struct SeedRun {
  std::uint64_t trace = 0;
  int answered = 0;
  int failed = 0;
  std::uint64_t faults = 0;
};

SeedRun run(std::uint64_t seed) {
  constexpr int kRequests = 300;
  constexpr base::Nanos kTimeout = 3s;
  sim::SimOptions options;
  options.seed = seed;
  options.schedule = sim::SimOptions::Schedule::kSeeded;
  options.time = sim::SimOptions::Time::kAutoAdvance;
  const Ref<sim::SimEngine> engine = sim::makeSimEngine(options);
  const auto policy = std::make_shared<sim::SeededLinkPolicy>(
      engine,
      sim::LinkFaults{.cuts_per_million = 20'000, .blackholes_per_million = 10'000, .refusals_per_million = 200'000});
  const Ref<InProcessNetwork> network = InProcessNetwork::make();
  network->setPolicy(policy);
  const Ref<base::Log> log = base::Log::silent();
  std::vector<Ref<RemotingServer>> servers;
  for (const char* address : {"127.0.0.1:1", "127.0.0.1:2"}) {
    servers.push_back(*RemotingServer::start(engine, network, address, base::makeRef<Echo>(), log));
  }
  const Ref<RemotingClient> client = RemotingClient::make(engine, network, log);
  SeedRun result;
  std::vector<OutcomePtr> all;
  for (int i = 0; i < kRequests; ++i) {
    all.push_back(std::make_shared<Outcome>());
    const std::string body = std::to_string(i);
    const std::string& to = servers[static_cast<std::size_t>(i % 2)]->address();
    const base::SteadyTime deadline = engine->now() + kTimeout;
    const int opaque = engine->nextOpaque();
    client->invoke(to, opaque, requestFrame(opaque, RequestCode::HEART_BEAT, body), deadline,
                   Completion<RemotingCommand>::of([=, e = engine.get(), o = all.back()](Result<RemotingCommand>&& r) {
                     ++o->settled;
                     EXPECT_LE(e->now(), deadline);
                     if (r) {
                       EXPECT_EQ(r->body.toString(), body) << "somebody else's answer";
                     }
                     o->result = std::move(r);
                   }));
    client->invokeOneway(to, onewayFrame(0), deadline, Completion<void>());
    engine->advance(200ms);
  }
  engine->advance(kTimeout);
  for (const OutcomePtr& o : all) {
    EXPECT_EQ(o->settled, 1) << "seed " << seed;
    (o->settled == 1 && o->result->has_value() ? result.answered : result.failed)++;
  }
  bool closed = false;
  client->close(Completion<void>::of([&](Result<void>&&) { closed = true; }));
  EXPECT_TRUE(engine->pumpUntil([&] { return closed; }, 10s));
  for (const Ref<RemotingServer>& s : servers) {
    EXPECT_EQ(s->counters().responders_dropped.load(), 0u);
    closed = false;
    s->close(Completion<void>::of([&](Result<void>&&) { closed = true; }));
    EXPECT_TRUE(engine->pumpUntil([&] { return closed; }, 10s));
  }
  engine->advance(RemotingClientOptions{}.connect_timeout);  // a connect that the client gave up
  EXPECT_EQ(network->openConnections(), 0u);
  EXPECT_EQ(engine->armedTimers(), 0u) << engine->pendingReport();
  result.trace = engine->traceHash();
  result.faults = policy->counters().faults();
  return result;
}

TEST(RemotingSeeds, EveryInvocationEndsOnceAndASeedIsARun) {
  int answered = 0;
  int failed = 0;
  std::uint64_t before = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const SeedRun first = run(seed);
    EXPECT_EQ(first.trace, run(seed).trace) << "seed " << seed;
    EXPECT_NE(first.trace, before);
    before = first.trace;
    EXPECT_GT(first.faults, 5u);
    answered += first.answered;
    failed += first.failed;
  }
  EXPECT_GT(answered, 20 * 150);
  EXPECT_GT(failed, 20);
}

}  // namespace
}  // namespace mqclient::remoting
