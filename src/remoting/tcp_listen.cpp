#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "base/io.h"
#include "base/mutex.h"
#include "base/timer.h"
#include "remoting/tcp_connect.h"
#include "remoting/tcp_connection.h"

namespace mqclient::remoting {

using base::Object;
using base::Ref;

namespace {

constexpr int kBacklog = 1024;
/// Connections accepted in one look at the listening socket.
constexpr int kAcceptsPerLook = 64;
/// How long nothing is accepted once no descriptor is left.
constexpr base::Millis kPauseWithoutDescriptors{100};

Descriptor spareDescriptor() noexcept {
  return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

/// A listening socket on its reactor. Accepted connections go to the reactors with the fewest.
class TcpListener final : public Object, private base::IoHandler {
 public:
  TcpListener(base::Engine& engine, base::IoReactor& home, Descriptor socket, Ref<Acceptor> acceptor,
              const TcpOptions& options)
      : engine_(&engine),
        home_(home),
        options_(options),
        address_(SocketAddress::localOf(socket.get()).text()),
        acceptor_(std::move(acceptor)),
        spare_(spareDescriptor()),
        strand_(engine),
        pause_(*this),
        socket_(std::move(socket)) {}
  ~TcpListener() override { home_.leave(); }

  const std::string& address() const noexcept { return address_; }

  void start() {
    home_.post(Ref<Object>(this), [this] {
      if (!acceptor_) return;
      self_ = Ref<Object>(this);
      if (const int failed = home_.add(socket_.get(), *this, {.read = true}); failed != 0) {
        acceptor_->onAcceptFailed(
            Error(ErrorCode::kUnreachable, address_ + " cannot be polled: " + systemText(failed)));
        self_.reset();
        return;
      }
      registered_ = true;
    });
  }

  /// Nobody can connect when this returns; the address may be taken again.
  void close() noexcept {
    {
      base::MutexLock lock(mutex_);
      if (std::exchange(closed_, true)) return;
      ::shutdown(socket_.get(), SHUT_RDWR);
    }
    home_.post(Ref<Object>(this), [this] {
      const Ref<Object> keep = std::move(self_);
      if (std::exchange(registered_, false)) home_.remove(socket_.get(), *this);
      acceptor_.reset();
      base::MutexLock lock(mutex_);
      socket_.reset();
    });
    strand_.post(Ref<Object>(this), [this] {
      over_ = true;
      pause_.cancel();
    });
  }

 private:
  struct PauseTimer final : base::Timer {
    explicit PauseTimer(TcpListener& l) noexcept : Timer(l.strand_), listener(l) {}
    void onTimer() noexcept override {
      listener.home_.post(Ref<Object>(&listener), [l = &listener] {
        if (l->registered_) l->home_.change(l->socket_.get(), *l, {.read = true});
      });
    }
    TcpListener& listener;
  };

  void onIo(base::IoEvents) noexcept override {
    const Ref<Object> keep(this);
    for (int n = 0; n < kAcceptsPerLook && registered_; ++n) {
      Descriptor accepted(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (accepted) {
        welcome(std::move(accepted));
        continue;
      }
      switch (errno) {
        case EAGAIN:
          return;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
          return pause(errno);
        case EINVAL:  // closed meanwhile: its task is on the way
          registered_ = false;
          home_.remove(socket_.get(), *this);
          return;
        default:  // that one connection has gone again
          continue;
      }
    }
  }

  void welcome(Descriptor accepted) {
    prepareAccepted(accepted.get(), options_);
    base::IoReactor& home = *engine_->joinIo();
    const auto connection =
        base::makeRef<TcpConnection>(engine_, home, std::move(accepted), TcpConnection::Side::kServer, options_);
    Ref<ConnectionHandler> handler = acceptor_->onAccept(connection);
    if (!handler) return;
    connection->attach(std::move(handler));
    connection->start();
  }

  /// The waiting ones are refused with the descriptor kept for that: else they would wait for nothing, and the poller
  /// would call again at once.
  void pause(int failed) {
    acceptor_->onAcceptFailed(
        Error(ErrorCode::kUnreachable, address_ + " accepts no connection: " + systemText(failed)));
    spare_.reset();
    for (int n = 0; n < kAcceptsPerLook; ++n) {
      if (!Descriptor(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC))) break;
    }
    spare_ = spareDescriptor();
    home_.change(socket_.get(), *this, {});
    strand_.post(Ref<Object>(this), [this] {
      if (!over_) pause_.armAfter(Ref<Object>(this), kPauseWithoutDescriptors);
    });
  }

  const Ref<base::Engine> engine_;
  base::IoReactor& home_;
  const TcpOptions options_;
  const std::string address_;

  // The home reactor
  Ref<Acceptor> acceptor_;
  Ref<Object> self_;
  bool registered_ = false;
  Descriptor spare_;

  base::Strand strand_;
  PauseTimer pause_;   // strand
  bool over_ = false;  // strand

  base::Mutex mutex_;  // who shuts the socket down, and who closes it
  bool closed_ MQ_GUARDED_BY(mutex_) = false;
  Descriptor socket_;  // closed by the home reactor, under mutex_
};

class TcpListenHandle final : public ListenSocket {
 public:
  explicit TcpListenHandle(Ref<TcpListener> listener) noexcept : listener_(std::move(listener)) {}
  ~TcpListenHandle() override { listener_->close(); }
  const std::string& address() const noexcept override { return listener_->address(); }
  void close() noexcept override { listener_->close(); }

 private:
  const Ref<TcpListener> listener_;
};

}  // namespace

Result<Ref<ListenSocket>> listenTcp(base::Engine& engine, const std::string& address, Ref<Acceptor> acceptor,
                                    const TcpOptions& options) {
  const Result<HostPort> where = splitAddress(address);
  if (!where) return where.error();
  const auto numeric = addressesOf(*where, Names::kNumericOnly);
  if (!numeric) {
    return Error(ErrorCode::kInvalidArgument, "a listening address names an IP, found '" + address + "'");
  }
  const SocketAddress& at = numeric->front();
  Descriptor socket = openSocket(at.family(), options);
  const int on = 1;
  if (!socket || setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(socket.get(), at.get(), at.size) != 0 || ::listen(socket.get(), kBacklog) != 0) {
    return Error(ErrorCode::kUnreachable, "cannot listen at " + address + ": " + systemText(errno));
  }
  base::IoReactor* const home = engine.joinIo();
  if (!home) return noSockets();
  const auto listener = base::makeRef<TcpListener>(engine, *home, std::move(socket), std::move(acceptor), options);
  listener->start();
  return Ref<ListenSocket>(base::makeRef<TcpListenHandle>(listener));
}

}  // namespace mqclient::remoting
