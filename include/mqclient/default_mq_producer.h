#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "mqclient/client.h"
#include "mqclient/export.h"
#include "mqclient/message_queue_selector.h"

namespace mqclient {
inline namespace v1 {

/// Of one send; unset: the producer's.
struct SendOptions {
  std::optional<Millis> timeout{};  ///< all tries together
  std::optional<int> retryTimes{};  ///< tries after the first
};
static_assert(std::is_trivially_destructible_v<SendOptions>, "g++ 12 destroys others twice inside co_await");

/// What an asynchronous send does when the producer's own bounds are reached.
enum class WhenFull {
  kFail,         ///< the future fails with kQueueFull at once; see MQProducer::writable()
  kBlockCaller,  ///< sendAsync waits for room, up to the send's timeout; kWouldBlock where nothing may wait
};

/// How bodies are compressed. The number is what sysFlag says in its bits 8 to 10. CompressionType.java
/// Every consumer reads ZLIB. Those of RocketMQ 4.9.3 and before, and of its Go and C++ clients, read nothing else:
/// they deliver the other two as they are stored, or not at all.
enum class CompressionType { LZ4 = 1, ZSTD = 2, ZLIB = 3 };

struct ProducerOptions {
  Millis sendMsgTimeout{3000};      ///< all tries together; one try gets max(timeout / tries, 500 ms), so that a hung
                                    ///< broker cannot eat it all. DefaultMQProducer.java
  int retryTimesWhenSendFailed{2};  ///< tries after the first, each on another broker, sync and async alike. With a
                                    ///< selector: the same queue, and only after Applied::kNo. DefaultMQProducer.java
  bool retryAnotherBrokerWhenNotStoreOK{false};  ///< also retry what was stored but not flushed or replicated in time
  /// Broker answers that are tried again elsewhere. DefaultMQProducer.java
  std::vector<int> retryResponseCodes{1, 2, 14, 16, 17, 204, 205, 1500};
  std::size_t maxMessageSize{4u << 20};  ///< bytes of body, uncompressed. DefaultMQProducer.java
  /// Bodies of at least this many bytes are compressed, on the calling thread, if that makes them smaller. Batches
  /// never are, nor bodies beyond 16 MiB. DefaultMQProducer.java
  std::size_t compressMsgBodyOverHowmuch{4096};
  CompressionType compressType{CompressionType::ZLIB};  ///< at level 5, LZ4 at its fast one. DefaultMQProducer.java
  std::size_t backPressureForAsyncSendNum{65535};       ///< messages in flight at most, up to 16,000,000 (Java: off)
  /// Bytes that sends in flight hold at most: their bodies and properties, and 6 KiB for each send. One send
  /// alone may hold more. (Java: off, and bodies only)
  std::size_t backPressureForAsyncSendSize{100u << 20};
  WhenFull whenFull{WhenFull::kFail};
  std::vector<std::string> topics{};     ///< routes fetched by start, so that the first send need not
  std::string createTopicKey{"TBW102"};  ///< whose brokers create a topic that has no route. TopicValidator.java
  int defaultTopicQueueNums{4};          ///< queues of a topic made that way. DefaultMQProducer.java
};

/// Sends messages. The faces (`send` waits, `sendAsync` has begun when it returns) are one line each over one public
/// virtual per operation, which mocks expect. Threads: any.
///
/// Errors   kInvalidArgument, kMessageIllegal: nothing was sent, and the text lists every complaint.
///          kTimeout, kUnreachable, kConnectionLost, kNoRoute, kFlowControl, kBroker, ...: after all tries; applied()
///          says whether the message may be stored all the same, msgId() repeats the very same one.
///          kQueueFull: a bound of this producer. kClosed: after close.
class MQCLIENT_EXPORT MQProducer : public MQClient {
 public:
  Result<SendResult> send(Message message, SendOptions options = {});
  Result<SendResult> send(Message message, MessageQueueSelector selector, SendOptions options = {});
  Future<SendResult> sendAsync(Message message, SendOptions options = {});
  Future<SendResult> sendAsync(Message message, MessageQueueSelector selector, SendOptions options = {});

  /// One request for all: same topic, stored one after the other in one queue, or none of them.
  Result<SendResult> sendBatch(std::vector<Message> messages, SendOptions options = {});
  Future<SendResult> sendBatchAsync(std::vector<Message> messages, SendOptions options = {});

  /// Handed to the connection, no answer asked for: success says nothing about the broker.
  Result<void> sendOneway(Message message);
  Result<void> sendOneway(Message message, MessageQueueSelector selector);

  /// The queues that sends to `topic` choose from, ascending. kNoRoute: there is no such topic; one that a send of this
  /// producer has just made is waited for, up to sendMsgTimeout.
  Result<std::vector<MessageQueue>> fetchPublishMessageQueues(std::string topic);

  /// Completes when everything accepted so far has completed.
  virtual Future<void> flush() = 0;
  /// Completes when there is room under the in-flight bounds, for as much as was refused last: for loops around
  /// sendAsync.
  virtual Future<void> writable() = 0;

  virtual Future<SendResult> doSend(Message message, std::optional<MessageQueueSelector> selector,
                                    SendOptions options) = 0;
  virtual Future<SendResult> doSendBatch(std::vector<Message> messages, SendOptions options) = 0;
  virtual Result<void> doSendOneway(Message message, std::optional<MessageQueueSelector> selector) = 0;
  virtual Future<std::vector<MessageQueue>> doFetchPublishMessageQueues(std::string topic) = 0;
};

/// The producer of a group. Owner: this handle, alone; its destructor is close(10 s). Movable, not copyable: move it
/// before others use it; moved from, it answers kClosed.
class MQCLIENT_EXPORT DefaultMQProducer final : public MQProducer {
 public:
  /// A running producer. kInvalidArgument (every complaint about group and options at once), kNoNameServer.
  static Result<DefaultMQProducer> start(std::string producerGroup, ClientOptions client = {},
                                         ProducerOptions options = {});

  DefaultMQProducer(DefaultMQProducer&&) noexcept;
  DefaultMQProducer& operator=(DefaultMQProducer&&) noexcept;
  ~DefaultMQProducer() override;

  Future<void> ready() override;
  Future<CloseReport> closeAsync(Millis wait = Millis{10000}) override;
  Health health() const override;
  std::string clientId() const override;
  Future<void> flush() override;
  Future<void> writable() override;
  Future<SendResult> doSend(Message message, std::optional<MessageQueueSelector> selector,
                            SendOptions options) override;
  Future<SendResult> doSendBatch(std::vector<Message> messages, SendOptions options) override;
  Result<void> doSendOneway(Message message, std::optional<MessageQueueSelector> selector) override;
  Future<std::vector<MessageQueue>> doFetchPublishMessageQueues(std::string topic) override;

 protected:
  bool insideOwnCallback() const noexcept override;

 private:
  struct Impl;
  explicit DefaultMQProducer(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

/// Cuts `messages`, in order, into batches of at most `bytesMax` bytes on the wire each. A single message beyond it
/// gets a batch of its own.
MQCLIENT_EXPORT std::vector<std::vector<Message>> splitBatch(std::vector<Message> messages,
                                                             std::size_t bytesMax = 1u << 20);

}  // namespace v1
}  // namespace mqclient
