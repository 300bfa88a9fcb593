#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "protocol/field.h"
#include "protocol/remoting_command.h"

namespace mqclient::protocol {

/// What SEND_MESSAGE (10), SEND_MESSAGE_V2 (310), SEND_BATCH_MESSAGE (320) and the replies (324, 325) say, under the
/// long names. `Text` is std::string, or std::string_view for fields that point into the frame or at the sender's
/// texts.
template <class Text>
struct SendMessageFields {
  Text producerGroup{};
  Text topic{};
  Text defaultTopic{};                    ///< template for auto-creation, normally TBW102
  std::int32_t defaultTopicQueueNums{4};  ///< queues asked for on auto-creation
  std::int32_t queueId{};                 ///< negative: any writable queue
  std::int32_t sysFlag{};                 ///< compression and prepared bits only
  std::int64_t bornTimestamp{};           ///< ms
  std::int32_t flag{};                    ///< the user's
  Text properties{};                      ///< see properties.h
  std::optional<std::int32_t> reconsumeTimes{};
  bool unitMode{};
  std::optional<std::int32_t> maxReconsumeTimes{};
  bool batch{};  ///< true: the body is a client batch, whatever the request code
  Text bname{};  ///< 5.x: target broker name

  bool operator==(const SendMessageFields&) const = default;
};

/// SEND_MESSAGE (10), SEND_REPLY_MESSAGE (324): long names on the wire. What the Go client sends.
template <class Text>
struct BasicSendMessageRequestHeader : SendMessageFields<Text> {
  static constexpr std::string_view kName = "SendMessageRequestHeader";
  static constexpr auto fields() {
    using H = SendMessageFields<Text>;
    return std::tuple{must("producerGroup", &H::producerGroup),
                      must("topic", &H::topic),
                      must("defaultTopic", &H::defaultTopic),
                      must("defaultTopicQueueNums", &H::defaultTopicQueueNums),
                      must("queueId", &H::queueId),
                      must("sysFlag", &H::sysFlag),
                      must("bornTimestamp", &H::bornTimestamp),
                      must("flag", &H::flag),
                      may("properties", &H::properties),
                      may("reconsumeTimes", &H::reconsumeTimes),
                      may("unitMode", &H::unitMode),
                      may("maxReconsumeTimes", &H::maxReconsumeTimes),
                      may("batch", &H::batch),
                      may("bname", &H::bname)};
  }
  bool operator==(const BasicSendMessageRequestHeader&) const = default;
};

/// SEND_MESSAGE_V2 (310), SEND_BATCH_MESSAGE (320), SEND_REPLY_MESSAGE_V2 (325): the same in one-letter names.
template <class Text>
struct BasicSendMessageRequestHeaderV2 : SendMessageFields<Text> {
  static constexpr std::string_view kName = "SendMessageRequestHeaderV2";
  static constexpr auto fields() {
    using H = SendMessageFields<Text>;
    return std::tuple{must("a", &H::producerGroup), must("b", &H::topic),
                      must("c", &H::defaultTopic),  must("d", &H::defaultTopicQueueNums),
                      must("e", &H::queueId),       must("f", &H::sysFlag),
                      must("g", &H::bornTimestamp), must("h", &H::flag),
                      may("i", &H::properties),     may("j", &H::reconsumeTimes),
                      may("k", &H::unitMode),       may("l", &H::maxReconsumeTimes),
                      may("m", &H::batch),          may("n", &H::bname)};
  }
  bool operator==(const BasicSendMessageRequestHeaderV2&) const = default;
};

using SendMessageRequestHeader = BasicSendMessageRequestHeader<std::string>;
using SendMessageRequestHeaderView = BasicSendMessageRequestHeader<std::string_view>;
using SendMessageRequestHeaderV2 = BasicSendMessageRequestHeaderV2<std::string>;
using SendMessageRequestHeaderV2View = BasicSendMessageRequestHeaderV2<std::string_view>;
using SendMessageView = SendMessageFields<std::string_view>;

/// The send fields of a request of any of the five codes; views into `command`.
/// Errors   as decodeHeader.
Result<SendMessageView> decodeSendHeader(const RemotingCommand& command);

/// Reply to a send that was stored. Java reads the ext fields of every success: they are always sent.
template <class Text>
struct BasicSendMessageResponseHeader {
  Text msgId{};  ///< offset message id; of a batch one per message, joined by commas
  std::int32_t queueId{};
  std::int64_t queueOffset{};
  Text transactionId{};  ///< UNIQ_KEY
  Text batchUniqId{};    ///< 5.x, inner batches
  Text recallHandle{};   ///< 5.3.2+
  Text msgRegion{};      ///< DefaultRegion
  Text traceOn{};        ///< "true" or "false"

  static constexpr std::string_view kName = "SendMessageResponseHeader";
  static constexpr auto fields() {
    using H = BasicSendMessageResponseHeader;
    return std::tuple{must("msgId", &H::msgId),
                      must("queueId", &H::queueId),
                      must("queueOffset", &H::queueOffset),
                      may("transactionId", &H::transactionId),
                      may("batchUniqId", &H::batchUniqId),
                      may("recallHandle", &H::recallHandle),
                      may("MSG_REGION", &H::msgRegion),
                      may("TRACE_ON", &H::traceOn)};
  }
  bool operator==(const BasicSendMessageResponseHeader&) const = default;
};
using SendMessageResponseHeader = BasicSendMessageResponseHeader<std::string>;
using SendMessageResponseHeaderView = BasicSendMessageResponseHeader<std::string_view>;

}  // namespace mqclient::protocol
