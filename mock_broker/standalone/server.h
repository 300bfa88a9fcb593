#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/completion.h"
#include "base/engine.h"
#include "base/log.h"
#include "mock_broker/broker/broker.h"
#include "mock_broker/nameserver/nameserver.h"
#include "mock_broker/standalone/settings.h"

namespace mqclient::standalone {

/// A broker, and the nameservers it needs, over TCP: what mqbroker is made of.
///
/// Nameservers  settings.namesrvPort given: one of our own there. Without namesrvAddr: one of our own at 9876.
///              With namesrvAddr the broker registers at every address of it; at a loopback address where nobody
///              listens one of our own begins to. So a broker.conf that was written for a nameserver on the same
///              machine starts alone, and beside that nameserver as well.
/// Threads      any that may wait.
class Server {
 public:
  /// Begins what stop() does, unless that was called.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens; does not wait for nameservers. kUnreachable says which address is taken and how to choose another.
  static Result<std::unique_ptr<Server>> start(Settings settings, base::Ref<base::Engine> engine,
                                               base::Ref<base::Log> log);

  /// What clients are given: our own nameservers, else those that the broker registers with.
  const std::string& namesrvAddr() const noexcept { return namesrv_addr_; }
  const std::string& brokerAddress() const noexcept { return broker_->address(); }
  /// Those of namesrvAddr that are not ours.
  const std::vector<std::string>& foreignNameservers() const noexcept { return foreign_; }

  /// Completes when the first client would find the broker: our own nameservers know it, or one of the others does,
  /// however long that takes. kClosed after stop().
  void whenReady(base::Completion<void> done);
  /// Signs off, closes every connection; completes when all have ended.
  void stop(base::Completion<void> done);

 private:
  Server() = default;
  Result<void> startNameservers(const Settings& settings);
  enum class Place { kOurs, kTaken /*somebody else listens there*/ };
  Result<Place> startNameserver(const Settings& settings, const std::string& address);

  base::Ref<base::Engine> engine_;
  base::Ref<base::Log> log_;
  base::Ref<remoting::Transport> transport_;
  std::vector<base::Ref<nameserver::Nameserver>> nameservers_;
  std::vector<std::string> own_;  // how the broker reaches them
  std::vector<std::string> foreign_;
  std::string namesrv_addr_;
  base::Ref<broker::Broker> broker_;
};

}  // namespace mqclient::standalone
