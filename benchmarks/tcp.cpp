// Rows of the message path over loopback TCP: a client here, mqbroker as a process of its own.
#include <cstdio>
#include <functional>

#include "broker_process.h"
#include "load.h"
#include "raw_socket.h"
#include "report.h"

namespace mqbench {

using namespace mqclient;

namespace {

const std::string kBrokerName = "broker-a";  // mqbroker's own

/// A synchronous send and a bare exchange of the same bytes, in turn. `here`, `there`: processors of client and broker.
std::vector<Row> syncSend(const std::string& name, const std::vector<int>& here, const std::vector<int>& there,
                          std::optional<Bound> bound) {
  constexpr int kSends = 20'000;
  if (!here.empty()) bindTo(here);
  const BrokerProcess broker({}, there);
  DefaultMQProducer producer = startProducer(broker.address());
  const std::string frame = sendFrame(kTopic, kBrokerName, kBodyBytes);
  const EchoProcess echo(frame.size(), RawSocket(brokerAddress(producer)).ask(frame), there);
  RawSocket raw(echo.address());
  return {besideBareSocket(name, producer, raw, frame, {.warm_up = kSends / 4, .sends = kSends}, bound,
                           "a bare ping-pong of the same bytes")};
}

std::vector<Row> syncOneCore() {
  return syncSend("tcp.sync_send_1k.p50.one_core", {0}, {0}, ratioAtMost(2.5, 2.0));
}
std::vector<Row> syncTwoCores() {
  return syncSend("tcp.sync_send_1k.p50.two_cores", {0}, {1}, ratioAtMost(1.3, 1.15));
}
std::vector<Row> syncUnpinned() {
  return syncSend("tcp.sync_send_1k.p50.unpinned", {}, {}, std::nullopt);
}

/// Messages a second of `load`, which moves `messages`.
double rateOf(int messages, const std::function<void()>& load) {
  const auto began = Clock::now();
  load();
  return messages / (microsSince(began) / 1e6);
}

/// The same, the median of rounds after one that warms up.
Row rateRow(const std::string& name, int messages, const std::function<void(int round)>& load, Bound bound,
            std::string what) {
  std::vector<double> rates;
  for (int round = 0; round <= kRounds; ++round) {
    const double rate = rateOf(messages, [&] { load(round); });
    if (round > 0) rates.push_back(rate);
  }
  Row row{.name = name, .value = quantile(rates, 0.5), .unit = "messages/s", .bound = bound};
  row.note = std::move(what) + "; rounds " + span(rates, 0);
  return row;
}

std::vector<Row> sync64() {
  constexpr int kThreads = 64;
  constexpr int kEach = 4'000;
  const BrokerProcess broker;
  DefaultMQProducer producer = startProducer(broker.address());
  return {rateRow(
      "tcp.sync64_1k.rate", kThreads * kEach, [&](int) { sendOnThreads(producer, kThreads, kEach); },
      atLeast(100'000, 300'000), "64 threads, one producer")};
}

/// librdkafka and its own mock broker in one process, acks=1, bodies of 1 KiB: messages acknowledged a second.
double rdkafkaRate() {
  const std::string program = besideThis("mqbench_rdkafka") + " " + std::to_string(kBodyBytes) + " 2>/dev/null";
  FILE* peer = popen(program.c_str(), "r");
  double rate = 0;
  if (!peer || std::fscanf(peer, "%lf", &rate) != 1 || pclose(peer) != 0 || rate <= 0) {
    fail("the peer mqbench_rdkafka did not run: install librdkafka-dev and build it");
  }
  return rate;
}

/// Messages a second of `load`, which moves `messages`, beside the peer's: medians of rounds in turn, so that both see
/// the same moments of the machine, each with a broker and a producer of its own, warmed up: which thread shares a
/// processor with which one is drawn once for a while, and is worth a third of the rate.
std::vector<Row> besideRdkafka(const std::string& name, int messages, const ProducerOptions& options,
                               const std::function<void(MQProducer&)>& load, Bound bound, const std::string& what) {
  std::vector<double> ours;
  std::vector<double> peers;
  for (int round = 0; round < kRounds; ++round) {
    peers.push_back(rdkafkaRate());
    const BrokerProcess broker;
    DefaultMQProducer producer = startProducer(broker.address(), options);
    load(producer);
    ours.push_back(rateOf(messages, [&] { load(producer); }));
  }
  Row row{.name = name,
          .value = quantile(ours, 0.5),
          .unit = "messages/s",
          .reference = quantile(peers, 0.5),
          .bound = bound};
  row.note = what + "; reference: librdkafka and its mock broker; rounds " + span(ours, 0) + ", its " + span(peers, 0);
  return {row};
}

std::vector<Row> asyncSend() {
  constexpr int kMessages = 600'000;
  constexpr std::size_t kUnderWay = 1'000;
  return besideRdkafka(
      "tcp.async_1k.rate", kMessages, {.backPressureForAsyncSendNum = kUnderWay, .whenFull = WhenFull::kBlockCaller},
      [](MQProducer& producer) { sendAsynchronously(producer, kMessages); }, ratioAtLeast(0.5, 1.0),
      "one producer, 1,000 under way");
}

std::vector<Row> batch32() {
  constexpr int kBatch = 32;
  constexpr int kBatches = 30'000;
  return besideRdkafka(
      "tcp.batch32_1k.rate", kBatch * kBatches,
      {.backPressureForAsyncSendNum = std::size_t{64} * kBatch, .whenFull = WhenFull::kBlockCaller},
      [batch = std::vector<Message>(kBatch, message1k())](MQProducer& producer) {
        beginAndAwait(kBatches, [&] { return producer.sendBatchAsync(batch); });
      },
      ratioAtLeast(1.0, 2.0), "64 batches under way");
}

std::vector<Row> drain() {
  constexpr int kMessages = 1'000'000;
  const BrokerProcess broker({"memoryLogBytesMax=2147483648"});
  {
    DefaultMQProducer producer = startProducer(broker.address());
    storeInBatches(producer, kMessages);
  }
  const auto consume = [&](int round) { drainTopic(broker.address(), "bench-c" + std::to_string(round), kMessages); };
  return {rateRow("tcp.drain_1k.rate", kMessages, consume, atLeast(600'000, 1'000'000),
                  "1,000,000 stored messages, from the start of the consumer to its close")};
}

std::vector<Row> sendToListenerRow() {
  constexpr int kMessages = 20'000;
  const BrokerProcess broker;
  std::vector<double> micros = sendToListener({.namesrvAddr = broker.address()}, kMessages);
  Row row{
      .name = "tcp.send_to_listener_1k.p50", .value = quantile(micros, 0.5), .unit = "us", .bound = atMost(150, 120)};
  row.note = "p99 " + std::to_string(quantile(micros, 0.99)) + " us";
  return {row};
}

}  // namespace

std::vector<Measurement> tcpMeasurements() {
  return {{"tcp.sync_send_1k.p50.one_core", syncOneCore},
          {"tcp.sync_send_1k.p50.two_cores", syncTwoCores},
          {"tcp.sync_send_1k.p50.unpinned", syncUnpinned},
          {"tcp.sync64_1k.rate", sync64},
          {"tcp.async_1k.rate", asyncSend},
          {"tcp.batch32_1k.rate", batch32},
          {"tcp.drain_1k.rate", drain},
          {"tcp.send_to_listener_1k.p50", sendToListenerRow}};
}

}  // namespace mqbench
