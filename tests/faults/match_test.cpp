// Which frames a fault meets, and how often.
#include "mock_broker/faults/recording.h"
#include "protocol/json.h"
#include "tests/faults/faults_fixture.h"

namespace mqclient::faults {
namespace {

class Matching : public FaultsTest {
 protected:
  std::string complaintAbout(Match match, FaultAction action = FaultAction::drop()) {
    const auto refused = cluster.inject(std::move(match), std::move(action));
    if (refused) return "accepted";
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
    return refused.error().message();
  }
  /// How often a fault on the next send fires.
  int firedBySend(Match match) {
    Fault fault = inject(std::move(match), FaultAction::delayBefore(0ms));
    fault.optional();
    send("a").value();
    return fault.fired();
  }
};

TEST_F(Matching, EachFieldThatIsSetMustFit) {
  Match exact;
  exact.code = kSend;
  exact.topic = "orders";
  exact.group = "shop";
  exact.node = "broker-a";
  exact.role = NodeRole::kBroker;
  exact.clientId = producer->clientId();
  exact.queueId = 0;
  exact.direction = FrameDirection::kToNode;
  EXPECT_EQ(firedBySend(exact), 1);
  exact.connection = cluster.requests(exact).back().connection;
  EXPECT_EQ(firedBySend(exact), 1);
  exact.where = [](const Captured& seen) { return seen.body == "a"; };
  EXPECT_EQ(firedBySend(exact), 1);

  const std::vector<std::pair<const char*, std::function<void(Match&)>>> misfits{
      {"code", [](Match& m) { m.code = RequestCode::HEART_BEAT; }},
      {"topic", [](Match& m) { m.topic = "other"; }},
      {"group", [](Match& m) { m.group = "other"; }},
      {"node", [](Match& m) { m = {.code = kSend, .node = "nameserver-0"}; }},
      {"role", [](Match& m) { m = {.code = kSend, .role = NodeRole::kNameserver}; }},
      {"clientId", [](Match& m) { m.clientId = "other"; }},
      {"queueId", [](Match& m) { m.queueId = 1; }},
      {"connection", [](Match& m) { m.connection = 999; }},
      {"where", [](Match& m) { m.where = [](const Captured&) { return false; }; }},
      {"probability", [](Match& m) { m.probability = 0; }},
  };
  for (const auto& [field, spoil] : misfits) {
    Match match = exact;
    spoil(match);
    EXPECT_EQ(firedBySend(match), 0) << field;
  }
}

TEST_F(Matching, EveryRuleCountsAndTheFirstThatIsDueActs) {
  Fault second = inject({.code = kSend, .nth = 2}, FaultAction::drop());
  Fault each = inject({.code = kSend}, FaultAction::duplicate());
  Fault third = inject({.code = kSend, .nth = 3}, FaultAction::drop());
  third.optional();
  EXPECT_TRUE(send("a"));
  EXPECT_FALSE(send("b"));
  EXPECT_TRUE(send("c"));
  EXPECT_EQ(stored(), (Bodies{"a", "a", "c", "c"}));
  EXPECT_EQ(second.fired(), 1);
  EXPECT_EQ(each.fired(), 2);
  EXPECT_EQ(third.fired(), 0) << "the one before it had acted already";
}

TEST_F(Matching, ATimeWindowOpensAndCloses) {
  Fault fault = inject({.code = kSend, .from = 1s, .until = 2s}, FaultAction::duplicate());
  send("before").value();
  advance(1s);
  send("within").value();
  advance(1s);
  send("after").value();
  EXPECT_EQ(stored(), (Bodies{"before", "within", "within", "after"}));
}

TEST_F(Matching, ProbabilityIsDrawnFromTheSeed) {
  const auto pattern = [](std::uint64_t seed) {
    MockCluster seeded = MockCluster::start({.time = MockTime::kVirtual, .seed = seed}).value();
    auto sender = DefaultMQProducer::start("p", seeded.client()).value();
    Fault fault = seeded.inject({.code = kSend, .probability = 0.5}, FaultAction::delayBefore(0ms)).value();
    std::string fired;
    for (int i = 0, before = 0; i < 200; ++i, before = fault.fired()) {
      sender.send(Message("orders", "a")).value();
      fired += fault.fired() > before ? 'x' : '.';
    }
    EXPECT_GT(fault.fired(), 60);
    EXPECT_LT(fault.fired(), 140);
    return fired;
  };
  EXPECT_EQ(pattern(7), pattern(7));
  EXPECT_NE(pattern(7), pattern(8));
}

TEST_F(Matching, WhatCanNeverMatchIsRefusedAndSaysWhatThereIs) {
  EXPECT_NE(complaintAbout({.node = "broker-z"}).find("there is no node broker-z; there are: nameserver-0, broker-a"),
            std::string::npos)
      << complaintAbout({.node = "broker-z"});
  EXPECT_NE(complaintAbout({.node = "broker-a", .role = NodeRole::kNameserver}).find("of that role"),
            std::string::npos);
  const std::string all = complaintAbout({.nth = -1, .probability = 1.5, .from = 2s, .until = 1s});
  for (const char* word : {"nth is -1", "probability is 1.5", "the time window from 2000 ms until 1000 ms"}) {
    EXPECT_NE(all.find(word), std::string::npos) << all;
  }
  EXPECT_NE(complaintAbout({.code = kSend}, FaultAction::refuse()).find("match role and node only"), std::string::npos);
  EXPECT_FALSE(cluster.hold({.node = "broker-z"}));
}

TEST_F(Matching, AnActionThatDoesNothingIsRefused) {
  for (const FaultAction& action : {FaultAction::delayBefore(-1ms), FaultAction::delayAfter(-1ms),
                                    FaultAction::flipBits(0), FaultAction::throttle(0)}) {
    EXPECT_NE(complaintAbout({}, action).find(toString(action.verb())), std::string::npos);
  }
}

TEST_F(Matching, AFaultThatNeverFiredIsListedUnlessItIsOptional) {
  {
    Fault idle = inject({.code = RequestCode::PULL_MESSAGE, .topic = "orders", .node = "broker-a", .nth = 2},
                        FaultAction::drop());
    EXPECT_EQ(idle.fired(), 0);
    EXPECT_EQ(cluster.faultsNeverFired(),
              std::vector<std::string>{"PULL_MESSAGE of topic orders at broker-a, number 2: drop"});
    idle.optional();
    EXPECT_TRUE(cluster.faultsNeverFired().empty());
  }
  MockCluster other = MockCluster::start({.time = MockTime::kVirtual}).value();
  { const auto gone = other.hold({.code = kSend}).value(); }
  EXPECT_EQ(other.faultsNeverFired(), std::vector<std::string>{"SEND_MESSAGE_V2: hold"}) << "also when it is gone";
}

TEST_F(Matching, TheEndOfTheHandleClearsTheFault) {
  {
    Fault fault = inject({.code = kSend}, FaultAction::drop());
    EXPECT_FALSE(send("a"));
  }
  EXPECT_TRUE(send("b"));
}

TEST_F(Matching, WhatABrokerAsksIsMatchedToo) {
  Taken taken;
  auto consumer =
      DefaultMQPushConsumer::start("billing", {{"orders"}}, taken.listener(), cluster.client(), kFromFirst).value();
  Fault fault = inject({.code = RequestCode::NOTIFY_CONSUMER_IDS_CHANGED, .direction = FrameDirection::kFromNode},
                       FaultAction::drop());
  auto another =
      DefaultMQPushConsumer::start("billing", {{"orders"}}, taken.listener(), cluster.client(), kFromFirst).value();
  ASSERT_TRUE(cluster.waitUntil([&] { return fault.fired() > 0; }));
  EXPECT_EQ(cluster.requests({.code = RequestCode::NOTIFY_CONSUMER_IDS_CHANGED}).front().group, "billing");
}

// ---- what is captured

TEST_F(Matching, RecordingBeginsWithTheFirstCallThatAsks) {
  EXPECT_TRUE(cluster.faultsNeverFired().empty());  // does not
  send("unseen").value();
  EXPECT_TRUE(cluster.requests().empty());
  send("seen").value();
  const std::vector<Captured> sends = cluster.requests({.code = kSend});
  ASSERT_EQ(sends.size(), 2u) << "the request and its reply";
  EXPECT_EQ(sends[0].body, "seen");
}

TEST_F(Matching, RecordedFromTheStartEvenRegistrationsAreThere) {
  MockCluster recorded = MockCluster::start({.time = MockTime::kVirtual, .recordFromStart = true}).value();
  const auto registered = recorded.requests({.code = RequestCode::REGISTER_BROKER});
  ASSERT_EQ(registered.size(), 2u);
  EXPECT_EQ(registered[0].role, NodeRole::kNameserver);
  EXPECT_EQ(registered[0].node, "nameserver-0");
  EXPECT_EQ(registered[0].extFields.at("brokerName"), "broker-a");
}

TEST_F(Matching, ACapturedFrameSaysWhatItWas) {
  (void)cluster.requests();
  advance(250ms);
  send("hello").value();
  const auto seen = cluster.requests({.topic = "orders"});
  ASSERT_EQ(seen.size(), 2u);
  const Captured& request = seen[0];
  const Captured& reply = seen[1];
  EXPECT_EQ(request.code, kSend);
  EXPECT_EQ(request.to, cluster.broker("broker-a")->address());
  EXPECT_EQ(request.from, reply.to);
  EXPECT_EQ(request.group, "shop");
  EXPECT_EQ(request.queueId, 0);
  EXPECT_EQ(request.body, "hello");
  EXPECT_EQ(request.responseCode, -1);
  EXPECT_EQ(request.extFields.at("b"), "orders");
  EXPECT_EQ(request.direction, FrameDirection::kToNode);
  EXPECT_EQ(request.clientId, producer->clientId());
  EXPECT_FALSE(request.oneway);
  EXPECT_GE(request.at, 250ms);
  EXPECT_NE(request.raw.find("hello"), std::string::npos);
  EXPECT_EQ(reply.code, kSend) << "found by opaque";
  EXPECT_EQ(reply.opaque, request.opaque);
  EXPECT_EQ(reply.responseCode, 0);
  EXPECT_EQ(reply.topic, "orders");
  EXPECT_EQ(reply.direction, FrameDirection::kFromNode);
  EXPECT_EQ(reply.extFields.count("msgId"), 1u);
}

TEST_F(Matching, TheTraceIsOneJsonObjectALine) {
  Fault fault = inject({.code = kSend, .nth = 1}, FaultAction::finish());
  send("a").value();
  const std::string trace = cluster.trace();
  std::vector<std::string> events;
  for (std::size_t at = 0; at < trace.size(); at = trace.find('\n', at) + 1) {
    protocol::JsonReader line(std::string_view(trace).substr(at, trace.find('\n', at) - at));
    ASSERT_TRUE(line.object([&](const protocol::JsonReader::Key& key) {
      if (key.text != "event") return line.skip();
      return line.readString(events.emplace_back());
    })) << line.error("the trace");
    EXPECT_TRUE(line.atEnd());
  }
  EXPECT_EQ(events, (std::vector<std::string>{"fault injected", "request", "reply", "connection closed"}));
  EXPECT_NE(trace.find(R"("name":"SEND_MESSAGE_V2")"), std::string::npos);
  EXPECT_NE(trace.find(R"("fault":"finish")"), std::string::npos);
}

TEST(Recording, KeepsTheLastEventsAndABoundOfBytes) {
  Recording recording;
  for (std::size_t i = 0; i < Recording::kEventsMax + 10; ++i) recording.addEvent({}, "tick", std::to_string(i));
  EXPECT_EQ(recording.trace().find("\"tick\",\"about\":\"9\"}"), std::string::npos);
  EXPECT_NE(recording.trace().find("\"tick\",\"about\":\"10\"}"), std::string::npos);

  Captured large;
  large.raw.assign(1u << 20, 'x');
  for (int i = 0; i < 70; ++i) {
    large.opaque = i;
    recording.addFrame(large);
  }
  const auto frames = recording.frames({});
  ASSERT_EQ(frames.size(), Recording::kBytesMax >> 20);
  EXPECT_EQ(frames.back().opaque, 69);
}

}  // namespace
}  // namespace mqclient::faults
