#include "protocol/names.h"

#include <algorithm>
#include <array>

#include "protocol/limits.h"

namespace mqclient::protocol {

namespace {

constexpr std::size_t kNameShownMax = 64;

/// MessageConst.STRING_HASH_SET, in byte order.
constexpr std::array kReserved = [] {
  std::array names{
      kPropertyTraceSwitch,
      kPropertyMsgRegion,
      kPropertyKeys,
      kPropertyTags,
      kPropertyWaitStoreMsgOk,
      kPropertyDelayTimeLevel,
      kPropertyRetryTopic,
      kPropertyRealTopic,
      kPropertyRealQueueId,
      kPropertyTransactionPrepared,
      kPropertyProducerGroup,
      kPropertyMinOffset,
      kPropertyMaxOffset,
      kPropertyBuyerId,
      kPropertyOriginMessageId,
      kPropertyTransferFlag,
      kPropertyCorrectionFlag,
      kPropertyMq2Flag,
      kPropertyReconsumeTime,
      kPropertyUniqClientMessageIdKeyIdx,
      std::string_view("EXTEND_UNIQ_INFO"),
      kPropertyMaxReconsumeTimes,
      kPropertyConsumeStartTimestamp,
      kPropertyPopCk,
      kPropertyInnerNum,
      kPropertyInnerBase,
      kPropertyTransactionId,
      kPropertyTransactionCheckTimes,
      kPropertyTransactionPreparedQueueOffset,
      kPropertyInstanceId,
      kPropertyCorrelationId,
      kPropertyMessageReplyToClient,
      kPropertyMessageTtl,
      kPropertyReplyMessageArriveTime,
      kPropertyPushReplyTime,
      kPropertyCluster,
      kPropertyMessageType,
      std::string_view("INNER_MULTI_QUEUE_OFFSET"),
      std::string_view("TIMER_ENQUEUE_MS"),
      std::string_view("TIMER_DEQUEUE_MS"),
      std::string_view("TIMER_OUT_MS"),
      kPropertyTimerDeliverMs,
      kPropertyTimerDelaySec,
      kPropertyTimerDelayMs,
      std::string_view("TIMER_ROLL_TIMES"),
      std::string_view("TIMER_DEL_UNIQKEY"),
      std::string_view("TIMER_DELAY_LEVEL"),
      kPropertyCheckImmunityTimeInSeconds,
      kPropertyDlqOriginTopic,
      kPropertyDlqOriginMessageId,
      std::string_view("POP_CK_OFFSET"),
      std::string_view("1ST_POP_TIME"),
      kPropertyCrc32,
  };
  std::sort(names.begin(), names.end());
  return names;
}();

constexpr std::array kSystemTopics{
    kAutoCreateTopicKeyTopic, kScheduleTopic,          kBenchmarkTopic, kTransHalfTopic,   kTraceTopic,
    kTransOpHalfTopic,        kTransCheckMaxTimeTopic, kSelfTestTopic,  kOffsetMovedEvent, kCheckpointTopic,
};
constexpr std::array kNotAllowedSend{
    kScheduleTopic, kTransHalfTopic, kTransOpHalfTopic, kTransCheckMaxTimeTopic, kSelfTestTopic, kOffsetMovedEvent,
};
constexpr std::array<std::string_view, 13> kSystemGroups{
    "TOOLS_CONSUMER",        "FILTERSRV_CONSUMER", "SELF_TEST_C_GROUP",     "CID_ONS-HTTP-PROXY", "CID_ONSAPI_PULL",
    "CID_ONSAPI_OWNER",      "CID_RMQ_SYS_TRANS",  "CID_ONSAPI_PERMISSION", "SCHEDULE_CONSUMER",  "__MONITOR_CONSUMER",
    "CLIENT_INNER_PRODUCER", "SELF_TEST_P_GROUP",  "CID_SYS_RMQ_TRANS",
};

template <class List>
bool contains(const List& list, std::string_view name) noexcept {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool isNameCharacter(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '%' || c == '|' ||
         c == '-' || c == '_';
}

std::string shownName(std::string_view name) {
  std::string out = "'";
  for (const char c : name.substr(0, kNameShownMax)) out.push_back(c >= 0x20 && c < 0x7F ? c : '?');
  return out + (name.size() > kNameShownMax ? "...'" : "'");
}

std::optional<std::string> complaintAbout(std::string_view kind, std::string_view name, std::size_t longest) {
  const std::string what(kind);
  if (name.find_first_not_of(" \t\r\n") == std::string_view::npos) return "the " + what + " is blank";
  if (name.size() > longest) {
    return "the " + what + " " + shownName(name) + " has " + std::to_string(name.size()) +
           " bytes, the longest allowed is " + std::to_string(longest);
  }
  const auto bad = std::find_if_not(name.begin(), name.end(), isNameCharacter);
  if (bad == name.end()) return std::nullopt;
  return "the " + what + " " + shownName(name) + " has a character that is not allowed at position " +
         std::to_string(bad - name.begin()) + "; letters, digits, '%', '|', '-' and '_' are";
}

Result<void> asResult(std::optional<std::string> complaint) {
  if (complaint) return Error(ErrorCode::kInvalidArgument, *std::move(complaint));
  return {};
}

/// Retry or dead-letter prefix of a name, or nothing.
std::string_view groupPrefix(std::string_view name) noexcept {
  if (isRetryTopic(name)) return kRetryGroupTopicPrefix;
  if (isDlqTopic(name)) return kDlqGroupTopicPrefix;
  return {};
}

}  // namespace

bool isReservedProperty(std::string_view name) noexcept {
  return std::binary_search(kReserved.begin(), kReserved.end(), name);
}

std::optional<std::string> complaintAboutTopic(std::string_view topic) {
  return complaintAbout("topic", topic, groupPrefix(topic).empty() ? kMaxTopicLength : kMaxRetryTopicLength);
}
std::optional<std::string> complaintAboutGroup(std::string_view group) {
  return complaintAbout("group", group, kMaxGroupLength);
}
Result<void> validateTopic(std::string_view topic) {
  return asResult(complaintAboutTopic(topic));
}
Result<void> validateGroup(std::string_view group) {
  return asResult(complaintAboutGroup(group));
}

bool isSystemTopic(std::string_view topic) noexcept {
  return topic.starts_with(kSystemTopicPrefix) || contains(kSystemTopics, topic);
}
bool isNotAllowedSendTopic(std::string_view topic) noexcept {
  return contains(kNotAllowedSend, topic);
}
bool isSystemGroup(std::string_view group) noexcept {
  return group.starts_with(kSystemGroupPrefix) || contains(kSystemGroups, group);
}
bool isDefaultGroup(std::string_view group) noexcept {
  return group == kDefaultProducerGroup || group == kDefaultConsumerGroup;
}

bool isRetryTopic(std::string_view topic) noexcept {
  return topic.starts_with(kRetryGroupTopicPrefix);
}
bool isDlqTopic(std::string_view topic) noexcept {
  return topic.starts_with(kDlqGroupTopicPrefix);
}
std::string retryTopic(std::string_view group) {
  return std::string(kRetryGroupTopicPrefix).append(group);
}
std::string dlqTopic(std::string_view group) {
  return std::string(kDlqGroupTopicPrefix).append(group);
}

std::string wrapNamespace(std::string_view ns, std::string_view resource) {
  if (ns.empty() || resource.empty() || isSystemTopic(resource) || isSystemGroup(resource)) {
    return std::string(resource);
  }
  const std::string_view prefix = groupPrefix(resource);
  std::string_view bare = resource.substr(prefix.size());
  if (bare.size() > ns.size() && bare.starts_with(ns) && bare[ns.size()] == '%') return std::string(resource);
  return std::string(prefix).append(ns).append("%").append(bare);
}

std::string withoutNamespace(std::string_view resource, std::string_view ns) {
  const std::string_view prefix = groupPrefix(resource);
  std::string_view bare = resource.substr(prefix.size());
  if (ns.empty() || bare.size() <= ns.size() || !bare.starts_with(ns) || bare[ns.size()] != '%') {
    return std::string(resource);
  }
  return std::string(prefix).append(bare.substr(ns.size() + 1));
}

}  // namespace mqclient::protocol
