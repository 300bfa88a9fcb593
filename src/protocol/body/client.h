#pragma once

#include <cstdint>
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

/// Body of the reply to GET_CONSUMER_LIST_BY_GROUP.
struct GetConsumerListByGroupResponseBody {
  std::vector<std::string> consumerIdList{};

  static constexpr auto fields() {
    using H = GetConsumerListByGroupResponseBody;
    return std::tuple{may("consumerIdList", &H::consumerIdList)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<GetConsumerListByGroupResponseBody> decode(std::string_view json);
  bool operator==(const GetConsumerListByGroupResponseBody&) const = default;
};

/// Body of LOCK_BATCH_MQ.
struct LockBatchRequestBody {
  std::string consumerGroup{};
  std::string clientId{};
  bool onlyThisBroker{};  ///< 5.x
  std::vector<WireMessageQueue> mqSet{};

  static constexpr auto fields() {
    using H = LockBatchRequestBody;
    return std::tuple{may("clientId", &H::clientId), may("consumerGroup", &H::consumerGroup), may("mqSet", &H::mqSet),
                      may("onlyThisBroker", &H::onlyThisBroker)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<LockBatchRequestBody> decode(std::string_view json);
  bool operator==(const LockBatchRequestBody&) const = default;
};

/// The queues that are now locked by the asking client.
struct LockBatchResponseBody {
  std::vector<WireMessageQueue> lockOKMQSet{};

  static constexpr auto fields() {
    using H = LockBatchResponseBody;
    return std::tuple{may("lockOKMQSet", &H::lockOKMQSet)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<LockBatchResponseBody> decode(std::string_view json);
  bool operator==(const LockBatchResponseBody&) const = default;
};

/// Body of UNLOCK_BATCH_MQ.
struct UnlockBatchRequestBody {
  std::string consumerGroup{};
  std::string clientId{};
  bool onlyThisBroker{};  ///< 5.x
  std::vector<WireMessageQueue> mqSet{};

  static constexpr auto fields() {
    using H = UnlockBatchRequestBody;
    return std::tuple{may("clientId", &H::clientId), may("consumerGroup", &H::consumerGroup), may("mqSet", &H::mqSet),
                      may("onlyThisBroker", &H::onlyThisBroker)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<UnlockBatchRequestBody> decode(std::string_view json);
  bool operator==(const UnlockBatchRequestBody&) const = default;
};

/// Body of CHECK_CLIENT_CONFIG.
struct CheckClientRequestBody {
  std::string clientId{};
  std::string group{};
  std::optional<std::string> namespaceName{};
  SubscriptionData subscriptionData{};

  static constexpr auto fields() {
    using H = CheckClientRequestBody;
    return std::tuple{may("clientId", &H::clientId), may("group", &H::group), may("namespace", &H::namespaceName),
                      may("subscriptionData", &H::subscriptionData)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<CheckClientRequestBody> decode(std::string_view json);
  bool operator==(const CheckClientRequestBody&) const = default;
};

}  // namespace mqclient::protocol
