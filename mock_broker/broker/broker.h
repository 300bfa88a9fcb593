#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/completion.h"
#include "base/engine.h"
#include "base/log.h"
#include "base/ref.h"
#include "mqclient/function.h"
#include "remoting/remoting_server.h"
#include "remoting/transport.h"

namespace mqclient::store {
class FileSystem;
}

namespace mqclient::broker {

/// When messages are made durable. NO_FLUSH, ours: never, the files are memory. ASYNC_FLUSH: flushIntervalCommitLog
/// later. SYNC_FLUSH: before their send is answered and before they can be read.
enum class FlushDiskType { NO_FLUSH, ASYNC_FLUSH, SYNC_FLUSH };

/// One topic as the broker keeps it. Defaults are those of TopicConfig.java for a topic made by request.
struct TopicConfig {
  std::string topicName;
  std::int32_t readQueueNums{16};
  std::int32_t writeQueueNums{16};
  std::int32_t perm{6};  ///< protocol/names.h: 4 read, 2 write, 1 inherit
  bool multiTag{false};  ///< topicFilterType MULTI_TAG
  std::int32_t topicSysFlag{0};
  bool order{false};
  std::map<std::string, std::string> attributes;  ///< kept and registered; none changes what this broker does

  friend bool operator==(const TopicConfig&, const TopicConfig&) = default;
};

/// What a broker is made of. Names of RocketMQ's broker.conf keep their spelling; figures are BrokerConfig.java's and
/// MessageStoreConfig.java's unless the comment says otherwise.
struct BrokerOptions {
  base::Ref<base::Engine> engine{};
  base::Ref<remoting::Transport> transport{};
  base::Ref<base::Log> log{};  ///< null: silent

  std::string address{};    ///< "ip:port" to listen on; becomes the store host of records and the registered address
  std::string brokerIP1{};  ///< an IP that these two carry instead of the listening one, with its port
  std::string brokerName{"broker-a"};
  std::string brokerClusterName{"DefaultCluster"};
  std::int64_t brokerId{0};
  std::vector<std::string> namesrvAddrs{};  ///< registered with each of them, independently

  remoting::RemotingServerOptions server{};

  std::int32_t defaultTopicQueueNums{8};
  bool autoCreateTopicEnable{true};
  bool autoCreateSubscriptionGroup{true};
  bool clusterTopicEnable{true};
  bool brokerTopicEnable{true};
  std::int32_t brokerPermission{6};
  bool notifyConsumerIdsChangedEnable{true};
  bool longPollingEnable{true};
  base::Millis shortPollingTimeMills{1'000};
  std::string regionId{"DefaultRegion"};
  bool traceOn{true};

  base::Millis registerNameServerPeriod{30'000};
  base::Millis registerBrokerTimeoutMills{24'000};  ///< of one nameserver's answer
  base::Millis channelExpiredTimeout{120'000};      ///< a client without a heartbeat for this long is gone
  base::Millis scanNotActiveChannelPeriod{10'000};

  std::int32_t maxMessageSize{4 << 20};                       ///< bytes of one body, and of one batch
  std::int32_t maxTransferCountOnMessageInMemory{32};         ///< messages of one pull answer
  std::int32_t maxTransferBytesOnMessageInMemory{256 << 10};  ///< bytes of one pull answer; the first message always
  std::int64_t memoryLogBytesMax{256 << 20};                  ///< ours: the oldest segment goes beyond this
  std::int32_t mappedFileSizeCommitLog{8 << 20};              ///< segment size; Java's 1 GiB is for files
  std::int32_t consumeQueueUnitsPerFile{512};                 ///< of 20 bytes; Java's 300,000 is for files

  /// Where everything is stored: what lies there is taken up at the start. Null: memory of its own, gone with the
  /// broker, and the files that only a next start would read are not written.
  std::shared_ptr<store::FileSystem> files{};
  FlushDiskType flushDiskType{FlushDiskType::NO_FLUSH};  ///< Java's default: ASYNC_FLUSH
  base::Millis flushIntervalCommitLog{500};
  base::Millis syncFlushTimeout{5'000};             ///< a send that waits longer is answered FLUSH_DISK_TIMEOUT
  base::Millis flushConsumerOffsetInterval{5'000};  ///< committed offsets are written so long after the first change

  // Limits on what strangers may ask (docs/promises.md), ours.
  std::size_t topics_max{10'000};
  std::int32_t queues_per_topic_max{65'536};  ///< of a topic made by request
  std::size_t groups_max{10'000};
  std::size_t subscriptions_per_client_max{1'024};
  std::size_t batch_messages_max{4'096};
  std::int32_t pull_count_max{1'024};   ///< maxMsgNums is clamped to this
  std::size_t held_pulls_max{100'000};  ///< beyond: a pull that would wait is answered PULL_NOT_FOUND at once
};

/// A stored record, copied out of the log.
struct StoredMessage {
  std::string topic;
  std::int32_t queueId{0};
  std::int64_t queueOffset{0};
  std::int64_t physicalOffset{0};
  std::int64_t bornTimestamp{0};
  std::int64_t storeTimestamp{0};
  std::string bornHost;
  std::string storeHost;
  std::int32_t flag{0};
  std::int32_t sysFlag{0};
  std::int32_t reconsumeTimes{0};
  std::string body;        ///< as stored: compressed if the client compressed it
  std::string properties;  ///< "name SOH value STX" repeated
};

struct ClientInfo {
  std::string clientId;
  std::string address;
  std::string language;  ///< RocketMQ's name: JAVA, CPP, ...
  std::int32_t version{0};
};

struct BrokerCounters {
  std::uint64_t messages_stored{0};
  std::uint64_t messages_pulled{0};
  std::uint64_t pulls_held{0};          ///< how often a pull was held so far
  std::uint64_t responders_dropped{0};  ///< requests nobody answered: a defect of ours (C4)
  std::uint64_t segments_dropped{0};    ///< by memoryLogBytesMax
  std::uint64_t requests{0};            ///< that came over the network
};

/// What inspect() shows: the state after everything that reached the log and the tables before the call.
/// Valid only inside the inspecting function; answers are copies.
class Inspection {
 public:
  /// All records of a topic that are still in the log: by queue, then by offset.
  virtual std::vector<StoredMessage> messages(std::string_view topic) const = 0;
  /// [min, max) of a queue; 0, 0 for one that never held anything.
  virtual std::int64_t minOffset(std::string_view topic, std::int32_t queue_id) const = 0;
  virtual std::int64_t maxOffset(std::string_view topic, std::int32_t queue_id) const = 0;
  virtual std::optional<std::int64_t> committedOffset(std::string_view group, std::string_view topic,
                                                      std::int32_t queue_id) const = 0;
  /// Client ids of a consumer group, ascending; empty when nobody is there.
  virtual std::vector<std::string> members(std::string_view group) const = 0;
  virtual std::vector<ClientInfo> consumers(std::string_view group) const = 0;
  virtual std::vector<ClientInfo> producers(std::string_view group) const = 0;
  /// Every consumer and producer, once for each of its groups.
  virtual std::vector<ClientInfo> clients() const = 0;
  virtual std::vector<TopicConfig> topicConfigs() const = 0;  ///< by name
  virtual std::optional<TopicConfig> topicConfig(std::string_view topic) const = 0;
  virtual std::vector<std::string> subscriptionGroups() const = 0;  ///< names, ascending
  virtual std::size_t heldPulls() const = 0;
  virtual BrokerCounters counters() const = 0;

 protected:
  ~Inspection() = default;
};

class BrokerCore;

/// A RocketMQ broker: remoting server, message log, topics, groups, clients, offsets, long polls.
///
/// Shape    two strands: *log* numbers, copies and publishes records; *tables* owns everything else. Reading a
///          published record needs neither (concurrency rules B1, B2, B6).
/// Owner    whoever holds the Ref. The last reference stops the broker as stop() does, without waiting.
/// Threads  all members: any.
class Broker : public base::Object {
 public:
  /// Listens, makes the system topics (TBW102 and its kin) and begins to register with every nameserver. Does not wait
  /// for them; see whenRegistered. kInvalidArgument lists every complaint about the options, or names a file
  /// that cannot be one of this store's; kUnreachable: the address is taken.
  static Result<base::Ref<Broker>> start(BrokerOptions options);

  /// Completes when every nameserver has answered the first registration, or its time for that is over. A nameserver
  /// that did not answer is tried again, and every registerNameServerPeriod.
  void whenRegistered(base::Completion<void> done);

  /// Completes when `nameserver` ("": any of them) has accepted a registration, however long that takes; kClosed when
  /// the broker stops before.
  void whenKnownTo(std::string nameserver, base::Completion<void> done);

  /// Unregisters, stops accepting, drops held pulls, closes connections; completes when all have ended. Idempotent.
  void stop(base::Completion<void> done);

  /// Ends as a process that is killed: nothing is unregistered, written or answered any more, connections just end.
  /// What is in the files stays as it is at this moment. Completes when all has ended.
  void kill(base::Completion<void> done);

  /// Unregisters everywhere and never registers again, but goes on serving; completes when each nameserver has
  /// answered.
  void leaveRoute(base::Completion<void> done);

  /// This broker's wall clock is wrong by so much from now on; durations do not notice.
  void skewWallClock(base::Millis by) noexcept;

  const std::string& address() const noexcept;
  const BrokerOptions& options() const noexcept;

  /// Makes or replaces a topic as UPDATE_AND_CREATE_TOPIC does; completes once the nameservers have heard of it (or did
  /// not answer in time). kInvalidArgument: bad or reserved name; kQueueFull: topics_max.
  void updateTopic(TopicConfig config, base::Completion<void> done);

  /// Runs `f` inside *tables*, after a step through *log*: a barrier over both. `f` neither waits nor calls back into
  /// the broker. After stop() it still sees what is left.
  void inspect(UniqueFunction<void(const Inspection&)> f);

  ~Broker() override;

 private:
  explicit Broker(base::Ref<BrokerCore> core);
  base::Ref<BrokerCore> core_;
};

}  // namespace mqclient::broker
