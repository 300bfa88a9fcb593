#include "remoting/tcp_connect.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "base/io.h"
#include "base/timer.h"
#include "remoting/tcp_connection.h"

namespace mqclient::remoting {

using base::Completion;
using base::Object;
using base::Ref;

namespace {

/// A port of this machine to which nobody listens may be given to the connecting socket itself, which then meets
/// itself.
bool metItself(int fd) {
  return SocketAddress::localOf(fd).text() == SocketAddress::peerOf(fd).text();
}

/// One connect: names on lane `net`, then every address in turn. Everything but the timer runs on the home reactor of
/// the connection to be.
class TcpConnecting final : public Object, private base::IoHandler {
 public:
  TcpConnecting(base::Engine& engine, base::IoReactor& home, std::string address, Ref<ConnectionHandler> handler,
                base::SteadyTime deadline, Completion<Ref<Connection>> done, const TcpOptions& options)
      : engine_(&engine),
        home_(home),
        options_(options),
        address_(std::move(address)),
        deadline_(deadline),
        handler_(std::move(handler)),
        done_(std::move(done)),
        strand_(engine),
        timer_(*this) {}

  void begin() {
    armTimer(deadline_);
    home_.post(Ref<Object>(this), [this] { findAddresses(); });
  }

 private:
  struct ConnectTimer final : base::Timer {
    explicit ConnectTimer(TcpConnecting& c) noexcept : Timer(c.strand_), connecting(c) {}
    void onTimer() noexcept override {
      connecting.home_.post(Ref<Object>(&connecting), [c = &connecting] { c->onTime(); });
    }
    TcpConnecting& connecting;
  };

  void armTimer(base::SteadyTime due) {
    strand_.post(Ref<Object>(this), [this, due] {
      if (!over_) timer_.arm(Ref<Object>(this), due);
    });
  }

  // ---- the home reactor
  void findAddresses() {
    const Result<HostPort> where = splitAddress(address_);
    if (!where) return fail(Error(ErrorCode::kUnreachable, where.error().message()));
    if (auto numeric = addressesOf(*where, Names::kNumericOnly)) return onAddresses(std::move(numeric));
    const bool queued = engine_->runOnLane(base::LaneKind::kNet, [self = Ref<TcpConnecting>(this), where = *where] {
      self->home_.post(Ref<Object>(self), [c = self.get(), found = addressesOf(where, Names::kResolve)]() mutable {
        c->onAddresses(std::move(found));
      });
    });
    if (!queued) fail(Error(ErrorCode::kUnreachable, "too many host names wait to be resolved"));
  }

  void onAddresses(Result<std::vector<SocketAddress>> found) {
    if (!done_) return;
    if (!found) return fail(std::move(found).error());
    addresses_ = *std::move(found);
    tryNext();
  }

  void tryNext() {
    while (next_ < addresses_.size()) {
      const SocketAddress& to = addresses_[next_++];
      socket_ = openSocket(to.family(), options_);
      if (!socket_) {
        complain(to, errno);
        continue;
      }
      if (::connect(socket_.get(), to.get(), to.size) == 0) return established();
      int failed = errno;
      if (failed == EINPROGRESS) {
        failed = home_.add(socket_.get(), *this, {.write = true});
        if (failed == 0) return waitForOne();
      }
      complain(to, failed);
      socket_.reset();
    }
    fail(Error(ErrorCode::kUnreachable, complaints_));
  }

  /// A black hole among the addresses must not eat the time of the others.
  void waitForOne() {
    polled_ = true;
    self_ = Ref<Object>(this);
    const base::SteadyTime now = engine_->now();
    const auto left = static_cast<std::int64_t>(addresses_.size() - next_) + 1;
    one_due_ = left > 1 ? now + (deadline_ - now) / left : deadline_;
    if (left > 1) armTimer(one_due_);
  }

  void onIo(base::IoEvents) noexcept override {
    const Ref<Object> keep(this);
    int failed = 0;
    socklen_t size = sizeof failed;
    getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &failed, &size);
    stopPolling();
    if (failed == 0 && metItself(socket_.get())) failed = ECONNREFUSED;
    if (failed == 0) return established();
    complain(addresses_[next_ - 1], failed);
    socket_.reset();
    tryNext();
  }

  void onTime() {
    if (!done_) return;
    const base::SteadyTime now = engine_->now();
    if (now >= deadline_) return fail(Error(ErrorCode::kTimeout, "no connection in time"));
    if (polled_ && now >= one_due_) {
      stopPolling();
      complain(addresses_[next_ - 1], ETIMEDOUT);
      socket_.reset();
      tryNext();
    }
    if (done_) armTimer(polled_ && one_due_ > now ? one_due_ : deadline_);
  }

  void stopPolling() {
    if (!polled_) return;
    polled_ = false;
    home_.remove(socket_.get(), *this);
    self_.reset();
  }

  void complain(const SocketAddress& to, int failed) {
    if (!complaints_.empty()) complaints_ += "; ";
    complaints_ += to.text() + ": " + systemText(failed);
  }

  void established() {
    const auto connection =
        base::makeRef<TcpConnection>(engine_, home_, std::move(socket_), TcpConnection::Side::kClient, options_);
    connection->attach(handler_);
    settle(Ref<Connection>(connection));
    connection->start();  // after: the handler first hears that it is connected
  }

  void fail(Error why) {
    stopPolling();
    socket_.reset();
    home_.leave();
    settle(std::move(why));
  }

  void settle(Result<Ref<Connection>> result) {
    strand_.post(Ref<Object>(this), [this] {
      over_ = true;
      timer_.cancel();
    });
    base::Strand& strand = handler_->strand();
    strand.post(std::move(handler_), [done = std::move(done_), result = std::move(result)]() mutable {
      std::move(done)(std::move(result));
    });
  }

  const Ref<base::Engine> engine_;
  base::IoReactor& home_;
  const TcpOptions options_;
  const std::string address_;
  const base::SteadyTime deadline_;

  // The home reactor
  Ref<ConnectionHandler> handler_;
  Completion<Ref<Connection>> done_;  // empty: settled
  std::vector<SocketAddress> addresses_;
  std::size_t next_ = 0;
  Descriptor socket_;
  bool polled_ = false;
  Ref<Object> self_;  // while polled
  base::SteadyTime one_due_{};
  std::string complaints_;

  base::Strand strand_;  // guards what is below
  ConnectTimer timer_;
  bool over_ = false;
};

}  // namespace

Error noSockets() {
  return Error(ErrorCode::kUnsupported, "a runtime with virtual time has no sockets: use real time with TCP");
}

void beginTcpConnect(base::Engine& engine, std::string address, Ref<ConnectionHandler> handler,
                     base::SteadyTime deadline, Completion<Ref<Connection>> done, const TcpOptions& options) {
  base::IoReactor* const home = engine.joinIo();
  if (!home) {
    base::Strand& strand = handler->strand();
    strand.post(std::move(handler), [done = std::move(done)]() mutable { std::move(done)(noSockets()); });
    return;
  }
  base::makeRef<TcpConnecting>(engine, *home, std::move(address), std::move(handler), deadline, std::move(done),
                               options)
      ->begin();
}

}  // namespace mqclient::remoting
