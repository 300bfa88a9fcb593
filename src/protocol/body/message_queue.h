#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "mqclient/error.h"
#include "protocol/field.h"

namespace mqclient::protocol {

/// A queue as JSON bodies name it; ordered by topic, brokerName, queueId as MessageQueue.java does.
struct WireMessageQueue {
  std::string topic{};
  std::string brokerName{};
  std::int32_t queueId{};

  static constexpr auto fields() {
    using H = WireMessageQueue;
    return std::tuple{may("brokerName", &H::brokerName), may("queueId", &H::queueId), may("topic", &H::topic)};
  }
  auto operator<=>(const WireMessageQueue&) const = default;
};

}  // namespace mqclient::protocol
