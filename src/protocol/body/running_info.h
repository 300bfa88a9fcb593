#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "mqclient/error.h"
#include "protocol/body/message_queue.h"
#include "protocol/body/subscription_data.h"
#include "protocol/field.h"

namespace mqclient::protocol {

struct ProcessQueueInfo {
  std::int64_t commitOffset{};
  std::int64_t cachedMsgMinOffset{};
  std::int64_t cachedMsgMaxOffset{};
  std::int32_t cachedMsgCount{};
  std::int32_t cachedMsgSizeInMiB{};
  std::int64_t transactionMsgMinOffset{};
  std::int64_t transactionMsgMaxOffset{};
  std::int32_t transactionMsgCount{};
  bool locked{};
  std::int64_t tryUnlockTimes{};
  std::int64_t lastLockTimestamp{};     ///< ms
  bool droped{};                        ///< spelled so on the wire
  std::int64_t lastPullTimestamp{};     ///< ms
  std::int64_t lastConsumeTimestamp{};  ///< ms

  static constexpr auto fields() {
    using H = ProcessQueueInfo;
    return std::tuple{may("cachedMsgCount", &H::cachedMsgCount),
                      may("cachedMsgMaxOffset", &H::cachedMsgMaxOffset),
                      may("cachedMsgMinOffset", &H::cachedMsgMinOffset),
                      may("cachedMsgSizeInMiB", &H::cachedMsgSizeInMiB),
                      may("commitOffset", &H::commitOffset),
                      may("droped", &H::droped),
                      may("lastConsumeTimestamp", &H::lastConsumeTimestamp),
                      may("lastLockTimestamp", &H::lastLockTimestamp),
                      may("lastPullTimestamp", &H::lastPullTimestamp),
                      may("locked", &H::locked),
                      may("transactionMsgCount", &H::transactionMsgCount),
                      may("transactionMsgMaxOffset", &H::transactionMsgMaxOffset),
                      may("transactionMsgMinOffset", &H::transactionMsgMinOffset),
                      may("tryUnlockTimes", &H::tryUnlockTimes)};
  }
  bool operator==(const ProcessQueueInfo&) const = default;
};

struct ConsumeStatus {
  double pullRT{};
  double pullTPS{};
  double consumeRT{};
  double consumeOKTPS{};
  double consumeFailedTPS{};
  std::int64_t consumeFailedMsgs{};

  static constexpr auto fields() {
    using H = ConsumeStatus;
    return std::tuple{may("consumeFailedMsgs", &H::consumeFailedMsgs),
                      may("consumeFailedTPS", &H::consumeFailedTPS),
                      may("consumeOKTPS", &H::consumeOKTPS),
                      may("consumeRT", &H::consumeRT),
                      may("pullRT", &H::pullRT),
                      may("pullTPS", &H::pullTPS)};
  }
  bool operator==(const ConsumeStatus&) const = default;
};

struct PopProcessQueueInfo {
  std::int32_t waitAckCount{};
  bool droped{};                    ///< spelled so on the wire
  std::int64_t lastPopTimestamp{};  ///< ms

  static constexpr auto fields() {
    using H = PopProcessQueueInfo;
    return std::tuple{may("droped", &H::droped), may("lastPopTimestamp", &H::lastPopTimestamp),
                      may("waitAckCount", &H::waitAckCount)};
  }
  bool operator==(const PopProcessQueueInfo&) const = default;
};

/// Reply to GET_CONSUMER_RUNNING_INFO.
struct ConsumerRunningInfo {
  std::map<std::string, std::string> properties{};  ///< PROP_* names, all values texts
  std::vector<SubscriptionData> subscriptionSet{};
  std::map<WireMessageQueue, ProcessQueueInfo> mqTable{};
  std::map<WireMessageQueue, PopProcessQueueInfo> mqPopTable{};
  std::map<std::string, ConsumeStatus> statusTable{};  ///< by topic
  std::map<std::string, std::string> userConsumerInfo{};
  std::optional<std::string> jstack{};

  static constexpr auto fields() {
    using H = ConsumerRunningInfo;
    return std::tuple{may("jstack", &H::jstack),
                      may("mqPopTable", &H::mqPopTable),
                      may("mqTable", &H::mqTable),
                      may("properties", &H::properties),
                      may("statusTable", &H::statusTable),
                      may("subscriptionSet", &H::subscriptionSet),
                      may("userConsumerInfo", &H::userConsumerInfo)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<ConsumerRunningInfo> decode(std::string_view json);
  bool operator==(const ConsumerRunningInfo&) const = default;
};

/// Reply to CONSUME_MESSAGE_DIRECTLY.
struct ConsumeMessageDirectlyResult {
  bool order{};
  bool autoCommit{true};
  std::string consumeResult{
      "CR_SUCCESS"};  ///< CR_SUCCESS, CR_LATER, CR_ROLLBACK, CR_COMMIT, CR_THROW_EXCEPTION, CR_RETURN_NULL
  std::optional<std::string> remark{};
  std::int64_t spentTimeMills{};

  static constexpr auto fields() {
    using H = ConsumeMessageDirectlyResult;
    return std::tuple{may("autoCommit", &H::autoCommit), may("consumeResult", &H::consumeResult),
                      may("order", &H::order), may("remark", &H::remark), may("spentTimeMills", &H::spentTimeMills)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<ConsumeMessageDirectlyResult> decode(std::string_view json);
  bool operator==(const ConsumeMessageDirectlyResult&) const = default;
};

}  // namespace mqclient::protocol
