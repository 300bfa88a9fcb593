#pragma once

#include <string>
#include <vector>

#include "mqclient/mqclient.h"

namespace mqbench {

/// What rows send and consume: one topic, bodies of 1 KiB.
inline constexpr std::size_t kBodyBytes = 1024;
inline const std::string kTopic = "bench";
mqclient::Message message1k();

/// A producer of group "bench" that has sent its first message, which makes the topic.
mqclient::DefaultMQProducer startProducer(const std::string& namesrv, mqclient::ProducerOptions options = {});
/// The broker that a producer sends to: there is one.
std::string brokerAddress(mqclient::MQProducer& producer);

/// Microseconds of `times` synchronous sends.
std::vector<double> sendOneByOne(mqclient::MQProducer& producer, int times);
/// `each` synchronous sends on each of `threads` threads; returns when all are done.
void sendOnThreads(mqclient::MQProducer& producer, int threads, int each);
/// Asynchronous sends with a callback each, as many under way as the producer lets; returns when all were called back.
void sendAsynchronously(mqclient::MQProducer& producer, int messages);
/// Microseconds from the send call to the listener's first line, one message at a time; the topic is empty before.
std::vector<double> sendToListener(const mqclient::ClientOptions& client, int messages);
/// Batches of 32, one after the other, until at least `messages` are stored.
void storeInBatches(mqclient::MQProducer& producer, int messages);
/// A new group consumes from the first offset until it has seen `messages`.
void drainTopic(const std::string& namesrv, const std::string& group, int messages);

}  // namespace mqbench
