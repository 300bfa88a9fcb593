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

/// When brokers bring messages to their disks, and so what MockBroker::powerLoss() takes. kNever: never; all of them.
/// kAsync: every 500 ms, Apache's default; what was acknowledged since the last flush. kSync: before a send is
/// answered; nothing that was. Disks are memory in any case, each broker has one of its own.
enum class MockFlush { kNever, kAsync, kSync };

/// What a disk keeps of bytes that were not flushed when the power goes. kGone: nothing. kSome: some of the first, the
/// last sector torn, as the seed wants it; not with MockFlush::kNever.
enum class MockUnflushed { kGone, kSome };

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
  MockFlush flush{MockFlush::kNever};
};

/// The hand that moves a virtual cluster's time. On a kReal cluster every member answers kUnsupported.
class MQCLIENT_EXPORT VirtualClock {
 public:
  /// Lets `by` pass: timers due within it fire in order, what they start runs to its end.
  Result<void> advance(Millis by);
  /// Jumps to the next armed timer and lets it fire.
  Result<void> advanceToNextTimer();
  /// Lets time pass, event by event, until `condition` is true. kTimeout: it was not within `at_most`.
  Result<void> advanceUntil(UniqueFunction<bool()> condition, Millis at_most);
  /// Moves the wall clock alone, as a correction by NTP would; durations do not notice.
  Result<void> stepWallClock(Millis by);

 private:
  friend class MockCluster;
  std::shared_ptr<void> engine_;
};

/// One broker of a MockCluster: a handle, valid as long as the cluster.
///
/// Ends, from the kindest: stop() leaves nothing undone, kill() loses no message and the offsets committed in the last
/// five seconds, powerLoss() what MockFlush says besides. Each is idempotent, and start() brings the broker back with
/// what is left. Errors: kInvalidArgument for a broker that was removed, or is stopped where it must run.
class MQCLIENT_EXPORT MockBroker {
 public:
  const std::string& name() const;
  /// Where it listens; changed by moveTo().
  std::string address() const;
  bool running() const;

  /// Unregisters, answers what it has, writes everything, closes its connections.
  Result<void> stop();
  /// As kill -9: connections end, nobody hears anything, what was written stays.
  Result<void> kill();
  /// As the machine without power: also what was not flushed goes. Its connections end at once, as if the machine were
  /// back soon enough to refuse them.
  Result<void> powerLoss(MockUnflushed unflushed = MockUnflushed::kGone);
  /// Comes back at the same address with its messages, topics, groups and committed offsets, and registers.
  Result<void> start();
  /// Comes back on a new disk: as if it had never been there.
  Result<void> startEmpty();

  /// Out of every route answer, and back; it serves and registers all the same, connections stay.
  Result<void> hideFromRoute();
  Result<void> showInRoute();
  /// Stops, and comes back with its state at "127.0.0.1:port"; port 0: a free one.
  Result<void> moveTo(std::string address);
  /// Makes or changes a topic on this broker alone: queue counts, perm 4 (read only), 2 (write only), 6.
  Result<void> updateTopic(TopicConfig config);
  /// Its wall clock is wrong by so much, until it ends.
  Result<void> skewWallClock(Millis by);

  /// The `nth` (from 1) operation of that name from now on fails: "open", "create", "read", "write", "sync", "rename",
  /// "remove", "syncdir". After a failed sync of messages the broker takes no more of them until it is started again.
  Result<void> failDisk(std::string_view operation, int nth = 1);
  /// No more than so many bytes fit; the log's segments count whole from their first byte, so sends go on to the end of
  /// the one that is written. Then they are refused with SERVICE_NOT_AVAILABLE (14).
  Result<void> fillDisk(std::size_t more_bytes = 0);
  /// There is room again.
  Result<void> freeDisk();
  /// Each flush of messages takes so long from now on; 0: none.
  Result<void> slowDisk(Millis flush);

 private:
  friend class MockCluster;
  std::shared_ptr<void> cluster_;
  std::string name_;
};

/// Queues of a topic on one broker, as a nameserver tells them.
struct MockQueueData {
  std::string brokerName{};
  int readQueueNums{8};
  int writeQueueNums{8};
  int perm{6};               ///< 4 read, 2 write
  std::string brokerAddr{};  ///< empty: where the broker of that name is
};
/// A route answer; empty: the nameserver does not know the topic.
using MockRoute = std::vector<MockQueueData>;

/// One nameserver of a MockCluster: a handle, valid as long as the cluster. Errors: kInvalidArgument where it must run
/// and is stopped, or a route names a broker that is not there.
class MQCLIENT_EXPORT MockNameserver {
 public:
  const std::string& address() const;
  bool running() const;
  Result<void> stop();
  /// Comes back knowing nobody: brokers register again within 30 s, as with a real one.
  Result<void> start();

  /// Its view stands still: registrations are answered and not taken, nobody is removed. thaw() ends that.
  Result<void> freeze();
  Result<void> thaw();
  /// It forgets a topic, until a broker's next whole registration (30 s).
  Result<void> forget(std::string topic);

  /// What it answers for a topic from now on, whatever the brokers say.
  Result<void> setRoute(std::string topic, const MockRoute& route);
  /// What it answers to the next questions for a topic, one each; then as before.
  Result<void> queueRoutes(std::string topic, const std::vector<MockRoute>& routes);
  /// Forgets setRoute() and queueRoutes() of every topic.
  Result<void> clearRoutes();

 private:
  friend class MockCluster;
  std::shared_ptr<void> cluster_;
  std::size_t index_ = 0;
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
  /// The same, but the client asks an address server for its nameservers, at start and every two minutes, as it does
  /// with "http://host/rocketmq/nsaddr"; tellNameservers() says what it hears. kMemory only (kInvalidArgument).
  Result<ClientOptions> discoveringClient() const;
  /// The nameservers that discovering clients are told of, by index; at first all. The others go on answering.
  Result<void> tellNameservers(const std::vector<int>& indices);
  VirtualClock& clock();

  /// By name ("broker-a"). kInvalidArgument names the brokers there are.
  Result<MockBroker> broker(std::string_view name) const;
  std::vector<std::string> brokerNames() const;
  /// One more broker on a disk of its own, registered; it has the system's topics only.
  Result<MockBroker> addBroker(std::string name);
  /// Takes a broker out for good: it leaves the routes, serves who still comes until nothing was asked for a second and
  /// no pull is held, then stops. kTimeout: it was stopped after `wait` although clients still asked.
  Result<void> removeBroker(std::string_view name, Millis wait = Millis{60000});
  /// 0 to nameservers - 1; kInvalidArgument.
  Result<MockNameserver> nameserver(int index) const;

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
