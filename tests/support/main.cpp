// main() of every test program. After each suite no thread of the library may be left: whatever a test started has
// ended with its last handle.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "base/engine.h"

namespace {

constexpr mqclient::base::Millis kReaperDeadline{5000};

/// Names of this process's threads that are the library's ("mq-...").
std::string threadsOfTheLibrary() {
  std::string names;
  std::error_code gone;  // a thread may end while the folder is read
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", gone)) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name.starts_with("mq-")) names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

class ThreadsEndWithTheirSuite final : public testing::EmptyTestEventListener {
  void OnTestSuiteEnd(const testing::TestSuite& suite) override {
    EXPECT_TRUE(mqclient::base::quiesceEngines(kReaperDeadline)) << "an engine that ended is not gone";
    const std::string left = threadsOfTheLibrary();
    EXPECT_EQ(left, "") << "threads left behind by " << suite.name();
  }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new ThreadsEndWithTheirSuite);
  return RUN_ALL_TESTS();
}
