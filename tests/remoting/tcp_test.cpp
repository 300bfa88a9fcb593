// Connecting, listening and what strangers may do, over real sockets. The output's own promises: output_test.cpp.
#include <fcntl.h>
#include <sys/resource.h>

#include "base/io.h"
#include "tests/remoting/malformed_frames.h"
#include "tests/remoting/tcp_support.h"
#include "tests/support/slack.h"

namespace mqclient::remoting {
namespace {

/// A server and a client of the library, or either of them against a bare socket.
class TcpPairTest : public TcpTest {
 protected:
  struct Answering final : RequestHandler {
    void handle(Request&& request, Responder&& responder) noexcept override {
      std::move(responder).answer(ResponseCode::SUCCESS, {}, protocol::NoHeader{}, std::move(request.command.body));
      handled.add();
    }
    void onPeerClosed(Peer&) noexcept override { closed.add(); }
    Count handled, closed;
  };
  /// Keeps its requests until the test takes them.
  struct Keeping final : RequestHandler {
    struct Kept {
      Request request;
      Responder responder;
    };
    void handle(Request&& request, Responder&& responder) noexcept override {
      {
        const std::lock_guard lock(mutex);
        kept.push_back({std::move(request), std::move(responder)});
      }
      came.add();
    }
    Kept take() {
      const std::lock_guard lock(mutex);
      Kept first = std::move(kept.front());
      kept.pop_front();
      return first;
    }
    std::size_t size() {
      const std::lock_guard lock(mutex);
      return kept.size();
    }
    std::mutex mutex;
    std::deque<Kept> kept;
    Count came;
  };
  struct Answer {
    Count settled;
    std::optional<Result<RemotingCommand>> result;
  };

  void serve(const std::string& address = "127.0.0.1:0", TcpOptions tcp = {}, RemotingServerOptions options = {}) {
    server_ = *RemotingServer::start(engine_, transport(tcp), address, handler_, log_, options);
  }
  void startClient(RemotingClientOptions options = {}) {
    client_ = RemotingClient::make(engine_, transport(), log_, options);
  }
  std::shared_ptr<Answer> ask(const std::string& address, std::string_view body = {}, base::Nanos wait = 20s) {
    auto answer = std::make_shared<Answer>();
    const int opaque = engine_->nextOpaque();
    client_->invoke(address, opaque, requestFrame(opaque, RequestCode::HEART_BEAT, body), engine_->now() + wait,
                    Completion<RemotingCommand>::of([answer](Result<RemotingCommand>&& r) {
                      answer->result = std::move(r);
                      answer->settled.add();
                    }));
    return answer;
  }
  Result<RemotingCommand> askAndWait(const std::string& address, std::string_view body = {}, base::Nanos wait = 20s) {
    const auto answer = ask(address, body, wait);
    EXPECT_TRUE(answer->settled.reaches(1));
    return std::move(*answer->result);
  }
  /// A request of a bare socket and its answer: the server is well.
  void expectServed() {
    Peer4 peer = Peer4::connectedTo(server_->address());
    ASSERT_TRUE(peer.write(requestFrame(7, RequestCode::HEART_BEAT, "well?").toString()));
    const std::string answer = peer.readFrame();
    ASSERT_FALSE(answer.empty());
    EXPECT_EQ(protocol::decodeFrame(Chain(Slice::copyOf(answer)))->body.toString(), "well?");
  }
  template <class T>
  void closeAndWait(Ref<T>& what) {
    if (!what) return;
    Count done;
    what->close(Completion<void>::of([&](Result<void>&&) { done.add(); }));
    EXPECT_TRUE(done.reaches(1));
    what.reset();
  }
  void TearDown() override {
    closeAndWait(client_);
    closeAndWait(server_);
    TcpTest::TearDown();
  }

  Ref<base::Log> log_ = base::Log::silent();
  Ref<Answering> handler_ = base::makeRef<Answering>();
  Ref<RemotingServer> server_;
  Ref<RemotingClient> client_;
};

TEST_F(TcpPairTest, RequestsAndAnswersOverSockets) {
  serve();
  startClient();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1'000}, std::size_t{200'000}, std::size_t{8u << 20}}) {
    const std::string body(size, 'b');
    const auto answer = askAndWait(server_->address(), body);
    ASSERT_TRUE(answer) << answer.error();
    EXPECT_EQ(answer->body.toString(), body);
  }
  EXPECT_EQ(client_->connections(), 1u);
  EXPECT_EQ(server_->connections(), 1u);
}

TEST_F(TcpPairTest, ThousandsUnderWayOnOneConnection) {
  serve("127.0.0.1:0", {}, {.in_flight_per_connection_max = 1'000'000});
  startClient();
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 5'000; ++i) answers.push_back(ask(server_->address(), std::to_string(i)));
  for (int i = 0; i < 5'000; ++i) {
    const auto& answer = answers[static_cast<std::size_t>(i)];
    ASSERT_TRUE(answer->settled.reaches(1));
    ASSERT_TRUE(*answer->result) << answer->result->error();
    EXPECT_EQ((*answer->result)->body.toString(), std::to_string(i));
  }
}

TEST_F(TcpPairTest, ASlowHandlerSlowsItsConnectionAndRefusesNothing) {
  constexpr std::size_t kLimit = 1'024;  // the default
  constexpr int kRequests = 4'000;       // of more bytes than are kept unread
  const auto slow = base::makeRef<Keeping>();
  server_ = *RemotingServer::start(engine_, transport(), "127.0.0.1:0", slow, log_);
  startClient();
  const std::string body(1'024, 'b');
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < kRequests; ++i) answers.push_back(ask(server_->address(), std::to_string(i) + body));
  ASSERT_TRUE(slow->came.reaches(static_cast<int>(kLimit)));
  for (int i = 0; i < kRequests; ++i) {
    ASSERT_TRUE(slow->came.reaches(i + 1));
    EXPECT_LE(slow->size(), kLimit);
    Keeping::Kept next = slow->take();
    ASSERT_EQ(next.request.command.body.toString(), std::to_string(i) + body) << "in the order sent";
    std::move(next.responder).answer(ResponseCode::SUCCESS);
  }
  for (const auto& answer : answers) {
    ASSERT_TRUE(answer->settled.reaches(1));
    ASSERT_TRUE(*answer->result) << answer->result->error();
    EXPECT_EQ((*answer->result)->responseCode(), ResponseCode::SUCCESS);
  }
}

TEST_F(TcpPairTest, TimeInWhichWeDidNotReadIsNotAPeersLingering) {
  const auto slow = base::makeRef<Keeping>();
  const TcpOptions tcp{.frame_deadline = base::Millis(200) * mqclient::testing::slack(),
                       .frame_bytes_per_second = 1u << 30};
  server_ =
      *RemotingServer::start(engine_, transport(tcp), "127.0.0.1:0", slow, log_, {.in_flight_per_connection_max = 1});
  Peer4 peer = Peer4::connectedTo(server_->address());
  const std::string request = requestFrame(1, RequestCode::HEART_BEAT, std::string(200'000, 'b')).toString();
  const int whole = 7;  // more than is kept unread; with the last one begun the reading stops
  for (int i = 0; i < whole; ++i) ASSERT_TRUE(peer.write(request));
  ASSERT_TRUE(peer.write(request.substr(0, request.size() / 2)));
  ASSERT_TRUE(slow->came.reaches(1));
  // Time passes until a server has had enough of somebody else.
  const auto deadlineOf = [](const RemotingServer& server) {
    Peer4 lingering = Peer4::connectedTo(server.address());
    ASSERT_TRUE(lingering.write(std::string_view("\0\0\0", 3)));
    EXPECT_EQ(lingering.readToEnd(), "");
  };
  deadlineOf(*server_);
  for (int i = 0; i < whole; ++i) {
    ASSERT_TRUE(slow->came.reaches(i + 1));
    std::move(slow->take().responder).answer(ResponseCode::SUCCESS);
    ASSERT_FALSE(peer.readFrame().empty());
  }
  const Ref<RemotingServer> impatient =
      *RemotingServer::start(engine_, transport({.frame_deadline = base::Millis(20)}), "127.0.0.1:0", handler_, log_);
  deadlineOf(*impatient);
  ASSERT_TRUE(peer.write(request.substr(request.size() / 2)));
  ASSERT_TRUE(slow->came.reaches(whole + 1)) << "the connection was closed";
  std::move(slow->take().responder).answer(ResponseCode::SUCCESS);
  EXPECT_FALSE(peer.readFrame().empty());
}

TEST_F(TcpPairTest, NobodyListensIsUnreachableAndSaysWhere) {
  std::string address;
  {
    Listener4 gone;
    address = gone.address();
  }
  startClient();
  const auto answer = askAndWait(address);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kUnreachable);
  EXPECT_EQ(answer.error().applied(), Applied::kNo);
  EXPECT_NE(answer.error().message().find(address + ": Connection refused"), std::string::npos) << answer.error();
}

TEST_F(TcpPairTest, ANameIsResolvedAndEachOfItsAddressesTried) {
  serve();  // on IPv4 only; the name may stand for ::1 first
  startClient();
  const auto answer = askAndWait("localhost" + server_->address().substr(server_->address().rfind(':')));
  EXPECT_TRUE(answer) << answer.error();
}

TEST_F(TcpPairTest, ANameThatCannotBeIsOneClearError) {
  startClient();
  const auto answer = askAndWait("no such host..:9876");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kUnreachable);
  EXPECT_NE(answer.error().message().find("cannot be resolved"), std::string::npos) << answer.error();
  const auto shapeless = askAndWait("nowhere");
  ASSERT_FALSE(shapeless);
  EXPECT_EQ(shapeless.error().code(), ErrorCode::kUnreachable);
}

TEST_F(TcpPairTest, IPv6WhereThereIsAny) {
  auto server = RemotingServer::start(engine_, transport(), "[::1]:0", handler_, log_);
  if (!server) {
    EXPECT_EQ(server.error().code(), ErrorCode::kUnreachable);  // a machine without it
    return;
  }
  server_ = *std::move(server);
  EXPECT_TRUE(server_->address().starts_with("[::1]:")) << server_->address();
  startClient();
  const auto answer = askAndWait(server_->address());
  EXPECT_TRUE(answer) << answer.error();
}

TEST_F(TcpPairTest, AServerThatComesBackIsFoundAgain) {
  serve();
  const std::string address = server_->address();
  startClient({.reconnect_backoff_min = base::Millis(1), .reconnect_backoff_max = base::Millis(1)});
  ASSERT_TRUE(askAndWait(address));
  closeAndWait(server_);
  while (askAndWait(address)) {
  }
  serve(address);
  for (auto answer = askAndWait(address); !answer; answer = askAndWait(address)) {
    ASSERT_NE(answer.error().code(), ErrorCode::kTimeout);
  }
  EXPECT_EQ(client_->connections(), 1u);
}

TEST_F(TcpPairTest, AConnectionTakenForHalfOpenIsReplaced) {
  Listener4 listener;  // connects succeed, nobody answers
  startClient({.half_open_close = base::Millis(1)});
  Peer4 first;
  for (int n = 0; client_->counters().half_open_closed == 0; ++n) {
    const auto answer = ask(listener.address(), {}, 5ms);
    if (n == 0) first = listener.accept();
    ASSERT_TRUE(answer->settled.reaches(1));
  }
  while (!first.readFrame().empty()) {  // what had been sent, then the end
  }
  const auto answer = ask(listener.address());
  Peer4 second;
  for (std::string frame; frame.empty(); frame = second.readFrame()) second = listener.accept();
  second.close();
  EXPECT_TRUE(answer->settled.reaches(1));
}

TEST_F(TcpPairTest, ConnectionsOfOneAddressAreLimited) {
  serve("127.0.0.1:0", {}, {.connections_per_address_max = 3});
  std::vector<Peer4> peers;
  for (int i = 0; i < 3; ++i) {
    peers.push_back(Peer4::connectedTo(server_->address()));
    ASSERT_TRUE(peers.back().write(requestFrame(1).toString()));
    ASSERT_FALSE(peers.back().readFrame().empty());
  }
  Peer4 beyond = Peer4::connectedTo(server_->address());
  EXPECT_EQ(beyond.readToEnd(), "");
  peers.pop_back();
  ASSERT_TRUE(handler_->closed.reaches(1));
  while (server_->connections() == 3) std::this_thread::yield();
  expectServed();
}

TEST_F(TcpPairTest, ALingeringFrameIsNotWaitedFor) {
  serve("127.0.0.1:0", {.frame_deadline = base::Millis(30)});
  Peer4 silent = Peer4::connectedTo(server_->address());  // has begun nothing: the idle clock's
  Peer4 slow = Peer4::connectedTo(server_->address());
  ASSERT_TRUE(slow.write(requestFrame(1, RequestCode::HEART_BEAT, "whole").toString()));
  ASSERT_FALSE(slow.readFrame().empty());
  ASSERT_TRUE(slow.write(std::string_view("\0\0\0", 3)));
  EXPECT_EQ(slow.readToEnd(), "");
  EXPECT_TRUE(silent.write(requestFrame(1).toString()));
  EXPECT_FALSE(silent.readFrame().empty());
}

TEST_F(TcpPairTest, ConnectionsThatComeAndGoLeakNothing) {
  serve();
  for (int i = 0; i < 300; ++i) {
    Peer4 peer = Peer4::connectedTo(server_->address());
    peer.write(requestFrame(1).toString());
    if (i % 3 == 0) peer.readFrame();
    if (i % 2 == 0) peer.reset();
  }
  ASSERT_TRUE(handler_->closed.reaches(300));
}

// ---- bytes that are no frame

class TcpServerAgainst : public TcpPairTest, public ::testing::WithParamInterface<MalformedFrame> {};
INSTANTIATE_TEST_SUITE_P(Rows, TcpServerAgainst, ::testing::ValuesIn(malformedFrames()),
                         [](const auto& row) { return row.param.name; });

TEST_P(TcpServerAgainst, BytesThatAreNoFrame) {
  serve();
  for (const bool after_a_request : {false, true}) {
    Peer4 peer = Peer4::connectedTo(server_->address());
    const std::string request = requestFrame(1).toString();
    if (after_a_request) {
      ASSERT_TRUE(peer.write(request));
      ASSERT_FALSE(peer.readFrame().empty());
    }
    peer.write(GetParam().bytes);
    peer.finishWriting();  // some rows are only cut short
    peer.readToEnd();
  }
  expectServed();
}

class TcpClientAgainst : public TcpPairTest, public ::testing::WithParamInterface<MalformedFrame> {};
INSTANTIATE_TEST_SUITE_P(Rows, TcpClientAgainst, ::testing::ValuesIn(malformedFrames()),
                         [](const auto& row) { return row.param.name; });

TEST_P(TcpClientAgainst, BytesThatAreNoFrame) {
  Listener4 listener;
  startClient();
  const auto answer = ask(listener.address());
  Peer4 server = listener.accept();
  ASSERT_FALSE(server.readFrame().empty());
  server.write(GetParam().bytes);
  server.finishWriting();
  ASSERT_TRUE(answer->settled.reaches(1));
  ASSERT_FALSE(*answer->result);
  EXPECT_EQ(answer->result->error().applied(), Applied::kUnknown);
  server.readToEnd();
}

TEST_F(TcpPairTest, AForeignProtocolIsNamedAndCounted) {
  Listener4 listener;
  startClient();
  const auto answer = ask(listener.address());
  Peer4 server = listener.accept();
  server.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  ASSERT_TRUE(answer->settled.reaches(1));
  const Error& error = answer->result->error();
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_NE(error.message().find("web server"), std::string::npos) << error;
  EXPECT_EQ(client_->counters().corrupt_closed, 1u);

  serve();
  Peer4 browser = Peer4::connectedTo(server_->address());
  browser.write("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(browser.readToEnd(), "");
  ASSERT_TRUE(handler_->closed.reaches(1));
  EXPECT_EQ(server_->counters().corrupt_closed, 1u);
}

// ---- the transport itself

using TcpTransportTest = TcpTest;

TEST_F(TcpTransportTest, ATakenOrUnreadableAddressIsAnError) {
  const std::string address = listen();
  EXPECT_EQ(transport()->listen(*engine_, address, acceptor_).error().code(), ErrorCode::kUnreachable);
  for (const char* bad : {"", "host", "127.0.0.1:", ":1", "localhost:0", "127.0.0.1:65536"}) {
    EXPECT_EQ(transport()->listen(*engine_, bad, acceptor_).error().code(), ErrorCode::kInvalidArgument) << bad;
  }
}

TEST_F(TcpTransportTest, AnAddressIsFreeAgainAfterItsSocketClosedOrWasDropped) {
  const std::string address = listen();
  const Ref<TcpEnd> end = connect(address);  // a living connection does not hold the address
  for (int i = 0; i < 20; ++i) {
    i % 2 == 0 ? socket_->close() : socket_.reset();
    auto again = transport()->listen(*engine_, address, acceptor_);
    ASSERT_TRUE(again) << again.error();
    socket_ = *std::move(again);
  }
  connect(address);
}

TEST_F(TcpTransportTest, AddressesAreThoseOfTheTwoEnds) {
  const std::string address = listen();
  const Ref<TcpEnd> client = connect(address);
  const Ref<TcpEnd> server = acceptedEnd();
  EXPECT_EQ(client->link()->peerAddress(), address);
  EXPECT_EQ(server->link()->localAddress(), address);
  EXPECT_EQ(client->link()->localAddress(), server->link()->peerAddress());
  EXPECT_FALSE(client->link()->sameProcess());
}

TEST_F(TcpTransportTest, BytesOfAFrameThatIsNotWholeAreCounted) {
  Listener4 listener;
  const Ref<TcpEnd> end = connect(listener.address());
  Peer4 peer = listener.accept();
  ASSERT_TRUE(peer.write(requestFrame(1).toString().substr(0, 10)));
  const Ref<Connection> link = end->link();
  while (link->bytesReceived() < 10) std::this_thread::yield();
  EXPECT_EQ(end->heard.get(), 0);
}

TEST_F(TcpTransportTest, AConnectEndsAtItsDeadline) {
  // A full backlog drops what comes: the connect waits as it would for a machine that is not there.
  Peer4 listener = Peer4::make();
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(listener.descriptor(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  ASSERT_EQ(::listen(listener.descriptor(), 0), 0);
  socklen_t size = sizeof at;
  getsockname(listener.descriptor(), reinterpret_cast<sockaddr*>(&at), &size);
  const std::string address = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
  std::vector<Ref<TcpEnd>> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(beginConnect(address, {}, 100ms));
  for (const Ref<TcpEnd>& end : waiting) ASSERT_TRUE(end->connected.reaches(1));
  ASSERT_TRUE(connect_error_);
  EXPECT_EQ(connect_error_->code(), ErrorCode::kTimeout) << *connect_error_;
}

TEST_F(TcpTransportTest, VirtualTimeHasNoSockets) {
  const Ref<sim::SimEngine> virtual_time = sim::makeSimEngine();
  EXPECT_EQ(transport()->listen(*virtual_time, "127.0.0.1:0", acceptor_).error().code(), ErrorCode::kUnsupported);
  const Ref<TcpEnd> end = base::makeRef<TcpEnd>(*virtual_time);
  std::optional<Error> error;
  transport()->connect(*virtual_time, "127.0.0.1:1", end, virtual_time->now() + 1s,
                       Completion<Ref<Connection>>::of([&](Result<Ref<Connection>>&& r) { error = r.error(); }));
  virtual_time->runUntilIdle();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::kUnsupported);
}

TEST_F(TcpTransportTest, WithoutDescriptorsConnectionsAreRefusedAndLaterAcceptedAgain) {
  const std::string address = listen();
  connect(address);  // the reactors have their pollers
  ASSERT_TRUE(acceptor_->accepted.reaches(1));
  std::vector<Peer4> peers;
  for (int i = 0; i < 8; ++i) peers.push_back(Peer4::make());
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(peers.back().descriptor()) + 1;
  while (::fcntl(static_cast<int>(none.rlim_cur), F_GETFD) != -1) ++none.rlim_cur;
  std::vector<Peer4> holes;  // every number below the limit is taken
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) holes.emplace_back(fd);
  for (Peer4& peer : peers) ASSERT_TRUE(peer.connect(address));
  EXPECT_TRUE(acceptor_->failed.reaches(1));
  EXPECT_EQ(peers[0].readToEnd(), "");  // refused, not left waiting
  EXPECT_LE(acceptor_->failed.get(), 8) << "accepting pauses";
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  holes.clear();
  peers.clear();
  const int accepted = acceptor_->accepted.get();
  const auto bound = engine_->now() + 30s;
  while (acceptor_->accepted.get() == accepted && engine_->now() < bound) {
    // Who refuses what waits may not have ended yet, and refuse this one with it.
    const Ref<TcpEnd> end = connect(address);
    while (end->closed.get() == 0 && acceptor_->accepted.get() == accepted && engine_->now() < bound) {
      std::this_thread::yield();
    }
  }
  EXPECT_GT(acceptor_->accepted.get(), accepted);
}

TEST_F(TcpTransportTest, AReactorsAlarmsRingWhenTheyAreDue) {
  struct Alarm final : base::IoAlarm {
    void onAlarm() noexcept override {
      at = engine->now();
      if (--again > 0) home->setAlarm(*this, (at + 200us).time_since_epoch().count());
      rang.add();
    }
    base::Engine* engine = nullptr;
    base::IoReactor* home = nullptr;
    int again = 0;
    base::SteadyTime at{};
    Count rang;
  };
  base::IoReactor* const home = engine_->joinIo();
  ASSERT_TRUE(home);
  Alarm repeated;
  Alarm moved;
  Alarm cancelled;
  for (Alarm* a : {&repeated, &moved, &cancelled}) {
    a->engine = engine_.get();
    a->home = home;
  }
  repeated.again = 5;
  const base::SteadyTime began = engine_->now();
  home->post(Ref<base::Object>(engine_), [&] {
    const auto in = [&](base::Nanos n) { return (began + n).time_since_epoch().count(); };
    home->setAlarm(cancelled, in(1ms));
    home->setAlarm(moved, in(1us));
    home->setAlarm(repeated, in(100us));
    home->setAlarm(moved, in(3ms));
    home->cancelAlarm(cancelled);
    home->cancelAlarm(cancelled);
  });
  EXPECT_TRUE(repeated.rang.reaches(5));
  EXPECT_TRUE(moved.rang.reaches(1));
  EXPECT_GE(moved.at - began, 3ms);
  EXPECT_GE(repeated.at - began, 900us);
  EXPECT_EQ(moved.rang.get(), 1);
  EXPECT_EQ(cancelled.rang.get(), 0);
  home->leave();
}

TEST_F(TcpTransportTest, AReactorRunsWhatIsPostedInOrderAndOutsideStrands) {
  base::IoReactor* const home = engine_->joinIo();
  ASSERT_TRUE(home);
  EXPECT_FALSE(home->isCurrent());
  constexpr int kPosts = 1'000;
  Count done;
  int last = -1;
  int wrong = 0;
  for (int i = 0; i < kPosts; ++i) {
    home->post(Ref<base::Object>(engine_), [&, i] {
      wrong += !home->isCurrent() || base::Activation::ofThisThread().inside() || last + 1 != i;
      last = i;
      done.add();
    });
  }
  ASSERT_TRUE(done.reaches(kPosts));
  EXPECT_EQ(wrong, 0);
  home->leave();
}

}  // namespace
}  // namespace mqclient::remoting
