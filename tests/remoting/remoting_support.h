#pragma once

// What the tests of remoting share: an engine with a manual clock (posts run on the calling thread at once), a network,
// ends that record what they hear, and frames.

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "remoting/in_process.h"
#include "remoting/remoting_client.h"
#include "remoting/remoting_server.h"
#include "sim/sim_engine.h"

namespace mqclient::remoting {

using namespace std::chrono_literals;
using base::Chain;
using base::Completion;
using base::Ref;
using base::Slice;
using protocol::RemotingCommand;
using protocol::SerializeType;

inline constexpr char kAddress[] = "127.0.0.1:10911";

inline Chain requestFrame(int opaque, RequestCode code = RequestCode::HEART_BEAT, std::string_view body = {},
                          protocol::Oneway oneway = protocol::Oneway::kNo,
                          SerializeType type = SerializeType::ROCKETMQ) {
  return protocol::encodeRequest({.code = code, .opaque = opaque, .oneway = oneway, .type = type}, protocol::NoHeader{},
                                 Chain(Slice::copyOf(body)));
}
inline Chain onewayFrame(int opaque, RequestCode code = RequestCode::HEART_BEAT) {
  return requestFrame(opaque, code, {}, protocol::Oneway::kYes);
}
inline Chain answerFrame(int opaque, ResponseCode code = ResponseCode::SUCCESS, std::string_view remark = {}) {
  return protocol::encodeResponse({opaque, SerializeType::ROCKETMQ}, code, remark);
}

/// One call's fate: settled how often, and how.
struct Outcome {
  int settled = 0;
  std::optional<Result<RemotingCommand>> result;

  bool ok() const { return settled == 1 && result->has_value(); }
  bool pending() const { return settled == 0; }
  const Error& error() const { return result->error(); }
  ErrorCode code() const { return error().code(); }
};
using OutcomePtr = std::shared_ptr<Outcome>;

inline Completion<RemotingCommand> into(const OutcomePtr& outcome) {
  return Completion<RemotingCommand>::of([outcome](Result<RemotingCommand>&& r) {
    ++outcome->settled;
    outcome->result = std::move(r);
  });
}

/// A bare end of a connection: sends any bytes and records what it hears. Lets go of the connection when it ends.
struct RawEnd final : ConnectionHandler {
  explicit RawEnd(base::Engine& engine) : strand_(engine) {}
  base::Strand& strand() noexcept override { return strand_; }
  void onFrame(Chain&& frame) noexcept override {
    frames.push_back(std::move(frame));
    if (on_frame) on_frame(frames.back());
  }
  void onDropped(std::uint64_t tag, FrameFate fate) noexcept override {
    EXPECT_FALSE(closed) << "onClosed is the last call";
    dropped.emplace_back(tag, fate);
  }
  void onClosed(const Error& why) noexcept override {
    EXPECT_FALSE(closed) << "exactly once";
    closed = why;
    connection.reset();
  }
  RemotingCommand command(std::size_t i) const { return *protocol::decodeFrame(frames.at(i)); }

  base::Strand strand_;
  Ref<Connection> connection;
  std::vector<Chain> frames;
  std::function<void(const Chain&)> on_frame;
  std::vector<std::pair<std::uint64_t, FrameFate>> dropped;
  std::optional<Error> closed;
};

/// A listening address whose connections are RawEnds.
struct RawAcceptor final : Acceptor {
  explicit RawAcceptor(base::Engine& e) : engine(e) {}
  Ref<ConnectionHandler> onAccept(Ref<Connection> connection) noexcept override {
    if (refuse) return nullptr;
    ends.push_back(base::makeRef<RawEnd>(engine));
    ends.back()->connection = std::move(connection);
    if (on_accept) on_accept(*ends.back());
    return ends.back();
  }
  base::Engine& engine;
  bool refuse = false;
  std::vector<Ref<RawEnd>> ends;
  std::function<void(RawEnd&)> on_accept;
};

/// A handler that keeps its requests until the test answers them, or answers by `on`.
struct HoldingHandler final : RequestHandler {
  struct Held {
    Request request;
    Responder responder;
  };
  void handle(Request&& request, Responder&& responder) noexcept override {
    ++requests;
    peer = request.peer;
    if (on) return on(std::move(request), std::move(responder));
    held.push_back({std::move(request), std::move(responder)});
  }
  void onPeerClosed(Peer& p) noexcept override {
    ++peers_closed;
    EXPECT_FALSE(p.open());
  }
  Held take() {
    Held h = std::move(held.front());
    held.pop_front();
    return h;
  }
  int requests = 0;
  int peers_closed = 0;
  Ref<Peer> peer;
  std::deque<Held> held;
  std::function<void(Request, Responder)> on;
};

inline void answerSuccess(Request, Responder responder) {
  std::move(responder).answer(ResponseCode::SUCCESS);
}

/// Decides by script what happens to frames and connects.
struct ScriptedPolicy final : LinkPolicy {
  LinkVerdict onFrame(std::uint64_t, const std::string&, const std::string&, bool to_server,
                      const Chain&) noexcept override {
    ++frames;
    return frame ? frame(to_server) : LinkVerdict{};
  }
  LinkVerdict onConnect(const std::string&) noexcept override {
    ++connects;
    return connect ? connect() : LinkVerdict{};
  }
  int frames = 0;
  int connects = 0;
  std::function<LinkVerdict(bool to_server)> frame;
  std::function<LinkVerdict()> connect;
};
inline LinkVerdict delayed(base::Nanos by) {
  return {LinkVerdict::Kind::kDeliver, by};
}
inline constexpr LinkVerdict kDropped{LinkVerdict::Kind::kDrop, {}};
inline constexpr LinkVerdict kCut{LinkVerdict::Kind::kCut, {}};

struct Events final : RemotingClient::Events {
  void onConnected(const std::string&) noexcept override { ++connected; }
  void onDisconnected(const std::string&, const Error& why) noexcept override {
    ++disconnected;
    last = why;
  }
  int connected = 0;
  int disconnected = 0;
  std::optional<Error> last;
};

/// A connection without another end: what is sent goes nowhere, and bytes have come as a test says. A stranger's, as
/// far as limits are concerned.
struct HandmadeConnection final : Connection {
  explicit HandmadeConnection(std::string from, Ref<ConnectionHandler> to = nullptr)
      : peer(std::move(from)), handler(std::move(to)) {}
  bool hasRoom(std::size_t) const noexcept override { return true; }
  void send(Chain, std::uint64_t, base::SteadyTime) noexcept override {}
  void close(Error why) noexcept override {
    if (const Ref<ConnectionHandler> h = std::exchange(handler, nullptr)) {
      h->strand().post(h, [h, why] { h->onClosed(why); });
    }
  }
  std::uint64_t bytesReceived() const noexcept override { return bytes; }
  const std::string& peerAddress() const noexcept override { return peer; }
  const std::string& localAddress() const noexcept override { return local; }
  const std::string peer;
  const std::string local = kAddress;
  Ref<ConnectionHandler> handler;
  std::uint64_t bytes = 0;
};

class RemotingTest : public ::testing::Test {
 protected:
  RemotingTest()
      : engine_(sim::makeSimEngine()), network_(InProcessNetwork::make()), policy_(std::make_shared<ScriptedPolicy>()) {
    engine_->advance(1s);  // time is not zero in real life
  }

  /// Before any connection.
  void usePolicy() { network_->setPolicy(policy_); }
  void recordLog() {
    log_ = base::Log::make(
        *engine_, LogLevel::kWarn,
        [lines = lines_](LogLevel, std::string_view, std::string_view line) { lines->emplace_back(line); });
  }
  void startClient(RemotingClientOptions options = {}) {
    client_ = RemotingClient::make(engine_, network_, log_, options);
    client_->setRequestHandler(client_handler_);
    client_->setEvents(events_);
  }
  void startServer(RemotingServerOptions options = {}) {
    server_ = *RemotingServer::start(engine_, network_, kAddress, handler_, log_, options);
  }
  /// The server's part played by hand.
  void listenRaw() { socket_ = *network_->listen(*engine_, kAddress, acceptor_); }
  RawEnd& server(std::size_t i = 0) { return *acceptor_->ends.at(i); }
  /// The client's part played by hand.
  Ref<RawEnd> connectRaw() {
    Ref<RawEnd> end = base::makeRef<RawEnd>(*engine_);
    network_->connect(*engine_, kAddress, end, engine_->now() + 3s,
                      Completion<Ref<Connection>>::of([end, this](Result<Ref<Connection>>&& r) {
                        if (r) {
                          end->connection = *std::move(r);
                        } else {
                          connect_error_ = r.error();
                        }
                      }));
    engine_->runUntilIdle();
    return end;
  }
  OutcomePtr invoke(int opaque, base::Nanos timeout = 3s, std::string_view body = {},
                    WhenOutputFull when_full = WhenOutputFull::kRefuse) {
    auto outcome = std::make_shared<Outcome>();
    client_->invoke(kAddress, opaque, requestFrame(opaque, RequestCode::HEART_BEAT, body), engine_->now() + timeout,
                    into(outcome), when_full);
    return outcome;
  }
  std::shared_ptr<std::optional<Result<void>>> invokeOneway(base::Nanos timeout = 3s) {
    auto outcome = std::make_shared<std::optional<Result<void>>>();
    client_->invokeOneway(kAddress, onewayFrame(77), engine_->now() + timeout,
                          Completion<void>::of([outcome](Result<void>&& r) { *outcome = std::move(r); }));
    return outcome;
  }
  template <class T>
  bool closes(const Ref<T>& what) {
    bool done = false;
    what->close(Completion<void>::of([&done](Result<void>&& r) { done = r.has_value(); }));
    engine_->runUntilIdle();
    return done;
  }

  void TearDown() override {
    while (!handler_->held.empty()) std::move(handler_->take().responder).discard(Discard::kStopping);
    handler_->on = nullptr;
    handler_->peer.reset();
    client_handler_->held.clear();
    client_handler_->peer.reset();
    if (client_) {
      EXPECT_TRUE(closes(client_));
    }
    if (server_) {
      EXPECT_EQ(server_->counters().responders_dropped.load(), expected_drops_);
      EXPECT_TRUE(closes(server_));
    }
    for (const Ref<RawEnd>& end : acceptor_->ends) {
      end->on_frame = nullptr;
      if (end->connection) end->connection->close(Error(ErrorCode::kClosed, "the test ends"));
    }
    if (socket_) socket_->close();
    engine_->runUntilIdle();
    EXPECT_EQ(network_->openConnections(), 0u);
    EXPECT_EQ(engine_->armedTimers(), 0u) << engine_->pendingReport();
  }

  Ref<sim::SimEngine> engine_;
  Ref<InProcessNetwork> network_;
  Ref<base::Log> log_ = base::Log::silent();
  Ref<HoldingHandler> handler_ = base::makeRef<HoldingHandler>();
  Ref<HoldingHandler> client_handler_ = base::makeRef<HoldingHandler>();
  Ref<Events> events_ = base::makeRef<Events>();
  std::shared_ptr<ScriptedPolicy> policy_;
  Ref<RawAcceptor> acceptor_ = base::makeRef<RawAcceptor>(*engine_);
  Ref<ListenSocket> socket_;
  Ref<RemotingServer> server_;
  Ref<RemotingClient> client_;
  std::optional<Error> connect_error_;
  std::shared_ptr<std::vector<std::string>> lines_ = std::make_shared<std::vector<std::string>>();
  std::uint64_t expected_drops_ = 0;
};

}  // namespace mqclient::remoting
