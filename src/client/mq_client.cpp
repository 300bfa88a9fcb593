#include <utility>

#include "mqclient/client.h"

namespace mqclient {
inline namespace v1 {

const char* toString(BrokerState state) noexcept {
  switch (state) {
    case BrokerState::kUp:
      return "up";
    case BrokerState::kSlow:
      return "slow";
    case BrokerState::kIsolated:
      return "isolated";
    case BrokerState::kDown:
      return "down";
  }
  return "unknown";
}

const char* toString(EventKind kind) noexcept {
  switch (kind) {
    case EventKind::kBrokerDown:
      return "broker down";
    case EventKind::kBrokerUp:
      return "broker up";
    case EventKind::kBrokerIsolated:
      return "broker isolated";
    case EventKind::kRouteChanged:
      return "route changed";
    case EventKind::kRebalanced:
      return "rebalanced";
    case EventKind::kDiverged:
      return "diverged";
    case EventKind::kWarning:
      return "warning";
  }
  return "unknown";
}

bool CloseReport::complete() const noexcept {
  return abandoned == 0 && listenersRunning == 0 && offsetsNotCommitted.empty();
}

std::string CloseReport::toString() const {
  std::string text = complete() ? "complete" : "incomplete";
  text += ": drained " + std::to_string(drained) + ", abandoned " + std::to_string(abandoned) +
          ", listeners still running " + std::to_string(listenersRunning) + ", took " + std::to_string(took.count()) +
          " ms";
  if (!offsetsNotCommitted.empty()) {
    text += ", offsets not committed:";
    for (const MessageQueue& queue : offsetsNotCommitted) text += " " + queue.toString();
  }
  return text;
}

CloseReport MQClient::close(Millis wait) {
  const bool waiting_would_be_for_itself = insideOwnCallback();
  Future<CloseReport> ending = closeAsync(wait);
  if (!waiting_would_be_for_itself || ending.isReady()) {
    if (Result<CloseReport> report = std::move(ending).get()) return *std::move(report);
  } else {
    std::move(ending).detach();
  }
  // Ending has begun and goes on without us: the caller itself is what still runs.
  CloseReport so_far;
  so_far.listenersRunning = 1;
  return so_far;
}

}  // namespace v1
}  // namespace mqclient
