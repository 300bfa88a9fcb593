#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "protocol/field.h"

namespace mqclient::protocol {

/// REGISTER_BROKER (103), broker to name server
struct RegisterBrokerRequestHeader {
  std::string brokerName{};
  std::string brokerAddr{};
  std::string clusterName{};
  std::string haServerAddr{};
  std::int64_t brokerId{};                               ///< 0: master
  std::optional<std::int64_t> heartbeatTimeoutMillis{};  ///< 5.x
  std::optional<bool> enableActingMaster{};              ///< 5.x; its presence marks a 5.x broker
  bool compressed{};                                     ///< the body is zlib; 5.x brokers may compress and say false
  std::int32_t bodyCrc32{0};                             ///< masked CRC-32 of the body as sent; 0: not checked

  static constexpr std::string_view kName = "RegisterBrokerRequestHeader";
  static constexpr auto fields() {
    using H = RegisterBrokerRequestHeader;
    return std::tuple{must("brokerName", &H::brokerName),
                      must("brokerAddr", &H::brokerAddr),
                      must("clusterName", &H::clusterName),
                      must("haServerAddr", &H::haServerAddr),
                      must("brokerId", &H::brokerId),
                      may("heartbeatTimeoutMillis", &H::heartbeatTimeoutMillis),
                      may("enableActingMaster", &H::enableActingMaster),
                      may("compressed", &H::compressed),
                      may("bodyCrc32", &H::bodyCrc32)};
  }
  bool operator==(const RegisterBrokerRequestHeader&) const = default;
};

struct RegisterBrokerResponseHeader {
  std::string haServerAddr{};
  std::string masterAddr{};

  static constexpr std::string_view kName = "RegisterBrokerResponseHeader";
  static constexpr auto fields() {
    using H = RegisterBrokerResponseHeader;
    return std::tuple{may("haServerAddr", &H::haServerAddr), may("masterAddr", &H::masterAddr)};
  }
  bool operator==(const RegisterBrokerResponseHeader&) const = default;
};

/// UNREGISTER_BROKER (104)
struct UnRegisterBrokerRequestHeader {
  std::string brokerName{};
  std::string brokerAddr{};
  std::string clusterName{};
  std::int64_t brokerId{};

  static constexpr std::string_view kName = "UnRegisterBrokerRequestHeader";
  static constexpr auto fields() {
    using H = UnRegisterBrokerRequestHeader;
    return std::tuple{must("brokerName", &H::brokerName), must("brokerAddr", &H::brokerAddr),
                      must("clusterName", &H::clusterName), must("brokerId", &H::brokerId)};
  }
  bool operator==(const UnRegisterBrokerRequestHeader&) const = default;
};

/// GET_ROUTEINFO_BY_TOPIC (105)
struct GetRouteInfoRequestHeader {
  std::string topic{};
  std::optional<bool> acceptStandardJsonOnly{};  ///< 4.9.4+; or a version of at least 401

  static constexpr std::string_view kName = "GetRouteInfoRequestHeader";
  static constexpr auto fields() {
    using H = GetRouteInfoRequestHeader;
    return std::tuple{must("topic", &H::topic), may("acceptStandardJsonOnly", &H::acceptStandardJsonOnly)};
  }
  bool operator==(const GetRouteInfoRequestHeader&) const = default;
};

/// QUERY_DATA_VERSION (322)
struct QueryDataVersionRequestHeader {
  std::string brokerName{};
  std::string brokerAddr{};
  std::string clusterName{};
  std::int64_t brokerId{};

  static constexpr std::string_view kName = "QueryDataVersionRequestHeader";
  static constexpr auto fields() {
    using H = QueryDataVersionRequestHeader;
    return std::tuple{must("brokerName", &H::brokerName), must("brokerAddr", &H::brokerAddr),
                      must("clusterName", &H::clusterName), must("brokerId", &H::brokerId)};
  }
  bool operator==(const QueryDataVersionRequestHeader&) const = default;
};

struct QueryDataVersionResponseHeader {
  bool changed{};

  static constexpr std::string_view kName = "QueryDataVersionResponseHeader";
  static constexpr auto fields() {
    using H = QueryDataVersionResponseHeader;
    return std::tuple{must("changed", &H::changed)};
  }
  bool operator==(const QueryDataVersionResponseHeader&) const = default;
};

}  // namespace mqclient::protocol
