#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "mqclient/error.h"
#include "protocol/field.h"
#include "protocol/json.h"

namespace mqclient::protocol {

/// Version of a table; two are equal when all three figures are.
struct DataVersion {
  std::int64_t stateVersion{};  ///< 5.x
  std::int64_t timestamp{};     ///< ms
  std::int64_t counter{};

  static constexpr auto fields() {
    using H = DataVersion;
    return std::tuple{may("counter", &H::counter), may("stateVersion", &H::stateVersion),
                      may("timestamp", &H::timestamp)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<DataVersion> decode(std::string_view json);
  bool operator==(const DataVersion&) const = default;
};

/// TopicConfig.java
struct TopicConfig {
  std::string topicName{};
  std::int32_t readQueueNums{16};
  std::int32_t writeQueueNums{16};
  std::int32_t perm{6};
  std::string topicFilterType{"SINGLE_TAG"};  ///< SINGLE_TAG or MULTI_TAG
  std::int32_t topicSysFlag{};
  bool order{};
  std::map<std::string, std::string> attributes{};  ///< 5.x

  static constexpr auto fields() {
    using H = TopicConfig;
    return std::tuple{may("attributes", &H::attributes),
                      may("order", &H::order),
                      may("perm", &H::perm),
                      may("readQueueNums", &H::readQueueNums),
                      may("topicFilterType", &H::topicFilterType),
                      may("topicName", &H::topicName),
                      may("topicSysFlag", &H::topicSysFlag),
                      may("writeQueueNums", &H::writeQueueNums)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<TopicConfig> decode(std::string_view json);
  bool operator==(const TopicConfig&) const = default;
};

/// Body of the reply to GET_ALL_TOPIC_CONFIG, and part of RegisterBrokerBody.
struct TopicConfigSerializeWrapper {
  std::map<std::string, TopicConfig> topicConfigTable{};
  DataVersion dataVersion{};
  DataVersion mappingDataVersion{};                             ///< 5.x
  std::map<std::string, RawJson> topicQueueMappingDetailMap{};  ///< 5.x, static topics; carried, not read
  std::map<std::string, RawJson> topicQueueMappingInfoMap{};    ///< the same

  static constexpr auto fields() {
    using H = TopicConfigSerializeWrapper;
    return std::tuple{may("dataVersion", &H::dataVersion), may("mappingDataVersion", &H::mappingDataVersion),
                      may("topicConfigTable", &H::topicConfigTable),
                      may("topicQueueMappingDetailMap", &H::topicQueueMappingDetailMap),
                      may("topicQueueMappingInfoMap", &H::topicQueueMappingInfoMap)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<TopicConfigSerializeWrapper> decode(std::string_view json);
  bool operator==(const TopicConfigSerializeWrapper&) const = default;
};

struct GroupRetryPolicy {
  std::string type{"CUSTOMIZED"};  ///< CUSTOMIZED or EXPONENTIAL
  std::optional<RawJson> customizedRetryPolicy{};
  std::optional<RawJson> exponentialRetryPolicy{};

  static constexpr auto fields() {
    using H = GroupRetryPolicy;
    return std::tuple{may("customizedRetryPolicy", &H::customizedRetryPolicy),
                      may("exponentialRetryPolicy", &H::exponentialRetryPolicy), may("type", &H::type)};
  }
  bool operator==(const GroupRetryPolicy&) const = default;
};

/// SubscriptionGroupConfig.java
struct SubscriptionGroupConfig {
  std::string groupName{};
  bool consumeEnable{true};
  bool consumeFromMinEnable{true};
  bool consumeBroadcastEnable{true};
  bool consumeMessageOrderly{};
  std::int32_t retryQueueNums{1};
  std::int32_t retryMaxTimes{16};
  GroupRetryPolicy groupRetryPolicy{};
  std::int64_t brokerId{};
  std::int64_t whichBrokerWhenConsumeSlowly{1};
  bool notifyConsumerIdsChangedEnable{true};
  std::int32_t groupSysFlag{};
  std::int32_t consumeTimeoutMinute{15};
  std::map<std::string, std::string> attributes{};

  static constexpr auto fields() {
    using H = SubscriptionGroupConfig;
    return std::tuple{may("attributes", &H::attributes),
                      may("brokerId", &H::brokerId),
                      may("consumeBroadcastEnable", &H::consumeBroadcastEnable),
                      may("consumeEnable", &H::consumeEnable),
                      may("consumeFromMinEnable", &H::consumeFromMinEnable),
                      may("consumeMessageOrderly", &H::consumeMessageOrderly),
                      may("consumeTimeoutMinute", &H::consumeTimeoutMinute),
                      may("groupName", &H::groupName),
                      may("groupRetryPolicy", &H::groupRetryPolicy),
                      may("groupSysFlag", &H::groupSysFlag),
                      may("notifyConsumerIdsChangedEnable", &H::notifyConsumerIdsChangedEnable),
                      may("retryMaxTimes", &H::retryMaxTimes),
                      may("retryQueueNums", &H::retryQueueNums),
                      may("whichBrokerWhenConsumeSlowly", &H::whichBrokerWhenConsumeSlowly)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<SubscriptionGroupConfig> decode(std::string_view json);
  bool operator==(const SubscriptionGroupConfig&) const = default;
};

/// config/subscriptionGroup.json, and reply to GET_ALL_SUBSCRIPTIONGROUP_CONFIG.
struct SubscriptionGroupWrapper {
  std::map<std::string, SubscriptionGroupConfig> subscriptionGroupTable{};
  std::map<std::string, RawJson> forbiddenTable{};  ///< carried, not read
  DataVersion dataVersion{};

  static constexpr auto fields() {
    using H = SubscriptionGroupWrapper;
    return std::tuple{may("dataVersion", &H::dataVersion), may("forbiddenTable", &H::forbiddenTable),
                      may("subscriptionGroupTable", &H::subscriptionGroupTable)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<SubscriptionGroupWrapper> decode(std::string_view json);
  bool operator==(const SubscriptionGroupWrapper&) const = default;
};

}  // namespace mqclient::protocol
