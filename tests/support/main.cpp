// main() of every test program. Beside running the tests it holds, in each of them, two promises of the runtime:
//   R1  the library's threads are those it documents, and none is left after a suite: whatever a test started has ended
//       with its last handle
//   S6  no strand holds its thread for long: measured in the thread's own CPU time, so that a loaded machine or a
//       debugger is no failure. A virtual machine counts what its host took from it meanwhile as CPU time of whoever
//       ran: so much longer may a turn have been
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/engine.h"
#include "base/strand.h"
#include "tests/support/process_threads.h"
#include "tests/support/slack.h"

namespace {

constexpr mqclient::base::Millis kReaperDeadline{5000};
// The rule is 1 ms a step; a turn may be 50 µs of steps and one more. Ten times that is no noise.
constexpr std::int64_t kLongestTurnNanos = 10'000'000;
// The last is the simulated runtime's: threads that take turns.
constexpr std::array kThreadNames{"mq-io-", "mq-cb-", "mq-net", "mq-files", "mq-flush", "mq-read", "mq-sim"};

std::atomic<std::int64_t> g_longest_turn{0};

std::int64_t threadCpuNanos() noexcept {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

void watchTurn(bool begins) noexcept {
  thread_local std::int64_t begun = 0;
  if (begins) {
    begun = threadCpuNanos();
    return;
  }
  const std::int64_t took = threadCpuNanos() - begun;
  std::int64_t longest = g_longest_turn.load(std::memory_order_relaxed);
  while (took > longest && !g_longest_turn.compare_exchange_weak(longest, took, std::memory_order_relaxed)) {
  }
}

/// What the host of a virtual machine took from all of its processors since it started; 0: there is none, or none says.
std::int64_t stolenNanos() {
  std::ifstream stat("/proc/stat");
  std::string cpu;
  std::int64_t ticks = 0;
  constexpr int kSteal = 8;  // user, nice, system, idle, iowait, irq, softirq, steal: proc(5)
  stat >> cpu;
  for (int i = 0; i < kSteal; ++i) stat >> ticks;
  return stat ? ticks * (1'000'000'000 / sysconf(_SC_CLK_TCK)) : 0;
}

std::string listOf(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& n : names) list += (list.empty() ? "" : ", ") + n;
  return list;
}

class Watchdog final : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override {
    g_longest_turn.store(0, std::memory_order_relaxed);
    stolen_before_ = stolenNanos();
  }
  void OnTestEnd(const testing::TestInfo&) override {
    const std::int64_t longest = g_longest_turn.load(std::memory_order_relaxed);
    EXPECT_LE(longest, kLongestTurnNanos * mqclient::testing::slack() + stolenNanos() - stolen_before_)
        << "S6: a strand held its thread for " << longest / 1000 << " us of CPU";
    for (const std::string& name : mqclient::testing::libraryThreads()) {
      const bool known = std::any_of(kThreadNames.begin(), kThreadNames.end(),
                                     [&name](const char* known_name) { return name.starts_with(known_name); });
      EXPECT_TRUE(known) << "R1: a thread " << name << " that the library does not document";
    }
  }
  void OnTestSuiteEnd(const testing::TestSuite& suite) override {
    EXPECT_TRUE(mqclient::base::quiesceEngines(kReaperDeadline)) << "an engine that ended is not gone";
    // A job that has done what the test waited for may still be about to let go of its engine.
    std::vector<std::string> left = mqclient::testing::libraryThreads();
    for (const auto deadline = std::chrono::steady_clock::now() + kReaperDeadline;
         !left.empty() && std::chrono::steady_clock::now() < deadline; left = mqclient::testing::libraryThreads()) {
      std::this_thread::yield();
      mqclient::base::quiesceEngines(kReaperDeadline);
    }
    EXPECT_EQ(listOf(left), "") << "threads left behind by " << suite.name();
  }

  std::int64_t stolen_before_{0};
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  mqclient::base::watchTurns(watchTurn);
  ::testing::UnitTest::GetInstance()->listeners().Append(new Watchdog);
  return RUN_ALL_TESTS();
}
