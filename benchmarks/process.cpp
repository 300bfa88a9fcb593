// Rows about what a process holds: threads, descriptors, memory.
#include <dirent.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"
#include "report.h"

namespace mqbench {

using namespace mqclient;

namespace {

int entriesOf(const char* directory) {
  DIR* d = opendir(directory);
  if (!d) fail(std::string("cannot read ") + directory);
  int n = 0;
  while (const dirent* e = readdir(d)) n += e->d_name[0] != '.';
  closedir(d);
  return n;
}
int threadsNow() {
  return entriesOf("/proc/self/task");
}
int descriptorsNow() {
  return entriesOf("/proc/self/fd");
}

double residentMiB() {
  long pages_total = 0;
  long pages = 0;
  FILE* f = std::fopen("/proc/self/statm", "r");
  if (!f || std::fscanf(f, "%ld %ld", &pages_total, &pages) != 2) fail("cannot read /proc/self/statm");
  std::fclose(f);
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

struct Pair {
  DefaultMQProducer producer;
  DefaultMQPushConsumer consumer;
};

Pair startPair(const MockCluster& cluster, int number, std::atomic<int>& consumed) {
  const std::string n = std::to_string(number);
  const auto listener = [&consumed](Messages messages, ConsumeConcurrentlyContext&) {
    consumed += static_cast<int>(messages.size());
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  };
  auto consumer =
      must(DefaultMQPushConsumer::start("group-" + n, {{"bench"}}, listener, cluster.client(),
                                        {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()}),
           "consumer");
  auto producer = must(DefaultMQProducer::start("producers-" + n, cluster.client()), "producer");
  return Pair{std::move(producer), std::move(consumer)};
}

std::vector<Row> hundredByHundred() {
  constexpr int kClients = 100;
  constexpr int kMessagesEach = 10;
  MockCluster cluster = must(MockCluster::start(), "cluster");
  must(cluster.createTopic({.topicName = "bench", .readQueueNums = 4, .writeQueueNums = 4}), "topic");
  std::atomic<int> consumed{0};
  std::vector<Pair> pairs;
  pairs.push_back(startPair(cluster, 0, consumed));
  must(pairs[0].producer.send(Message("bench", std::string(1024, 'x'))), "send");
  if (!cluster.waitUntil([&] { return consumed >= 1; }, Millis{10'000})) fail("the first message did not arrive");
  const double one_of_each = residentMiB();
  for (int i = 1; i < kClients; ++i) pairs.push_back(startPair(cluster, i, consumed));
  int threads_most = 0;
  for (Pair& pair : pairs) {
    for (int i = 0; i < kMessagesEach; ++i) must(pair.producer.send(Message("bench", std::string(1024, 'x'))), "send");
    threads_most = std::max(threads_most, threadsNow());
  }
  // Every group gets every message.
  constexpr int kExpected = kClients * (kClients * kMessagesEach + 1);
  if (!cluster.waitUntil([&] { return consumed >= kExpected; }, Millis{60'000})) {
    fail("consumed " + std::to_string(consumed) + " of " + std::to_string(kExpected));
  }
  threads_most = std::max(threads_most, threadsNow());
  return {Row{.name = "process.threads_100x100",
              .value = static_cast<double>(threads_most),
              .unit = "threads",
              .bound = atMost(16, 12)},
          Row{.name = "process.threads_100x100.memory",
              .value = residentMiB() - one_of_each,
              .unit = "MiB",
              .bound = atMost(96, 64),
              .note = "above one producer and one consumer"}};
}

struct Lives {
  int threads_most = 0;            // at a time
  std::vector<double> slopes_kib;  // of each round: of the line through the last 500 samples of the heap, times 500
};

/// Of the least squares' line through samples one apart.
double slope(const std::vector<double>& samples) {
  const double middle = static_cast<double>(samples.size() - 1) / 2;
  double rises = 0;
  double squares = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double at = static_cast<double>(i) - middle;
    rises += at * samples[i];
    squares += at * at;
  }
  return squares > 0 ? rises / squares : 0;
}

constexpr int kCycles = 1'000;  ///< of a round
constexpr int kLast = 500;      ///< of them, where the heap is looked at

/// Rounds of starts and closes beside a client that stays: the runtime and its threads belong to the process, not to
/// the cycles.
Lives live(int rounds) {
  MockCluster cluster = must(MockCluster::start(), "cluster");
  must(cluster.createTopic({.topicName = "bench", .readQueueNums = 4, .writeQueueNums = 4}), "topic");
  std::atomic<int> consumed{0};
  Pair stays = startPair(cluster, -1, consumed);
  const auto cycle = [&](int i) {
    Pair pair = startPair(cluster, i % 10, consumed);
    must(pair.producer.send(Message("bench", std::string("x"))), "send");
    (void)pair.producer.close();
    (void)pair.consumer.close();
  };
  Lives lives;
  for (int round = 0; round < rounds; ++round) {
    std::vector<double> heap;  // two single points would tell what the threads' stocks happen to hold
    for (int i = 0; i < kCycles; ++i) {
      cycle(i);
      if (i >= kCycles - kLast) heap.push_back(static_cast<double>(mallinfo2().uordblks));
      lives.threads_most = std::max(lives.threads_most, threadsNow());
    }
    lives.slopes_kib.push_back(slope(heap) * kLast / 1024);
  }
  return lives;
}

/// The runtime ends with its last share, which may be dropped on one of its own threads a moment after the last handle:
/// then a reaper joins it. Answers how many threads more than `expected` there are in the end.
int threadsLeft(int expected) {
  const auto give_up = Clock::now() + std::chrono::seconds(5);
  int left = threadsNow() - expected;
  for (; left > 0 && Clock::now() < give_up; left = threadsNow() - expected) {
    if (!Runtime::quiesce(std::chrono::seconds(5))) fail("a runtime did not end");
    std::this_thread::yield();
  }
  return left;
}

/// Threads are a runtime's, which takes and gives them back within its caps as its work asks: what must not happen is
/// that lives leave some behind. So when all has ended the process has as many threads and descriptors as before.
///
/// The first rounds fill the stocks of free blocks that threads keep (base/block_pool.h), by what may be more than the
/// bound and is no leak; a leak is in every round. What grows for good is the queues' index of what was sent: 20 bytes
/// a message, in files of 10 KB a queue.
std::vector<Row> lifecycles() {
  constexpr int kWarmUp = 2;
  constexpr int kRounds = 5;
  const int threads = threadsNow();
  (void)live(1);  // what the C library and the benchmark itself keep open
  const int descriptors = descriptorsNow();
  const Lives lives = live(kWarmUp + kRounds);
  const int left = threadsLeft(threads);
  std::vector<double> slopes(lives.slopes_kib.begin() + kWarmUp, lives.slopes_kib.end());
  return {Row{.name = "lifecycle.1000_cycles.heap_slope",
              .value = quantile(slopes, 0.5),
              .unit = "KiB/500",
              .bound = atMost(64),
              .note = "median of " + std::to_string(kRounds) + " rounds, " + span(slopes, 1) +
                      "; the first, which counts not, " + number(lives.slopes_kib.front())},
          Row{.name = "lifecycle.1000_cycles.threads",
              .value = static_cast<double>(left),
              .unit = "more",
              .bound = atMost(0),
              .note = "most at a time " + std::to_string(lives.threads_most)},
          Row{.name = "lifecycle.1000_cycles.descriptors",
              .value = static_cast<double>(descriptorsNow() - descriptors),
              .unit = "more",
              .bound = atMost(0)}};
}

}  // namespace

std::vector<Measurement> processMeasurements() {
  return {{"process.threads_100x100", hundredByHundred}, {"lifecycle.1000_cycles", lifecycles}};
}

}  // namespace mqbench
