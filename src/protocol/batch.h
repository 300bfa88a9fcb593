#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/buffer.h"
#include "mqclient/error.h"
#include "protocol/limits.h"

namespace mqclient::protocol {

/// One message of a client batch; views.
///
/// Layout   totalSize i32 | magic i32 = 0 | bodyCRC i32 = 0 | flag i32 | bodyLen i32, body | propertiesLen i16,
/// properties Source   MessageDecoder.encodeMessage, spec of SEND_BATCH_MESSAGE
struct BatchElement {
  std::int32_t flag = 0;
  std::span<const std::byte> body;
  std::string_view properties;
};

inline constexpr std::size_t kBatchElementOverhead = 22;
constexpr std::size_t batchElementSize(const BatchElement& e) noexcept {
  return kBatchElementOverhead + e.body.size() + e.properties.size();
}

/// Writes batchElementSize bytes and answers the place behind them. Properties have at most 32,767 bytes.
std::byte* encodeBatchElement(std::byte* to, const BatchElement& element) noexcept;
/// The batch's body in one block.
base::Slice encodeBatch(std::span<const BatchElement> elements);

/// Walks a client batch. Magic and CRC of the elements are not looked at.
class BatchIterator {
 public:
  explicit BatchIterator(std::span<const std::byte> body, std::size_t max_messages = kMaxBatchMessages) noexcept
      : rest_(body), left_(max_messages) {}
  /// Nothing: the end. An Error ends the walk.
  /// Errors   kCorrupt: a length that is negative, leaves the body or does not add up; more than max_messages.
  std::optional<Result<BatchElement>> next();

 private:
  std::span<const std::byte> rest_;
  std::size_t left_;
  std::size_t seen_ = 0;
};

}  // namespace mqclient::protocol
