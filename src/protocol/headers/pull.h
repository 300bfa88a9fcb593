#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "protocol/field.h"

namespace mqclient::protocol {

/// PULL_MESSAGE (11), LITE_PULL_MESSAGE (361). A request that is held needs the owning form: the view's texts lie in
/// the received frame.
template <class Text>
struct BasicPullMessageRequestHeader {
  Text consumerGroup{};
  Text topic{};
  std::int32_t queueId{};
  std::int64_t queueOffset{};  ///< first offset wanted
  std::int32_t maxMsgNums{32};
  std::int32_t sysFlag{};  ///< PullSysFlag bits
  std::int64_t commitOffset{};
  std::int64_t suspendTimeoutMillis{};
  Text subscription{};  ///< needed when kPullSubscription is set
  std::int64_t subVersion{};
  Text expressionType{};                        ///< TAG when absent, or SQL92
  std::optional<std::int32_t> maxMsgBytes{};    ///< 5.x
  std::optional<std::int32_t> requestSource{};  ///< 5.x
  Text proxyFrowardClientId{};                  ///< 5.x proxies; spelled so on the wire
  Text bname{};

  static constexpr std::string_view kName = "PullMessageRequestHeader";
  static constexpr auto fields() {
    using H = BasicPullMessageRequestHeader;
    return std::tuple{must("consumerGroup", &H::consumerGroup),
                      must("topic", &H::topic),
                      must("queueId", &H::queueId),
                      must("queueOffset", &H::queueOffset),
                      must("maxMsgNums", &H::maxMsgNums),
                      must("sysFlag", &H::sysFlag),
                      must("commitOffset", &H::commitOffset),
                      must("suspendTimeoutMillis", &H::suspendTimeoutMillis),
                      may("subscription", &H::subscription),
                      must("subVersion", &H::subVersion),
                      may("expressionType", &H::expressionType),
                      may("maxMsgBytes", &H::maxMsgBytes),
                      may("requestSource", &H::requestSource),
                      may("proxyFrowardClientId", &H::proxyFrowardClientId),
                      may("bname", &H::bname)};
  }
  bool operator==(const BasicPullMessageRequestHeader&) const = default;
};
using PullMessageRequestHeader = BasicPullMessageRequestHeader<std::string>;
using PullMessageRequestHeaderView = BasicPullMessageRequestHeader<std::string_view>;

/// Bits of PullMessageRequestHeader::sysFlag. PullSysFlag.java
inline constexpr std::int32_t kPullCommitOffset = 0x1;
inline constexpr std::int32_t kPullSuspend = 0x2;
inline constexpr std::int32_t kPullSubscription = 0x4;
inline constexpr std::int32_t kPullClassFilter = 0x8;
inline constexpr std::int32_t kPullLite = 0x10;

/// Reply to a pull; the first four must be there with PULL_NOT_FOUND, _RETRY_IMMEDIATELY and _OFFSET_MOVED too.
struct PullMessageResponseHeader {
  std::int64_t suggestWhichBrokerId{};  ///< broker to ask next time; 0: the master
  std::int64_t nextBeginOffset{};
  std::int64_t minOffset{};
  std::int64_t maxOffset{};
  std::optional<std::int64_t> offsetDelta{};  ///< static topics: add to each queueOffset
  std::optional<std::int32_t> topicSysFlag{};
  std::optional<std::int32_t> groupSysFlag{};
  std::optional<std::int32_t>
      forbiddenType{};  ///< with NO_PERMISSION: 1 broker, 2 group, 3 topic, 4 broadcast, 5 subscription

  static constexpr std::string_view kName = "PullMessageResponseHeader";
  static constexpr auto fields() {
    using H = PullMessageResponseHeader;
    return std::tuple{must("suggestWhichBrokerId", &H::suggestWhichBrokerId),
                      must("nextBeginOffset", &H::nextBeginOffset),
                      must("minOffset", &H::minOffset),
                      must("maxOffset", &H::maxOffset),
                      may("offsetDelta", &H::offsetDelta),
                      may("topicSysFlag", &H::topicSysFlag),
                      may("groupSysFlag", &H::groupSysFlag),
                      may("forbiddenType", &H::forbiddenType)};
  }
  bool operator==(const PullMessageResponseHeader&) const = default;
};

}  // namespace mqclient::protocol
