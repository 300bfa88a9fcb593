#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/ref.h"
#include "mock_broker/broker/broker.h"
#include "mock_broker/store/message_store.h"
#include "protocol/body/topic_config.h"

namespace mqclient::broker {

/// Hashes std::string and std::string_view alike, so that a look-up by view copies nothing.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};
template <class T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

/// One version of a topic's configuration; immutable.
struct Topic : base::Object {
  explicit Topic(TopicConfig c);
  /// store.queueOf(), kept here: every send asks. The store keeps it as long as it lives itself.
  store::ConsumeQueue& queue(store::MessageStore& store, std::int32_t id) const;

  const TopicConfig config;
  const bool send_forbidden;  ///< a system topic that clients must not send to
  const bool retry;           ///< %RETRY%...

 private:
  const std::size_t queue_count_;
  const std::unique_ptr<std::atomic<store::ConsumeQueue*>[]> queues_;  // null: not yet asked
};

/// What the broker knows about topics.
///
/// Threads  find() and all(): any. Changes: the *tables* strand, one at a time.
class TopicTable {
 public:
  explicit TopicTable(const BrokerOptions& options, std::int64_t wall_ms);

  /// Null: unknown.
  base::Ref<const Topic> find(std::string_view topic) const;
  /// Rises after every change: what find() answered stays true as long as this has not moved.
  std::uint64_t changes() const noexcept { return changes_.load(std::memory_order_acquire); }
  /// By name.
  std::vector<base::Ref<const Topic>> all() const;

  enum class Change { kNone, kMade, kFull };
  /// Makes or replaces a topic; kNone: it was there exactly so. kFull: there are topics_max already.
  Change put(TopicConfig config, std::int64_t wall_ms);
  /// Before the broker serves: takes a table of before in, as far as it is not the system's; topics_max does not count.
  void restore(const protocol::TopicConfigSerializeWrapper& table, const BrokerOptions& options);
  protocol::DataVersion version() const;

  /// Topics every broker has from its start (TopicConfigManager.java): name, queues, permission.
  static std::vector<TopicConfig> systemTopics(const BrokerOptions& options);

 private:
  const std::size_t topics_max_;
  mutable base::Mutex mutex_;
  TextMap<base::Ref<const Topic>> topics_ MQ_GUARDED_BY(mutex_);
  protocol::DataVersion version_ MQ_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> changes_{1};
};

/// The form the nameserver is told.
protocol::TopicConfig toWire(const TopicConfig& config, std::int32_t broker_permission);
/// The form in which no permission is taken away.
protocol::TopicConfig toWire(const TopicConfig& config);
TopicConfig fromWire(const protocol::TopicConfig& wire);

}  // namespace mqclient::broker
