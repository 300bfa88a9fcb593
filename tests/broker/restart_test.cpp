// A broker that ends and begins again on the same disk.
#include <algorithm>
#include <map>

#include "base/random.h"
#include "broker_support.h"
#include "mock_broker/store/memory_disk.h"

namespace mqclient::broker {
namespace {

using store::DiskOperation;
using Unflushed = store::MemoryDisk::Unflushed;

struct Restart : BrokerTest {
  void begin(BrokerOptions options = {}) {
    options.files = disk;
    start(std::move(options));
  }
  void begin(FlushDiskType flush) {
    BrokerOptions options;
    options.flushDiskType = flush;
    begin(std::move(options));
  }
  void end() {
    client.reset();
    stop();
    broker.reset();
  }
  void kill() {
    const auto killed = std::make_shared<int>(0);
    broker->kill(Completion<void>::of([killed](Result<void>&&) { ++*killed; }));
    engine->runUntilIdle();
    EXPECT_EQ(*killed, 1) << "nobody is waited for";
    client.reset();
    broker.reset();
  }
  void losePower(Unflushed unflushed = Unflushed::kGone) {
    kill();
    disk->powerLoss(unflushed);
  }
  CallPtr commit(std::int64_t offset) {
    return client->call(RequestCode::UPDATE_CONSUMER_OFFSET,
                        protocol::UpdateConsumerOffsetRequestHeader{
                            .consumerGroup = kGroup, .topic = kTopic, .queueId = 1, .commitOffset = offset});
  }
  std::optional<std::int64_t> committed() {
    std::optional<std::int64_t> offset;
    inspect([&](const Inspection& i) { offset = i.committedOffset(kGroup, kTopic, 1); });
    return offset;
  }
  std::vector<std::string> storedBodies() {
    std::vector<std::string> all;
    for (const StoredMessage& m : messages(kTopic)) all.push_back(m.body);
    return all;
  }
  /// A topic, a group and a committed offset.
  void furnish() {
    EXPECT_EQ(client->createTopic(kTopic, 4, 6, "+message.type=FIFO")->code(), ResponseCode::SUCCESS);
    EXPECT_EQ(client->heartbeat(kGroup, {{kTopic, "*"}})->code(), ResponseCode::SUCCESS);
    EXPECT_EQ(commit(17)->code(), ResponseCode::SUCCESS);
  }

  std::shared_ptr<store::MemoryDisk> disk = store::makeMemoryDisk(1);
};

TEST_F(Restart, AKilledBrokerComesBackWithEverythingItAnswered) {
  begin();
  furnish();
  EXPECT_EQ(client->send({.queueId = 3, .body = "one"})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->send({.topic = "MadeBySending", .body = "two"})->code(), ResponseCode::SUCCESS);
  std::vector<TopicConfig> topics;
  inspect([&](const Inspection& i) { topics = i.topicConfigs(); });
  kill();
  begin();
  inspect([&](const Inspection& i) {
    EXPECT_EQ(i.topicConfigs(), topics);
    const std::vector<std::string> groups = i.subscriptionGroups();
    EXPECT_EQ(std::ranges::count(groups, kGroup), 1);
  });
  EXPECT_EQ(storedBodies(), std::vector<std::string>{"one"});
  const auto sent = client->send({.topic = "MadeBySending", .body = "three"});
  EXPECT_EQ(sent->header<protocol::SendMessageResponseHeader>().queueOffset, 1);
}

TEST_F(Restart, OffsetsOfTheLastFiveSecondsAreWhatAKillCosts) {
  begin();
  furnish();
  engine->advance(5s);
  EXPECT_EQ(commit(20)->code(), ResponseCode::SUCCESS);
  engine->advance(4'999ms);
  kill();
  begin();
  EXPECT_EQ(committed(), 17);
  EXPECT_EQ(commit(30)->code(), ResponseCode::SUCCESS);
  end();
  begin();
  EXPECT_EQ(committed(), 30) << "an orderly end writes what is due";
}

TEST_F(Restart, TheTablesAreApachesFiles) {
  begin();
  furnish();
  end();
  const std::string topics = disk->read("config/topics.json").value();
  EXPECT_NE(
      topics.find(R"("TopicTest":{"attributes":{"message.type":"FIFO"},"order":false,"perm":6,"readQueueNums":4,)"
                  R"("topicFilterType":"SINGLE_TAG","topicName":"TopicTest","topicSysFlag":0,"writeQueueNums":4})"),
      std::string::npos)
      << topics;
  const std::string offsets = disk->read("config/consumerOffset.json").value();
  EXPECT_NE(offsets.find(R"("offsetTable":{"TopicTest@group":{"1":17}})"), std::string::npos) << offsets;
  EXPECT_NE(disk->read("config/subscriptionGroup.json").value().find(R"("groupName":"group")"), std::string::npos);
  // As Java's brokers write integer keys, and where they leave the file before the last.
  disk->remove("config/consumerOffset.json").value();
  const std::string theirs = "{\n\t\"offsetTable\":{\n\t\t\"TopicTest@group\":{0:3,1:99\n\t\t}\n\t}\n}";
  disk->append("config/consumerOffset.json.bak", std::as_bytes(std::span(theirs))).value();
  begin();
  EXPECT_EQ(committed(), 99);
}

TEST_F(Restart, APowerLossCostsNothingWhereFlushIsSynchronous) {
  for (int round = 0; round < 20; ++round) {
    begin(FlushDiskType::SYNC_FLUSH);
    EXPECT_EQ(storedBodies().size(), static_cast<std::size_t>(round * 3));
    std::vector<CallPtr> sends;
    for (int i = 0; i < 3; ++i) sends.push_back(client->send({.queueId = 0, .body = std::string(700, 'x')}));
    EXPECT_TRUE(sends.back()->pending()) << "answered before it is durable";
    engine->runUntilIdle();
    for (const auto& send : sends) EXPECT_EQ(send->code(), ResponseCode::SUCCESS);
    losePower(round % 2 == 0 ? Unflushed::kGone : Unflushed::kSome);
  }
}

TEST_F(Restart, APowerLossCostsOneIntervalWhereFlushIsNot) {
  begin(FlushDiskType::ASYNC_FLUSH);
  const auto send = [&](const std::string& body) {
    EXPECT_EQ(client->send({.queueId = 0, .body = body})->code(), ResponseCode::SUCCESS);
  };
  send("a");
  engine->advance(400ms);
  send("b");
  engine->advance(101ms);
  send("c");
  engine->advance(499ms);
  send("d");
  losePower();
  begin(FlushDiskType::ASYNC_FLUSH);
  EXPECT_EQ(storedBodies(), (std::vector<std::string>{"a", "b"}));
  send("e");
  engine->advance(500ms);
  losePower();
  begin(FlushDiskType::ASYNC_FLUSH);
  EXPECT_EQ(storedBodies(), (std::vector<std::string>{"a", "b", "e"}));
}

// R2, R24: the machine stops at each operation of a life in turn, whatever it was about.
TEST_F(Restart, WhateverOperationTheMachineStopsAtTheBrokerStartsWithWhatItAnswered) {
  constexpr std::size_t kKept = 9;  // three segments of four that are written, three records each
  std::size_t moments = 0;
  for (const Unflushed unflushed : {Unflushed::kGone, Unflushed::kSome}) {
    bool lived = false;
    for (std::uint64_t at = 1; !lived; ++at, ++moments) {
      ASSERT_LT(at, 1'000u);
      disk = store::makeMemoryDisk(at);
      BrokerOptions options;
      options.flushDiskType = FlushDiskType::SYNC_FLUSH;
      options.mappedFileSizeCommitLog = 4096;
      options.memoryLogBytesMax = 4 << 12;
      options.consumeQueueUnitsPerFile = 4;
      begin(options);
      std::vector<std::string> before;
      const auto send = [&](int i) {
        const std::string body = std::to_string(i) + std::string(1'000, '.');
        const auto sent = client->send({.queueId = 0, .body = body});
        engine->runUntilIdle();
        if (sent->code() == ResponseCode::SUCCESS) before.push_back(body);
      };
      furnish();
      send(0);
      engine->advance(5s);  // the offsets are written
      const std::uint64_t begun = disk->operations();
      disk->dieAt(at);
      for (int i = 1; i < 20; ++i) send(i);
      (void)commit(18);
      engine->advance(5s);
      (void)client->createTopic("Another", 2);
      lived = disk->operations() - begun < at;
      losePower(unflushed);
      begin(options);
      // The oldest may have gone with their segment; what is left has no gap.
      std::vector<std::string> left;
      for (const std::string& body : storedBodies()) {
        if (std::ranges::find(before, body) != before.end()) left.push_back(body);
      }
      ASSERT_LE(left.size(), before.size());
      EXPECT_GE(left.size(), std::min<std::size_t>(before.size(), kKept)) << "stopped at operation " << at;
      EXPECT_TRUE(std::equal(left.begin(), left.end(), before.end() - static_cast<std::ptrdiff_t>(left.size())))
          << "stopped at operation " << at;
      EXPECT_TRUE(committed() == 17 || committed() == 18) << "stopped at operation " << at;
      kill();
    }
  }
  EXPECT_GT(moments, 100u);
}

TEST_F(Restart, ASlowDiskIsSaidAndDelaysNobodyElse) {
  BrokerOptions options;
  options.flushDiskType = FlushDiskType::SYNC_FLUSH;
  options.syncFlushTimeout = 1s;
  begin(options);
  EXPECT_EQ(client->createTopic(kTopic, 1)->code(), ResponseCode::SUCCESS);
  client->send({.queueId = 0, .body = "durable"});
  engine->runUntilIdle();
  disk->setFlushDelay(2s);
  const auto slow = client->send({.queueId = 0, .body = "slow"});
  engine->advance(999ms);
  EXPECT_TRUE(slow->pending());
  EXPECT_EQ(client->pull({.sysFlag = protocol::kPullSubscription, .subscription = "*"})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->heartbeat(kGroup, {{kTopic, "*"}})->code(), ResponseCode::SUCCESS);
  engine->advance(1ms);
  EXPECT_EQ(slow->code(), ResponseCode::FLUSH_DISK_TIMEOUT);
  EXPECT_EQ(slow->header<protocol::SendMessageResponseHeader>().queueOffset, 1) << "it is stored all the same";
  disk->setFlushDelay({});
  engine->advance(1s);
  const auto quick = client->send({.queueId = 0, .body = "quick"});
  engine->runUntilIdle();
  EXPECT_EQ(quick->code(), ResponseCode::SUCCESS);
}

// R4: what is visible is durable.
TEST_F(Restart, AHeldFlushHidesItsMessages) {
  begin(FlushDiskType::SYNC_FLUSH);
  EXPECT_EQ(client->createTopic(kTopic, 1)->code(), ResponseCode::SUCCESS);
  client->heartbeat(kGroup, {{kTopic, "*"}});
  disk->setFlushDelay(2s);
  const auto pull = client->longPull(0);
  const auto sent = client->send({.queueId = 0, .body = "one"});
  const auto behind = client->send({.queueId = 0, .body = "two"});
  engine->advance(1'999ms);
  EXPECT_TRUE(pull->pending());
  EXPECT_TRUE(storedBodies().empty());
  disk->setFlushDelay({});
  engine->advance(1ms);
  EXPECT_EQ(sent->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(pull->bodies(), (std::vector<std::string>{"one", "two"})) << "and who waits is told";
  EXPECT_EQ(behind->header<protocol::SendMessageResponseHeader>().queueOffset, 1);
}

TEST_F(Restart, AnOffsetNeverShowsTwoMessagesInAThousandSeeds) {
  BrokerOptions options;
  options.flushDiskType = FlushDiskType::SYNC_FLUSH;
  options.mappedFileSizeCommitLog = 4096;
  options.memoryLogBytesMax = 1 << 20;
  std::size_t lost = 0;
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    base::Xoshiro256 chance(seed);
    disk = store::makeMemoryDisk(seed);
    std::map<std::int64_t, std::string> shown;
    int sent = 0;
    for (int life = 0; life < 3; ++life) {
      begin(options);
      for (int i = 0; i < 6; ++i) {
        // Some flushes are held, so that their messages are on the way when the power goes.
        disk->setFlushDelay(chance.below(3) == 0 ? base::Nanos(1s) : base::Nanos(0));
        client->send({.queueId = 0,
                      .body = std::to_string(sent++) + std::string(static_cast<std::size_t>(chance.below(900)), '.')});
        engine->runUntilIdle();
        for (const StoredMessage& m : messages(kTopic)) {
          const auto [known, fresh] = shown.emplace(m.queueOffset, m.body);
          ASSERT_EQ(known->second, m.body) << "offset " << m.queueOffset << ", seed " << seed;
        }
      }
      if (static_cast<std::size_t>(sent) > shown.size()) ++lost;
      losePower(Unflushed::kSome);
    }
  }
  EXPECT_GT(lost, 100u) << "else no offset was ever given twice";
}

TEST_F(Restart, AfterAFlushThatFailedNothingIsAcknowledged) {
  begin(FlushDiskType::SYNC_FLUSH);
  EXPECT_EQ(client->createTopic(kTopic, 1)->code(), ResponseCode::SUCCESS);
  client->send({.queueId = 0, .body = "durable"});
  engine->runUntilIdle();
  disk->failAt(DiskOperation::kSync, 1);
  const auto sent = client->send({.queueId = 0, .body = "doubtful"});
  engine->runUntilIdle();
  EXPECT_EQ(sent->code(), ResponseCode::FLUSH_DISK_TIMEOUT);
  EXPECT_EQ(client->send({.queueId = 0, .body = "refused"})->code(), ResponseCode::SERVICE_NOT_AVAILABLE);
  EXPECT_EQ(client->pull({.sysFlag = protocol::kPullSubscription, .subscription = "*"})->bodies(),
            std::vector<std::string>{"durable"})
      << "reading goes on";
  losePower();
  begin(FlushDiskType::SYNC_FLUSH);
  const auto again = client->send({.queueId = 0, .body = "again"});
  engine->runUntilIdle();
  EXPECT_EQ(again->code(), ResponseCode::SUCCESS);
}

// Found by the simulation: a flush that failed, a kill, a start, and then the power.
TEST_F(Restart, WhatAKilledBrokerComesBackWithIsDurableBeforeItIsShown) {
  for (const FlushDiskType flush : {FlushDiskType::SYNC_FLUSH, FlushDiskType::ASYNC_FLUSH}) {
    disk = store::makeMemoryDisk(1);
    begin(flush);
    disk->failAt(DiskOperation::kSync, 1);
    const auto sent = client->send({.queueId = 0, .body = "written, not flushed"});
    engine->runUntilIdle();
    kill();
    begin(flush);
    EXPECT_EQ(storedBodies(), std::vector<std::string>{"written, not flushed"});
    losePower();
    begin(flush);
    EXPECT_EQ(storedBodies(), std::vector<std::string>{"written, not flushed"});
    kill();
  }
}

TEST_F(Restart, AFullDiskIsAnAnswerAndRecoversByItself) {
  BrokerOptions options;
  options.mappedFileSizeCommitLog = 4096;
  options.memoryLogBytesMax = 1 << 20;
  begin(options);
  furnish();
  std::size_t stored = 0;
  const auto send = [&] {
    const ResponseCode code = client->send({.queueId = 0, .body = std::string(1'000, 'x')})->code();
    if (code == ResponseCode::SUCCESS) ++stored;
    return code;
  };
  EXPECT_EQ(send(), ResponseCode::SUCCESS);
  disk->setRoom(0);
  EXPECT_EQ(client->send({.queueId = 1, .body = "first of its queue"})->code(), ResponseCode::SERVICE_NOT_AVAILABLE);
  while (send() == ResponseCode::SUCCESS) {
  }
  EXPECT_EQ(send(), ResponseCode::SERVICE_NOT_AVAILABLE);
  EXPECT_EQ(client->pull({.sysFlag = protocol::kPullSubscription, .subscription = "*"})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(commit(18)->code(), ResponseCode::SUCCESS);
  disk->setRoom(std::nullopt);
  EXPECT_EQ(send(), ResponseCode::SUCCESS);
  EXPECT_EQ(storedBodies().size(), stored);
  kill();
  begin(options);
  EXPECT_EQ(storedBodies().size(), stored) << "refused ones do not come back";
}

TEST_F(Restart, AStoreOfOtherSizesIsRefusedByName) {
  begin();
  EXPECT_EQ(client->send({.body = "x"})->code(), ResponseCode::SUCCESS);
  end();
  BrokerOptions other;
  other.engine = engine;
  other.transport = network;
  other.address = kBrokerAddress;
  other.files = disk;
  other.mappedFileSizeCommitLog = 1 << 20;
  const auto started = Broker::start(other);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message(), "commitlog/00000000000000000000 has 8388608 bytes, expected 1048576");
}

TEST_F(Restart, AWrongWallClockStampsMessagesAndMovesNothingElse) {
  begin();
  EXPECT_EQ(client->createTopic(kTopic, 1)->code(), ResponseCode::SUCCESS);
  const std::int64_t before = engine->wallMillis();
  const auto held = client->longPull(0);
  broker->skewWallClock(60min);
  EXPECT_EQ(client->send({.body = "x"})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(messages(kTopic).front().storeTimestamp, before + 3'600'000);
  const auto waits = client->longPull(1);
  broker->skewWallClock(-60min);
  engine->advance(14'999ms);
  EXPECT_TRUE(waits->pending());
  engine->advance(1ms);
  EXPECT_EQ(waits->code(), ResponseCode::PULL_NOT_FOUND) << "its time is the steady clock's";
}

}  // namespace
}  // namespace mqclient::broker
