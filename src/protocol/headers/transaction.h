#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "protocol/field.h"

namespace mqclient::protocol {

/// END_TRANSACTION (37), always one-way from clients
struct EndTransactionRequestHeader {
  std::string topic{};                  ///< 5.1+; the real topic
  std::string producerGroup{};          ///< equals PGROUP of the half message
  std::int64_t tranStateTableOffset{};  ///< queueOffset of the send reply or of the check
  std::int64_t commitLogOffset{};       ///< from the offset msgId of the send reply or from the check
  std::int32_t
      commitOrRollback{};  ///< kTransactionNotType, kTransactionCommitType or kTransactionRollbackType (names.h)
  bool fromTransactionCheck{};
  std::string msgId{};  ///< UNIQ_KEY
  std::string transactionId{};
  std::string bname{};  ///< 5.x: target broker name

  static constexpr std::string_view kName = "EndTransactionRequestHeader";
  static constexpr auto fields() {
    using H = EndTransactionRequestHeader;
    return std::tuple{may("topic", &H::topic),
                      must("producerGroup", &H::producerGroup),
                      must("tranStateTableOffset", &H::tranStateTableOffset),
                      must("commitLogOffset", &H::commitLogOffset),
                      must("commitOrRollback", &H::commitOrRollback),
                      may("fromTransactionCheck", &H::fromTransactionCheck),
                      must("msgId", &H::msgId),
                      may("transactionId", &H::transactionId),
                      may("bname", &H::bname)};
  }
  bool operator==(const EndTransactionRequestHeader&) const = default;
};

/// CHECK_TRANSACTION_STATE (39), broker to producer, one-way; the body is one record
struct CheckTransactionStateRequestHeader {
  std::string topic{};  ///< 5.x: the half topic
  std::int64_t tranStateTableOffset{};
  std::int64_t commitLogOffset{};
  std::string msgId{};          ///< UNIQ_KEY
  std::string transactionId{};  ///< the same
  std::string offsetMsgId{};
  std::string bname{};  ///< 5.x: target broker name

  static constexpr std::string_view kName = "CheckTransactionStateRequestHeader";
  static constexpr auto fields() {
    using H = CheckTransactionStateRequestHeader;
    return std::tuple{may("topic", &H::topic),
                      must("tranStateTableOffset", &H::tranStateTableOffset),
                      must("commitLogOffset", &H::commitLogOffset),
                      may("msgId", &H::msgId),
                      may("transactionId", &H::transactionId),
                      may("offsetMsgId", &H::offsetMsgId),
                      may("bname", &H::bname)};
  }
  bool operator==(const CheckTransactionStateRequestHeader&) const = default;
};

}  // namespace mqclient::protocol
