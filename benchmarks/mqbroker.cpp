// Rows about the executable mqbroker, started from the folder of this program.
#include <array>
#include <cstdio>
#include <thread>

#include "broker_process.h"
#include "mqclient/mqclient.h"
#include "report.h"

namespace mqbench {

using namespace mqclient;

namespace {

constexpr int kStarts = 21;
constexpr auto kSettle = std::chrono::milliseconds(500);
constexpr auto kIdle = std::chrono::seconds(5);

void sendOne(const std::string& address) {
  auto producer = must(DefaultMQProducer::start("bench", {.namesrvAddr = address}), "producer");
  must(producer.send(Message("bench", std::string(1024, 'x'))), "send");
}

/// From before fork until a producer, started then, has its first message acknowledged on a topic made for it.
std::vector<Row> firstAck() {
  std::vector<double> millis;
  double to_address = 0;
  for (int i = 0; i < kStarts; ++i) {
    const auto began = Clock::now();
    const BrokerProcess broker;
    to_address += microsSince(began) / 1'000 / kStarts;
    sendOne(broker.address());
    millis.push_back(microsSince(began) / 1'000);
  }
  std::array<char, 96> note{};
  std::snprintf(note.data(), note.size(), "address after %.1f on average, worst %.1f of %d", to_address,
                quantile(millis, 1), kStarts);
  return {Row{.name = "mqbroker.first_ack",
              .value = quantile(millis, 0.5),
              .unit = "ms",
              .bound = atMost(80, 50),
              .note = note.data()}};
}

std::vector<Row> idle() {
  const BrokerProcess broker;
  sendOne(broker.address());
  std::this_thread::sleep_for(kSettle);
  const double before = broker.cpuMillis();
  const auto began = Clock::now();
  std::this_thread::sleep_for(kIdle);
  const double used = broker.cpuMillis() - before;
  return {Row{.name = "mqbroker.memory",
              .value = broker.residentMiB(),
              .unit = "MiB",
              .bound = atMost(30, 20),
              .note = "resident, after one message"},
          Row{.name = "mqbroker.idle",
              .value = used / (microsSince(began) / 1'000) * 100,
              .unit = "%",
              .bound = atMost(0.5, 0.1),
              .note = "of one processor"}};
}

}  // namespace

std::vector<Measurement> mqbrokerMeasurements() {
  return {{"mqbroker.first_ack", firstAck}, {"mqbroker.idle", idle}};
}

}  // namespace mqbench
