#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mqclient/export.h"
#include "mqclient/future.h"

namespace mqclient {
inline namespace v1 {

namespace detail {
class MessageFrame;
struct MessageAccess;
}  // namespace detail

/// A message's content: immutable bytes with a share in whatever keeps them alive. Copies share; the bytes are not
/// copied again on the way to the transport.
class MQCLIENT_EXPORT Body {
 public:
  Body(std::string text);             ///< takes the string's bytes over
  Body(std::vector<std::byte> data);  ///< takes the vector's bytes over
  Body(std::string_view text);        ///< copies
  Body(const char* text);             ///< copies

  /// Bytes of yours, not copied; `owner` is kept for as long as anybody may read them. Nobody may write them meanwhile.
  static Body share(std::shared_ptr<const void> owner, std::span<const std::byte> bytes);

  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  std::size_t size() const noexcept { return size_; }
  /// What keeps the bytes alive.
  const std::shared_ptr<const void>& owner() const& noexcept { return owner_; }
  std::shared_ptr<const void> owner() && noexcept { return std::move(owner_); }

 private:
  Body() noexcept = default;

  std::shared_ptr<const void> owner_;
  const std::byte* data_{nullptr};
  std::size_t size_{0};
};

/// One queue of a topic: where a message lies. Ordered by topic, broker name, queue id, as Java's.
/// A class and not an aggregate, because it is written inside co_await expressions.
class MQCLIENT_EXPORT MessageQueue {
 public:
  MessageQueue(std::string_view topic, std::string_view brokerName, int queueId)
      : topic_(topic), broker_name_(brokerName), queue_id_(queueId) {}

  std::strong_ordering operator<=>(const MessageQueue&) const = default;
  bool operator==(const MessageQueue&) const = default;

  const std::string& topic() const noexcept { return topic_; }
  const std::string& brokerName() const noexcept { return broker_name_; }
  int queueId() const noexcept { return queue_id_; }
  /// "MessageQueue [topic=T, brokerName=B, queueId=0]", as Java prints it.
  std::string toString() const;

  MQCLIENT_EXPORT friend std::ostream& operator<<(std::ostream&, const MessageQueue&);

 private:
  std::string topic_;
  std::string broker_name_;
  int queue_id_;
};

/// What is sent: a value; sending never changes yours. Each setter exists for & and for &&, so that it chains on a
/// temporary. Names, sizes and reserved properties are checked by send, all complaints at once (kInvalidArgument,
/// kMessageIllegal). Threads: as any value.
class MQCLIENT_EXPORT Message {
 public:
  Message(std::string topic, Body body);

  /// Words to find the message by (KEYS), joined by a blank. None, or only an empty one: no keys.
  template <std::convertible_to<std::string_view>... K>
  Message& setKeys(const K&... keys) & {
    static_assert(sizeof...(K) > 0, "at least one key");
    std::string joined;
    (appendKey(joined, std::string_view(keys)), ...);
    setSystemProperty("KEYS", joined);
    return *this;
  }
  template <std::convertible_to<std::string_view>... K>
  Message&& setKeys(const K&... keys) && {
    return std::move(setKeys(keys...));
  }

  /// The one tag (TAGS) that consumers filter by; empty: none.
  Message& setTags(std::string tags) &;
  Message&& setTags(std::string tags) && { return std::move(setTags(std::move(tags))); }

  /// A property of your own. Refused by send: a reserved name (Java's MessageConst), a blank name or value, and the
  /// control characters U+0001 and U+0002, which separate properties on the wire.
  Message& putUserProperty(std::string name, std::string value) &;
  Message&& putUserProperty(std::string name, std::string value) && {
    return std::move(putUserProperty(std::move(name), std::move(value)));
  }

  /// What orders messages of one kind (__SHARDINGKEY); carried to the consumer. To choose the queue by it, send with
  /// SelectMessageQueueByHash.
  Message& setShardingKey(std::string key) &;
  Message&& setShardingKey(std::string key) && { return std::move(setShardingKey(std::move(key))); }

  /// The unique id (UNIQ_KEY). Unset, each send makes a fresh one (Java: once per object); set it to
  /// Error::msgId() of a failed send to repeat that very message.
  Message& setMsgId(std::string id) &;
  Message&& setMsgId(std::string id) && { return std::move(setMsgId(std::move(id))); }

  const std::string& topic() const noexcept { return topic_; }
  const Body& body() const noexcept { return body_; }
  /// Of any property; empty if absent. Valid until the next setter.
  std::string_view property(std::string_view name) const noexcept;

 private:
  friend struct detail::MessageAccess;
  static void appendKey(std::string& joined, std::string_view key);
  void setSystemProperty(std::string_view name, std::string_view value);

  std::string topic_;
  Body body_;
  std::string properties_;  // as on the wire: name U+0001 value U+0002, ...
  std::string complaints_;  // about setters; reported by send
};

/// A received message: a view into the received frame that keeps the frame alive. Copy it to keep it; copies are cheap
/// and may be used on any thread. Views it answers live as long as this or a copy of it.
class MQCLIENT_EXPORT MessageExt {
 public:
  /// The topic that was sent to (of a redelivered message: the original one).
  std::string_view topic() const noexcept;
  /// Inflated, if the producer compressed it. What cannot be inflated comes as it was stored.
  std::string_view body() const noexcept { return body_; }
  std::string_view tags() const noexcept;
  std::string_view keys() const noexcept;
  /// The producer's unique id (UNIQ_KEY); of a message without one the offsetMsgId.
  std::string_view msgId() const;
  /// Upper-case hex of store host, port and commit log offset: where the broker keeps it.
  std::string_view offsetMsgId() const;

  /// Parsed when asked; nothing if absent or empty.
  std::optional<std::string_view> property(std::string_view name) const noexcept;
  std::vector<std::pair<std::string_view, std::string_view>> properties() const;
  /// "ip:port" of the producer, of the broker.
  std::string bornHost() const;
  std::string storeHost() const;
  MessageQueue messageQueue() const;
  std::int64_t queueOffset() const noexcept;
  std::int64_t commitLogOffset() const noexcept;
  /// How often it was given to a listener of this group before and failed.
  int reconsumeTimes() const noexcept;
  /// MessageSysFlag.java; bit 0x1 only where body() is still compressed: damaged, or beyond 16 MiB.
  int sysFlag() const noexcept;
  WallTime bornTime() const noexcept;
  WallTime storeTime() const noexcept;

  /// To send it on: topic, shared body, keys, tags and your own properties; system properties stay behind.
  Message toMessage() const;
  /// With its own copy of the bytes: a kept view pins its whole pull frame (up to 256 KiB).
  MessageExt detached() const;

 private:
  friend struct detail::MessageAccess;
  MessageExt() noexcept = default;

  std::shared_ptr<const detail::MessageFrame> frame_;  // owns the bytes, knows the queue they were pulled from
  const std::byte* record_{nullptr};                   // the record as stored, inside frame_
  std::string_view body_;                              // inside the record, or inflated
  std::shared_ptr<const void> inflated_;               // owner of an inflated body
  std::uint32_t topic_at_{0};
  std::uint32_t topic_size_{0};
  std::uint32_t properties_at_{0};
  std::uint32_t properties_size_{0};
  std::int32_t redeliveries_{0};  // local ones, on top of the record's
};
static_assert(sizeof(MessageExt) <= 128);

/// Messages handed to a listener, queues handed to a selector: valid until it returns, or its Future completes.
using Messages = std::span<const MessageExt>;
using Queues = std::span<const MessageQueue>;

/// How a message was stored. All four: it is on the master and will be delivered. SendStatus.java
enum class SendStatus {
  SEND_OK,
  FLUSH_DISK_TIMEOUT,   ///< synchronous flush asked for, not confirmed in time
  FLUSH_SLAVE_TIMEOUT,  ///< synchronous replication asked for, not confirmed in time
  SLAVE_NOT_AVAILABLE,  ///< synchronous replication asked for, no slave is there
};
MQCLIENT_EXPORT const char* toString(SendStatus) noexcept;

/// Where a message went.
struct SendResult {
  SendStatus sendStatus{};
  std::string msgId{};        ///< UNIQ_KEY; of a batch all of them, joined by commas
  std::string offsetMsgId{};  ///< the broker's: store host and commit log offset in hex
  std::string regionId{};     ///< the broker's MSG_REGION
  std::optional<MessageQueue> messageQueue{};
  std::int64_t queueOffset{-1};             ///< of a batch: that of its first message
  std::vector<std::string> brokersTried{};  ///< names in order, the last one took it
  std::vector<std::string> batchMsgIds{};   ///< of a batch: one per message, in order
};

}  // namespace v1
}  // namespace mqclient

template <>
struct std::hash<mqclient::MessageQueue> {
  std::size_t operator()(const mqclient::MessageQueue& q) const noexcept {
    const std::size_t h = std::hash<std::string>()(q.topic()) * 31 + std::hash<std::string>()(q.brokerName());
    return h * 31 + static_cast<std::size_t>(q.queueId());
  }
};
