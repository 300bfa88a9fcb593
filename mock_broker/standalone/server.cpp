#include "mock_broker/standalone/server.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "mock_broker/faults/fault_transport.h"
#include "remoting/tcp.h"
#include "remoting/tcp_socket.h"

namespace mqclient::standalone {
namespace {

remoting::RemotingServerOptions serverOptions(const Settings& s) {
  remoting::RemotingServerOptions options;
  options.connections_max = static_cast<std::size_t>(s.connectionsMax);
  options.connections_per_address_max = static_cast<std::size_t>(s.connectionsPerAddressMax);
  options.idle_close = s.serverChannelMaxIdleTime;
  return options;
}

bool isTaken(const Error& error) {
  return error.message().find(remoting::systemText(EADDRINUSE)) != std::string::npos;
}

Error cannotListen(const char* who, const Error& why, const char* how) {
  return Error(why.code(), std::string("the ") + who + " " + why.message() +
                               (isTaken(why) ? "; end the program that listens there, or choose another port with " +
                                                   std::string(how) + " (0: any free one)"
                                             : ""));
}

/// What is told of an address with the wildcard in it.
std::string toldIp(const Settings& s, const base::Engine& engine) {
  if (!s.brokerIP1.empty()) return s.brokerIP1;
  return isAnyAddress(s.bindAddress) ? engine.environment().host_ip : s.bindAddress;
}

std::string portOf(const std::string& address) {
  return address.substr(address.rfind(':') + 1);
}

/// `ip` with the port of `address`.
std::string withPort(const std::string& ip, const std::string& address) {
  return addressOf(ip, std::stoi(portOf(address)));
}

/// Settles when the last share goes.
struct All {
  explicit All(base::Completion<void> d) : done(std::move(d)) {}
  ~All() { std::move(done)(failed ? Result<void>(*failed) : Result<void>()); }
  base::Completion<void> done;
  std::optional<Error> failed;  // written inside the broker's strand only
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Settings settings, base::Ref<base::Engine> engine,
                                              base::Ref<base::Log> log, base::Ref<faults::FaultPlan> faults) {
  std::unique_ptr<Server> server(new Server);
  server->engine_ = std::move(engine);
  server->log_ = std::move(log);
  server->transport_ = remoting::makeTcpTransport();
  server->faults_ = std::move(faults);
  if (settings.namesrvBindAddress.empty()) settings.namesrvBindAddress = settings.bindAddress;
  if (auto started = server->startNameservers(settings); !started) return started.error();

  broker::BrokerOptions options = settings.broker;
  options.engine = server->engine_;
  options.transport = server->transportOf(NodeRole::kBroker, options.brokerName);
  options.log = server->log_;
  options.address = addressOf(settings.bindAddress, settings.listenPort);
  const std::string told = toldIp(settings, *server->engine_);
  if (told != settings.bindAddress) options.brokerIP1 = told;
  options.namesrvAddrs = server->own_;
  options.namesrvAddrs.insert(options.namesrvAddrs.end(), server->foreign_.begin(), server->foreign_.end());
  options.server = serverOptions(settings);
  auto started = broker::Broker::start(options);
  if (!started) return cannotListen("broker", started.error(), "--listen-port, or listenPort in its configuration");
  server->broker_address_ = (*started)->address();
  // As it listens, whatever it is called: it comes back at the same port.
  options.address = withPort(settings.bindAddress, server->broker_address_);
  server->broker_options_ = std::move(options);
  {
    base::MutexLock lock(server->mutex_);
    server->broker_ = std::move(*started);
  }
  return server;
}

Server::~Server() {
  if (const auto running = broker()) running->stop({});
  for (const auto& nameserver : nameservers_) nameserver->close({});
}

base::Ref<broker::Broker> Server::broker() const {
  base::MutexLock lock(mutex_);
  return broker_;
}

base::Ref<remoting::Transport> Server::transportOf(NodeRole role, std::string name) const {
  return faults_ ? faults::makeFaultTransport(transport_, faults_, {role, std::move(name)}) : transport_;
}

Result<Server::Place> Server::startNameserver(const Settings& settings, const std::string& address) {
  nameserver::NameserverOptions options;
  options.address = address;
  options.scan_interval = settings.scanNotActiveBrokerInterval;
  options.server = serverOptions(settings);
  auto started = nameserver::Nameserver::start(
      engine_, transportOf(NodeRole::kNameserver, "nameserver-" + std::to_string(nameservers_.size())), log_,
      std::move(options));
  if (!started && isTaken(started.error())) return Place::kTaken;
  if (!started) return cannotListen("nameserver", started.error(), "--namesrv-port");
  const std::string at = (*started)->address();
  nameservers_.push_back(std::move(*started));
  const std::string ip = at.substr(0, at.rfind(':'));
  own_.push_back(isAnyAddress(ip) ? withPort(ip.starts_with('[') ? "::1" : "127.0.0.1", at) : at);
  namesrv_addr_ +=
      (namesrv_addr_.empty() ? "" : ";") + (isAnyAddress(ip) ? withPort(toldIp(settings, *engine_), at) : at);
  return Place::kOurs;
}

Result<void> Server::startNameservers(const Settings& settings) {
  const bool named = !settings.namesrvAddr.empty();
  if (settings.namesrvPort || !named) {
    const std::string address =
        addressOf(settings.namesrvBindAddress, settings.namesrvPort.value_or(Settings::kNamesrvPort));
    const auto ours = startNameserver(settings, address);
    if (!ours) return ours.error();
    if (*ours == Place::kTaken) {
      return cannotListen(
          "nameserver",
          Error(ErrorCode::kUnreachable, "cannot listen at " + address + ": " + remoting::systemText(EADDRINUSE)),
          "--namesrv-port");
    }
  }
  if (!named) return {};
  const auto addresses = splitNamesrvAddr(settings.namesrvAddr);
  if (!addresses) return addresses.error();
  std::string list;
  for (const std::string& address : *addresses) {
    list += (list.empty() ? "" : ";") + address;
    const std::size_t colon = address.rfind(':');
    const std::string host = address.substr(0, colon);
    const std::string numeric = (host == "localhost" ? "127.0.0.1" : host) + address.substr(colon);
    if (std::find(own_.begin(), own_.end(), numeric) != own_.end()) continue;
    if (isLoopback(host)) {
      const auto ours = startNameserver(settings, numeric);
      if (!ours) return ours.error();
      if (*ours == Place::kOurs) continue;
    }
    foreign_.push_back(address);
  }
  if (own_.empty()) namesrv_addr_ = list;
  return {};
}

void Server::whenReady(base::Completion<void> done) {
  const auto all = std::make_shared<All>(std::move(done));
  const auto share = [all] {
    return base::Completion<void>::of([all](Result<void>&& known) {
      if (!known) all->failed = known.error();
    });
  };
  const auto running = broker();
  if (own_.empty()) running->whenKnownTo("", share());
  for (const std::string& address : own_) running->whenKnownTo(address, share());
}

void Server::stopBroker(base::Completion<void> done) {
  base::Ref<broker::Broker> stops;
  {
    base::MutexLock lock(mutex_);
    stops = std::move(broker_);
  }
  if (!stops) return std::move(done)(Result<void>());
  stops->stop(std::move(done));
}

void Server::startBroker(base::Completion<void> done) {
  if (brokerRunning()) return std::move(done)(Result<void>());
  auto started = broker::Broker::start(broker_options_);
  if (!started) return std::move(done)(started.error());
  const base::Ref<broker::Broker> starts = *started;
  {
    base::MutexLock lock(mutex_);
    if (!ended_ && !broker_) broker_ = std::move(*started);
  }
  if (*started) return std::move(done)(Error(ErrorCode::kClosed, "the broker was started or ended meanwhile"));
  starts->whenRegistered(std::move(done));
}

bool Server::inspect(UniqueFunction<void(const broker::Inspection&)> look) {
  const auto running = broker();
  if (running) running->inspect(std::move(look));
  return static_cast<bool>(running);
}

void Server::stop(base::Completion<void> done) {
  {
    base::MutexLock lock(mutex_);
    ended_ = true;
  }
  // The broker first: it signs off at the nameservers.
  stopBroker(base::Completion<void>::of([nameservers = nameservers_, done = std::move(done)](Result<void>&&) mutable {
    const auto all = std::make_shared<All>(std::move(done));
    for (const auto& nameserver : nameservers) {
      nameserver->close(base::Completion<void>::of([all](Result<void>&&) {}));
    }
  }));
}

}  // namespace mqclient::standalone
