#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "mqclient/mqclient.h"
#include "raw_socket.h"
#include "report.h"

namespace mqbench {

/// What rows send and consume: one topic, bodies of 1 KiB.
inline constexpr std::size_t kBodyBytes = 1024;
inline constexpr int kRounds = 5;  ///< of which the median counts
inline const std::string kTopic = "bench";
mqclient::Message message1k();

/// A producer of group "bench" that has sent its first message, which makes the topic.
mqclient::DefaultMQProducer startProducer(const std::string& namesrv, mqclient::ProducerOptions options = {});
/// The broker that a producer sends `topic` to: there is one.
std::string brokerAddress(mqclient::MQProducer& producer, const std::string& topic = kTopic);

/// Microseconds of `times` synchronous sends.
std::vector<double> sendOneByOne(mqclient::MQProducer& producer, int times);
struct Extents {
  int warm_up;
  int sends;  ///< of a round
};
/// Synchronous sends and exchanges of `frame` by a bare socket, in turn: the median of each.
Row besideBareSocket(const std::string& name, mqclient::MQProducer& producer, RawSocket& raw, const std::string& frame,
                     const Extents& extents, std::optional<Bound> bound, const std::string& reference);
/// `each` synchronous sends on each of `threads` threads; returns when all are done.
void sendOnThreads(mqclient::MQProducer& producer, int threads, int each);
/// Asynchronous sends with a callback each, as many under way as the producer lets; returns when all were called back.
void sendAsynchronously(mqclient::MQProducer& producer, int messages);
/// A producer and a listener that take turns, one message at a time.
class Turns {
 public:
  /// The topic holds the producer's first message and no other.
  Turns(mqclient::MQProducer& producer, const mqclient::ClientOptions& client);
  /// Microseconds from the send call to the listener's first line.
  double sendOne();

 private:
  /// When the last one of so many was seen.
  Clock::time_point waitUntilSeen(std::size_t all);

  const mqclient::Message message_ = message1k();
  mqclient::MQProducer& producer_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::size_t sent_ = 1;
  std::size_t seen_ = 0;
  Clock::time_point seen_at_{};
  std::optional<mqclient::DefaultMQPushConsumer> consumer_;
};
/// The same for so many messages, on a topic that is empty before.
std::vector<double> sendToListener(const mqclient::ClientOptions& client, int messages);
/// Begins `count` sends by `send`; returns when all were called back, all well.
void beginAndAwait(int count, const std::function<mqclient::Future<mqclient::SendResult>()>& send);
/// Batches of 32, one after the other, until at least `messages` are stored.
void storeInBatches(mqclient::MQProducer& producer, int messages);
/// A new group consumes from the first offset until it has seen `messages`.
void drainTopic(const std::string& namesrv, const std::string& group, int messages);

}  // namespace mqbench
