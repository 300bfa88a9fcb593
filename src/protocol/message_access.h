#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "mqclient/message.h"

namespace mqclient::protocol {
struct RecordFields;
}

namespace mqclient {
inline namespace v1 {
namespace detail {

/// The bytes that a run of MessageExt views share, and what the records do not say themselves: the queue they were
/// pulled from. One per pull answer. Immutable, any thread.
class MessageFrame {
 public:
  /// `bytes` may lie in several slices; a record never spans two of them.
  MessageFrame(base::Chain bytes, MessageQueue queue);
  ~MessageFrame();
  MessageFrame(const MessageFrame&) = delete;
  MessageFrame& operator=(const MessageFrame&) = delete;

  const MessageQueue& queue() const noexcept { return queue_; }
  const base::Chain& bytes() const noexcept { return bytes_; }
  /// The offset message id of the record at `record`, made when first asked; lives as long as the frame.
  std::string_view offsetMsgId(const std::byte* record) const;

 private:
  struct Ids;
  base::Chain bytes_;
  MessageQueue queue_;
  std::unique_ptr<Ids> ids_;
};

/// What the library may do with public messages and users may not.
struct MessageAccess {
  /// The properties as they go on the wire: name SOH value STX, ..., always with the last STX; no UNIQ_KEY unless set.
  static const std::string& properties(const Message& m) noexcept { return m.properties_; }
  /// The body with the message's share of it: what stays behind must not be read.
  static Body takeBody(Message& m) noexcept { return std::move(m.body_); }
  /// What setters were given that send must refuse; joined by "; ". Empty: nothing.
  static const std::string& complaints(const Message& m) noexcept { return m.complaints_; }
  /// Sets any property, reserved ones too. An empty value removes it.
  static void setProperty(Message& m, std::string_view name, std::string_view value) {
    m.setSystemProperty(name, value);
  }
  /// Message with a property block as received; for tools and toMessage.
  static Message make(std::string topic, Body body, std::string properties);

  /// The views of one pull answer, in order, bodies as stored. Records that cannot be read are left out, and only
  /// those: each one says its own size (MessageDecoder.java skips all that follow). `skipped` counts them.
  static std::vector<MessageExt> decode(const std::shared_ptr<const MessageFrame>& frame,
                                        std::size_t* skipped = nullptr);
  /// A view of the record at `record`, whose fields were read already. Its body is as stored.
  static MessageExt view(std::shared_ptr<const MessageFrame> frame, const std::byte* record,
                         const protocol::RecordFields& fields);
  /// A message with a record and frame of its own, made of `fields`: whatever encodeRecord can write.
  static MessageExt ofFields(const protocol::RecordFields& fields, MessageQueue queue);
  /// One record inside `frame`, its body inflated if that is possible. kCorrupt.
  static Result<MessageExt> decodeOne(std::shared_ptr<const MessageFrame> frame, std::span<const std::byte> record);

  static std::string_view properties(const MessageExt& m) noexcept;
  /// Inflates a compressed body in place; of any other message nothing. What cannot be inflated stays as stored, bit
  /// 0x1 of sysFlag with it: skipping the message would lose it (MessageDecoder.java skips it and all that follow).
  /// Cost     that of decompressBody, up to kMaxInflatedBodySize: not for strands.
  /// Errors   kCorrupt.
  static Result<void> inflate(MessageExt& m);
  /// The body as stored again. Copies of `m` keep the inflated one.
  static void dropInflated(MessageExt& m) noexcept;

  static void setRedeliveries(MessageExt& m, int n) noexcept { m.redeliveries_ = n; }
  static int redeliveries(const MessageExt& m) noexcept { return m.redeliveries_; }
  /// Bytes of the record.
  static std::size_t size(const MessageExt& m) noexcept { return base::getBe32(m.record_); }
  static const MessageQueue& queue(const MessageExt& m) noexcept { return m.frame_->queue(); }
};

}  // namespace detail
}  // namespace v1
}  // namespace mqclient
