#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/engine.h"
#include "base/log.h"
#include "base/mutex.h"
#include "mock_broker/broker/broker.h"
#include "mock_broker/faults/fault_plan.h"
#include "mock_broker/nameserver/nameserver.h"
#include "mock_broker/store/memory_disk.h"
#include "mqclient/mock_cluster.h"
#include "remoting/in_process.h"

namespace mqclient::cluster {

/// Checks what a MockCluster can be made of; every complaint at once.
Result<void> validate(const MockClusterOptions& options);

/// Nameservers and brokers on one network, in process or over loopback TCP, and one engine. What MockCluster, mock://
/// and the simulation share.
///
/// Threads  any that may wait (foreign, listener); start(), stop() and the inspecting members wait for the nodes.
class Cluster {
 public:
  /// Whether nodes listen where faults can be set. kNo: as shipped without the kit, to measure beside (benchmarks).
  enum class FaultSeam { kNo, kYes };
  struct Setup {
    MockClusterOptions options{};
    base::Ref<base::Engine> engine{};                     ///< null: by options.time
    std::shared_ptr<remoting::LinkPolicy> link_policy{};  ///< null: every frame arrives at once. In process only
    base::Ref<base::Log> log{};                           ///< null: silent
    void (*adjust)(broker::BrokerOptions&){nullptr};      ///< last word on each broker's options (tests, benchmarks)
    FaultSeam seam{FaultSeam::kYes};
  };
  static Result<std::shared_ptr<Cluster>> start(Setup setup);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  const MockClusterOptions& options() const noexcept { return options_; }
  const base::Ref<base::Engine>& engine() const noexcept { return engine_; }
  /// Null with MockTransport::kTcp.
  const base::Ref<remoting::InProcessNetwork>& network() const noexcept { return network_; }
  const base::Ref<remoting::Transport>& transport() const noexcept { return transport_; }
  /// What goes wrong on the nodes' connections.
  const base::Ref<faults::FaultPlan>& faults() const noexcept { return faults_; }
  /// The same, watching from this call on.
  const base::Ref<faults::FaultPlan>& watchedFaults() const;
  /// brokerClusterName of its brokers.
  std::string clusterName() const;
  const std::vector<std::string>& nameserverAddresses() const noexcept { return nameserver_addresses_; }

  std::vector<std::string> brokerNames() const;
  std::string brokerAddress(std::string_view name) const;
  bool brokerRunning(std::string_view name) const;
  /// Only begins where waiting is not allowed; so does killBroker().
  Result<void> stopBroker(std::string_view name);
  /// kKept: with what its disk has. kWiped: on a new one. kWouldBlock where waiting is not allowed: the one before must
  /// have ended. So do all that end a broker and go on.
  enum class DiskAtStart { kKept, kWiped };
  Result<void> startBroker(std::string_view name, DiskAtStart disk = DiskAtStart::kKept);

  // ---- topology.cpp
  Result<void> addBroker(std::string name);
  /// Out of the routes first; stopped once nothing was asked for kQuiet and no pull is held, at the latest after
  /// `wait`.
  Result<void> removeBroker(std::string_view name, base::Millis wait);
  /// Stopped, and started with its state at another address; port 0: a free one.
  Result<void> moveBroker(std::string_view name, std::string address);
  Result<void> updateTopic(std::string_view broker_name, const TopicConfig& config);
  enum class Visible { kNo, kYes };
  Result<void> setVisible(std::string_view broker_name, Visible visible);
  static constexpr base::Millis kQuiet{1'000};

  bool nameserverRunning(std::size_t index) const;
  Result<void> stopNameserver(std::size_t index);
  /// Comes back with empty tables: the brokers' next registrations fill them.
  Result<void> startNameserver(std::size_t index);
  /// Runs `change` in the nameserver's strand. kInvalidArgument: it is stopped.
  Result<void> direct(std::size_t index, UniqueFunction<void(nameserver::RouteScript&)> change);
  Result<void> forgetTopic(std::size_t index, std::string topic);
  /// The list an address server of this cluster would answer with; at first every nameserver.
  std::vector<std::string> namesrvList() const;
  void setNamesrvList(std::vector<std::string> addresses);

  // ---- crash.cpp
  Result<void> killBroker(std::string_view name);
  Result<void> losePower(std::string_view name, store::MemoryDisk::Unflushed unflushed);
  /// The disk of a broker, running or not.
  Result<std::shared_ptr<store::MemoryDisk>> disk(std::string_view name) const;
  Result<void> skewWallClock(std::string_view broker_name, base::Millis by);

  /// Stops every node; idempotent. Waits where waiting is allowed, else only begins.
  void stop();

  Result<void> createTopic(const TopicConfig& config);
  std::vector<MessageExt> messages(std::string_view topic) const;
  std::int64_t committedOffset(std::string_view group, const MessageQueue& queue) const;
  std::vector<std::string> members(std::string_view group) const;
  /// Runs `look` over a consistent view of one broker. False: no such broker is running.
  bool inspect(std::string_view broker_name, UniqueFunction<void(const broker::Inspection&)> look) const;

 private:
  struct Node {
    std::string name;
    std::string address;
    std::shared_ptr<store::MemoryDisk> disk;
    base::Ref<broker::Broker> broker;  // null while stopped
    base::Ref<broker::Broker> before;  // the one before, which may still be ending
    Visible visible{Visible::kYes};
  };
  enum class Ending { kOrderly, kKilled };

  explicit Cluster(Setup setup);
  Result<void> startNodes();
  Result<Node> makeNode(std::string name);
  Result<void> waitUntilKnown(const Node& node) const;
  Result<void> endBroker(std::string_view name, Ending ending);
  /// The broker before has ended, whoever began it.
  void waitForTheEndOf(const Node& node) const;
  Result<base::Ref<nameserver::Nameserver>> makeNameserver(std::size_t index, std::string address) const;
  std::shared_ptr<store::MemoryDisk> makeDisk();
  Error noSuchBroker(std::string_view name) const;
  Result<base::Ref<broker::Broker>> mustRun(std::string_view name) const;
  base::Ref<nameserver::Nameserver> runningNameserver(std::size_t index) const;
  Result<void> waitUntilQuiet(broker::Broker& broker, base::Millis wait) const;
  broker::BrokerOptions brokerOptions(const Node& node) const;
  /// What a node listens through.
  base::Ref<remoting::Transport> transportOf(NodeRole role, std::string name) const;
  base::Ref<broker::Broker> runningBroker(std::string_view name) const;
  std::vector<Node> nodes() const;

  const MockClusterOptions options_;
  const base::Ref<base::Engine> engine_;
  const base::Ref<base::Log> log_;
  const base::Ref<remoting::InProcessNetwork> network_;
  const base::Ref<remoting::Transport> transport_;
  const base::Ref<faults::FaultPlan> faults_;
  void (*const adjust_)(broker::BrokerOptions&);
  const FaultSeam seam_;
  std::vector<std::string> nameserver_addresses_;  // set by start

  mutable base::Mutex mutex_;
  std::vector<base::Ref<nameserver::Nameserver>> nameservers_ MQ_GUARDED_BY(mutex_);  // null while stopped
  std::vector<std::string> namesrv_list_ MQ_GUARDED_BY(mutex_);
  int brokers_made_ MQ_GUARDED_BY(mutex_) = 0;
  std::uint64_t disks_made_ MQ_GUARDED_BY(mutex_) = 0;
  std::vector<Node> nodes_ MQ_GUARDED_BY(mutex_);
  bool stopped_ MQ_GUARDED_BY(mutex_) = false;
};

/// The process's mock:// names (O1: leaked on purpose). A cluster made through a name lives until forget() or the end
/// of the process; one that MockCluster::start made lives as long as its handle and is only listed here.
class Registry {
 public:
  static Registry& instance();

  /// The cluster of a name; made with `options` if it does not live. `given` tells which options the address named:
  /// those must be equal to the living one's, else kInvalidArgument.
  struct Wanted {
    std::string name;
    MockClusterOptions options{};
    bool nameservers_given{false};
    bool brokers_given{false};
    bool queues_given{false};
  };
  Result<std::shared_ptr<Cluster>> named(const Wanted& wanted);
  /// Lists a cluster under a fresh name ("cluster-1"); answers the name.
  std::string list(const std::shared_ptr<Cluster>& cluster);
  /// The next use of the name makes a new cluster.
  void forget(const std::string& name);

 private:
  struct Entry {
    std::shared_ptr<Cluster> kept;  // made by name
    std::weak_ptr<Cluster> listed;  // made by MockCluster::start
    bool being_made = false;
  };
  base::Mutex mutex_;
  base::CondVar made_;
  std::map<std::string, Entry, std::less<>> entries_ MQ_GUARDED_BY(mutex_);
  std::uint64_t next_number_ MQ_GUARDED_BY(mutex_) = 1;
};

/// "" or why `name` cannot stand in mock://name: 1 to 64 letters, digits, '-', '_', '.'.
std::string complaintAboutName(std::string_view name);

}  // namespace mqclient::cluster
