#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mqclient/error.h"

namespace mqclient::protocol {

/// Permission bits of a topic or broker. PermName.java
inline constexpr std::int32_t kPermPriority = 8;
inline constexpr std::int32_t kPermRead = 4;
inline constexpr std::int32_t kPermWrite = 2;
inline constexpr std::int32_t kPermInherit = 1;
constexpr bool isReadable(std::int32_t perm) noexcept {
  return (perm & kPermRead) != 0;
}
constexpr bool isWriteable(std::int32_t perm) noexcept {
  return (perm & kPermWrite) != 0;
}
constexpr bool isInherited(std::int32_t perm) noexcept {
  return (perm & kPermInherit) != 0;
}

/// sysFlag bits of a message. MessageSysFlag.java
inline constexpr std::int32_t kCompressedFlag = 0x1;
inline constexpr std::int32_t kMultiTagsFlag = 0x2;
inline constexpr std::int32_t kTransactionNotType = 0x0;
inline constexpr std::int32_t kTransactionPreparedType = 0x4;
inline constexpr std::int32_t kTransactionCommitType = 0x8;
inline constexpr std::int32_t kTransactionRollbackType = 0xC;
inline constexpr std::int32_t kTransactionMask = 0xC;
inline constexpr std::int32_t kBornHostV6Flag = 0x10;
inline constexpr std::int32_t kStoreHostV6Flag = 0x20;
inline constexpr std::int32_t kNeedUnwrapFlag = 0x40;
inline constexpr std::int32_t kInnerBatchFlag = 0x80;
inline constexpr std::int32_t kCompressionMask = 0x700;
inline constexpr int kCompressionShift = 8;
inline constexpr std::int32_t kCompressionLz4 = 0x100;
inline constexpr std::int32_t kCompressionZstd = 0x200;
inline constexpr std::int32_t kCompressionZlib = 0x300;

/// topicSysFlag bits. TopicSysFlag.java
inline constexpr std::int32_t kTopicUnitFlag = 0x1;
inline constexpr std::int32_t kTopicUnitSubFlag = 0x2;

inline constexpr std::int64_t kMasterId = 0;

inline constexpr std::string_view kRetryGroupTopicPrefix = "%RETRY%";
inline constexpr std::string_view kDlqGroupTopicPrefix = "%DLQ%";
inline constexpr std::string_view kSystemTopicPrefix = "rmq_sys_";
inline constexpr std::string_view kSystemGroupPrefix = "CID_RMQ_SYS_";

inline constexpr std::string_view kAutoCreateTopicKeyTopic = "TBW102";
inline constexpr std::string_view kSelfTestTopic = "SELF_TEST_TOPIC";
inline constexpr std::string_view kBenchmarkTopic = "BenchmarkTest";
inline constexpr std::string_view kOffsetMovedEvent = "OFFSET_MOVED_EVENT";
inline constexpr std::string_view kScheduleTopic = "SCHEDULE_TOPIC_XXXX";
inline constexpr std::string_view kTraceTopic = "RMQ_SYS_TRACE_TOPIC";
inline constexpr std::string_view kTransHalfTopic = "RMQ_SYS_TRANS_HALF_TOPIC";
inline constexpr std::string_view kTransOpHalfTopic = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
inline constexpr std::string_view kTransCheckMaxTimeTopic = "TRANS_CHECK_MAX_TIME_TOPIC";
inline constexpr std::string_view kCheckpointTopic = "CHECKPOINT_TOPIC";

inline constexpr std::string_view kDefaultProducerGroup = "DEFAULT_PRODUCER";
inline constexpr std::string_view kDefaultConsumerGroup = "DEFAULT_CONSUMER";
inline constexpr std::string_view kClientInnerProducerGroup = "CLIENT_INNER_PRODUCER";
inline constexpr std::string_view kToolsConsumerGroup = "TOOLS_CONSUMER";

inline constexpr std::string_view kDefaultRegion = "DefaultRegion";

/// Names of message properties. MessageConst.java
inline constexpr std::string_view kPropertyKeys = "KEYS";
inline constexpr std::string_view kPropertyTags = "TAGS";
inline constexpr std::string_view kPropertyWaitStoreMsgOk = "WAIT";
inline constexpr std::string_view kPropertyDelayTimeLevel = "DELAY";
inline constexpr std::string_view kPropertyRetryTopic = "RETRY_TOPIC";
inline constexpr std::string_view kPropertyRealTopic = "REAL_TOPIC";
inline constexpr std::string_view kPropertyRealQueueId = "REAL_QID";
inline constexpr std::string_view kPropertyTransactionPrepared = "TRAN_MSG";
inline constexpr std::string_view kPropertyProducerGroup = "PGROUP";
inline constexpr std::string_view kPropertyMinOffset = "MIN_OFFSET";
inline constexpr std::string_view kPropertyMaxOffset = "MAX_OFFSET";
inline constexpr std::string_view kPropertyBuyerId = "BUYER_ID";
inline constexpr std::string_view kPropertyOriginMessageId = "ORIGIN_MESSAGE_ID";
inline constexpr std::string_view kPropertyTransferFlag = "TRANSFER_FLAG";
inline constexpr std::string_view kPropertyCorrectionFlag = "CORRECTION_FLAG";
inline constexpr std::string_view kPropertyMq2Flag = "MQ2_FLAG";
inline constexpr std::string_view kPropertyReconsumeTime = "RECONSUME_TIME";
inline constexpr std::string_view kPropertyMaxReconsumeTimes = "MAX_RECONSUME_TIMES";
inline constexpr std::string_view kPropertyMsgRegion = "MSG_REGION";
inline constexpr std::string_view kPropertyTraceSwitch = "TRACE_ON";
inline constexpr std::string_view kPropertyUniqClientMessageIdKeyIdx = "UNIQ_KEY";
inline constexpr std::string_view kPropertyConsumeStartTimestamp = "CONSUME_START_TIME";
inline constexpr std::string_view kPropertyInnerNum = "INNER_NUM";
inline constexpr std::string_view kPropertyInnerBase = "INNER_BASE";
inline constexpr std::string_view kPropertyCheckImmunityTimeInSeconds = "CHECK_IMMUNITY_TIME_IN_SECONDS";
inline constexpr std::string_view kPropertyTransactionPreparedQueueOffset = "TRAN_PREPARED_QUEUE_OFFSET";
inline constexpr std::string_view kPropertyTransactionId = "__transactionId__";
inline constexpr std::string_view kPropertyTransactionCheckTimes = "TRANSACTION_CHECK_TIMES";
inline constexpr std::string_view kPropertyInstanceId = "INSTANCE_ID";
inline constexpr std::string_view kPropertyCorrelationId = "CORRELATION_ID";
inline constexpr std::string_view kPropertyMessageReplyToClient = "REPLY_TO_CLIENT";
inline constexpr std::string_view kPropertyMessageTtl = "TTL";
inline constexpr std::string_view kPropertyReplyMessageArriveTime = "ARRIVE_TIME";
inline constexpr std::string_view kPropertyPushReplyTime = "PUSH_REPLY_TIME";
inline constexpr std::string_view kPropertyCluster = "CLUSTER";
inline constexpr std::string_view kPropertyMessageType = "MSG_TYPE";
inline constexpr std::string_view kPropertyPopCk = "POP_CK";
inline constexpr std::string_view kPropertyShardingKey = "__SHARDINGKEY";
inline constexpr std::string_view kPropertyTimerDelaySec = "TIMER_DELAY_SEC";
inline constexpr std::string_view kPropertyTimerDelayMs = "TIMER_DELAY_MS";
inline constexpr std::string_view kPropertyTimerDeliverMs = "TIMER_DELIVER_MS";
inline constexpr std::string_view kPropertyDlqOriginTopic = "DLQ_ORIGIN_TOPIC";
inline constexpr std::string_view kPropertyDlqOriginMessageId = "DLQ_ORIGIN_MESSAGE_ID";
inline constexpr std::string_view kPropertyCrc32 = "__CRC32#";

/// Whether RocketMQ or its clients use the name themselves: a user's property may not have it. MessageConst.java's
/// STRING_HASH_SET.
bool isReservedProperty(std::string_view name) noexcept;

/// Why `topic` is not a legal topic name; nothing when it is one. At most kMaxTopicLength bytes of letters, digits and
/// % | _ -; with a retry or dead-letter prefix up to kMaxRetryTopicLength. Validators.java, TopicValidator.java
std::optional<std::string> complaintAboutTopic(std::string_view topic);
/// The same for a group name, up to kMaxGroupLength.
std::optional<std::string> complaintAboutGroup(std::string_view group);
/// kInvalidArgument with the complaint.
Result<void> validateTopic(std::string_view topic);
Result<void> validateGroup(std::string_view group);

/// Topics of the broker's own. TopicValidator.java
bool isSystemTopic(std::string_view topic) noexcept;
/// System topics that users must not send to.
bool isNotAllowedSendTopic(std::string_view topic) noexcept;
bool isSystemGroup(std::string_view group) noexcept;

/// Whether the client refuses to start with this group name (DEFAULT_PRODUCER, DEFAULT_CONSUMER).
bool isDefaultGroup(std::string_view group) noexcept;

bool isRetryTopic(std::string_view topic) noexcept;
bool isDlqTopic(std::string_view topic) noexcept;
std::string retryTopic(std::string_view group);
std::string dlqTopic(std::string_view group);

/// Namespace v1: `ns%name`, behind a retry or dead-letter prefix; system names and names that have it stay.
/// NamespaceUtil.java
std::string wrapNamespace(std::string_view ns, std::string_view resource);
std::string withoutNamespace(std::string_view resource, std::string_view ns);

}  // namespace mqclient::protocol
