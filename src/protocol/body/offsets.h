#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "mqclient/error.h"
#include "protocol/body/message_queue.h"
#include "protocol/body/topic_config.h"
#include "protocol/field.h"

namespace mqclient::protocol {

enum class ResetOffsetShape {
  kObjectKeys,   ///< {{"brokerName":..}:offset}: what Java and Go consumers read
  kArrayForCpp,  ///< [{"brokerName":..,"offset":..}]: the only one the C++ client reads
};

/// Body of RESET_CONSUMER_CLIENT_OFFSET. decode() takes both shapes and text keys that hold JSON.
struct ResetOffsetBody {
  std::map<WireMessageQueue, std::int64_t> offsetTable{};

  static constexpr auto fields() {
    using H = ResetOffsetBody;
    return std::tuple{may("offsetTable", &H::offsetTable)};
  }
  std::string encode(ResetOffsetShape shape = ResetOffsetShape::kObjectKeys) const;
  /// Errors   kCorrupt.
  static Result<ResetOffsetBody> decode(std::string_view json);
  bool operator==(const ResetOffsetBody&) const = default;
};

/// Reply to GET_CONSUMER_STATUS_FROM_CLIENT.
struct GetConsumerStatusBody {
  std::map<WireMessageQueue, std::int64_t> messageQueueTable{};
  std::map<std::string, std::map<WireMessageQueue, std::int64_t>> consumerTable{};  ///< client id to its offsets

  static constexpr auto fields() {
    using H = GetConsumerStatusBody;
    return std::tuple{may("consumerTable", &H::consumerTable), may("messageQueueTable", &H::messageQueueTable)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<GetConsumerStatusBody> decode(std::string_view json);
  bool operator==(const GetConsumerStatusBody&) const = default;
};

/// config/consumerOffset.json, and reply to GET_ALL_CONSUMER_OFFSET. groupTopicMap, which follows from it, is left out.
struct ConsumerOffsetSerializeWrapper {
  std::map<std::string, std::map<std::int32_t, std::int64_t>> offsetTable{};  ///< "topic@group" to next offset by queue
  DataVersion dataVersion{};

  static constexpr auto fields() {
    using H = ConsumerOffsetSerializeWrapper;
    return std::tuple{may("dataVersion", &H::dataVersion), may("offsetTable", &H::offsetTable)};
  }
  std::string encode() const;
  /// Errors   kCorrupt.
  static Result<ConsumerOffsetSerializeWrapper> decode(std::string_view json);
  bool operator==(const ConsumerOffsetSerializeWrapper&) const = default;
};

}  // namespace mqclient::protocol
