// R16: a broker whose machine is gone without a word. Measured on the OS clock.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"
#include "tests/support/nameserver_by_hand.h"
#include "tests/support/stranger.h"

namespace mqclient {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr Millis kSendTimeout{300};
constexpr Millis kKeepAlive{1'000};
/// A thread of this machine may be so late.
constexpr Millis kLate{100};
constexpr int kRounds = 50;
constexpr int kSends = 200;
constexpr double kMostSlower = 1.5;

/// The 99th percentile of sends to `queue`.
std::chrono::nanoseconds p99(DefaultMQProducer& producer, const MessageQueue& queue) {
  std::vector<std::chrono::nanoseconds> times;
  for (int i = 0; i < kSends; ++i) {
    const auto began = Clock::now();
    EXPECT_TRUE(producer.send(Message("t", "x"), MessageQueueSelector(queue)));
    times.push_back(Clock::now() - began);
  }
  const auto at = times.begin() + kSends * 99 / 100;
  std::nth_element(times.begin(), at, times.end());
  return *at;
}

TEST(HalfOpen, ItsSendsEndInTimeItIsReplacedAndTheOthersDoNotNotice) {
  MockCluster cluster = MockCluster::start({.brokers = 2, .transport = MockTransport::kTcp}).value();
  mqclient::testing::Relay relay(cluster.broker("broker-a")->address());
  const mqclient::testing::Stranger nameserver(mqclient::testing::nameserverByHand(
      {{"broker-a", relay.address()}, {"broker-b", cluster.broker("broker-b")->address()}}));
  auto producer =
      DefaultMQProducer::start("group", {.namesrvAddr = nameserver.address(), .heartbeatBrokerInterval = kKeepAlive},
                               {.sendMsgTimeout = kSendTimeout, .retryTimesWhenSendFailed = 0})
          .value();
  const MessageQueue gone("t", "broker-a", 0);
  const MessageQueue healthy("t", "broker-b", 0);
  ASSERT_TRUE(producer.send(Message("t", "x"), MessageQueueSelector(gone)));
  ASSERT_TRUE(producer.send(Message("t", "x"), MessageQueueSelector(healthy)));

  // The quietest round of each, and what it is compared with before and after: what the machine does besides is not
  // what is measured.
  const auto calm = [&] {
    auto best = std::chrono::nanoseconds::max();
    for (int i = 0; i < kRounds; ++i) best = std::min(best, p99(producer, healthy));
    return best;
  };
  auto others_alone = calm();

  relay.swallow();
  const auto swallowed = Clock::now();
  std::chrono::nanoseconds latest{0};
  Clock::duration replaced_after{0};
  std::atomic<bool> replaced{false};
  std::thread other([&] {
    while (!replaced && Clock::now() - swallowed < 3 * kKeepAlive) {
      const auto began = Clock::now();
      const auto sent = producer.send(Message("t", "x"), MessageQueueSelector(gone));
      if (sent) {
        replaced_after = Clock::now() - swallowed;
        replaced = true;
      } else {
        latest = std::max<std::chrono::nanoseconds>(latest, Clock::now() - began);
      }
    }
    replaced = true;
  });
  auto meanwhile = std::chrono::nanoseconds::max();
  while (!replaced) meanwhile = std::min(meanwhile, p99(producer, healthy));
  other.join();
  others_alone = std::max(others_alone, calm());

  const auto micros = [](auto time) { return std::chrono::duration<double, std::micro>(time).count(); };
  std::printf(
      "half open: sends end after %.0f ms at the latest, replaced after %.0f ms; p99 of others %.0f us, without "
      "it %.0f us\n",
      micros(latest) / 1'000, micros(replaced_after) / 1'000, micros(meanwhile), micros(others_alone));
  EXPECT_GE(latest, kSendTimeout);
  EXPECT_LE(latest, kSendTimeout + kLate);
  EXPECT_GT(replaced_after.count(), 0) << "never";
  EXPECT_LE(replaced_after, 2 * kKeepAlive);
  EXPECT_GE(relay.accepted(), 2);
  EXPECT_LE(micros(meanwhile), kMostSlower * micros(others_alone));
}

}  // namespace
}  // namespace mqclient
