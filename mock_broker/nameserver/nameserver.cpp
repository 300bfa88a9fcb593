#include "mock_broker/nameserver/nameserver.h"

#include <utility>

#include "mqclient/codes.h"
#include "protocol/hash.h"
#include "protocol/headers/namesrv.h"
#include "protocol/remoting_command.h"

namespace mqclient::nameserver {

namespace {

constexpr std::string_view kComponent = "nameserver";
constexpr char kZlibFirstByte = 0x78;
/// Of an inflated registration: some 100,000 topics.
constexpr std::size_t kRegistrationBytesMax = std::size_t{16} << 20;

/// The body of a registration, or why it cannot be read. A body that is absent is an empty table.
Result<protocol::TopicConfigSerializeWrapper> readTopics(const protocol::RegisterBrokerRequestHeader& header,
                                                         const base::Slice& body, int sender_version) {
  if (header.bodyCrc32 != 0 && protocol::crc32Masked(body.bytes()) != static_cast<std::uint32_t>(header.bodyCrc32)) {
    return Error(ErrorCode::kCorrupt, "crc32 not match");
  }
  if (body.empty()) return protocol::TopicConfigSerializeWrapper{};
  // 5.x brokers with compressedRegister send zlib and say they did not: the first byte tells.
  const bool compressed = header.compressed || body.text().front() == kZlibFirstByte;
  auto decoded =
      compressed ? protocol::RegisterBrokerBody::decodeCompressed(body.text(), sender_version, kRegistrationBytesMax)
                 : protocol::RegisterBrokerBody::decode(body.text());
  if (!decoded) return decoded.error();
  return std::move(decoded->topicConfigSerializeWrapper);
}

}  // namespace

Nameserver::Nameserver(base::Ref<base::Engine> engine, base::Ref<base::Log> log, NameserverOptions options)
    : engine_(std::move(engine)),
      log_(std::move(log)),
      options_(std::move(options)),
      strand_(*engine_),
      scan_timer_(strand_, [this] { scan(); }) {}

Result<base::Ref<Nameserver>> Nameserver::start(base::Ref<base::Engine> engine,
                                                base::Ref<remoting::Transport> transport, base::Ref<base::Log> log,
                                                NameserverOptions options) {
  auto nameserver = base::makeRef<Nameserver>(engine, log, std::move(options));
  auto server = remoting::RemotingServer::start(engine, std::move(transport), nameserver->options_.address, nameserver,
                                                std::move(log), nameserver->options_.server);
  if (!server) return std::move(server).error();
  nameserver->server_ = std::move(*server);
  nameserver->strand_.post(nameserver->self(), [ns = nameserver.get()] {
    ns->scan_timer_.armAfter(ns->self(), ns->options_.scan_interval);
  });
  return nameserver;
}

void Nameserver::close(base::Completion<void> done) {
  strand_.post(self(), [this, done = std::move(done)]() mutable {
    if (!closed_) {
      closed_ = true;
      scan_timer_.cancel();
      routes_ = RouteInfo();
      broker_peers_.clear();
    }
    server_->close(std::move(done));
  });
}

void Nameserver::inspect(UniqueFunction<void(const RouteInfo&)> look) {
  strand_.post(self(), [this, look = std::move(look)]() mutable { look(routes_); });
}

void Nameserver::direct(UniqueFunction<void(RouteScript&)> change, base::Completion<void> done) {
  strand_.post(self(), [this, change = std::move(change), done = std::move(done)]() mutable {
    change(script_);
    std::move(done)(Result<void>());
  });
}

void Nameserver::forget(std::string topic, base::Completion<void> done) {
  strand_.post(self(), [this, topic = std::move(topic), done = std::move(done)]() mutable {
    routes_.forget(topic);
    std::move(done)(Result<void>());
  });
}

void Nameserver::handle(remoting::Request&& request, remoting::Responder&& responder) noexcept {
  switch (request.command.requestCode()) {
    case RequestCode::REGISTER_BROKER:
      return registerBroker(std::move(request), std::move(responder));
    case RequestCode::UNREGISTER_BROKER:
      return unregisterBroker(std::move(request), std::move(responder));
    case RequestCode::GET_ROUTEINFO_BY_TOPIC:
      return getRoute(std::move(request), std::move(responder));
    case RequestCode::QUERY_DATA_VERSION:
      return queryDataVersion(std::move(request), std::move(responder));
    default:
      std::move(responder).answer(ResponseCode::REQUEST_CODE_NOT_SUPPORTED,
                                  " request type " + std::to_string(request.command.code) + " not supported");
  }
}

void Nameserver::onPeerClosed(remoting::Peer& peer) noexcept {
  strand_.post(self(), [this, id = peer.id()] {
    if (broker_peers_.erase(id) > 0 && !script_.frozen()) routes_.onConnectionClosed(id);
  });
}

void Nameserver::registerBroker(remoting::Request&& request, remoting::Responder&& responder) {
  auto header = protocol::decodeHeader<protocol::RegisterBrokerRequestHeader>(request.command.ext);
  if (!header) return std::move(responder).answer(ResponseCode::SYSTEM_ERROR, header.error().message());
  auto topics = readTopics(*header, request.command.body.flatten(), request.command.version);
  if (!topics) return std::move(responder).answer(ResponseCode::SYSTEM_ERROR, topics.error().message());
  Registration r{.cluster_name = std::move(header->clusterName),
                 .broker_name = std::move(header->brokerName),
                 .broker_addr = std::move(header->brokerAddr),
                 .broker_id = header->brokerId,
                 .ha_server_addr = std::move(header->haServerAddr),
                 .heartbeat_timeout_millis = header->heartbeatTimeoutMillis,
                 .enable_acting_master = header->enableActingMaster.value_or(false),
                 .topics = std::move(*topics)};
  strand_.post(
      self(), [this, r = std::move(r), peer = std::move(request.peer), responder = std::move(responder)]() mutable {
        if (closed_) return std::move(responder).discard(remoting::Discard::kStopping);
        if (script_.frozen()) {
          return std::move(responder).answer(ResponseCode::SUCCESS, {}, protocol::RegisterBrokerResponseHeader{});
        }
        const auto answer = routes_.registerBroker(r, peer->id(), engine_->now());
        if (!answer) return std::move(responder).answer(ResponseCode::SYSTEM_ERROR, "register broker failed");
        if (peer->open()) {
          broker_peers_[peer->id()] = peer;
        } else {
          routes_.onConnectionClosed(peer->id());  // its close event came first
        }
        std::move(responder).answer(ResponseCode::SUCCESS, {},
                                    protocol::RegisterBrokerResponseHeader{.haServerAddr = answer->ha_server_addr,
                                                                           .masterAddr = answer->master_addr});
      });
}

void Nameserver::unregisterBroker(remoting::Request&& request, remoting::Responder&& responder) {
  auto header = protocol::decodeHeader<protocol::UnRegisterBrokerRequestHeader>(request.command.ext);
  if (!header) return std::move(responder).answer(ResponseCode::SYSTEM_ERROR, header.error().message());
  strand_.post(self(), [this, h = std::move(*header), responder = std::move(responder)]() mutable {
    if (!script_.frozen()) routes_.unregisterBroker(h.clusterName, h.brokerAddr, h.brokerName, h.brokerId);
    std::move(responder).answer(ResponseCode::SUCCESS);
  });
}

void Nameserver::getRoute(remoting::Request&& request, remoting::Responder&& responder) {
  auto header = protocol::decodeHeader<protocol::GetRouteInfoRequestHeader>(request.command.ext);
  if (!header) return std::move(responder).answer(ResponseCode::SYSTEM_ERROR, header.error().message());
  // Old requesters get the bare numeric keys that their JSON reader expects; see fidelity notes on 4.9.4.
  const bool standard =
      request.command.version >= protocol::version::V4_9_4 || header->acceptStandardJsonOnly.value_or(false);
  strand_.post(self(), [this, topic = std::move(header->topic), standard, responder = std::move(responder)]() mutable {
    if (closed_) return std::move(responder).discard(remoting::Discard::kStopping);
    const auto route = script_.next(topic, routes_);
    if (!route) {
      return std::move(responder).answer(ResponseCode::TOPIC_NOT_EXIST,
                                         "No topic route info in name server for the topic: " + topic);
    }
    const auto dialect = standard ? protocol::JsonDialect::kStandard : protocol::JsonDialect::kFastjsonBareKeys;
    std::move(responder).answer(ResponseCode::SUCCESS, {}, protocol::NoHeader{},
                                base::Slice::of(route->encode(dialect)));
  });
}

void Nameserver::queryDataVersion(remoting::Request&& request, remoting::Responder&& responder) {
  auto header = protocol::decodeHeader<protocol::QueryDataVersionRequestHeader>(request.command.ext);
  if (!header) return std::move(responder).answer(ResponseCode::SYSTEM_ERROR, header.error().message());
  const base::Slice body = request.command.body.flatten();
  auto theirs = protocol::DataVersion::decode(body.text());
  if (!theirs) return std::move(responder).answer(ResponseCode::SYSTEM_ERROR, theirs.error().message());
  strand_.post(self(), [this, h = std::move(*header), theirs = *theirs, responder = std::move(responder)]() mutable {
    if (!script_.frozen()) routes_.touch(h.clusterName, h.brokerAddr, engine_->now());
    const protocol::DataVersion* ours = routes_.dataVersion(h.clusterName, h.brokerAddr);
    const protocol::QueryDataVersionResponseHeader answer{.changed = ours == nullptr || !(*ours == theirs)};
    base::Chain answer_body;
    if (ours) answer_body.append(base::Slice::of(ours->encode()));
    std::move(responder).answer(ResponseCode::SUCCESS, {}, answer, std::move(answer_body));
  });
}

void Nameserver::scan() noexcept {
  if (closed_) return;
  const auto silent = script_.frozen() ? std::vector<std::uint64_t>() : routes_.expire(engine_->now());
  for (const std::uint64_t connection : silent) {
    const auto peer = broker_peers_.find(connection);
    if (peer == broker_peers_.end()) continue;
    log_->write(LogLevel::kWarn, kComponent, "broker at " + peer->second->address() + " fell silent: removed");
    peer->second->close(Error(ErrorCode::kTimeout, "no registration within the broker expiry time"));
    broker_peers_.erase(peer);
  }
  scan_timer_.armAfter(self(), options_.scan_interval);
}

}  // namespace mqclient::nameserver
