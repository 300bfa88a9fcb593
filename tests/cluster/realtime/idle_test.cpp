// W2: what has nothing to do costs nothing. Measured in CPU time of the whole process, on the OS clock.
#include <gtest/gtest.h>
#include <time.h>

#include <chrono>
#include <cstdio>

#include "base/engine.h"
#include "base/wait.h"
#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"

namespace mqclient {
namespace {

using namespace std::chrono_literals;

constexpr int kBrokers = 100;
constexpr auto kStarting = 2s;  // registrations, threads that find nothing more to do
constexpr auto kIdle = 2s;
constexpr auto kIdleWithHeartbeats = 31s;  // one round of registrations and heartbeats lies in it
constexpr double kMostPercent = 0.5;

std::chrono::nanoseconds cpuOfProcess() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

/// The test's thread sleeps until then.
void letPass(std::chrono::nanoseconds time) {
  const base::Ref<base::Engine> engine = base::defaultEngine().value();
  const auto never = base::makeRef<base::WaitSlot>();
  engine->waitFor(*never, engine->now() + time);
}

double percentWithin(std::chrono::nanoseconds idle) {
  letPass(kStarting);
  const auto wall = std::chrono::steady_clock::now();
  const auto cpu = cpuOfProcess();
  letPass(idle);
  const std::chrono::duration<double> used = cpuOfProcess() - cpu;
  return 100 * used / std::chrono::duration<double>(std::chrono::steady_clock::now() - wall);
}

TEST(Idle, AHundredBrokersTakeAtMostHalfAPercentOfACore) {
  const MockCluster cluster = MockCluster::start({.brokers = kBrokers}).value();
  const double percent = percentWithin(kIdle);
  std::printf("100 idle brokers: %.3f %% of a core\n", percent);
  EXPECT_LE(percent, kMostPercent);
}

TEST(Idle, SoDoTheyWithAProducerAndAConsumerThatHaveNothingToDo) {
  MockCluster cluster = MockCluster::start({.brokers = kBrokers}).value();
  auto producer = DefaultMQProducer::start("p", cluster.client()).value();
  producer.send(Message("topic", "x")).value();
  auto consumer = DefaultMQPushConsumer::start(
                      "c", {{"topic"}},
                      [](Messages, ConsumeConcurrentlyContext&) { return ConsumeConcurrentlyStatus::CONSUME_SUCCESS; },
                      cluster.client())
                      .value();
  const double percent = percentWithin(kIdleWithHeartbeats);
  std::printf("100 idle brokers, a producer, a consumer: %.3f %% of a core\n", percent);
  EXPECT_LE(percent, kMostPercent);
}

}  // namespace
}  // namespace mqclient
