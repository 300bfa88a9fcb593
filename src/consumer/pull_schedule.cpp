#include "consumer/pull_schedule.h"

#include <algorithm>

#include "mqclient/codes.h"

namespace mqclient::consumer {

const char* whyNotPull(const CacheFill& fill, const FlowLimits& limits) noexcept {
  if (fill.queue_messages > limits.queue_messages) return "pullThresholdForQueue is reached";
  // Java compares whole MiB: the limit is exceeded from one MiB above it on.
  constexpr std::size_t kMiB = 1u << 20;
  if (fill.queue_bytes / kMiB > limits.queue_bytes / kMiB) return "pullThresholdSizeForQueue is reached";
  if (fill.queue_span > limits.queue_span) return "consumeConcurrentlyMaxSpan is reached";
  if (fill.consumer_bytes >= limits.consumer_bytes) return kConsumerBytesReached;
  return nullptr;
}

base::Millis delayAfter(const Error& error) noexcept {
  return error.responseCode() == static_cast<int>(ResponseCode::FLOW_CONTROL) ? kDelayWhileBrokerFull
                                                                              : kDelayAfterError;
}

base::Millis EmptyBackoff::afterEmpty(bool offset_moved, base::Nanos took) noexcept {
  if (offset_moved || took >= kHeldAnswerMin) {
    reset();
    return base::Millis{0};
  }
  const base::Millis wait = next_;
  next_ = std::min(next_ * 2, kEmptyBackoffMax);
  return wait;
}

}  // namespace mqclient::consumer
