#include "remoting/in_process.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"
#include "base/timer.h"
#include "remoting/in_process_link.h"

namespace mqclient::remoting {

using base::Completion;
using base::Next;
using base::Object;
using base::Ref;

namespace {

// The range Linux gives to outgoing connections: these addresses end up as born hosts and in logs.
constexpr std::uint64_t kFirstClientPort = 32'768;
constexpr std::uint64_t kClientPorts = 28'232;
constexpr std::uint64_t kFirstFreePort = 20'000;
constexpr std::uint64_t kFreePorts = 12'000;

std::string clientAddress(std::uint64_t link) {
  return "127.0.0.1:" + std::to_string(kFirstClientPort + link % kClientPorts);
}

class Network;

/// A listening address. Its strand is where connections are made, so onAccept runs in a strand of the transport's own.
class Listener final : public Object {
 public:
  Listener(base::Engine& engine, Ref<Network> network, std::string address, Ref<Acceptor> acceptor)
      : engine_(&engine),
        network_(std::move(network)),
        address_(std::move(address)),
        acceptor_(std::move(acceptor)),
        strand_(engine) {}

  base::Strand& strand() noexcept { return strand_; }
  Network& network() const noexcept { return *network_; }
  const std::string& address() const noexcept { return address_; }
  void close() noexcept;
  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }
  /// Inside strand(), and not closed.
  Acceptor& acceptor() noexcept { return *acceptor_; }

 private:
  const Ref<base::Engine> engine_;
  const Ref<Network> network_;
  const std::string address_;
  Ref<Acceptor> acceptor_;  // strand only
  base::Strand strand_;
  std::atomic<bool> closed_{false};
};

class ListenHandle final : public ListenSocket {
 public:
  explicit ListenHandle(Ref<Listener> listener) noexcept : listener_(std::move(listener)) {}
  ~ListenHandle() override { listener_->close(); }
  const std::string& address() const noexcept override { return listener_->address(); }
  void close() noexcept override { listener_->close(); }

 private:
  const Ref<Listener> listener_;
};

class Network final : public InProcessNetwork {
 public:
  void connect(base::Engine& engine, std::string address, Ref<ConnectionHandler> handler, base::SteadyTime deadline,
               Completion<Ref<Connection>> done) override;
  Result<Ref<ListenSocket>> listen(base::Engine& engine, std::string address, Ref<Acceptor> acceptor) override;
  void setPolicy(std::shared_ptr<LinkPolicy> policy) override { policy_ = std::move(policy); }
  std::size_t openConnections() const override { return open_->load(std::memory_order_relaxed); }

  const std::shared_ptr<LinkPolicy>& policy() const noexcept { return policy_; }
  const std::shared_ptr<std::atomic<std::size_t>>& open() const noexcept { return open_; }
  std::uint64_t nextLink() noexcept { return links_.fetch_add(1, std::memory_order_relaxed); }
  void remove(const std::string& address) noexcept {
    base::MutexLock lock(mutex_);
    listeners_.erase(address);
  }

 private:
  std::shared_ptr<LinkPolicy> policy_;
  const std::shared_ptr<std::atomic<std::size_t>> open_ = std::make_shared<std::atomic<std::size_t>>(0);
  std::atomic<std::uint64_t> links_{0};
  base::Mutex mutex_;
  std::unordered_map<std::string, Ref<Listener>> listeners_ MQ_GUARDED_BY(mutex_);
  std::uint64_t free_ports_given_ MQ_GUARDED_BY(mutex_) = 0;
};

void Listener::close() noexcept {
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;
  network_->remove(address_);
  strand_.post(Ref<Object>(this), [this] { acceptor_.reset(); });  // after the connects that are on their way
}

/// One connect: from the caller to the listener's strand, perhaps through a delay there, back to the handler's strand.
class InProcessConnecting final : public base::Timer {
 public:
  InProcessConnecting(Ref<Listener> listener, Ref<ConnectionHandler> handler, base::SteadyTime deadline,
                      Completion<Ref<Connection>> done) noexcept
      : Timer(listener->strand()),
        listener_(std::move(listener)),
        handler_(std::move(handler)),
        deadline_(deadline),
        done_(std::move(done)) {}

  static void begin(std::unique_ptr<InProcessConnecting> self) {
    Listener& listener = *self->listener_;
    listener.strand().post(Ref<Object>(&listener), [raw = self.release()] { raw->decide(); });
  }
  /// Tells the caller inside its strand.
  static void settle(Ref<ConnectionHandler> handler, Completion<Ref<Connection>> done, Result<Ref<Connection>> result) {
    base::Strand& strand = handler->strand();
    strand.post(std::move(handler),
                [done = std::move(done), result = std::move(result)]() mutable { std::move(done)(std::move(result)); });
  }

 private:
  void decide() {
    const std::shared_ptr<LinkPolicy>& policy = listener_->network().policy();
    if (!policy) return establish();
    const LinkVerdict verdict = policy->onConnect(listener_->address());
    if (verdict.kind == LinkVerdict::Kind::kCut) {
      return fail(Error(ErrorCode::kUnreachable, "the network refused the connection to " + listener_->address()));
    }
    if (verdict.kind == LinkVerdict::Kind::kDeliver && verdict.delay.count() <= 0) return establish();
    const base::SteadyTime now = listener_->strand().engine().now();
    lost_ = verdict.kind == LinkVerdict::Kind::kDrop || deadline_ - now < verdict.delay;
    arm(Ref<Object>(listener_), lost_ ? deadline_ : now + verdict.delay);
  }

  void onTimer() noexcept override {
    if (lost_) return fail(Error(ErrorCode::kTimeout, "no connection to " + listener_->address() + " in time"));
    establish();
  }

  void establish() {
    if (listener_->closed()) {
      return fail(Error(ErrorCode::kUnreachable, listener_->address() + " has stopped listening"));
    }
    Network& network = listener_->network();
    const std::uint64_t number = network.nextLink();
    const Ref<Link> link =
        base::makeRef<Link>(number, clientAddress(number), listener_->address(), network.policy(), network.open());
    Ref<Connection> client_end = link->takeEnd(false);
    Ref<ConnectionHandler> server = listener_->acceptor().onAccept(link->takeEnd(true));
    if (!server) {
      return fail(Error(ErrorCode::kUnreachable, listener_->address() + " refused the connection"));
    }
    link->establish(handler_, std::move(server));
    settle(std::move(handler_), std::move(done_), std::move(client_end));
    link->activate();
    delete this;
  }

  void fail(Error why) {
    settle(std::move(handler_), std::move(done_), std::move(why));
    delete this;
  }

  const Ref<Listener> listener_;
  Ref<ConnectionHandler> handler_;
  const base::SteadyTime deadline_;
  Completion<Ref<Connection>> done_;
  bool lost_ = false;  // the timer means "given up", not "arrived"
};

void Network::connect(base::Engine& engine, std::string address, Ref<ConnectionHandler> handler,
                      base::SteadyTime deadline, Completion<Ref<Connection>> done) {
  (void)engine;  // the handler's strand knows its own
  Ref<Listener> listener;
  {
    base::MutexLock lock(mutex_);
    if (const auto found = listeners_.find(address); found != listeners_.end()) listener = found->second;
  }
  if (!listener) {
    return InProcessConnecting::settle(
        std::move(handler), std::move(done),
        Error(ErrorCode::kUnreachable, "nobody listens at " + address + " inside this process"));
  }
  InProcessConnecting::begin(
      std::make_unique<InProcessConnecting>(std::move(listener), std::move(handler), deadline, std::move(done)));
}

Result<Ref<ListenSocket>> Network::listen(base::Engine& engine, std::string address, Ref<Acceptor> acceptor) {
  const std::size_t colon = address.rfind(':');
  if (colon == 0 || colon == std::string::npos || colon + 1 == address.size()) {
    return Error(ErrorCode::kInvalidArgument, "a listening address is written host:port, found '" + address + "'");
  }
  const std::string host = address.substr(0, colon + 1);
  const bool any_port = address.compare(colon + 1, std::string::npos, "0") == 0;
  Ref<Listener> listener;
  {
    base::MutexLock lock(mutex_);
    for (std::uint64_t tries = 0; any_port && tries < kFreePorts; ++tries) {
      address = host + std::to_string(kFirstFreePort + free_ports_given_++ % kFreePorts);
      if (!listeners_.contains(address)) break;
    }
    if (listeners_.contains(address)) {
      return Error(ErrorCode::kUnreachable, "somebody listens at " + address + " already");
    }
    listener = base::makeRef<Listener>(engine, Ref<Network>(this), address, std::move(acceptor));
    listeners_.emplace(std::move(address), listener);
  }
  return Ref<ListenSocket>(base::makeRef<ListenHandle>(std::move(listener)));
}

}  // namespace

Ref<InProcessNetwork> InProcessNetwork::make() {
  return base::makeRef<Network>();
}

}  // namespace mqclient::remoting
