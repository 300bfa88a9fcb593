#include "remoting/remoting_server.h"

#include "malformed_frames.h"
#include "remoting_support.h"

namespace mqclient::remoting {
namespace {

class RemotingServerTest : public RemotingTest {
 protected:
  void TearDown() override {
    for (const Ref<RawEnd>& end : clients_) {
      if (end->connection) end->connection->close(Error(ErrorCode::kClosed, "the test ends"));
    }
    RemotingTest::TearDown();
  }
  RawEnd& connected() {
    clients_.push_back(connectRaw());
    return *clients_.back();
  }
  void ask(RawEnd& client, Chain frame) {
    if (client.connection) client.connection->send(std::move(frame), 0);
  }
  const RemotingServerCounters& counters() const { return server_->counters(); }
  std::vector<Ref<RawEnd>> clients_;
};

// ---- requests and answers

TEST_F(RemotingServerTest, RequestsReachTheHandlerInOrderWithTheirPeer) {
  startServer();
  RawEnd& a = connected();
  RawEnd& b = connected();
  ask(a, requestFrame(1, RequestCode::SEND_MESSAGE_V2, "body"));
  ask(b, requestFrame(2));
  ask(a, requestFrame(3));
  ASSERT_EQ(handler_->held.size(), 3u);
  const auto& first = handler_->held[0].request;
  EXPECT_EQ(first.command.requestCode(), RequestCode::SEND_MESSAGE_V2);
  EXPECT_EQ(first.command.body.toString(), "body");
  EXPECT_EQ(first.peer->address(), a.connection->localAddress());
  EXPECT_EQ(first.peer->localAddress(), kAddress);
  EXPECT_EQ(first.peer->id(), handler_->held[2].request.peer->id());
  EXPECT_NE(first.peer->id(), handler_->held[1].request.peer->id());
  EXPECT_EQ(handler_->held[2].request.command.opaque, 3);
}

TEST_F(RemotingServerTest, AnswersGoOutInTheOrderAndTheFormatOfTheHandlersChoice) {
  startServer();
  RawEnd& client = connected();
  ask(client, requestFrame(1, RequestCode::HEART_BEAT, {}, protocol::Oneway::kNo, SerializeType::JSON));
  ask(client, requestFrame(2));
  auto first = handler_->take();
  auto second = handler_->take();
  std::move(second.responder).answer(ResponseCode::SUCCESS);
  std::move(first.responder).answer(ResponseCode::TOPIC_NOT_EXIST, "no such topic");
  ASSERT_EQ(client.frames.size(), 2u);
  EXPECT_EQ(client.command(0).opaque, 2);
  EXPECT_EQ(client.command(0).serializeType, SerializeType::ROCKETMQ);
  EXPECT_TRUE(client.command(0).isResponse());
  EXPECT_EQ(client.command(1).opaque, 1);
  EXPECT_EQ(client.command(1).serializeType, SerializeType::JSON);
  EXPECT_EQ(client.command(1).responseCode(), ResponseCode::TOPIC_NOT_EXIST);
  EXPECT_EQ(client.command(1).remark(), "no such topic");
}

TEST_F(RemotingServerTest, WithoutAHandlerEveryCodeIsNotSupported) {
  server_ = *RemotingServer::start(engine_, network_, kAddress, nullptr, log_);
  RawEnd& client = connected();
  ask(client, requestFrame(1, static_cast<RequestCode>(4711)));
  ask(client, onewayFrame(2));
  ASSERT_EQ(client.frames.size(), 1u);
  EXPECT_EQ(client.command(0).responseCode(), ResponseCode::REQUEST_CODE_NOT_SUPPORTED);
  EXPECT_EQ(client.command(0).remark(), " request type 4711 not supported");
}

TEST_F(RemotingServerTest, AOnewayRequestIsNeverAnsweredWhateverHappensToIt) {
  startServer({.in_flight_per_connection_max = 3});
  RawEnd& client = connected();
  for (int i = 0; i < 4; ++i) ask(client, onewayFrame(i));  // the fourth is beyond the limit and waits
  ASSERT_EQ(handler_->held.size(), 3u);
  std::move(handler_->take().responder).answer(ResponseCode::SUCCESS);
  std::move(handler_->take().responder).discard(Discard::kOneway);
  handler_->take();  // dropped
  EXPECT_EQ(handler_->held.size(), 1u);
  handler_->take();
  EXPECT_TRUE(client.frames.empty());
  EXPECT_EQ(counters().responders_dropped.load(), 0u);
}

TEST_F(RemotingServerTest, ADroppedResponderAnswersSystemErrorAndIsCounted) {
  expected_drops_ = 2;
  startServer();
  RawEnd& client = connected();
  ask(client, requestFrame(1));
  ask(client, requestFrame(2));
  handler_->take();
  auto second = handler_->take();
  second.responder = Responder();  // assigning over one drops it too
  ASSERT_EQ(client.frames.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(client.command(i).responseCode(), ResponseCode::SYSTEM_ERROR);
    EXPECT_FALSE(client.command(i).remark().empty());
  }
}

TEST_F(RemotingServerTest, DiscardIsSilence) {
  startServer({.in_flight_per_connection_max = 1});
  RawEnd& client = connected();
  for (const Discard why :
       {Discard::kPeerGone, Discard::kUnknownTransactionState, Discard::kInjectedFault, Discard::kStopping}) {
    ask(client, requestFrame(1));
    std::move(handler_->take().responder).discard(why);  // and the request is no longer in flight
  }
  EXPECT_TRUE(client.frames.empty());
}

TEST_F(RemotingServerTest, AResponderAnswersOnce) {
  startServer();
  RawEnd& client = connected();
  ask(client, requestFrame(1));
  Responder r = std::move(handler_->held.front().responder);
  std::move(r).answer(ResponseCode::SUCCESS);
  std::move(r).answer(ResponseCode::SYSTEM_ERROR);  // NOLINT(bugprone-use-after-move): that is the question
  std::move(r).discard(Discard::kStopping);         // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(client.frames.size(), 1u);
}

TEST_F(RemotingServerTest, AnAnswerToAPeerThatIsGoneGoesNowhere) {
  startServer();
  RawEnd& client = connected();
  ask(client, requestFrame(1));
  client.connection->close(Error(ErrorCode::kClosed, "bye"));
  EXPECT_EQ(handler_->peers_closed, 1);
  EXPECT_FALSE(handler_->peer->open());
  std::move(handler_->take().responder).answer(ResponseCode::SUCCESS);
  handler_->peer->sendOneway(onewayFrame(1));
  EXPECT_TRUE(client.frames.empty());
  EXPECT_EQ(server_->connections(), 0u);
}

// ---- limits: one below, at, one beyond

TEST_F(RemotingServerTest, BeyondItsRequestsInFlightAConnectionIsReadNoFurther) {
  constexpr int kLimit = 1'024;  // the default
  constexpr int kRequests = 4'000;
  startServer();
  RawEnd& client = connected();
  for (int i = 0; i < kLimit; ++i) ask(client, requestFrame(i));
  ASSERT_EQ(handler_->held.size(), std::size_t{kLimit});
  for (int i = kLimit; i < kRequests; ++i) ask(client, requestFrame(i));
  EXPECT_EQ(handler_->held.size(), std::size_t{kLimit});
  EXPECT_TRUE(client.frames.empty()) << "nothing is refused";
  RawEnd& other = connected();  // another connection has its own
  ask(other, requestFrame(1));
  ASSERT_EQ(handler_->held.size(), std::size_t{kLimit} + 1);
  std::move(handler_->held.back().responder).answer(ResponseCode::SUCCESS);
  handler_->held.pop_back();

  const auto answerOne = [&] { std::move(handler_->take().responder).answer(ResponseCode::SUCCESS); };
  for (int i = 1; i < kLimit / 2; ++i) answerOne();
  EXPECT_EQ(handler_->held.size(), std::size_t{kLimit} / 2 + 1) << "on with it only when half are answered";
  answerOne();
  EXPECT_EQ(handler_->held.size(), std::size_t{kLimit});
  while (!handler_->held.empty()) answerOne();
  ASSERT_EQ(client.frames.size(), std::size_t{kRequests});
  for (int i = 0; i < kRequests; ++i) {
    const RemotingCommand answer = client.command(static_cast<std::size_t>(i));
    ASSERT_EQ(answer.opaque, i);
    ASSERT_EQ(answer.responseCode(), ResponseCode::SUCCESS);
  }
}

TEST_F(RemotingServerTest, AnswersWithinTheirHandlerNeverStopTheReading) {
  startServer({.in_flight_per_connection_max = 1});
  handler_->on = answerSuccess;
  RawEnd& client = connected();
  for (int i = 0; i < 100; ++i) ask(client, requestFrame(i));
  EXPECT_EQ(client.frames.size(), 100u);
}

TEST_F(RemotingServerTest, HeldRequestsStopNobodyAndHaveABoundOfTheirOwn) {
  startServer({.in_flight_per_connection_max = 2, .held_per_connection_max = 3});
  RawEnd& client = connected();
  for (int i = 0; i < 5; ++i) ask(client, requestFrame(i));
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_GT(handler_->held.size(), i);
    EXPECT_TRUE(handler_->held[i].responder.hold());
    EXPECT_TRUE(handler_->held[i].responder.hold()) << "again changes nothing";
  }
  ASSERT_EQ(handler_->held.size(), 5u) << "three held, two under way";
  EXPECT_FALSE(handler_->held[3].responder.hold());
  ask(client, requestFrame(5));
  EXPECT_EQ(handler_->held.size(), 5u);
  Responder moved = std::move(handler_->held[0].responder);  // a held one takes its count along
  std::move(moved).answer(ResponseCode::SUCCESS);
  EXPECT_EQ(handler_->held.size(), 5u) << "those under way are as many as before";
  EXPECT_TRUE(handler_->held[3].responder.hold());
  EXPECT_EQ(handler_->held.size(), 6u);
}

TEST_F(RemotingServerTest, AConnectionThatIsHeldBackEndsLikeAnyOther) {
  startServer({.in_flight_per_connection_max = 2});
  RawEnd& client = connected();
  for (int i = 0; i < 10; ++i) ask(client, requestFrame(i));
  client.connection->close(Error(ErrorCode::kClosed, "bye"));
  EXPECT_EQ(handler_->peers_closed, 1);
  while (!handler_->held.empty()) std::move(handler_->take().responder).answer(ResponseCode::SUCCESS);
  EXPECT_EQ(handler_->requests, 2);
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(RemotingServerTest, ConnectionsAreLimited) {
  startServer({.connections_max = 3, .connections_per_address_max = 1});  // the latter not for in-process peers
  RawEnd& first = connected();
  connected();
  EXPECT_EQ(server_->connections(), 2u);
  connected();
  EXPECT_EQ(server_->connections(), 3u);
  EXPECT_FALSE(connect_error_);
  EXPECT_FALSE(connected().connection);
  ASSERT_TRUE(connect_error_);
  EXPECT_EQ(counters().connections_refused.load(), 1u);
  first.connection->close(Error(ErrorCode::kClosed, "room"));
  EXPECT_TRUE(connected().connection);
}

/// Gives the server's acceptor away, so that strangers can knock.
struct BareTransport final : Transport {
  struct Socket final : ListenSocket {
    const std::string& address() const noexcept override { return name; }
    void close() noexcept override {}
    std::string name = kAddress;
  };
  void connect(base::Engine&, std::string, Ref<ConnectionHandler>, base::SteadyTime,
               Completion<Ref<Connection>>) override {}
  Result<Ref<ListenSocket>> listen(base::Engine&, std::string, Ref<Acceptor> a) override {
    acceptor = std::move(a);
    return Ref<ListenSocket>(base::makeRef<Socket>());
  }
  /// Null: refused.
  Ref<HandmadeConnection> knock(const std::string& from) {
    auto connection = base::makeRef<HandmadeConnection>(from);
    connection->handler = acceptor->onAccept(connection);
    return connection->handler ? connection : nullptr;
  }
  Ref<Acceptor> acceptor;
};

TEST_F(RemotingServerTest, ConnectionsFromOneAddressAreLimited) {
  recordLog();
  const auto transport = base::makeRef<BareTransport>();
  server_ = *RemotingServer::start(engine_, transport, kAddress, handler_, log_, {.connections_per_address_max = 2});
  const auto a = transport->knock("10.0.0.1:1000");
  const auto b = transport->knock("10.0.0.1:1001");
  EXPECT_TRUE(a && b);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(transport->knock("10.0.0.1:2000"));
  const auto other = transport->knock("10.0.0.2:1000");
  EXPECT_TRUE(other);
  a->close(Error(ErrorCode::kClosed, "bye"));
  const auto c = transport->knock("10.0.0.1:1003");
  EXPECT_TRUE(c);
  EXPECT_FALSE(transport->knock("10.0.0.1:1004"));
  EXPECT_EQ(counters().connections_refused.load(), 51u);
  engine_->runUntilIdle();
  EXPECT_EQ(lines_->size(), 1u) << "one line a host and 30 s";
  transport->acceptor.reset();
}

// ---- time

TEST_F(RemotingServerTest, AnIdleConnectionClosesAtItsTimeAndNotBefore) {
  startServer();
  RawEnd& client = connected();
  engine_->advance(100s);
  ask(client, requestFrame(1));
  engine_->advance(50s);  // held: not idle
  std::move(handler_->take().responder).answer(ResponseCode::SUCCESS);
  engine_->advance(120s - 1ns);
  EXPECT_FALSE(client.closed);
  engine_->advance(1ns);
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(counters().idle_closed.load(), 1u);
}

TEST_F(RemotingServerTest, AConnectionThatNeverSaysAnythingIsIdle) {
  startServer();
  RawEnd& client = connected();
  engine_->advance(120s - 1ns);
  EXPECT_FALSE(client.closed);
  engine_->advance(1ns);
  EXPECT_TRUE(client.closed);
}

TEST_F(RemotingServerTest, WhatTheServerSendsKeepsAConnectionOpen) {
  startServer();
  RawEnd& client = connected();
  ask(client, onewayFrame(1));
  std::move(handler_->take().responder).discard(Discard::kOneway);
  engine_->advance(100s);
  handler_->peer->sendOneway(onewayFrame(1, RequestCode::NOTIFY_CONSUMER_IDS_CHANGED));
  ASSERT_EQ(client.frames.size(), 1u);
  engine_->advance(120s - 1ns);
  EXPECT_FALSE(client.closed);
  engine_->advance(1ns);
  EXPECT_TRUE(client.closed);
}

// ---- what the server asks

TEST_F(RemotingServerTest, TheServerAsksAndIsAnswered) {
  startServer();
  handler_->on = answerSuccess;
  startClient();
  invoke(1);
  const auto o = std::make_shared<Outcome>();
  handler_->peer->invoke(1, requestFrame(1, RequestCode::GET_CONSUMER_RUNNING_INFO), engine_->now() + 10s, into(o));
  EXPECT_TRUE(o->pending());
  std::move(client_handler_->take().responder).answer(ResponseCode::SUCCESS, "running");
  ASSERT_TRUE(o->ok());
  EXPECT_EQ((*o->result)->remark(), "running");
}

TEST_F(RemotingServerTest, QuestionsEndAtTheirDeadlineWithTheConnectionOrAtTheirBound) {
  startServer();
  RawEnd& client = connected();
  ask(client, onewayFrame(1));
  handler_->held.clear();
  const auto question = [this](int opaque, base::Nanos timeout) {
    const auto o = std::make_shared<Outcome>();
    handler_->peer->invoke(opaque, requestFrame(opaque), engine_->now() + timeout, into(o));
    return o;
  };
  const auto a = question(1, 1s);
  EXPECT_EQ(question(1, 1s)->code(), ErrorCode::kInternal);
  engine_->advance(1s - 1ns);
  EXPECT_TRUE(a->pending());
  engine_->advance(1ns);
  EXPECT_EQ(a->code(), ErrorCode::kTimeout);
  EXPECT_EQ(a->error().applied(), Applied::kUnknown);
  ask(client, answerFrame(1));  // late
  EXPECT_EQ(counters().unknown_answers.load(), 1u);

  std::vector<OutcomePtr> all;
  for (int i = 0; i < 64; ++i) all.push_back(question(100 + i, 10s));
  EXPECT_TRUE(all.back()->pending());
  EXPECT_EQ(question(999, 10s)->code(), ErrorCode::kQueueFull);
  client.connection->close(Error(ErrorCode::kClosed, "bye"));
  for (const auto& o : all) {
    ASSERT_EQ(o->settled, 1);
    EXPECT_EQ(o->code(), ErrorCode::kConnectionLost);
    EXPECT_EQ(o->error().applied(), Applied::kUnknown);
  }
  const auto late = question(2, 1s);
  EXPECT_EQ(late->code(), ErrorCode::kConnectionLost);
  EXPECT_EQ(late->error().applied(), Applied::kNo);
}

// ---- the end

TEST_F(RemotingServerTest, CloseEndsConnectionsRefusesNewOnesAndCompletes) {
  startServer();
  RawEnd& client = connected();
  ask(client, requestFrame(1));
  EXPECT_TRUE(closes(server_));
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(handler_->peers_closed, 1);
  EXPECT_EQ(server_->connections(), 0u);
  EXPECT_FALSE(connected().connection);
  EXPECT_EQ(connect_error_->code(), ErrorCode::kUnreachable);
  EXPECT_TRUE(closes(server_)) << "idempotent";
}

TEST_F(RemotingServerTest, DroppingTheServerClosesIt) {
  startServer();
  RawEnd& client = connected();
  server_.reset();
  EXPECT_TRUE(client.closed);
  startServer();  // the address is free
}

TEST_F(RemotingServerTest, AHandlerThatOwnsItsServerIsLetGo) {
  struct Owner final : RequestHandler {
    explicit Owner(bool& g) : gone(g) {}
    ~Owner() override { gone = true; }
    void handle(Request&&, Responder&& r) noexcept override { std::move(r).discard(Discard::kStopping); }
    Ref<RemotingServer> server;
    bool& gone;
  };
  bool gone = false;
  Ref<Owner> owner = base::makeRef<Owner>(gone);
  owner->server = *RemotingServer::start(engine_, network_, kAddress, owner, log_);
  connected();
  EXPECT_TRUE(closes(owner->server));
  owner.reset();
  EXPECT_TRUE(gone);
}

TEST_F(RemotingServerTest, ATakenAddressIsAnError) {
  startServer();
  const auto second = RemotingServer::start(engine_, network_, kAddress, handler_, log_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kUnreachable);
}

// ---- hostile clients

class ServerAgainst : public RemotingServerTest, public ::testing::WithParamInterface<MalformedFrame> {};

TEST_P(ServerAgainst, BytesThatAreNoFrame) {
  recordLog();
  startServer();
  RawEnd& good = connected();
  for (int i = 0; i < 5; ++i) {
    RawEnd& bad = connected();
    ask(bad, requestFrame(1));
    ask(bad, Chain(Slice::copyOf(GetParam().bytes)));
    EXPECT_TRUE(bad.closed);
    EXPECT_TRUE(bad.frames.empty());
  }
  EXPECT_EQ(counters().corrupt_closed.load(), 5u);
  EXPECT_EQ(handler_->requests, 5) << "the requests before them were read";
  handler_->on = answerSuccess;
  ask(good, requestFrame(2));
  EXPECT_EQ(good.frames.size(), 1u) << "nobody else is harmed";
  engine_->runUntilIdle();
  EXPECT_EQ(lines_->size(), 1u) << "one line a host and 30 s";
}

TEST_P(ServerAgainst, BytesThatAreNoFrameInTwoSlices) {
  startServer();
  const std::string& bytes = GetParam().bytes;
  for (std::size_t cut = 1; cut < std::min<std::size_t>(bytes.size(), 24); ++cut) {
    RawEnd& bad = connected();
    Chain halves(Slice::copyOf(bytes.substr(0, cut)));
    halves.append(Slice::copyOf(bytes.substr(cut)));
    ask(bad, std::move(halves));
    EXPECT_TRUE(bad.closed) << cut;
  }
  EXPECT_EQ(handler_->requests, 0);
}

INSTANTIATE_TEST_SUITE_P(Rows, ServerAgainst, ::testing::ValuesIn(malformedFrames()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_F(RemotingServerTest, ARequestOfExactlySixteenMebibytesIsRead) {
  startServer();
  handler_->on = answerSuccess;
  RawEnd& client = connected();
  const std::size_t header = requestFrame(1).size();
  ask(client, requestFrame(1, RequestCode::HEART_BEAT, std::string((16u << 20) - header, 'x')));
  EXPECT_EQ(client.frames.size(), 1u);
  ask(client, requestFrame(1, RequestCode::HEART_BEAT, std::string((16u << 20) - header + 1, 'x')));
  EXPECT_EQ(client.frames.size(), 1u);
  EXPECT_TRUE(client.closed);
}

TEST_F(RemotingServerTest, AResponseNobodyAskedForIsCountedAndIgnored) {
  startServer();
  RawEnd& client = connected();
  ask(client, answerFrame(1));
  EXPECT_FALSE(client.closed);
  EXPECT_EQ(counters().unknown_answers.load(), 1u);
  EXPECT_EQ(handler_->requests, 0);
}

}  // namespace
}  // namespace mqclient::remoting
