// Rows against an Apache RocketMQ that somebody else has started: what our client adds to it.
#include <sys/resource.h>

#include <functional>

#include "load.h"
#include "raw_socket.h"
#include "report.h"

namespace mqbench {

using namespace mqclient;

namespace {

const std::string kBrokerName = "broker-a";  // interop/apache.py

/// Our sends and a bare socket's, which sends the same frame to the same broker, in turn.
std::vector<Row> syncSend(const std::string& namesrv) {
  constexpr int kWarmUp = 20'000;  // its compiler's too
  constexpr int kSends = 5'000;
  DefaultMQProducer producer = startProducer(namesrv);
  const std::string frame = sendFrame(kTopic, kBrokerName, kBodyBytes);
  RawSocket raw(brokerAddress(producer));
  return {besideBareSocket("apache.sync_1k.p50", producer, raw, frame, {.warm_up = kWarmUp, .sends = kSends},
                           ratioAtMost(1.25, 1.10), "a bare socket sends the same frame to the same broker")};
}

double cpuMicros() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto micros = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return micros(use.ru_utime) + micros(use.ru_stime);
}

/// Processor time of this process a message of `load`: the median of rounds after those that warm up.
Row cpuRow(const std::string& name, int messages, int warm_ups, const std::function<void(int round)>& load,
           Bound bound) {
  std::vector<double> micros;
  for (int round = 0; round < warm_ups + kRounds; ++round) {
    const double before = cpuMicros();
    load(round);
    if (round >= warm_ups) micros.push_back((cpuMicros() - before) / messages);
  }
  return {.name = name, .value = quantile(micros, 0.5), .unit = "us", .bound = bound};
}

std::vector<Row> clientCpu(const std::string& namesrv) {
  constexpr int kThreads = 64;
  constexpr int kEach = 800;
  constexpr int kMessages = 100'000;
  constexpr int kWarmUps = 4;  // the broker's compiler is done by then
  DefaultMQProducer producer =
      startProducer(namesrv, {.backPressureForAsyncSendNum = 1'000, .whenFull = WhenFull::kBlockCaller});
  std::vector<Row> rows;
  rows.push_back(cpuRow(
      "apache.client_cpu.sync64", kThreads * kEach, kWarmUps, [&](int) { sendOnThreads(producer, kThreads, kEach); },
      atMost(16, 12)));
  rows.push_back(cpuRow(
      "apache.client_cpu.async", kMessages, 1, [&](int) { sendAsynchronously(producer, kMessages); }, atMost(9, 6)));
  storeInBatches(producer, kMessages);
  rows.push_back(cpuRow(
      "apache.client_cpu.drain", kMessages, 1,
      [&](int round) { drainTopic(namesrv, "bench-c" + std::to_string(round), kMessages); }, atMost(2.5, 2)));
  for (Row& row : rows) row.note = "processor time of the client a message";
  return rows;
}

}  // namespace

std::vector<Measurement> apacheMeasurements(const std::string& namesrv) {
  return {{"apache.sync_1k.p50", [=] { return syncSend(namesrv); }},
          {"apache.client_cpu", [=] { return clientCpu(namesrv); }}};
}

}  // namespace mqbench
