#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "protocol/field.h"

namespace mqclient::protocol {

/// CONSUMER_SEND_MSG_BACK (36)
struct ConsumerSendMsgBackRequestHeader {
  std::int64_t offset{};  ///< commit-log offset of the message
  std::string group{};
  std::int32_t delayLevel{};  ///< < 0: dead letter; 0: the broker takes 3 + reconsumeTimes
  std::string originMsgId{};
  std::string originTopic{};
  bool unitMode{};
  std::optional<std::int32_t> maxReconsumeTimes{};  ///< counts when the requester is >= 121
  std::string bname{};                              ///< 5.x: target broker name

  static constexpr std::string_view kName = "ConsumerSendMsgBackRequestHeader";
  static constexpr auto fields() {
    using H = ConsumerSendMsgBackRequestHeader;
    return std::tuple{must("offset", &H::offset),
                      must("group", &H::group),
                      must("delayLevel", &H::delayLevel),
                      may("originMsgId", &H::originMsgId),
                      may("originTopic", &H::originTopic),
                      may("unitMode", &H::unitMode),
                      may("maxReconsumeTimes", &H::maxReconsumeTimes),
                      may("bname", &H::bname)};
  }
  bool operator==(const ConsumerSendMsgBackRequestHeader&) const = default;
};

}  // namespace mqclient::protocol
