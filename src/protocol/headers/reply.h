#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "protocol/field.h"

namespace mqclient::protocol {

/// PUSH_REPLY_MESSAGE_TO_CLIENT (326), broker to requester. SEND_REPLY_MESSAGE and _V2 (324, 325) carry the send
/// headers of send.h.
struct ReplyMessageRequestHeader {
  std::string producerGroup{};
  std::string topic{};
  std::string defaultTopic{};
  std::int32_t defaultTopicQueueNums{};
  std::int32_t queueId{};
  std::int32_t sysFlag{};
  std::int64_t bornTimestamp{};  ///< ms
  std::int32_t flag{};
  std::string properties{};
  std::optional<std::int32_t> reconsumeTimes{};
  bool unitMode{};
  std::string bornHost{};         ///< "ip:port"
  std::string storeHost{};        ///< "ip:port"
  std::int64_t storeTimestamp{};  ///< ms

  static constexpr std::string_view kName = "ReplyMessageRequestHeader";
  static constexpr auto fields() {
    using H = ReplyMessageRequestHeader;
    return std::tuple{must("producerGroup", &H::producerGroup),
                      must("topic", &H::topic),
                      must("defaultTopic", &H::defaultTopic),
                      must("defaultTopicQueueNums", &H::defaultTopicQueueNums),
                      must("queueId", &H::queueId),
                      must("sysFlag", &H::sysFlag),
                      must("bornTimestamp", &H::bornTimestamp),
                      must("flag", &H::flag),
                      may("properties", &H::properties),
                      may("reconsumeTimes", &H::reconsumeTimes),
                      may("unitMode", &H::unitMode),
                      must("bornHost", &H::bornHost),
                      must("storeHost", &H::storeHost),
                      must("storeTimestamp", &H::storeTimestamp)};
  }
  bool operator==(const ReplyMessageRequestHeader&) const = default;
};

}  // namespace mqclient::protocol
