#include "remoting/remoting_server.h"

#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "remoting/server_session.h"

namespace mqclient::remoting {

using base::Completion;
using base::Ref;

namespace {

/// Accepts, counts, ends. Sessions and the listening address keep it alive; close() parts them.
class ServerCore final : public ServerShared {
 public:
  Ref<ConnectionHandler> onAccept(Ref<Connection> connection) noexcept override {
    std::string refusal;
    Ref<ServerSession> session;
    const std::string from = connection->peerAddress();
    {
      base::MutexLock lock(mutex_);
      session = base::makeRef<ServerSession>(Ref<ServerShared>(this), std::move(connection), ++sessions_made_);
      refusal = refusalOf(session->limitedHost());
      if (refusal.empty()) {
        if (!session->limitedHost().empty()) ++by_host_[session->limitedHost()];
        sessions_.emplace(session->id(), session);
      }
    }
    if (refusal.empty()) {
      session->begin();
      return session;
    }
    counters.connections_refused.fetch_add(1, std::memory_order_relaxed);
    if (log->enabled(LogLevel::kWarn)) {
      log->writeLimited(LogLevel::kWarn, "remoting", std::string(hostOf(from)), base::kLogPeriod,
                        "refused a connection of " + from + ": " + refusal);
    }
    return nullptr;
  }

  void onSessionClosed(ServerSession& session) noexcept override {
    std::vector<Completion<void>> closers;
    Ref<RequestHandler> done_with;
    {
      base::MutexLock lock(mutex_);
      if (const auto host = by_host_.find(session.limitedHost()); host != by_host_.end() && --host->second == 0) {
        by_host_.erase(host);
      }
      if (sessions_.erase(session.id()) > 0) requests_before_ += session.requests();
      if (closed_ && sessions_.empty()) {
        closers.swap(closers_);
        done_with = std::move(handler);
      }
    }
    for (Completion<void>& c : closers) std::move(c)(Result<void>());
  }

  void onAcceptFailed(const Error& why) noexcept override {
    if (!log->enabled(LogLevel::kError)) return;
    log->writeLimited(LogLevel::kError, "remoting", "accept", base::kLogPeriod, why.message());
  }

  void serve(Ref<RequestHandler> requests) {
    base::MutexLock lock(mutex_);
    if (closed_) return;
    handler = std::move(requests);
    serving_ = true;
  }

  void setSocket(Ref<ListenSocket> socket) {
    base::MutexLock lock(mutex_);
    socket_ = std::move(socket);
  }

  void close(Completion<void> done) {
    Ref<ListenSocket> socket;
    std::vector<Ref<ServerSession>> sessions;
    Ref<RequestHandler> done_with;  // it may own the server: nobody asks for it any more once all sessions have ended
    {
      base::MutexLock lock(mutex_);
      closed_ = true;
      socket = std::move(socket_);
      for (const auto& [id, session] : sessions_) sessions.push_back(session);
      if (sessions_.empty()) {
        done_with = std::move(handler);
      } else {
        closers_.push_back(std::move(done));
      }
    }
    if (socket) socket->close();
    for (const Ref<ServerSession>& s : sessions) s->close(Error(ErrorCode::kClosed, "the server was closed"));
    // Handed to the closers it is empty, which is what is asked here.
    if (done) std::move(done)(Result<void>());  // NOLINT(bugprone-use-after-move)
  }

  std::size_t connections() const noexcept {
    base::MutexLock lock(mutex_);
    return sessions_.size();
  }
  std::uint64_t requests() const noexcept {
    base::MutexLock lock(mutex_);
    std::uint64_t sum = requests_before_;
    for (const auto& [id, session] : sessions_) sum += session->requests();
    return sum;
  }

 private:
  /// Why a further connection is refused; empty: it is not.
  std::string refusalOf(const std::string& host) const MQ_REQUIRES(mutex_) {
    if (closed_) return "the server is closing";
    if (!serving_) return "the server is starting";
    if (sessions_.size() >= options.connections_max) {
      return "the limit of " + std::to_string(options.connections_max) + " connections is reached";
    }
    const auto found = by_host_.find(host);
    if (found != by_host_.end() && found->second >= options.connections_per_address_max) {
      return "the limit of " + std::to_string(options.connections_per_address_max) +
             " connections from one address is reached";
    }
    return {};
  }

  mutable base::Mutex mutex_;
  std::map<std::uint64_t, Ref<ServerSession>> sessions_ MQ_GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::size_t> by_host_ MQ_GUARDED_BY(mutex_);  // strangers only
  std::uint64_t sessions_made_ MQ_GUARDED_BY(mutex_) = 0;
  std::uint64_t requests_before_ MQ_GUARDED_BY(mutex_) = 0;  // of sessions that have ended
  bool serving_ MQ_GUARDED_BY(mutex_) = false;
  bool closed_ MQ_GUARDED_BY(mutex_) = false;
  Ref<ListenSocket> socket_ MQ_GUARDED_BY(mutex_);
  std::vector<Completion<void>> closers_ MQ_GUARDED_BY(mutex_);
};

/// The handle: dropping it closes.
class Server final : public RemotingServer {
 public:
  Server(Ref<ServerCore> core, std::string address) noexcept : core_(std::move(core)), address_(std::move(address)) {}
  ~Server() override { core_->close({}); }
  const std::string& address() const noexcept override { return address_; }
  std::size_t connections() const noexcept override { return core_->connections(); }
  std::uint64_t requests() const noexcept override { return core_->requests(); }
  const RemotingServerCounters& counters() const noexcept override { return core_->counters; }
  void serve(Ref<RequestHandler> handler) override { core_->serve(std::move(handler)); }
  void close(Completion<void> done) override { core_->close(std::move(done)); }

 private:
  const Ref<ServerCore> core_;
  const std::string address_;
};

}  // namespace

Result<Ref<RemotingServer>> RemotingServer::bind(Ref<base::Engine> engine, Ref<Transport> transport,
                                                 std::string address, Ref<base::Log> log,
                                                 RemotingServerOptions options) {
  Ref<ServerCore> core = base::makeRef<ServerCore>();
  core->engine = std::move(engine);
  core->log = std::move(log);
  core->options = options;
  Result<Ref<ListenSocket>> socket = transport->listen(*core->engine, std::move(address), core);
  if (!socket) return std::move(socket).error();
  std::string real_address = (*socket)->address();
  core->setSocket(*std::move(socket));
  return Ref<RemotingServer>(base::makeRef<Server>(std::move(core), std::move(real_address)));
}

Result<Ref<RemotingServer>> RemotingServer::start(Ref<base::Engine> engine, Ref<Transport> transport,
                                                  std::string address, Ref<RequestHandler> handler, Ref<base::Log> log,
                                                  RemotingServerOptions options) {
  auto server = bind(std::move(engine), std::move(transport), std::move(address), std::move(log), options);
  if (server) (*server)->serve(std::move(handler));
  return server;
}

}  // namespace mqclient::remoting
