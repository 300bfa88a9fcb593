#include "machine.h"

#include <map>
#include <utility>

namespace mqclient::simulation {

using base::Completion;
using base::MutexLock;
using base::Ref;
using remoting::Connection;

namespace {

constexpr const char* kScheme = "machine";

/// The homes of the machines that stand now, by name. One run at a time registers here.
std::map<std::string, client::Home>& homes() {
  static std::map<std::string, client::Home> all;
  return all;
}

[[maybe_unused]] const bool kRegistered = [] {
  client::registerScheme(
      kScheme, [](const client::SchemeAddress& address, const Ref<base::Engine>&) -> Result<client::Home> {
        const auto found = homes().find(address.name);
        if (found == homes().end()) {
          return Error(ErrorCode::kInvalidArgument, address.text + ": there is no such machine in this run");
        }
        return found->second;
      });
  return true;
}();

}  // namespace

void Machine::connect(base::Engine& engine, std::string address, Ref<remoting::ConnectionHandler> handler,
                      base::SteadyTime deadline, Completion<Ref<Connection>> done) {
  bool dead = false;
  {
    MutexLock lock(mutex_);
    dead = dead_;
  }
  if (dead) {
    base::Strand& strand = handler->strand();
    strand.post(std::move(handler), [done = std::move(done)]() mutable {
      std::move(done)(Error(ErrorCode::kUnreachable, "this machine is dead"));
    });
    return;
  }
  network_->connect(engine, std::move(address), std::move(handler), deadline,
                    Completion<Ref<Connection>>::of(
                        [me = Ref<Machine>(this), done = std::move(done)](Result<Ref<Connection>>&& made) mutable {
                          if (made) me->keep(*made);
                          std::move(done)(std::move(made));
                        }));
}

Result<Ref<remoting::ListenSocket>> Machine::listen(base::Engine& engine, std::string address,
                                                    Ref<remoting::Acceptor> acceptor) {
  return network_->listen(engine, std::move(address), std::move(acceptor));
}

void Machine::keep(const Ref<Connection>& connection) {
  {
    MutexLock lock(mutex_);
    if (!dead_) return connections_.push_back(connection);
  }
  connection->close(Error(ErrorCode::kConnectionLost, "the machine died"));
}

void Machine::die() {
  std::vector<Ref<Connection>> ending;
  {
    MutexLock lock(mutex_);
    dead_ = true;
    ending.swap(connections_);
  }
  for (const Ref<Connection>& connection : ending) {
    connection->close(Error(ErrorCode::kConnectionLost, "the machine died"));
  }
}

Machines::Place Machines::make(const std::string& name) {
  Place place{std::string(kScheme) + "://" + name, base::makeRef<Machine>(network_)};
  client::Home home;
  home.engine = engine_;
  home.transport = place.machine;
  home.nameservers = nameservers_;
  home.identity = place.namesrv_addr;
  homes()[name] = std::move(home);
  places_.push_back(place);
  return place;
}

Machines::~Machines() {
  for (const Place& place : places_) place.machine->die();
  homes().clear();
}

}  // namespace mqclient::simulation
