#include "remoting/in_process.h"

#include "remoting_support.h"

namespace mqclient::remoting {
namespace {

class InProcess : public RemotingTest {
 protected:
  void TearDown() override {
    for (const Ref<RawEnd>& end : clients_) {
      if (end->connection) end->connection->close(Error(ErrorCode::kClosed, "the test ends"));
    }
    RemotingTest::TearDown();
  }
  RawEnd& open() {
    if (!socket_) listenRaw();
    clients_.push_back(connectRaw());
    return *clients_.back();
  }
  static Chain text(std::string_view s) { return Chain(Slice::copyOf(s)); }
  static Chain bytes(std::size_t n) { return Chain(Slice::of(std::string(n, 'x'))); }
  std::vector<std::string> heard(const RawEnd& end) {
    std::vector<std::string> all;
    for (const Chain& f : end.frames) all.push_back(f.toString());
    return all;
  }
  std::vector<Ref<RawEnd>> clients_;
};

using Texts = std::vector<std::string>;

TEST_F(InProcess, CarriesFramesInOrderBothWays) {
  RawEnd& client = open();
  client.connection->send(text("a"), 1);
  client.connection->send(text("b"), 2);
  server().connection->send(text("c"), 3);
  EXPECT_EQ(heard(server()), (Texts{"a", "b"}));
  EXPECT_EQ(heard(client), (Texts{"c"}));
}

TEST_F(InProcess, DoesNotCopyTheBytes) {
  RawEnd& client = open();
  const Slice body = Slice::copyOf("body");
  client.connection->send(Chain(body), 1);
  EXPECT_EQ(server().frames.at(0)[0].data(), body.data());
}

TEST_F(InProcess, NamesBothEnds) {
  RawEnd& first = open();
  RawEnd& second = open();
  EXPECT_EQ(first.connection->peerAddress(), kAddress);
  EXPECT_EQ(server().connection->localAddress(), kAddress);
  EXPECT_EQ(server(0).connection->peerAddress(), first.connection->localAddress());
  EXPECT_NE(first.connection->localAddress(), second.connection->localAddress());
  EXPECT_EQ(first.connection->localAddress().substr(0, 10), "127.0.0.1:");
  EXPECT_TRUE(first.connection->sameProcess());
}

TEST_F(InProcess, PortZeroPicksAFreeOne) {
  const Ref<ListenSocket> a = *network_->listen(*engine_, "127.0.0.1:0", acceptor_);
  const Ref<ListenSocket> b = *network_->listen(*engine_, "127.0.0.1:0", acceptor_);
  EXPECT_NE(a->address(), b->address());
  EXPECT_NE(a->address(), "127.0.0.1:0");
}

TEST_F(InProcess, ATakenOrUnreadableAddressIsAnError) {
  listenRaw();
  EXPECT_EQ(network_->listen(*engine_, kAddress, acceptor_).error().code(), ErrorCode::kUnreachable);
  for (const char* bad : {"", "host", "host:", ":1"}) {
    EXPECT_EQ(network_->listen(*engine_, bad, acceptor_).error().code(), ErrorCode::kInvalidArgument) << bad;
  }
}

TEST_F(InProcess, AnAddressIsFreeAgainAfterItsSocketClosedOrWasDropped) {
  listenRaw();
  socket_->close();
  listenRaw();  // assigning drops the closed socket, which must not take the new one's name away
  EXPECT_EQ(network_->listen(*engine_, kAddress, acceptor_).error().code(), ErrorCode::kUnreachable);
  socket_.reset();
  EXPECT_TRUE(network_->listen(*engine_, kAddress, acceptor_));
}

TEST_F(InProcess, ConnectingNowhereOrToARefusalIsUnreachable) {
  connectRaw();
  ASSERT_TRUE(connect_error_);
  EXPECT_EQ(connect_error_->code(), ErrorCode::kUnreachable);
  EXPECT_NE(connect_error_->message().find(kAddress), std::string::npos);
  connect_error_.reset();
  listenRaw();
  acceptor_->refuse = true;
  connectRaw();
  ASSERT_TRUE(connect_error_);
  EXPECT_EQ(connect_error_->code(), ErrorCode::kUnreachable);
  EXPECT_EQ(network_->openConnections(), 0u);
}

TEST_F(InProcess, CloseIsHeardOnceByBothEnds) {
  for (const bool by_client : {true, false}) {
    RawEnd& client = open();
    RawEnd& peer = *acceptor_->ends.back();
    EXPECT_EQ(network_->openConnections(), 1u);
    RawEnd& closer = by_client ? client : peer;
    RawEnd& other = by_client ? peer : client;
    const Ref<Connection> kept = closer.connection;
    kept->close(Error(ErrorCode::kCorrupt, "mine"));
    kept->close(Error(ErrorCode::kClosed, "again"));
    ASSERT_TRUE(closer.closed && other.closed);
    EXPECT_EQ(closer.closed->message(), "mine");
    EXPECT_EQ(other.closed->code(), ErrorCode::kConnectionLost);
    EXPECT_EQ(other.closed->message(), "the connection was closed by the peer");
    EXPECT_EQ(network_->openConnections(), 0u);
  }
}

TEST_F(InProcess, WhatWasSentBeforeACloseArrives) {
  RawEnd& client = open();
  server().strand().post(Ref<base::Object>(&server()), [this] {
    server().connection->send(text("last words"), 1);
    server().connection->close(Error(ErrorCode::kClosed, "bye"));
  });
  EXPECT_EQ(heard(client), Texts{"last words"});
  EXPECT_TRUE(client.closed);
}

TEST_F(InProcess, AnEndThatClosedHearsNoMoreFrames) {
  RawEnd& client = open();
  const Ref<Connection> servers_own = server().connection;
  client.strand().post(Ref<base::Object>(&client), [&] {
    client.connection->close(Error(ErrorCode::kClosed, "enough"));
    servers_own->send(text("too late"), 1);
  });
  EXPECT_TRUE(client.frames.empty());
}

TEST_F(InProcess, AFrameAfterTheCloseWasNotSent) {
  RawEnd& client = open();
  const Ref<Connection> kept = client.connection;
  client.strand().post(Ref<base::Object>(&client), [&] {
    kept->close(Error(ErrorCode::kClosed, "enough"));
    kept->send(text("x"), 42);  // inside the strand: reported at once, before onClosed
    ASSERT_EQ(client.dropped.size(), 1u);
    EXPECT_EQ(client.dropped[0], (std::pair<std::uint64_t, FrameFate>(42, FrameFate::kNotSent)));
  });
  EXPECT_TRUE(client.closed);
  kept->send(text("y"), 43);  // after onClosed nobody hears of it
  EXPECT_EQ(client.dropped.size(), 1u);
  EXPECT_TRUE(server().frames.empty());
}

// ---- N5

TEST_F(InProcess, RoomEndsAtThirtyTwoMebibytes) {
  RawEnd& client = open();
  EXPECT_TRUE(client.connection->hasRoom(kOutputBytesMax - 1));
  EXPECT_TRUE(client.connection->hasRoom(kOutputBytesMax));
  EXPECT_FALSE(client.connection->hasRoom(kOutputBytesMax + 1));
  server().strand().post(Ref<base::Object>(&server()), [&] {  // the receiver is busy: nothing is handed on
    client.connection->send(bytes(1000), 1);
    EXPECT_TRUE(client.connection->hasRoom(kOutputBytesMax - 1000));
    EXPECT_FALSE(client.connection->hasRoom(kOutputBytesMax - 999));
  });
  EXPECT_TRUE(client.connection->hasRoom(kOutputBytesMax));
}

TEST_F(InProcess, AServerWhoseAnswersAreNotTakenStopsReadingUntilHalfIsOut) {
  usePolicy();
  bool stuck = true;
  policy_->frame = [&](bool to_server) { return to_server || !stuck ? LinkVerdict{} : delayed(1s); };
  RawEnd& client = open();
  constexpr std::size_t kAnswer = 8u << 20;
  const Chain answer = bytes(kAnswer);
  server().on_frame = [&](const Chain&) { server().connection->send(answer, 0); };
  for (int i = 0; i < 10; ++i) client.connection->send(text("ask"), 1);
  EXPECT_EQ(server().frames.size(), 5u);  // 40 MiB are in the output: never refused, but no further request is read
  EXPECT_FALSE(client.connection->hasRoom(kOutputBytesMax));  // what is not read fills the asker's own output
  stuck = false;
  engine_->advance(1s);
  EXPECT_EQ(server().frames.size(), 10u);
  engine_->advance(2s);
  EXPECT_EQ(client.frames.size(), 10u);
  EXPECT_TRUE(client.connection->hasRoom(kOutputBytesMax));
}

// ---- policy

TEST_F(InProcess, ADelayedFrameIsNotOvertaken) {
  usePolicy();
  std::deque<LinkVerdict> script{delayed(10ms), delayed(2ms), LinkVerdict{}, delayed(20ms)};
  policy_->frame = [&](bool) {
    const LinkVerdict v = script.front();
    script.pop_front();
    return v;
  };
  RawEnd& client = open();
  for (const char* s : {"a", "b", "c", "d"}) client.connection->send(text(s), 1);
  engine_->advance(10ms - 1ns);
  EXPECT_TRUE(server().frames.empty());
  engine_->advance(1ns);
  EXPECT_EQ(heard(server()), (Texts{"a", "b", "c"}));
  engine_->advance(10ms);
  EXPECT_EQ(heard(server()), (Texts{"a", "b", "c", "d"}));
}

TEST_F(InProcess, ABlackHoleTellsNobody) {
  usePolicy();
  policy_->frame = [](bool to_server) { return to_server ? kDropped : LinkVerdict{}; };
  RawEnd& client = open();
  client.connection->send(text("a"), 1);
  server().connection->send(text("b"), 1);
  EXPECT_TRUE(server().frames.empty());
  EXPECT_TRUE(client.dropped.empty());
  EXPECT_FALSE(client.closed);
  EXPECT_EQ(heard(client), Texts{"b"});
  EXPECT_TRUE(client.connection->hasRoom(kOutputBytesMax));
}

TEST_F(InProcess, ACutEndsBothEndsAndReportsTheFrameAsNotSent) {
  usePolicy();
  policy_->frame = [](bool) { return kCut; };
  RawEnd& client = open();
  client.connection->send(text("a"), 7);
  ASSERT_TRUE(client.closed && server().closed);
  EXPECT_EQ(client.closed->code(), ErrorCode::kConnectionLost);
  ASSERT_EQ(client.dropped.size(), 1u);
  EXPECT_EQ(client.dropped[0].first, 7u);
  EXPECT_TRUE(server().frames.empty());
}

TEST_F(InProcess, FramesUnderWayWhenTheConnectionEndsAreLost) {
  usePolicy();
  policy_->frame = [](bool) { return delayed(5ms); };
  RawEnd& client = open();
  client.connection->send(text("a"), 1);
  server().connection->close(Error(ErrorCode::kClosed, "bye"));
  engine_->advance(1s);
  EXPECT_TRUE(client.closed);
  EXPECT_TRUE(client.dropped.empty());  // what became of it nobody can say
  EXPECT_TRUE(server().frames.empty());
}

TEST_F(InProcess, ConnectsAreDelayedRefusedAndLostByThePolicy) {
  usePolicy();
  listenRaw();
  policy_->connect = [] { return kCut; };
  connectRaw();
  EXPECT_EQ(connect_error_->code(), ErrorCode::kUnreachable);
  connect_error_.reset();

  policy_->connect = [] { return delayed(10ms); };
  const Ref<RawEnd> late = connectRaw();
  EXPECT_FALSE(late->connection);
  engine_->advance(10ms);
  EXPECT_TRUE(late->connection);
  late->connection->close(Error(ErrorCode::kClosed, "x"));

  policy_->connect = [] { return kDropped; };
  connectRaw();
  engine_->advance(3s - 1ns);
  EXPECT_FALSE(connect_error_);
  engine_->advance(1ns);
  ASSERT_TRUE(connect_error_);
  EXPECT_EQ(connect_error_->code(), ErrorCode::kTimeout);
}

TEST_F(InProcess, AnAddressThatStopsListeningFailsConnectsUnderWay) {
  usePolicy();
  listenRaw();
  policy_->connect = [] { return delayed(10ms); };
  connectRaw();
  socket_->close();
  engine_->advance(10ms);
  ASSERT_TRUE(connect_error_);
  EXPECT_EQ(connect_error_->code(), ErrorCode::kUnreachable);
}

// The accepting side may close before the connecting side has heard that it is connected: first things first.
struct ClosingAcceptor final : Acceptor {
  explicit ClosingAcceptor(base::Engine& e) : engine(e) {}
  Ref<ConnectionHandler> onAccept(Ref<Connection> connection) noexcept override {
    end = base::makeRef<RawEnd>(engine);
    end->connection = connection;
    connection->close(Error(ErrorCode::kClosed, "second thoughts"));
    return end;
  }
  base::Engine& engine;
  Ref<RawEnd> end;
};

TEST_F(InProcess, AConnectIsHeardBeforeItsClose) {
  const auto acceptor = base::makeRef<ClosingAcceptor>(*engine_);
  socket_ = *network_->listen(*engine_, kAddress, acceptor);
  std::vector<std::string> order;
  const Ref<RawEnd> client = base::makeRef<RawEnd>(*engine_);
  network_->connect(*engine_, kAddress, client, engine_->now() + 3s,
                    Completion<Ref<Connection>>::of([&](Result<Ref<Connection>>&& r) {
                      order.push_back(client->closed ? "closed first" : "connected first");
                      client->connection = *std::move(r);
                    }));
  EXPECT_EQ(order, Texts{"connected first"});
  EXPECT_TRUE(client->closed);
  EXPECT_TRUE(acceptor->end->closed);
}

}  // namespace
}  // namespace mqclient::remoting
