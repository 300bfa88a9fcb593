#pragma once

#include <cstddef>
#include <cstdint>

#include "base/engine.h"
#include "mqclient/error.h"

namespace mqclient::consumer {

/// Delays of the pull loop. DefaultMQPushConsumerImpl.java
inline constexpr base::Millis kDelayAfterError{1'000};      ///< pullTimeDelayMillsWhenException
inline constexpr base::Millis kDelayWhileCacheFull{50};     ///< PULL_TIME_DELAY_MILLS_WHEN_CACHE_FLOW_CONTROL
inline constexpr base::Millis kDelayWhileBrokerFull{20};    ///< PULL_TIME_DELAY_MILLS_WHEN_BROKER_FLOW_CONTROL
inline constexpr base::Millis kBrokerSuspend{15'000};       ///< BROKER_SUSPEND_MAX_TIME_MILLIS
inline constexpr base::Millis kPullTimeout{30'000};         ///< CONSUMER_TIMEOUT_MILLIS_WHEN_SUSPEND
inline constexpr base::Millis kRedeliveryDelay{5'000};      ///< ConsumeMessageConcurrentlyService: submit later
inline constexpr base::Millis kDelayForPreviousOwner{500};  ///< RebalancePushImpl: a new queue's first pull
inline constexpr base::Millis kPersistConsumerOffsetInterval{5'000};  ///< ClientConfig.java
inline constexpr base::Millis kOffsetRequestTimeout{5'000};           ///< RemoteBrokerOffsetStore
inline constexpr std::int32_t kPullBytesMax = 256 * 1024;             ///< pullBatchSizeInBytes
/// Ours: an empty answer with an unchanged offset came at once, so asking again at once would be a hot loop.
inline constexpr base::Millis kEmptyBackoffMin{100};
inline constexpr base::Millis kEmptyBackoffMax{1'000};
/// Ours: an empty answer after at least this long was held by the broker and may be followed at once.
inline constexpr base::Millis kHeldAnswerMin{100};

/// At which fill of the cache a queue stops pulling.
struct FlowLimits {
  std::size_t queue_messages = 1000;        ///< pullThresholdForQueue
  std::size_t queue_bytes = 100u << 20;     ///< pullThresholdSizeForQueue, in bytes
  std::int64_t queue_span = 2000;           ///< consumeConcurrentlyMaxSpan
  std::size_t consumer_bytes = 256u << 20;  ///< cachedBytesMax
};
struct CacheFill {
  std::size_t queue_messages = 0;
  std::size_t queue_bytes = 0;
  std::int64_t queue_span = 0;
  std::size_t consumer_bytes = 0;
};

inline constexpr const char* kConsumerBytesReached = "cachedBytesMax of the consumer is reached";

/// Why a queue must not pull now; null: it may. A pull begins whenever nothing is exceeded, so a queue overshoots by at
/// most one pull; for the consumer as a whole see CachedBytes. Pure. Order and comparisons of
/// DefaultMQPushConsumerImpl.pullMessage; the last check is ours.
const char* whyNotPull(const CacheFill& fill, const FlowLimits& limits) noexcept;

/// How long to wait after a pull that failed. Pure.
base::Millis delayAfter(const Error& error) noexcept;

/// The growing pause between empty answers that came at once.
class EmptyBackoff {
 public:
  /// An answer without messages: how long to wait before the next pull. `took`: from request to answer.
  base::Millis afterEmpty(bool offset_moved, base::Nanos took) noexcept;
  void reset() noexcept { next_ = kEmptyBackoffMin; }

 private:
  base::Millis next_ = kEmptyBackoffMin;
};

}  // namespace mqclient::consumer
