#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/completion.h"
#include "base/engine.h"
#include "base/log.h"
#include "base/mutex.h"
#include "mock_broker/broker/broker.h"
#include "mock_broker/faults/fault_plan.h"
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
  /// `faults` null: nodes listen on the plain transport. Else through it, as "nameserver-0", ... and under the broker's
  /// name.
  static Result<std::unique_ptr<Server>> start(Settings settings, base::Ref<base::Engine> engine,
                                               base::Ref<base::Log> log, base::Ref<faults::FaultPlan> faults = {});

  /// What clients are given: our own nameservers, else those that the broker registers with.
  const std::string& namesrvAddr() const noexcept { return namesrv_addr_; }
  const std::string& brokerName() const noexcept { return broker_options_.brokerName; }
  const std::string& brokerAddress() const noexcept { return broker_address_; }
  /// How this machine reaches our own.
  const std::vector<std::string>& ownNameservers() const noexcept { return own_; }
  /// Those of namesrvAddr that are not ours.
  const std::vector<std::string>& foreignNameservers() const noexcept { return foreign_; }

  /// Completes when the first client would find the broker: our own nameservers know it, or one of the others does,
  /// however long that takes. kClosed after stop().
  void whenReady(base::Completion<void> done);
  /// Signs off, closes every connection; completes when all have ended.
  void stop(base::Completion<void> done);

  // ---- the broker alone, while nameservers go on
  /// Ends as it ends with stop(), and forgets everything. Idempotent.
  void stopBroker(base::Completion<void> done);
  /// Comes back at the same address, empty; completes when it has registered. Idempotent.
  void startBroker(base::Completion<void> done);
  bool brokerRunning() const { return static_cast<bool>(broker()); }
  /// As Broker::inspect. False: it does not run, `look` is not called.
  bool inspect(UniqueFunction<void(const broker::Inspection&)> look);

 private:
  Server() = default;
  base::Ref<broker::Broker> broker() const;
  base::Ref<remoting::Transport> transportOf(NodeRole role, std::string name) const;
  Result<void> startNameservers(const Settings& settings);
  enum class Place { kOurs, kTaken /*somebody else listens there*/ };
  Result<Place> startNameserver(const Settings& settings, const std::string& address);

  base::Ref<base::Engine> engine_;
  base::Ref<base::Log> log_;
  base::Ref<remoting::Transport> transport_;
  base::Ref<faults::FaultPlan> faults_;  // null: none
  std::vector<base::Ref<nameserver::Nameserver>> nameservers_;
  std::vector<std::string> own_;  // how the broker reaches them
  std::vector<std::string> foreign_;
  std::string namesrv_addr_;
  broker::BrokerOptions broker_options_;
  std::string broker_address_;

  mutable base::Mutex mutex_;
  base::Ref<broker::Broker> broker_ MQ_GUARDED_BY(mutex_);  // null while it is stopped
  bool ended_ MQ_GUARDED_BY(mutex_) = false;
};

}  // namespace mqclient::standalone
