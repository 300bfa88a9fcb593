#include "mock_broker/standalone/server.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

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

std::string withIp(const std::string& ip, const std::string& address) {
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
                                              base::Ref<base::Log> log) {
  std::unique_ptr<Server> server(new Server);
  server->engine_ = std::move(engine);
  server->log_ = std::move(log);
  server->transport_ = remoting::makeTcpTransport();
  if (settings.namesrvBindAddress.empty()) settings.namesrvBindAddress = settings.bindAddress;
  if (auto started = server->startNameservers(settings); !started) return started.error();

  broker::BrokerOptions options = settings.broker;
  options.engine = server->engine_;
  options.transport = server->transport_;
  options.log = server->log_;
  options.address = addressOf(settings.bindAddress, settings.listenPort);
  const std::string told = toldIp(settings, *server->engine_);
  if (told != settings.bindAddress) options.brokerIP1 = told;
  options.namesrvAddrs = server->own_;
  options.namesrvAddrs.insert(options.namesrvAddrs.end(), server->foreign_.begin(), server->foreign_.end());
  options.server = serverOptions(settings);
  auto broker = broker::Broker::start(std::move(options));
  if (!broker) return cannotListen("broker", broker.error(), "--listen-port, or listenPort in its configuration");
  server->broker_ = std::move(*broker);
  return server;
}

Server::~Server() {
  if (broker_) broker_->stop({});
  for (const auto& nameserver : nameservers_) nameserver->close({});
}

Result<Server::Place> Server::startNameserver(const Settings& settings, const std::string& address) {
  nameserver::NameserverOptions options;
  options.address = address;
  options.scan_interval = settings.scanNotActiveBrokerInterval;
  options.server = serverOptions(settings);
  auto started = nameserver::Nameserver::start(engine_, transport_, log_, std::move(options));
  if (!started && isTaken(started.error())) return Place::kTaken;
  if (!started) return cannotListen("nameserver", started.error(), "--namesrv-port");
  const std::string at = (*started)->address();
  nameservers_.push_back(std::move(*started));
  const std::string ip = at.substr(0, at.rfind(':'));
  own_.push_back(isAnyAddress(ip) ? withIp(ip.starts_with('[') ? "::1" : "127.0.0.1", at) : at);
  namesrv_addr_ +=
      (namesrv_addr_.empty() ? "" : ";") + (isAnyAddress(ip) ? withIp(toldIp(settings, *engine_), at) : at);
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
  if (own_.empty()) broker_->whenKnownTo("", share());
  for (const std::string& address : own_) broker_->whenKnownTo(address, share());
}

void Server::stop(base::Completion<void> done) {
  // The broker first: it signs off at the nameservers.
  broker_->stop(
      base::Completion<void>::of([nameservers = nameservers_, done = std::move(done)](Result<void>&&) mutable {
        const auto all = std::make_shared<All>(std::move(done));
        for (const auto& nameserver : nameservers) {
          nameserver->close(base::Completion<void>::of([all](Result<void>&&) {}));
        }
      }));
}

}  // namespace mqclient::standalone
