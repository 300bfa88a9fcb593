// Rows of the message path inside one process: producer, broker and consumer on one in-process link.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "load.h"
#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"
#include "report.h"

namespace mqbench {

using namespace mqclient;

namespace {

constexpr int kToListener = 20'000;  // messages

MockCluster startCluster(int queues = 4) {
  MockCluster cluster = must(MockCluster::start(), "cluster");
  TopicConfig topic;
  topic.topicName = kTopic;
  topic.readQueueNums = topic.writeQueueNums = queues;
  must(cluster.createTopic(topic), "topic");
  return cluster;
}

std::vector<Row> syncSend() {
  constexpr int kWarmUp = 30'000;
  constexpr int kSends = 150'000;
  MockCluster cluster = startCluster();
  DefaultMQProducer producer = must(DefaultMQProducer::start("bench-p", cluster.client()), "producer");
  const Message message(kTopic, std::string(kBodyBytes, 'x'));
  std::vector<double> micros;
  micros.reserve(kSends);
  for (int i = 0; i < kWarmUp + kSends; ++i) {
    const auto start = Clock::now();
    must(producer.send(message), "send");
    if (i >= kWarmUp) micros.push_back(microsSince(start));
  }
  const double p99 = quantile(micros, 0.99);
  Row row{.name = "inproc.sync_send_1k.p50", .value = quantile(micros, 0.5), .unit = "us", .bound = atMost(5, 3)};
  row.note = "p99 " + std::to_string(p99) + " us, goal 10";
  return {row};
}

std::vector<Row> sendToListenerOneCore() {
  if (!pinToOneCore()) fail("the process cannot be bound to one core");
  const MockCluster cluster = startCluster(1);
  std::vector<double> micros = sendToListener(cluster.client(), kToListener);
  Row row{.name = "inproc.send_to_listener_1k.p50.one_core",
          .value = quantile(micros, 0.5),
          .unit = "us",
          .bound = atMost(25, 15)};
  row.note = "p99 " + std::to_string(quantile(micros, 0.99)) + " us";
  return {row};
}

std::vector<Row> sendToListenerTwoCores() {
  const double wake = crossCoreWakeMicros();
  const MockCluster cluster = startCluster(1);
  std::vector<double> micros = sendToListener(cluster.client(), kToListener);
  Row row{.name = "inproc.send_to_listener_1k.p50.two_cores",
          .value = quantile(micros, 0.5),
          .unit = "us",
          .reference = wake,
          .bound = ratioAtMost(2, 1.5)};
  row.note = "reference: a cross-core thread wake; p99 " + std::to_string(quantile(micros, 0.99)) + " us";
  return {row};
}

/// One producer a core, each with its own client and at most 500 sends under way, a callback a message; the median of
/// several rounds, as one alone says more about what else the machine did.
std::vector<Row> asyncSend() {
  constexpr int kRounds = 5;
  constexpr int kMessages = 400'000;
  constexpr int kWarmUp = 250'000;  // until the log has gone round: from then on its memory is used again
  constexpr std::size_t kUnderWay = 500;
  const int producers = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  MockCluster cluster = must(MockCluster::start({.brokers = producers}), "cluster");
  must(cluster.createTopic({.topicName = kTopic, .readQueueNums = 4, .writeQueueNums = 4}), "topic");
  const Message message(kTopic, std::string(kBodyBytes, 'x'));
  const int each = kMessages / producers;
  std::atomic<int> ok{0};
  std::atomic<int> bad{0};
  std::vector<DefaultMQProducer> running;
  running.reserve(static_cast<std::size_t>(producers));
  for (int k = 0; k < producers; ++k) {
    running.push_back(
        must(DefaultMQProducer::start("bench-p", cluster.client(),
                                      {.backPressureForAsyncSendNum = kUnderWay, .whenFull = WhenFull::kBlockCaller}),
             "producer"));
  }
  for (int i = 0; i < kWarmUp * producers; ++i) must(running.front().send(message), "warm-up");
  std::vector<double> rates;
  for (int round = 1; round <= kRounds; ++round) {
    const auto start = Clock::now();
    std::vector<std::thread> senders;
    senders.reserve(running.size());
    for (DefaultMQProducer& producer : running) {
      senders.emplace_back([&] {
        for (int i = 0; i < each; ++i) {
          producer.sendAsync(message).then([&](const Result<SendResult>& r) { (r ? ok : bad).fetch_add(1); });
        }
        must(producer.flush().get(), "flush");
      });
    }
    for (std::thread& sender : senders) sender.join();
    while (ok + bad < each * producers * round) std::this_thread::yield();
    rates.push_back(each * producers / (microsSince(start) / 1e6));
  }
  if (bad != 0) fail(std::to_string(bad) + " async sends failed");
  Row row{.name = "inproc.async_send_1k.rate",
          .value = quantile(rates, 0.5),
          .unit = "messages/s",
          .bound = atLeast(500'000, 1'000'000)};
  std::ranges::sort(rates);
  row.note = std::to_string(producers) + " producers on as many brokers; slowest and fastest of " +
             std::to_string(kRounds) + " rounds " + std::to_string(static_cast<int>(rates.front())) + " and " +
             std::to_string(static_cast<int>(rates.back()));
  return {row};
}

std::vector<Row> batch32() {
  constexpr int kBatch = 32;
  constexpr int kBatches = 60'000;
  MockCluster cluster = startCluster();
  DefaultMQProducer producer = must(DefaultMQProducer::start("bench-p", cluster.client()), "producer");
  const std::vector<Message> batch(kBatch, Message(kTopic, std::string(kBodyBytes, 'x')));
  for (int i = 0; i < 2'000; ++i) must(producer.sendBatch(batch), "warm-up");
  const auto start = Clock::now();
  for (int i = 0; i < kBatches; ++i) must(producer.sendBatch(batch), "batch");
  const double seconds = microsSince(start) / 1e6;
  return {Row{.name = "inproc.batch32_1k.rate",
              .value = double{kBatch} * kBatches / seconds,
              .unit = "messages/s",
              .bound = atLeast(1'000'000, 2'000'000)}};
}

std::vector<Row> firstAck() {
  const auto start = Clock::now();
  MockCluster cluster = must(MockCluster::start(), "cluster");
  DefaultMQProducer producer = must(DefaultMQProducer::start("bench-p", cluster.client()), "producer");
  must(producer.send(Message("first", std::string(kBodyBytes, 'x'))), "send");
  return {
      Row{.name = "mockcluster.first_ack", .value = microsSince(start) / 1e3, .unit = "ms", .bound = atMost(10, 5)}};
}

std::vector<Row> hundredBrokers() {
  const auto start = Clock::now();
  MockCluster cluster = must(MockCluster::start({.brokers = 100}), "cluster");
  const double ms = microsSince(start) / 1e3;
  return {Row{.name = "mockcluster.100_brokers", .value = ms, .unit = "ms", .bound = atMost(400, 200)}};
}

}  // namespace

std::vector<Measurement> pathMeasurements() {
  return {{"inproc.sync_send_1k.p50", syncSend},
          {"inproc.send_to_listener_1k.p50.one_core", sendToListenerOneCore},
          {"inproc.send_to_listener_1k.p50.two_cores", sendToListenerTwoCores},
          {"inproc.async_send_1k.rate", asyncSend},
          {"inproc.batch32_1k.rate", batch32},
          {"mockcluster.first_ack", firstAck},
          {"mockcluster.100_brokers", hundredBrokers}};
}

}  // namespace mqbench
