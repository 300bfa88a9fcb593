// R14 to R16: brokers that are away, that come back to a hundred clients, or that vanish without a word.
#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "account.h"

namespace mqsoak {

using namespace mqclient;
using mqbench::Row;

namespace {

/// Lets time pass, of whichever clock the cluster has.
void pass(MockCluster& cluster, Millis time) {
  (void)cluster.waitUntil([] { return false; }, time);
}

bool sees(const MQProducer& producer, BrokerState state) {
  const Health health = producer.health();
  return std::ranges::any_of(health.brokers, [&](const BrokerHealth& broker) { return broker.state == state; });
}

/// Of a client that could not connect for so long: the longest pause before it tries again, with its jitter.
constexpr double kBackoffCapMs = 3'000 * 1.25;
constexpr double kBackAfterMs = 2'000;

// ---- R14

constexpr Millis kTick{10};
constexpr Millis kBefore{2'000};
constexpr Millis kAway{18'000};
constexpr Millis kGivesUp{60'000};

/// A stream of so many sends a second, tick by tick.
struct Stream {
  MockCluster& cluster;
  MQProducer& producer;
  Account& account;
  int per_second;
  std::int64_t begun = 0;
  Millis passed{0};

  void tick() {
    passed += kTick;
    for (const std::int64_t due = per_second * passed.count() / 1'000; begun < due; ++begun) account.send(producer);
    pass(cluster, kTick);
  }
  void run(Millis time) {
    for (Millis until = passed + time; passed < until;) tick();
  }
  /// Milliseconds of the stream until it is so.
  template <class F>
  double until(F condition) {
    const Millis began = passed;
    while (!condition() && passed - began < kGivesUp) tick();
    return static_cast<double>((passed - began).count());
  }
};

std::vector<Row> outage(int per_second, MockTime time) {
  MockCluster cluster =
      startCluster({.transport = time == MockTime::kReal ? MockTransport::kTcp : MockTransport::kMemory, .time = time});
  Account account;
  auto consumer = startConsumer(account, cluster.client());
  auto producer = startProducer(cluster.client());
  Stream stream{cluster, producer, account, per_second};
  MockBroker broker = must(cluster.broker("broker-a"), "broker");
  stream.run(kBefore);
  must(broker.kill(), "kill");
  const std::size_t then = account.acknowledged();
  const double said_ms = stream.until([&] { return sees(producer, BrokerState::kDown); });
  stream.run(kAway - Millis(static_cast<std::int64_t>(said_ms)));
  const bool said_to_the_end = sees(producer, BrokerState::kDown);
  const std::size_t meanwhile = account.acknowledged() - then;
  must(broker.start(), "start");
  const std::size_t before = account.acknowledged();
  const double recovery_ms = stream.until([&] { return account.acknowledged() > before; });
  stream.run(kBefore);
  const bool up_again = !sees(producer, BrokerState::kDown);
  (void)cluster.waitUntil([&] { return account.drained(); }, kGivesUp);
  std::vector<Row> figures{
      none("acknowledged by nobody", static_cast<double>(meanwhile)),
      atMost("said down after", said_ms, kBackAfterMs, "ms"),
      holds("down to the end", said_to_the_end),
      holds("up again", up_again),
      atMost("RECOVERY TIME", recovery_ms, kBackoffCapMs + kBackAfterMs, "ms"),
      none("without an end", static_cast<double>(account.underWay())),
  };
  append(figures, account.figures(Duplicates::kMayCome));
  return figures;
}

std::vector<Row> outageHonesty(Extent extent) {
  std::vector<Row> figures = named("30/s", outage(30, MockTime::kVirtual));
  append(figures, named("5000/s", outage(5'000, MockTime::kVirtual)));
  if (extent == Extent::kCi) return figures;
  append(figures, named("30/s over TCP", outage(30, MockTime::kReal)));
  append(figures, named("5000/s over TCP", outage(5'000, MockTime::kReal)));
  return figures;
}

// ---- R15

constexpr int kClients = 100;
constexpr Millis kDown{30'000};
constexpr Millis kAskedEvery{50};
constexpr double kAttemptsOfAMinute = 40;
constexpr double kWorstBucketPercent = 10;

struct Storm {
  double attempts = 0;      // a client and minute
  double worst_bucket = 0;  // percent of all attempts in the worst 100 ms
  double all_back_ms = 0;
};

/// A broker refuses its clients for a while, each of which asks for it all the time, and is there again.
Storm storm(int clients, std::uint64_t seed) {
  struct Seen {
    int total = 0;
    std::map<std::int64_t, int> buckets;  // of 100 ms
  };
  MockCluster cluster = startCluster({.time = MockTime::kVirtual, .seed = seed});
  std::deque<DefaultMQProducer> producers;
  std::vector<int> back(static_cast<std::size_t>(clients), 0);
  const auto ask = [&] {
    for (std::size_t i = 0; i < producers.size(); ++i) {
      producers[i].sendAsync(Message(kTopic, "x")).then([&back, i](const Result<SendResult>& result) {
        if (result) back[i] = 1;
      });
    }
    pass(cluster, kAskedEvery);
  };
  const auto allBack = [&] { return std::ranges::count(back, 1) == clients; };
  for (int i = 0; i < clients; ++i)
    producers.push_back(startProducer(cluster.client(), {.sendMsgTimeout = Millis{1'000}}));
  ask();
  if (!allBack()) mqbench::fail("not all clients could send before the outage");

  Seen seen;
  auto refused = std::make_optional(must(cluster.inject({.node = "broker-a",
                                                         .where =
                                                             [&seen](const Captured& connect) {
                                                               ++seen.total;
                                                               ++seen.buckets[connect.at.count() / 100];
                                                               return true;
                                                             }},
                                                        FaultAction::refuse()),
                                         "fault"));
  MockBroker broker = must(cluster.broker("broker-a"), "broker");
  must(broker.kill(), "kill");
  must(broker.start(), "start");
  for (Millis passed{0}; passed < kDown; passed += kAskedEvery) ask();
  refused.reset();
  std::ranges::fill(back, 0);
  Storm storm;
  for (; !allBack() && storm.all_back_ms < static_cast<double>(kGivesUp.count());
       storm.all_back_ms += static_cast<double>(kAskedEvery.count())) {
    ask();
  }
  int worst = 0;
  for (const auto& [when, attempts] : seen.buckets) worst = std::max(worst, attempts);
  const double minutes = static_cast<double>(kDown.count()) / 60'000;
  storm.attempts = static_cast<double>(seen.total) / clients / minutes;
  storm.worst_bucket = 100.0 * worst / std::max(seen.total, 1);
  (void)cluster.waitUntil([] { return false; }, Millis{2'000});  // what is under way ends before who counts it
  return storm;
}

std::vector<Row> noStorm(Extent extent) {
  const std::uint64_t seeds = extent == Extent::kCi ? 2 : 20;
  Storm worst;
  double one_client = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Storm all = storm(kClients, seed);
    worst.attempts = std::max(worst.attempts, all.attempts);
    worst.worst_bucket = std::max(worst.worst_bucket, all.worst_bucket);
    worst.all_back_ms = std::max(worst.all_back_ms, all.all_back_ms);
    // Who of a hundred connected cannot be seen from outside; one alone can.
    for (std::uint64_t alone = 1; alone <= 10; ++alone)
      one_client = std::max(one_client, storm(1, seed * 100 + alone).attempts);
  }
  return {told("clients", kClients),
          told("seeds", static_cast<double>(seeds)),
          atMost("attempts a client and minute", worst.attempts, kAttemptsOfAMinute),
          atMost("of one client alone", one_client, kAttemptsOfAMinute),
          atLeast("attempts at least", worst.attempts, 1),
          atMost("in the worst 100 ms", worst.worst_bucket, kWorstBucketPercent, "%"),
          atMost("RECOVERY TIME", worst.all_back_ms, kBackoffCapMs + kBackAfterMs, "ms")};
}

// ---- R16

constexpr Millis kKeepAlive{1'000};
constexpr Millis kDeadline{300};
constexpr Millis kStep{1};
constexpr double kOthersSlower = 1.5;

/// Sends to one queue, one after the other, timed in steps.
struct Sender {
  MQProducer& producer;
  MessageQueue queue;
  bool under_way = false;
  double took = 0;
  std::vector<double> ok{}, failed{};

  void step() {
    took += static_cast<double>(kStep.count());
    if (under_way) return;
    under_way = true;
    took = 0;
    producer.sendAsync(Message(kTopic, "x"), MessageQueueSelector(queue))
        .then([this](const Result<SendResult>& result) {
          (result ? ok : failed).push_back(took + static_cast<double>(kStep.count()));  // it ended within the next step
          under_way = false;
        });
  }
};

struct HalfOpen {
  double latest_ms = 0, replaced_ms = 0, others_alone_ms = 0, others_ms = 0;
};

HalfOpen halfOpen(std::uint64_t seed) {
  MockCluster cluster = startCluster({.brokers = 2, .time = MockTime::kVirtual, .seed = seed}, 1);
  ClientOptions client = cluster.client();
  client.heartbeatBrokerInterval = kKeepAlive;
  auto producer = startProducer(client, {.sendMsgTimeout = kDeadline, .retryTimesWhenSendFailed = 0});
  Sender gone{producer, MessageQueue(kTopic, "broker-a", 0)};
  Sender other{producer, MessageQueue(kTopic, "broker-b", 0)};
  const auto run = [&](auto until) {
    double passed = 0;
    for (; !until() && passed < 10'000; passed += static_cast<double>(kStep.count())) {
      gone.step();
      other.step();
      pass(cluster, kStep);
    }
    return passed;
  };
  HalfOpen figures;
  run([&] { return other.ok.size() >= 1'000; });
  figures.others_alone_ms = mqbench::quantile(other.ok, 0.99);
  other.ok.clear();
  const Fault fault = must(cluster.inject({.node = "broker-a", .nth = 1}, FaultAction::halfOpen()), "fault");
  run([&] { return !gone.failed.empty(); });
  gone.ok.clear();
  figures.replaced_ms = gone.failed.empty() ? 0 : gone.failed.front() + run([&] { return !gone.ok.empty(); });
  figures.latest_ms = gone.failed.empty() ? 0 : *std::ranges::max_element(gone.failed);
  figures.others_ms = mqbench::quantile(other.ok, 0.99);
  if (!other.failed.empty()) mqbench::fail("a send to the other broker failed");
  run([&] { return !gone.under_way && !other.under_way; });
  (void)cluster.waitUntil([&] { return !gone.under_way && !other.under_way; }, Millis{1'000});
  return figures;
}

std::vector<Row> halfOpenPeers(Extent extent) {
  const std::uint64_t seeds = extent == Extent::kCi ? 20 : 200;
  HalfOpen worst;
  double least_ms = static_cast<double>(kGivesUp.count());
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const HalfOpen one = halfOpen(seed);
    worst.latest_ms = std::max(worst.latest_ms, one.latest_ms);
    least_ms = std::min(least_ms, one.latest_ms);
    worst.replaced_ms = std::max(worst.replaced_ms, one.replaced_ms);
    worst.others_ms = std::max(worst.others_ms, one.others_ms);
    worst.others_alone_ms = std::max(worst.others_alone_ms, one.others_alone_ms);
  }
  const auto deadline = static_cast<double>(kDeadline.count());
  const auto step = static_cast<double>(kStep.count());
  return {told("seeds", static_cast<double>(seeds)),
          atLeast("sends end after", least_ms, deadline, "ms"),
          atMost("sends end by", worst.latest_ms, deadline + step, "ms"),
          atMost("RECOVERY TIME", worst.replaced_ms, 2 * static_cast<double>(kKeepAlive.count()), "ms"),
          told("p99 of others alone", worst.others_alone_ms, "ms"),
          atMost("p99 of others", worst.others_ms, kOthersSlower * worst.others_alone_ms, "ms")};
}

}  // namespace

std::vector<Promise> outagePromises() {
  return {{"R14", "an outage is said, not hidden", outageHonesty},
          {"R15", "a broker that comes back meets no storm", noStorm},
          {"R16", "a half-open peer is noticed and hurts nobody else", halfOpenPeers}};
}

}  // namespace mqsoak
