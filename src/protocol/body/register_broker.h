#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "mqclient/error.h"
#include "protocol/body/topic_config.h"
#include "protocol/field.h"

namespace mqclient::protocol {

/// Text to text; reply to REGISTER_BROKER (ORDER_TOPIC_CONFIG) and others.
struct KVTable {
  std::map<std::string, std::string> table{};

  static constexpr auto fields() {
    using H = KVTable;
    return std::tuple{may("table", &H::table)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<KVTable> decode(std::string_view json);
  bool operator==(const KVTable&) const = default;
};

/// Body of REGISTER_BROKER.
struct RegisterBrokerBody {
  TopicConfigSerializeWrapper topicConfigSerializeWrapper{};
  std::vector<std::string> filterServerList{};  ///< legacy, always empty

  static constexpr auto fields() {
    using H = RegisterBrokerBody;
    return std::tuple{may("filterServerList", &H::filterServerList),
                      may("topicConfigSerializeWrapper", &H::topicConfigSerializeWrapper)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<RegisterBrokerBody> decode(std::string_view json);
  /// The zlib form; what it says is bounded by `max_size` bytes of text. Topics lose topicSysFlag and order, which that
  /// form does not carry. Errors   kCorrupt.
  static Result<RegisterBrokerBody> decodeCompressed(std::string_view zlib, int sender_version, std::size_t max_size);
  bool operator==(const RegisterBrokerBody&) const = default;
};

}  // namespace mqclient::protocol
