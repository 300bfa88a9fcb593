#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mqclient/export.h"
#include "mqclient/log.h"
#include "mqclient/message.h"

namespace mqclient {
inline namespace v1 {

namespace detail {
struct RuntimeAccess;
}  // namespace detail

struct RuntimeOptions {
  int ioThreads{0};         ///< executor threads; 0: min(cores, 4)
  int blockingThreads{16};  ///< at most so many for calls that block (names, disk), started when needed
  /// Where callbacks run instead of our own listener threads (asio::post, ...). Empty: ours.
  std::function<void(UniqueFunction<void()>)> callbackExecutor{};
};

/// The threads and clocks that clients run on. A handle: copies share, and the last one, together with the last client
/// on it, ends the threads. Clients that are given none share the process's.
class MQCLIENT_EXPORT Runtime {
 public:
  /// The process's shared one, started by the first client that needs it.
  Runtime() noexcept = default;
  /// One of your own, with threads of its own. kInvalidArgument lists what is out of range.
  static Result<Runtime> create(RuntimeOptions options);
  /// Waits until runtimes that ended on one of their own threads are gone; before unloading the library. False: not in
  /// time.
  static bool quiesce(Millis wait);

  friend bool operator==(const Runtime&, const Runtime&) noexcept = default;

 private:
  friend struct detail::RuntimeAccess;
  std::shared_ptr<void> engine_;
};

/// What a ClientEvent tells about.
enum class EventKind {
  kBrokerDown,      ///< the connection to a broker ended
  kBrokerUp,        ///< and is there again
  kBrokerIsolated,  ///< sends avoid a broker for a while
  kRouteChanged,    ///< a topic's queues or brokers changed
  kRebalanced,      ///< a consumer's share of a topic's queues changed
  kDiverged,        ///< members of a group compute their shares from different inputs
  kWarning,         ///< a configuration that strands messages, an offset that jumped, ...
};
MQCLIENT_EXPORT const char* toString(EventKind) noexcept;

struct ClientEvent {
  EventKind kind{};
  std::string subject{};  ///< broker name, topic or group
  std::string text{};
};

/// The shared part of every client's options: write it once, give it to each.
struct ClientOptions {
  /// "a:9876;b:9876", "http://host/rocketmq/nsaddr" (or https) of a server that answers GET with such a list and is
  /// asked again every two minutes, or "mock://demo?brokers=2&queues=8" for a cluster inside this process.
  /// Empty: the environment variable NAMESRV_ADDR.
  std::string namesrvAddr{};
  Millis startTimeout{3000};   ///< start() fails if no nameserver answers in time; 0: start offline, see ready()
  std::string instanceName{};  ///< the part of the client id after ip@. Empty: pid#counter, unique per client
                               ///< (Java: pid#nanoTime), so that containers with one ip never share an id
  std::string unitName{};      ///< appended to the client id and to the URL's path; multi-unit deployments
  Runtime runtime{};           ///< threads and clocks; by default those of the process
  LogLevel logLevel{LogLevel::kInfo};
  /// Hears what the library logs, one line a call, on a listener thread. Empty: silent.
  std::function<void(LogLevel level, std::string_view component, std::string_view line)> log{};
  /// Hears what an operator should know, on a callback thread. Empty: nobody.
  std::function<void(const ClientEvent&)> onEvent{};
  bool sendLatencyEnable{true};           ///< avoid brokers that were slow or failed lately. ClientConfig.java: off
  Millis pollNameServerInterval{30000};   ///< routes are asked for again so often. ClientConfig.java
  Millis heartbeatBrokerInterval{30000};  ///< ClientConfig.java
  Millis mqClientApiTimeout{3000};        ///< of one route, heartbeat or unregister request. ClientConfig.java
};

enum class BrokerState { kUp, kSlow, kIsolated, kDown };
MQCLIENT_EXPORT const char* toString(BrokerState) noexcept;

/// How a client sees one broker.
struct BrokerHealth {
  std::string brokerName{};
  std::string address{};
  std::string why{};  ///< the last thing that went wrong, if any
  BrokerState state{};
  Millis sinceLastAnswer{};
  Millis rtt{};          ///< of the last answered request
  Millis isolatedFor{};  ///< still avoided by sends for so long; 0: not
  Millis routeAge{};     ///< since a nameserver last named it
};

struct Health {
  std::vector<BrokerHealth> brokers{};
  /// Configurations that lose or strand messages: "orders: read 4 < write 8: queues 4-7 are never read".
  std::vector<std::string> warnings{};
};

/// What close() left behind.
struct MQCLIENT_EXPORT CloseReport {
  std::size_t drained{};           ///< sends answered, or messages consumed, while closing
  std::size_t abandoned{};         ///< sends failed, or cached messages not consumed: those come again elsewhere
  std::size_t listenersRunning{};  ///< invocations of your listener that outlived the deadline; their results are void
  std::vector<MessageQueue> offsetsNotCommitted{};  ///< no broker confirmed them: what was consumed may come again
  Millis took{};

  /// Nothing lost, nothing to come twice.
  bool complete() const noexcept;
  std::string toString() const;
};

/// What all clients have. Any member, any thread, callbacks included.
class MQCLIENT_EXPORT MQClient {
 public:
  virtual ~MQClient() = default;

  /// Completes when the first route and heartbeat are done; of interest after an offline start (startTimeout 0).
  virtual Future<void> ready() = 0;

  /// Begins to end, with at most `wait` for what is under way. Idempotent: whoever asks later gets the same report.
  virtual Future<CloseReport> closeAsync(Millis wait = Millis{10000}) = 0;
  /// The same and waits. Called from one of this client's own callbacks it begins and answers what is known so far.
  CloseReport close(Millis wait = Millis{10000});
  void shutdown() { (void)close(); }

  virtual Health health() const = 0;
  /// ip@instanceName[@unitName]
  virtual std::string clientId() const = 0;

 protected:
  MQClient() = default;
  MQClient(const MQClient&) = default;
  MQClient& operator=(const MQClient&) = default;

  /// True on a thread that runs one of this client's callbacks now: close() must not wait there for itself.
  virtual bool insideOwnCallback() const noexcept { return false; }
};

}  // namespace v1
}  // namespace mqclient
