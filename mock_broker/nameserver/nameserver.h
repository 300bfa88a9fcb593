#pragma once

#include <string>

#include "base/completion.h"
#include "base/engine.h"
#include "base/log.h"
#include "base/strand.h"
#include "base/timer.h"
#include "mock_broker/nameserver/route_info.h"
#include "mock_broker/nameserver/route_script.h"
#include "remoting/remoting_server.h"
#include "remoting/responder.h"
#include "remoting/transport.h"

namespace mqclient::nameserver {

struct NameserverOptions {
  std::string address{"127.0.0.1:9876"};
  base::Millis scan_interval{
      5'000};  ///< how often silent brokers are looked for; NamesrvConfig scanNotActiveBrokerInterval
  remoting::RemotingServerOptions server{};
};

/// A nameserver: who serves which topic, told by the brokers themselves, forgotten when they fall silent. Serves codes
/// 103, 104, 105 and 322; answers code 3 to others. Its tables are guarded by one strand; route bodies are encoded
/// outside.
class Nameserver final : public remoting::RequestHandler {
 public:
  static Result<base::Ref<Nameserver>> start(base::Ref<base::Engine> engine, base::Ref<remoting::Transport> transport,
                                             base::Ref<base::Log> log, NameserverOptions options);

  const std::string& address() const noexcept { return server_->address(); }
  /// Stops listening, closes connections, forgets everything. Idempotent; completes when connections have ended.
  void close(base::Completion<void> done);
  /// Runs `look` over the tables inside the strand.
  void inspect(UniqueFunction<void(const RouteInfo&)> look);
  /// Runs `change` inside the strand: what is asked afterwards is answered by it.
  void direct(UniqueFunction<void(RouteScript&)> change, base::Completion<void> done);
  /// Drops a topic from the tables, until a broker's next whole registration brings it back.
  void forget(std::string topic, base::Completion<void> done);

  void handle(remoting::Request&& request, remoting::Responder&& responder) noexcept override;
  void onPeerClosed(remoting::Peer& peer) noexcept override;

  Nameserver(base::Ref<base::Engine> engine, base::Ref<base::Log> log, NameserverOptions options);

 private:
  void registerBroker(remoting::Request&& request, remoting::Responder&& responder);
  void unregisterBroker(remoting::Request&& request, remoting::Responder&& responder);
  void getRoute(remoting::Request&& request, remoting::Responder&& responder);
  void queryDataVersion(remoting::Request&& request, remoting::Responder&& responder);
  void scan() noexcept;
  base::Ref<base::Object> self() noexcept { return base::Ref<base::Object>(this); }

  const base::Ref<base::Engine> engine_;
  const base::Ref<base::Log> log_;
  const NameserverOptions options_;
  base::Ref<remoting::RemotingServer> server_;  // set once by start()

  base::Strand strand_;
  // below: strand only
  RouteInfo routes_;
  RouteScript script_;
  std::map<std::uint64_t, base::Ref<remoting::Peer>> broker_peers_;  // connections that brokers registered over
  base::FunctionTimer scan_timer_;
  bool closed_ = false;
};

}  // namespace mqclient::nameserver
