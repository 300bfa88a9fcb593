#include "broker_support.h"
#include "protocol/body/register_broker.h"
#include "protocol/hash.h"
#include "protocol/headers/namesrv.h"

namespace mqclient::broker {
namespace {

constexpr char kNameserver[] = "127.0.0.1:9876";
constexpr char kOther[] = "127.0.0.1:9877";

/// A nameserver that writes down what it hears.
struct ScriptedNameserver final : remoting::RequestHandler {
  ScriptedNameserver(base::Engine& e, Ref<remoting::Transport> network, std::string address)
      : engine(e), where(std::move(address)), transport(std::move(network)) {}
  void listen() {
    auto started = remoting::RemotingServer::start(Ref<base::Engine>(&engine), transport, where,
                                                   Ref<remoting::RequestHandler>(this), base::Log::silent());
    ASSERT_TRUE(started) << started.error().message();
    server = *std::move(started);
  }
  void close() {
    if (server) server->close({});
    server.reset();
  }
  void handle(remoting::Request&& request, remoting::Responder&& responder) noexcept override {
    if (request.command.requestCode() == RequestCode::UNREGISTER_BROKER) {
      ++unregistered;
    } else {
      EXPECT_EQ(request.command.requestCode(), RequestCode::REGISTER_BROKER);
      const auto header = protocol::decodeHeader<protocol::RegisterBrokerRequestHeader>(request.command.ext);
      ASSERT_TRUE(header);
      const std::string text = request.command.body.toString();
      EXPECT_EQ(static_cast<std::uint32_t>(header->bodyCrc32), protocol::crc32Masked(text));
      headers.push_back(*header);
      bodies.push_back(*protocol::RegisterBrokerBody::decode(text));
    }
    if (silent) return std::move(responder).discard(remoting::Discard::kInjectedFault);
    std::move(responder).answer(refuse ? ResponseCode::SYSTEM_ERROR : ResponseCode::SUCCESS);
  }
  const std::map<std::string, protocol::TopicConfig>& topics(std::size_t i) const {
    return bodies.at(i).topicConfigSerializeWrapper.topicConfigTable;
  }

  base::Engine& engine;
  const std::string where;
  const Ref<remoting::Transport> transport;
  Ref<remoting::RemotingServer> server;
  bool refuse = false;
  bool silent = false;
  int unregistered = 0;
  std::vector<protocol::RegisterBrokerRequestHeader> headers;
  std::vector<protocol::RegisterBrokerBody> bodies;
};

struct Topics : BrokerTest {
  void SetUp() override {
    BrokerTest::SetUp();
    nameserver = base::makeRef<ScriptedNameserver>(*engine, network, kNameserver);
    other = base::makeRef<ScriptedNameserver>(*engine, network, kOther);
  }
  void TearDown() override {
    BrokerTest::TearDown();
    nameserver->close();
    other->close();
  }
  void startRegistered(BrokerOptions options = {}) {
    nameserver->listen();
    options.namesrvAddrs = {kNameserver};
    start(std::move(options));
    engine->runUntilIdle();
  }
  Ref<ScriptedNameserver> nameserver, other;
};

TEST_F(Topics, SystemTopicsAreThereFromTheStart) {
  start();
  inspect([](const Inspection& i) {
    const std::map<std::string, std::pair<int, int>> wanted{{"SELF_TEST_TOPIC", {1, 6}},
                                                            {"TBW102", {8, 7}},
                                                            {"BenchmarkTest", {1024, 6}},
                                                            {"DefaultCluster", {16, 7}},
                                                            {"broker-a", {1, 7}},
                                                            {"OFFSET_MOVED_EVENT", {1, 6}},
                                                            {"SCHEDULE_TOPIC_XXXX", {18, 6}},
                                                            {"DefaultCluster_REPLY_TOPIC", {1, 6}},
                                                            {"RMQ_SYS_TRANS_HALF_TOPIC", {1, 6}},
                                                            {"RMQ_SYS_TRANS_OP_HALF_TOPIC", {1, 6}},
                                                            {"rmq_sys_wheel_timer", {1, 6}},
                                                            {"rmq_sys_REVIVE_LOG_DefaultCluster", {8, 6}},
                                                            {"rmq_sys_SYNC_BROKER_MEMBER_broker-a", {1, 1}}};
    std::map<std::string, std::pair<int, int>> found;
    for (const TopicConfig& t : i.topicConfigs()) found[t.topicName] = {t.readQueueNums, t.perm};
    EXPECT_EQ(found, wanted);
  });
}

TEST_F(Topics, MadeByRequest) {
  start();
  protocol::CreateTopicRequestHeader header;
  header.topic = "made";
  header.defaultTopic = "TBW102";
  header.readQueueNums = 8;
  header.writeQueueNums = 4;
  header.perm = 4;
  header.topicFilterType = "MULTI_TAG";
  header.order = true;
  header.attributes = "+message.type=FIFO";
  EXPECT_EQ(client->call(RequestCode::UPDATE_AND_CREATE_TOPIC, header)->code(), ResponseCode::SUCCESS);
  inspect([](const Inspection& i) {
    const auto made = i.topicConfig("made");
    ASSERT_TRUE(made);
    EXPECT_EQ(made->readQueueNums, 8);
    EXPECT_EQ(made->writeQueueNums, 4);
    EXPECT_EQ(made->perm, 4);
    EXPECT_TRUE(made->multiTag);
    EXPECT_TRUE(made->order);
    EXPECT_EQ(made->attributes, (std::map<std::string, std::string>{{"message.type", "FIFO"}}));
  });
  // The broker does not look at the write bit of an ordinary send: the route keeps producers away.
  EXPECT_EQ(client->send({.topic = "made", .queueId = 7})->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->send({.topic = "made", .queueId = 8})->code(), ResponseCode::INVALID_PARAMETER);
}

TEST_F(Topics, WhatCannotBeMade) {
  start();
  for (const std::string name : {"a/b", "TBW102", "rmq_sys_x", "SCHEDULE_TOPIC_XXXX", "DefaultCluster", "broker-a"}) {
    EXPECT_EQ(client->createTopic(name, 4)->code(), ResponseCode::INVALID_PARAMETER) << name;
  }
  for (const std::string attributes : {"+queue.type=BatchCQ", "+cleanup.policy=COMPACTION", "+message.type=MIXED",
                                       "+unknown=1", "message.type=FIFO", "+message.type", "+message.type=", ","}) {
    EXPECT_EQ(client->createTopic("topic", 4, 6, attributes)->code(), ResponseCode::SYSTEM_ERROR) << attributes;
  }
  inspect([](const Inspection& i) { EXPECT_FALSE(i.topicConfig("topic")); });
  EXPECT_EQ(client->createTopic("topic", 4, 6, "+queue.type=SimpleCQ,+reserve.time=-1,-message.type")->code(),
            ResponseCode::SUCCESS);
}

TEST_F(Topics, QueuesAreBounded) {
  start({.queues_per_topic_max = 16});
  EXPECT_EQ(client->createTopic("topic", 15)->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->createTopic("topic", 16)->code(), ResponseCode::SUCCESS);
  EXPECT_EQ(client->createTopic("topic", 17)->code(), ResponseCode::INVALID_PARAMETER);
}

TEST_F(Topics, ByTheHandle) {
  start();
  std::optional<Result<void>> done;
  const auto update = [&](std::string name) {
    done.reset();
    TopicConfig config;
    config.topicName = std::move(name);
    config.readQueueNums = config.writeQueueNums = 2;
    broker->updateTopic(config, Completion<void>::of([&done](Result<void>&& r) { done = std::move(r); }));
    return done.has_value() && done->has_value();
  };
  EXPECT_TRUE(update("mine"));
  EXPECT_FALSE(update("not mine"));
  EXPECT_EQ(done->error().code(), ErrorCode::kInvalidArgument);
  EXPECT_FALSE(update("TBW102"));
  inspect([](const Inspection& i) { EXPECT_EQ(i.topicConfig("mine")->readQueueNums, 2); });
  stop();
  EXPECT_FALSE(update("late"));
  EXPECT_EQ(done->error().code(), ErrorCode::kClosed);
}

// ---- registration

TEST_F(Topics, RegistersAtOnceWithEverything) {
  nameserver->listen();
  other->listen();
  BrokerOptions options;
  options.brokerName = "broker-b";
  options.brokerClusterName = "cluster";
  options.namesrvAddrs = {kNameserver, kOther};
  start(options);
  for (const auto& n : {nameserver, other}) {
    ASSERT_EQ(n->headers.size(), 1U);
    EXPECT_EQ(n->headers[0].brokerName, "broker-b");
    EXPECT_EQ(n->headers[0].brokerAddr, kBrokerAddress);
    EXPECT_EQ(n->headers[0].clusterName, "cluster");
    EXPECT_EQ(n->headers[0].brokerId, 0);
    EXPECT_EQ(n->topics(0).size(), 13U);
    EXPECT_EQ(n->topics(0).at("TBW102").perm, 7);
  }
  int registered = 0;
  broker->whenRegistered(Completion<void>::of([&registered](Result<void>&&) { ++registered; }));
  EXPECT_EQ(registered, 1);
}

TEST_F(Topics, ANewTopicIsToldBeforeTheAnswer) {
  startRegistered();
  EXPECT_EQ(client->createTopic(kTopic, 4)->code(), ResponseCode::SUCCESS);
  ASSERT_EQ(nameserver->bodies.size(), 2U);
  EXPECT_EQ(nameserver->topics(1).size(), 1U) << "only what changed";
  EXPECT_EQ(nameserver->topics(1).at(kTopic).writeQueueNums, 4);
  EXPECT_GT(nameserver->bodies[1].topicConfigSerializeWrapper.dataVersion.counter,
            nameserver->bodies[0].topicConfigSerializeWrapper.dataVersion.counter);
  client->createTopic(kTopic, 4);
  EXPECT_EQ(nameserver->bodies.size(), 2U) << "the same again is no change";
  client->send({.topic = "automatic"});
  client->heartbeat(kGroup, {{kTopic, "*"}});
  ASSERT_EQ(nameserver->bodies.size(), 4U);
  EXPECT_TRUE(nameserver->topics(2).contains("automatic"));
  EXPECT_TRUE(nameserver->topics(3).contains("%RETRY%group"));
}

TEST_F(Topics, EveryThirtySecondsWithEverything) {
  startRegistered();
  engine->advance(29'999ms);
  EXPECT_EQ(nameserver->bodies.size(), 1U);
  engine->advance(1ms);
  ASSERT_EQ(nameserver->bodies.size(), 2U);
  EXPECT_EQ(nameserver->topics(1).size(), 13U);
  engine->advance(30s);
  EXPECT_EQ(nameserver->bodies.size(), 3U);
}

TEST_F(Topics, ARefusedRegistrationIsRepeatedInFull) {
  nameserver->refuse = true;
  startRegistered();
  EXPECT_EQ(nameserver->bodies.size(), 1U);
  EXPECT_EQ(client->createTopic(kTopic, 4)->code(), ResponseCode::SUCCESS) << "it must not wait for ever";
  nameserver->refuse = false;
  engine->advance(1s);
  ASSERT_EQ(nameserver->bodies.size(), 2U);
  EXPECT_TRUE(nameserver->topics(1).contains(kTopic));
  EXPECT_TRUE(nameserver->topics(1).contains("TBW102"));
}

TEST_F(Topics, ANameserverThatComesLateIsFound) {
  BrokerOptions options;
  options.namesrvAddrs = {kNameserver, kOther};
  other->listen();
  start(options);
  bool registered = false;
  broker->whenRegistered(Completion<void>::of([&registered](Result<void>&&) { registered = true; }));
  engine->advance(5s);
  EXPECT_TRUE(registered) << "one that is not there is not waited for longer than its time";
  EXPECT_EQ(other->bodies.size(), 1U);
  nameserver->listen();
  engine->advance(60s);
  ASSERT_FALSE(nameserver->bodies.empty());
  EXPECT_EQ(nameserver->topics(0).size(), 13U);
}

TEST_F(Topics, WhoWaitsForANameserverHearsOfItsAcceptanceAndOfNothingElse) {
  BrokerOptions options;
  options.namesrvAddrs = {kNameserver, kOther};
  other->refuse = true;
  other->listen();
  start(options);
  std::vector<std::string> heard;
  const auto wait = [&](const char* for_whom) {
    broker->whenKnownTo(for_whom, Completion<void>::of([&heard, for_whom](Result<void>&& known) {
                          heard.push_back(std::string(for_whom) + (known ? "" : ": stopped"));
                        }));
  };
  wait("");
  wait(kNameserver);
  wait(kOther);
  engine->advance(40s);
  EXPECT_TRUE(heard.empty()) << "one is not there, one refuses";
  nameserver->listen();
  engine->advance(60s);
  EXPECT_EQ(heard, (std::vector<std::string>{"", kNameserver}));
  wait("");
  EXPECT_EQ(heard.size(), 3U) << "it is known already";
  broker->stop({});
  EXPECT_EQ(heard.back(), std::string(kOther) + ": stopped");
}

TEST_F(Topics, TheAddressThatIsToldIsBrokerIP1WithThePortListenedAt) {
  BrokerOptions options;
  options.namesrvAddrs = {kNameserver};
  options.brokerIP1 = "10.0.0.5";
  nameserver->listen();
  start(options);
  ASSERT_FALSE(nameserver->headers.empty());
  EXPECT_EQ(nameserver->headers[0].brokerAddr, "10.0.0.5:10911");
  EXPECT_EQ(broker->address(), kBrokerAddress) << "where it listens";
}

TEST_F(Topics, ASilentNameserverDelaysNobodyForLong) {
  nameserver->silent = true;
  nameserver->listen();
  BrokerOptions options;
  options.namesrvAddrs = {kNameserver};
  start(options);
  bool registered = false;
  broker->whenRegistered(Completion<void>::of([&registered](Result<void>&&) { registered = true; }));
  const auto created = client->createTopic(kTopic, 4);
  EXPECT_TRUE(created->pending());
  engine->advance(2s);
  EXPECT_EQ(created->code(), ResponseCode::SUCCESS);
  EXPECT_FALSE(registered);
  engine->advance(25s);
  EXPECT_TRUE(registered);
}

TEST_F(Topics, ReadOnlyBrokersSaySo) {
  startRegistered({.brokerPermission = 4});
  EXPECT_EQ(nameserver->topics(0).at("BenchmarkTest").perm, 4);
}

TEST_F(Topics, AStopUnregisters) {
  startRegistered();
  stop();
  EXPECT_EQ(nameserver->unregistered, 1);
  engine->advance(120s);
  EXPECT_EQ(nameserver->bodies.size(), 1U) << "and stays away";
  EXPECT_EQ(engine->armedTimers(), 0U) << engine->pendingReport();
}

TEST_F(Topics, OptionsAreCheckedAllAtOnce) {
  BrokerOptions options;
  options.engine = engine;
  options.transport = network;
  options.address = "nowhere";
  options.brokerName = "a b";
  options.defaultTopicQueueNums = 0;
  options.memoryLogBytesMax = 1;
  const auto refused = Broker::start(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  for (const char* word : {"nowhere", "a b", "defaultTopicQueueNums", "memoryLogBytesMax"}) {
    EXPECT_NE(refused.error().message().find(word), std::string::npos) << word;
  }
}

TEST_F(Topics, AnAddressThatIsTaken) {
  start();
  BrokerOptions options;
  options.engine = engine;
  options.transport = network;
  options.address = kBrokerAddress;
  const auto second = Broker::start(options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kUnreachable);
}

}  // namespace
}  // namespace mqclient::broker
