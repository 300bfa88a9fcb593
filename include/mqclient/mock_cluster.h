#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mqclient/client.h"
#include "mqclient/error.h"
#include "mqclient/export.h"
#include "mqclient/function.h"
#include "mqclient/message.h"
#include "mqclient/mock_faults.h"
#include "mqclient/topic_config.h"

namespace mqclient {
inline namespace v1 {

/// kReal: the cluster runs on the process's shared runtime and the OS clocks. kVirtual: on a runtime of its own whose
/// time stands still until somebody waits; then it jumps to the next timer. With kVirtual everything (cluster, clients,
/// your listeners) runs one thread at a time, and only the thread that started the cluster may call in.
enum class MockTime { kReal, kVirtual };

/// kMemory: frames never leave the process, no port is opened. kTcp: loopback sockets on free ports, for any client of
/// any process and language; only with MockTime::kReal.
enum class MockTransport { kMemory, kTcp };

/// What a cluster is made of. Every name is deterministic: brokers broker-a, broker-b, ... in cluster DefaultCluster.
struct MockClusterOptions {
  int nameservers{1};            ///< 1 to 16
  int brokers{1};                ///< masters; 1 to 1,000
  int defaultTopicQueueNums{8};  ///< queues of TBW102, the template of topics made by the first send; 1 to 1,024
  MockTransport transport{MockTransport::kMemory};
  MockTime time{MockTime::kReal};
  std::uint64_t seed{1};  ///< kVirtual: decides every choice; the same seed gives the same run
  /// Frames are kept for requests() and trace() from the first one on, not only once somebody asks for them.
  bool recordFromStart{false};
};

/// The hand that moves a virtual cluster's time. On a kReal cluster every member answers kUnsupported.
class MQCLIENT_EXPORT VirtualClock {
 public:
  /// Lets `by` pass: timers due within it fire in order, what they start runs to its end.
  Result<void> advance(Millis by);
  /// Jumps to the next armed timer and lets it fire.
  Result<void> advanceToNextTimer();
  /// Moves the wall clock alone, as a correction by NTP would; durations do not notice.
  Result<void> stepWallClock(Millis by);

 private:
  friend class MockCluster;
  std::shared_ptr<void> engine_;
};

/// One broker of a MockCluster: a handle, valid as long as the cluster.
class MQCLIENT_EXPORT MockBroker {
 public:
  const std::string& name() const;
  const std::string& address() const;
  bool running() const;
  /// Unregisters, answers nobody any more, closes its connections and forgets what it had stored. Idempotent.
  Result<void> stop();
  /// Comes back at the same address, empty, and registers. Idempotent.
  Result<void> start();

 private:
  friend class MockCluster;
  std::shared_ptr<void> cluster_;
  std::string name_;
  std::string address_;
};

/// Nameservers and brokers inside this process: ready when start() returns, gone with the last handle. Opens no port
/// unless asked for TCP, writes no file. Any number in a process. Any member from any thread (kVirtual: see MockTime).
class MQCLIENT_EXPORT MockCluster {
 public:
  /// Errors: kInvalidArgument, naming every option out of range.
  static Result<MockCluster> start(MockClusterOptions options = {});
  /// The cluster behind mock://name, made with default options if it does not live yet. It lives until reset() or the
  /// end of the process.
  static Result<MockCluster> named(std::string_view name);

  MockCluster(MockCluster&&) noexcept;
  MockCluster& operator=(MockCluster&&) noexcept;
  ~MockCluster();

  /// The address to give to clients: "mock://...", with kTcp "127.0.0.1:port".
  std::string namesrvAddr() const;
  /// Options for a client of this cluster: its address, and its runtime when time is virtual.
  ClientOptions client() const;
  VirtualClock& clock();

  /// By name ("broker-a"). kInvalidArgument names the brokers there are.
  Result<MockBroker> broker(std::string_view name) const;
  std::vector<std::string> brokerNames() const;

  /// Makes or changes a topic on every running broker, as an administrator would.
  Result<void> createTopic(TopicConfig config);
  /// Every stored message of a topic, by broker, queue and offset; %RETRY%group topics too.
  std::vector<MessageExt> messages(std::string_view topic) const;
  /// What the broker has as the group's committed offset of a queue; -1: nothing yet.
  std::int64_t committedOffset(std::string_view group, const MessageQueue& queue) const;
  /// Client ids of the group's members, as broker-a knows them.
  std::vector<std::string> members(std::string_view group) const;

  /// Looks at `condition` until it is true, at most for `wait` (virtual time jumps from timer to timer meanwhile).
  bool waitUntil(UniqueFunction<bool()> condition, Millis wait = Millis{5000});

  // ---- faults, and what passed (docs/testing-design.md)
  // Frames cost nothing and are not kept until the first inject(), hold(), requests() or trace() (or from the start,
  // with recordFromStart). From then on they are, for good: the last 4,096 events and 64 MiB. Requests that came before
  // have replies of unknown code.

  /// Each frame that fits meets the action, as long as the handle lives. Of several faults the one injected first acts,
  /// but each counts every frame that fits.
  /// Errors   kInvalidArgument: what can never match or act, with what there is; kUnsupported: not with this transport.
  [[nodiscard]] Result<Fault> inject(Match match, FaultAction action);
  /// Each frame that fits waits until the handle releases it. Errors as of inject().
  [[nodiscard]] Result<Held> hold(Match match);
  /// Faults and holds that no frame has met, but for those marked optional: for the end of a test.
  std::vector<std::string> faultsNeverFired() const;
  /// The frames that fit, oldest first: requests, replies, and those that a fault swallowed. nth, probability, from and
  /// until are not asked.
  std::vector<Captured> requests(const Match& match = {}) const;
  /// Frames, connections and faults in the order they came, one JSON object a line.
  std::string trace() const;

  /// Stops every node and forgets a mock:// name: the next use of it makes a new cluster. Clients still connected see
  /// their connections end.
  void reset();

 private:
  struct Impl;
  explicit MockCluster(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace mqclient
