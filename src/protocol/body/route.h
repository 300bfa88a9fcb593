#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "mqclient/error.h"
#include "protocol/field.h"
#include "protocol/json.h"

namespace mqclient::protocol {

/// How many queues of a topic one broker has.
struct QueueData {
  std::string brokerName{};
  std::int32_t readQueueNums{};
  std::int32_t writeQueueNums{};
  std::int32_t perm{};  ///< bits of names.h
  std::int32_t topicSysFlag{};

  static constexpr auto fields() {
    using H = QueueData;
    return std::tuple{may("brokerName", &H::brokerName), may("perm", &H::perm), may("readQueueNums", &H::readQueueNums),
                      may("topicSysFlag", &H::topicSysFlag), may("writeQueueNums", &H::writeQueueNums)};
  }
  bool operator==(const QueueData&) const = default;
};

/// The addresses of one broker group.
struct BrokerData {
  std::string cluster{};
  std::string brokerName{};
  std::map<std::int64_t, std::string> brokerAddrs{};  ///< broker id to "host:port"; 0: the master
  std::optional<std::string> zoneName{};              ///< 5.x
  bool enableActingMaster{};                          ///< 5.x

  static constexpr auto fields() {
    using H = BrokerData;
    return std::tuple{may("brokerAddrs", &H::brokerAddrs), may("brokerName", &H::brokerName),
                      may("cluster", &H::cluster), may("enableActingMaster", &H::enableActingMaster),
                      may("zoneName", &H::zoneName)};
  }
  bool operator==(const BrokerData&) const = default;
};

/// Body of GET_ROUTEINFO_BY_TOPIC. encode() writes no white space: the Go client slices the raw text.
struct TopicRouteData {
  std::optional<std::string> orderTopicConf{};  ///< "broker-a:4;broker-b:4"
  std::vector<QueueData> queueDatas{};
  std::vector<BrokerData> brokerDatas{};
  std::map<std::string, std::vector<std::string>> filterServerTable{};  ///< legacy, always empty

  static constexpr auto fields() {
    using H = TopicRouteData;
    return std::tuple{may("brokerDatas", &H::brokerDatas), may("filterServerTable", &H::filterServerTable),
                      may("orderTopicConf", &H::orderTopicConf), may("queueDatas", &H::queueDatas)};
  }
  std::string encode(JsonDialect dialect = JsonDialect::kStandard) const;
  /// Both dialects. Errors   kCorrupt.
  static Result<TopicRouteData> decode(std::string_view json);
  bool operator==(const TopicRouteData&) const = default;
};

}  // namespace mqclient::protocol
