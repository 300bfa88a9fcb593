#include "mqclient/testing/watchdog.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <stdexcept>
#include <string>

#include "mqclient/default_mq_producer.h"
#include "mqclient/mock_cluster.h"

namespace mqclient {
namespace {

using namespace std::chrono_literals;

/// What only a watchdog ends.
[[noreturn]] void hang() {
  std::promise<void> never;
  never.get_future().wait();
  std::abort();
}

class WatchdogDeathTest : public ::testing::Test {
 protected:
  WatchdogDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(WatchdogDeathTest, EndsWhatHangsWithAClearLineAndTheStacksOfAllThreads) {
  const std::string stack = detail::ThreadStacks::kShown ? "\n[^\n]+\\[0x[^]]+\\](.|\n)*" : "(.|\n)*";
  EXPECT_EXIT(
      {
        // Threads of the library block every signal; their stacks are shown all the same.
        MockCluster cluster = MockCluster::start().value();
        auto producer = DefaultMQProducer::start("shop", cluster.client()).value();
        producer.send(Message("orders", "x")).value();
        Watchdog watchdog(0ms);
        hang();
      },
      ::testing::ExitedWithCode(kWatchdogExitCode),
      "WATCHDOG: WatchdogDeathTest.EndsWhatHangs.* did not end within 0 ms; these are its threads:\n(.|\n)*"
      "thread [0-9]+ [^\n]*" +
          stack + "mq-io[^\n]*" + stack + "WATCHDOG: .* the process ends here");
}

TEST_F(WatchdogDeathTest, AsksWhatElseIsToBeTold) {
  EXPECT_EXIT(
      {
        Watchdog watchdog(0ms, [] { std::fputs("three requests are held\n", stderr); });
        hang();
      },
      ::testing::ExitedWithCode(kWatchdogExitCode), "three requests are held\n(.|\n)*the process ends here");
}

TEST_F(WatchdogDeathTest, WhatItAsksMayThrow) {
  EXPECT_EXIT(
      {
        Watchdog watchdog(0ms, [] { throw std::runtime_error("no"); });
        hang();
      },
      ::testing::ExitedWithCode(kWatchdogExitCode), "threw(.|\n)*the process ends here");
}

TEST(Watchdog, HasNoEffectOnWhatEndsInTime) {
  bool told = false;
  {
    Watchdog watchdog(1h, [&] { told = true; });
  }
  EXPECT_FALSE(told);
}

TEST(Watchdog, WatchesEachTestOfAProgram) {
  WatchEachTest each(1h);
  const ::testing::TestInfo& test = *::testing::UnitTest::GetInstance()->current_test_info();
  each.OnTestStart(test);
  each.OnTestEnd(test);
  each.OnTestStart(test);
  each.OnTestEnd(test);
}

TEST_F(WatchdogDeathTest, ATestThatHangsUnderTheListenerIsEnded) {
  EXPECT_EXIT(
      {
        WatchEachTest each(0ms);
        each.OnTestStart(*::testing::UnitTest::GetInstance()->current_test_info());
        hang();
      },
      ::testing::ExitedWithCode(kWatchdogExitCode), "the process ends here");
}

}  // namespace
}  // namespace mqclient
