#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/block_pool.h"
#include "base/completion.h"
#include "mqclient/message.h"

namespace mqclient::producer {

/// What is kept of a stored message until somebody takes its result: a few lines of memory that go from the thread
/// which read the answer to the one that runs the callback. Everything else of the send ends before, where it lies in
/// the cache; the strings of the result are made by the thread that is given them.
///
/// Memory   made when the send is accepted, so that settling it needs none.
class StoredSend final : public base::Deferred<SendResult>, public base::Pooled {
 public:
  struct Texts {
    std::string_view topic;
    std::string_view broker_name;
    std::string_view msg_id;
    std::string_view offset_msg_id;
    std::string_view region_id;
  };

  /// False: the texts are too long. Once.
  bool keep(SendStatus status, std::int32_t queue_id, std::int64_t queue_offset, const Texts& texts) noexcept;

  Result<SendResult> take() noexcept override;
  void drop() noexcept override { delete this; }

 private:
  static constexpr std::size_t kTexts = 5;

  SendStatus status_{};
  std::int32_t queue_id_ = 0;
  std::int64_t queue_offset_ = 0;
  std::array<std::uint16_t, kTexts> ends_{};  // of each text in chars_
  std::array<char, 214> chars_;               // with all before: 256 bytes
};
static_assert(sizeof(StoredSend) <= 4 * base::BlockPool::kClassBytes);

}  // namespace mqclient::producer
