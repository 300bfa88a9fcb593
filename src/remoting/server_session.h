#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/timer.h"
#include "remoting/connection_peer.h"
#include "remoting/pending_requests.h"
#include "remoting/remoting_server.h"

namespace mqclient::remoting {

class ServerSession;

/// What the sessions of a server share. Set before the first connection.
struct ServerShared : Acceptor {
  base::Ref<base::Engine> engine;
  base::Ref<base::Log> log;
  base::Ref<RequestHandler> handler;
  RemotingServerOptions options;
  RemotingServerCounters counters;

  /// The session heard its last event.
  virtual void onSessionClosed(ServerSession& session) noexcept = 0;
};

/// One accepted connection: decodes requests in the order received and hands them on; carries what the server asks of
/// the client. With as many requests under way as may be it takes no further frame until half are answered.
///
/// States   open until onClosed, which is the last thing it does. closing_ only keeps frames out in between.
/// Guard    everything below strand_ is touched inside it only.
class ServerSession final : public ConnectionHandler {
 public:
  ServerSession(base::Ref<ServerShared> shared, base::Ref<Connection> connection, std::uint64_t id);

  base::Strand& strand() noexcept override { return strand_; }
  /// Starts the idle clock. Once, before frames come.
  void begin();
  /// Any thread.
  void close(Error why);

  std::uint64_t id() const noexcept { return id_; }
  /// Requests that came so far. Any thread.
  std::uint64_t requests() const noexcept { return requests_.load(std::memory_order_relaxed); }
  /// The requester's host, for the limit by address; empty: exempt.
  const std::string& limitedHost() const noexcept { return limited_host_; }

 private:
  struct SessionPeer;
  struct Question;
  struct SessionTimer final : base::Timer {
    SessionTimer(ServerSession& s, void (ServerSession::*f)()) noexcept : Timer(s.strand_), session(s), call(f) {}
    void onTimer() noexcept override { (session.*call)(); }
    ServerSession& session;
    void (ServerSession::*call)();
  };

  void onFrame(base::Chain&& frame) noexcept override;
  void onDropped(std::uint64_t tag, FrameFate fate) noexcept override;
  void onClosed(const Error& why) noexcept override;
  bool takesFrames() noexcept override;

  void serve(protocol::RemotingCommand&& request);
  void closeConnection(Error why);
  void noteCorrupt(const Error& why);
  void onIdleCheck();

  void ask(Question& q);
  void finish(PendingRequest& q, Result<protocol::RemotingCommand>&& result) noexcept;
  void armDeadlines(base::SteadyTime due);
  void onDeadlines();

  const base::Ref<ServerShared> shared_;
  const std::uint64_t id_;
  const std::string limited_host_;
  base::Strand strand_;

  base::Ref<Connection> connection_;  // all these end with onClosed: they refer to us
  base::Ref<ConnectionSink> sink_;
  base::Ref<ConnectionPeer> peer_;
  base::Ref<Peer> lent_;  // a second share of peer_: goes with each request, and comes back unless the handler keeps it
  std::atomic<std::uint64_t> requests_{0};  // written in the strand only: no session waits for another's line
  bool closing_ = false;
  bool until_half_ = false;  // no frame is taken until half of the requests under way are answered
  SessionTimer idle_timer_;

  OpaqueTable questions_;  // what the server asked
  SessionTimer deadline_timer_;
};

}  // namespace mqclient::remoting
