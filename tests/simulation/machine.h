#pragma once

#include <string>
#include <vector>

#include "base/mutex.h"
#include "client/home.h"
#include "remoting/transport.h"

namespace mqclient::simulation {

/// The computer that one client runs on: its own way into the network of the run, which can be torn out as a process
/// that is killed does it: every connection ends at once and none is made any more.
///
/// Threads  any of the simulation's.
class Machine final : public remoting::Transport {
 public:
  explicit Machine(base::Ref<remoting::Transport> network) noexcept : network_(std::move(network)) {}

  void connect(base::Engine& engine, std::string address, base::Ref<remoting::ConnectionHandler> handler,
               base::SteadyTime deadline, base::Completion<base::Ref<remoting::Connection>> done) override;
  Result<base::Ref<remoting::ListenSocket>> listen(base::Engine& engine, std::string address,
                                                   base::Ref<remoting::Acceptor> acceptor) override;
  /// Idempotent. Also what ends the circle of machine, connections and client when a run is over.
  void die();

 private:
  void keep(const base::Ref<remoting::Connection>& connection);

  const base::Ref<remoting::Transport> network_;
  base::Mutex mutex_;
  bool dead_ MQ_GUARDED_BY(mutex_) = false;
  std::vector<base::Ref<remoting::Connection>> connections_ MQ_GUARDED_BY(mutex_);
};

/// Puts machines on the map: a client whose namesrvAddr is address() runs on this one, in the engine's time.
class Machines {
 public:
  Machines(base::Ref<base::Engine> engine, base::Ref<remoting::Transport> network, std::vector<std::string> nameservers)
      : engine_(std::move(engine)), network_(std::move(network)), nameservers_(std::move(nameservers)) {}
  ~Machines();
  Machines(const Machines&) = delete;
  Machines& operator=(const Machines&) = delete;

  struct Place {
    std::string namesrv_addr;
    base::Ref<Machine> machine;
  };
  /// `name` is fresh in the process.
  Place make(const std::string& name);

 private:
  const base::Ref<base::Engine> engine_;
  const base::Ref<remoting::Transport> network_;
  const std::vector<std::string> nameservers_;
  std::vector<Place> places_;
};

}  // namespace mqclient::simulation
