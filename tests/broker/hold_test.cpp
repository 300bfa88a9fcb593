#include <malloc.h>

#include <atomic>
#include <thread>

#include "broker_support.h"
#include "mock_broker/broker/pull.h"

namespace mqclient::broker {
namespace {

/// One run of a schedule drawn by a seed: a pull that waits races with sends.
struct Race {
  Race(std::uint64_t seed, const std::string& tags, const std::vector<std::string>& sent_tags,
       std::int64_t offset = 0) {
    auto engine = sim::makeSimEngine({.seed = seed, .schedule = sim::SimOptions::Schedule::kSeeded});
    auto network = remoting::InProcessNetwork::make();
    BrokerOptions options;
    options.engine = engine;
    options.transport = network;
    options.address = kBrokerAddress;
    const auto broker = *Broker::start(options);
    {
      TestClient consumer(engine, network, "consumer");
      TestClient producer(engine, network, "producer");
      consumer.createTopic(kTopic, 1);
      producer.send({.topic = "other"});  // both are connected
      engine->runUntilIdle();
      const auto pulled = consumer.longPull(offset, tags);
      std::vector<CallPtr> sent;
      for (const std::string& tag : sent_tags) sent.push_back(producer.sendTagged(tag, tag));
      engine->runUntilIdle();  // time stands still: no timer can repair a lost arrival
      for (const auto& call : sent) EXPECT_EQ(call->code(), ResponseCode::SUCCESS);
      answered = !pulled->pending();
      if (answered) {
        code = pulled->code();
        bodies = pulled->bodies();
      }
      broker->inspect([this](const Inspection& i) {
        was_held = i.counters().pulls_held > 0;
        EXPECT_EQ(i.counters().responders_dropped, 0U);
        held_now = i.heldPulls();
      });
      engine->runUntilIdle();
      broker->stop({});
      engine->runUntilIdle();
    }
    engine->runUntilIdle();
    schedule = engine->scheduleHash();
  }
  bool answered = false;
  bool was_held = false;
  ResponseCode code{};
  std::vector<std::string> bodies;
  std::size_t held_now = 0;
  std::uint64_t schedule = 0;
};

constexpr std::uint64_t kSeeds = 800;

// B6: whatever the order of hold, append and wake, a message that is stored reaches the pull that waits for it.
TEST(HoldTest, NoOrderLosesAnArrival) {
  int held = 0;
  int found_at_once = 0;
  std::set<std::uint64_t> schedules;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Race race(seed, "*", {"A", "B"});
    ASSERT_TRUE(race.answered) << "seed " << seed << ": a stored message did not reach the waiting pull";
    ASSERT_EQ(race.code, ResponseCode::SUCCESS);
    ASSERT_FALSE(race.bodies.empty());
    EXPECT_EQ(race.held_now, 0U);
    (race.was_held ? held : found_at_once) += 1;
    schedules.insert(race.schedule);
  }
  EXPECT_GT(held, 0);
  EXPECT_GT(found_at_once, 0) << "the pull came after the message in some runs";
  EXPECT_GT(schedules.size(), kSeeds / 2) << "orders that differ";
}

// The pull is ahead of the queue when it is checked, at its end when it is scanned, and behind it when it is held: what
// arrived since the scan is seen only because a hold reads the end again.
TEST(HoldTest, NoOrderLosesAnArrivalBetweenScanAndHold) {
  int held = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Race race(seed, "*", {"A", "B"}, 1);
    ASSERT_TRUE(race.answered) << "seed " << seed;
    if (race.code == ResponseCode::PULL_OFFSET_MOVED) continue;  // nothing had arrived yet: the client starts over
    ASSERT_EQ(race.code, ResponseCode::SUCCESS);
    EXPECT_EQ(race.bodies, std::vector<std::string>{"B"}) << "seed " << seed;
    held += race.was_held;
  }
  EXPECT_GT(held, 0);
}

TEST(HoldTest, NoOrderLosesTheArrivalThatMatches) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Race race(seed, "C", {"A", "B", "C"});
    ASSERT_TRUE(race.answered) << "seed " << seed;
    if (race.code == ResponseCode::PULL_RETRY_IMMEDIATELY) continue;  // scanned before C came: the client goes on
    ASSERT_EQ(race.code, ResponseCode::SUCCESS);
    EXPECT_EQ(race.bodies, std::vector<std::string>{"C"}) << "seed " << seed;
  }
}

TEST(HoldTest, NoOrderAnswersAPullThatNothingMatches) {
  for (std::uint64_t seed = 1; seed <= kSeeds / 5; ++seed) {
    const Race race(seed, "X", {"A", "B"});
    EXPECT_TRUE(!race.answered || race.code == ResponseCode::PULL_RETRY_IMMEDIATELY) << "seed " << seed;
    EXPECT_EQ(race.held_now, race.answered ? 0U : 1U);
  }
}

// The same with threads: each message is waited for, and nothing but its arrival ends the wait within the test's time.
TEST(HoldTest, ThreadsLoseNoArrival) {
  auto engine = *base::makeThreadedEngine({.io_threads = 2});
  auto network = remoting::InProcessNetwork::make();
  BrokerOptions options;
  options.engine = engine;
  options.transport = network;
  options.address = kBrokerAddress;
  const auto broker = *Broker::start(options);
  constexpr int kMessages = 3'000;
  constexpr int kQueues = 4;
  const auto invoke = [&](remoting::RemotingClient& client, RequestCode code, const auto& header, Chain body) {
    auto operation = base::makeOperation<RemotingCommand>(engine->callbackTarget());
    const std::int32_t opaque = engine->nextOpaque();
    client.invoke(kBrokerAddress, opaque, protocol::encodeRequest({.code = code, .opaque = opaque}, header, body),
                  engine->now() + 120s, std::move(operation.completion));
    return std::move(operation.future).get();
  };
  const auto makeClient = [&] { return RemotingClient::make(engine, network, base::Log::silent()); };
  {
    protocol::CreateTopicRequestHeader header;
    header.topic = kTopic;
    header.defaultTopic = "TBW102";
    header.readQueueNums = header.writeQueueNums = kQueues;
    header.perm = 6;
    const auto client = makeClient();
    ASSERT_TRUE(invoke(*client, RequestCode::UPDATE_AND_CREATE_TOPIC, header, {}));
    client->close({});
  }
  std::vector<std::thread> threads;
  std::atomic<int> received{0};
  std::atomic<int> expired{0};
  for (int queue = 0; queue < kQueues; ++queue) {
    threads.emplace_back([&, queue] {
      const auto client = makeClient();
      for (std::int64_t offset = 0; offset < kMessages;) {
        protocol::PullMessageRequestHeader header;
        header.consumerGroup = kGroup;
        header.topic = kTopic;
        header.queueId = queue;
        header.queueOffset = offset;
        header.sysFlag = kHeldPull;
        header.suspendTimeoutMillis = 60'000;
        header.subscription = "*";
        const auto answer = invoke(*client, RequestCode::PULL_MESSAGE, header, {});
        if (!answer || answer->responseCode() != ResponseCode::SUCCESS) {
          expired.fetch_add(1);
          break;
        }
        const auto found = protocol::decodeHeader<protocol::PullMessageResponseHeader>(answer->ext);
        received.fetch_add(static_cast<int>(found->nextBeginOffset - offset));
        offset = found->nextBeginOffset;
      }
      client->close({});
    });
    threads.emplace_back([&, queue] {
      const auto client = makeClient();
      for (int i = 0; i < kMessages; ++i) {
        protocol::SendMessageRequestHeaderV2 header;
        header.producerGroup = "producers";
        header.topic = kTopic;
        header.defaultTopic = "TBW102";
        header.queueId = queue;
        const auto answer = invoke(*client, RequestCode::SEND_MESSAGE_V2, header, Slice::copyOf("message"));
        ASSERT_TRUE(answer && answer->responseCode() == ResponseCode::SUCCESS);
      }
      client->close({});
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(expired.load(), 0);
  EXPECT_EQ(received.load(), kQueues * kMessages);
  auto stopped = base::makeOperation<void>(engine->callbackTarget());
  broker->stop(std::move(stopped.completion));
  EXPECT_TRUE(std::move(stopped.future).get());
}

// ---- C5

/// A client that only sends: what it costs is the frame, which is gone when send() returns.
struct Deaf final : remoting::ConnectionHandler {
  explicit Deaf(base::Engine& engine) : strand_(engine) {}
  base::Strand& strand() noexcept override { return strand_; }
  void onFrame(Chain&&) noexcept override { ++answers; }
  void onDropped(std::uint64_t, remoting::FrameFate) noexcept override {}
  void onClosed(const Error&) noexcept override { connection.reset(); }
  base::Strand strand_;
  Ref<remoting::Connection> connection;
  int answers = 0;
};

using Holds = BrokerTest;

TEST_F(Holds, HeldPullsStopNoSendOnTheirConnection) {
  constexpr std::size_t kPulls = 1'500;  // more than may be under way at once
  start();
  client->createTopic(kTopic, 2);
  std::vector<CallPtr> pulls;
  for (std::size_t i = 0; i < kPulls; ++i) pulls.push_back(client->longPull(0));
  ASSERT_EQ(held(), kPulls);
  EXPECT_EQ(client->send({.queueId = 1})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(held(), kPulls);
  EXPECT_EQ(client->send({.queueId = 0})->code(), ResponseCode::SUCCESS);
  engine->runUntilIdle();
  for (const CallPtr& pull : pulls) ASSERT_EQ(pull->code(), ResponseCode::SUCCESS);
}

TEST_F(Holds, PullsBeyondAConnectionsHoldsAreAnsweredAtOnce) {
  BrokerOptions options;
  options.server.held_per_connection_max = 2;
  start(options);
  client->createTopic(kTopic, 1);
  const CallPtr first = client->longPull(0);
  const CallPtr second = client->longPull(0);
  EXPECT_EQ(client->longPull(0)->code(), ResponseCode::PULL_NOT_FOUND);
  EXPECT_TRUE(first->pending() && second->pending());
  client->send({.queueId = 0});
  EXPECT_EQ(first->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(second->code(), ResponseCode::SUCCESS);
}

TEST_F(Holds, TenThousandHoldsFitInEightMebibytes) {
  constexpr std::size_t kHolds = 10'000;
  constexpr std::size_t kBytesMax = 8u << 20;
  static_assert(sizeof(PullRequest) * kHolds <= kBytesMax / 4 * 3, "the rest is texts, table entries, the session's");
  BrokerOptions options;
  options.server.held_per_connection_max = 2 * kHolds;
  start(options);
  client->createTopic(kTopic, 1);
  const auto raw = base::makeRef<Deaf>(*engine);
  network->connect(*engine, kBrokerAddress, raw, base::SteadyTime::max(),
                   Completion<Ref<remoting::Connection>>::of(
                       [&raw](Result<Ref<remoting::Connection>>&& c) { raw->connection = *std::move(c); }));
  engine->runUntilIdle();
  ASSERT_TRUE(raw->connection);
  protocol::PullMessageRequestHeader header;
  header.consumerGroup = "a-consumer-group-with-a-name-of-usual-length";
  header.topic = kTopic;
  header.sysFlag = kHeldPull;
  header.suspendTimeoutMillis = 15'000;
  header.subscription = "TagA || TagB";
  const auto hold = [&](std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      const std::int32_t opaque = engine->nextOpaque();
      raw->connection->send(protocol::encodeRequest({.code = RequestCode::PULL_MESSAGE, .opaque = opaque}, header), 0);
    }
    engine->runUntilIdle();
  };
  hold(1);
  ASSERT_EQ(held(), 1U);
  const std::size_t before = mallinfo2().uordblks;
  hold(kHolds);
  const std::size_t after = mallinfo2().uordblks;  // both are 0 under sanitizers, which count elsewhere
  ASSERT_EQ(held(), kHolds + 1);
  EXPECT_LE(after - before, kBytesMax) << (after - before) / kHolds << " bytes a hold";
  RecordProperty("bytes_per_hold", static_cast<int>((after - before) / kHolds));
  std::printf("bytes per hold: %zu (PullRequest %zu)\n", (after - before) / kHolds, sizeof(PullRequest));
  client->send({.queueId = 0, .properties = "TAGS\x01TagA\x02"});
  engine->runUntilIdle();
  EXPECT_EQ(raw->answers, static_cast<int>(kHolds) + 1) << "and all of them are woken";
  raw->connection->close(Error(ErrorCode::kClosed, "done"));
  engine->runUntilIdle();
}

}  // namespace
}  // namespace mqclient::broker
