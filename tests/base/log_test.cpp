#include "base/log.h"

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/base/helpers.h"

namespace mqclient::base {
namespace {

using testing::Count;
using testing::threadedEngine;

/// Shared with its hook, which may still be in a call when the test has seen what it waited for.
struct Lines {
  static LogHook hookOf(std::shared_ptr<Lines> self) {
    return [self = std::move(self)](LogLevel level, std::string_view component, std::string_view line) {
      self->role = Activation::ofThisThread().role();
      self->inside = Activation::ofThisThread().inside();
      {
        const std::lock_guard lock(self->mutex);
        self->all.push_back(std::to_string(static_cast<int>(level)) + " " + std::string(component) + " " +
                            std::string(line));
      }
      self->count.add();
      self->hold.reaches(1);
    };
  }
  std::mutex mutex;
  std::vector<std::string> all;
  Role role = Role::kForeign;
  bool inside = true;
  Count count;
  Count hold;
};

TEST(Log, WithoutAHookItIsSilentAndCostsNothing) {
  auto engine = threadedEngine();
  EXPECT_FALSE(Log::silent()->enabled(LogLevel::kError));
  auto log = Log::make(*engine, LogLevel::kDebug, nullptr);
  EXPECT_FALSE(log->enabled(LogLevel::kError));
  log->write(LogLevel::kError, "c", "x");
  log->writeLimited(LogLevel::kError, "c", "k", Millis(1), "x");
}

TEST(Log, GivesLinesInOrderToTheHookOnAListenerThread) {
  const auto shared = std::make_shared<Lines>();
  Lines& lines = *shared;
  auto engine = threadedEngine();
  lines.hold.add();
  auto log = Log::make(*engine, LogLevel::kInfo, Lines::hookOf(shared));
  EXPECT_TRUE(log->enabled(LogLevel::kWarn));
  EXPECT_FALSE(log->enabled(LogLevel::kDebug));
  log->write(LogLevel::kDebug, "client", "not heard");
  for (int i = 0; i < 200; ++i) log->write(LogLevel::kInfo, "client", std::to_string(i));
  ASSERT_TRUE(lines.count.reaches(200));
  for (std::size_t i = 0; i < 200; ++i) EXPECT_EQ(lines.all[i], "2 client " + std::to_string(i));
  EXPECT_EQ(lines.role, Role::kListener);
  EXPECT_FALSE(lines.inside);
}

TEST(Log, CountsWhatASlowHookMakesItDrop) {
  const auto shared = std::make_shared<Lines>();
  Lines& lines = *shared;
  auto engine = threadedEngine();
  auto log = Log::make(*engine, LogLevel::kInfo, Lines::hookOf(shared));
  log->write(LogLevel::kInfo, "c", "first");
  ASSERT_TRUE(lines.count.reaches(1));  // the hook holds this one
  constexpr int kLines = 5'000;
  constexpr int kRing = 1'024;
  for (int i = 0; i < kLines; ++i) log->write(LogLevel::kInfo, "c", std::to_string(i));
  lines.hold.add();
  ASSERT_TRUE(lines.count.reaches(1 + kRing));
  log->write(LogLevel::kInfo, "c", "after");
  ASSERT_TRUE(lines.count.reaches(1 + kRing + 2));
  EXPECT_NE(lines.all[1 + kRing].find(std::to_string(kLines - kRing) + " lines were dropped"), std::string::npos)
      << lines.all[1 + kRing];
  EXPECT_EQ(lines.all[2 + kRing], "2 c after");
}

TEST(Log, LimitsAKeyToOneLineAPeriod) {
  const auto shared = std::make_shared<Lines>();
  Lines& lines = *shared;
  auto engine = threadedEngine();
  lines.hold.add();
  auto log = Log::make(*engine, LogLevel::kInfo, Lines::hookOf(shared));
  for (int i = 0; i < 10; ++i) log->writeLimited(LogLevel::kWarn, "c", "addr", std::chrono::hours(1), "unreachable");
  log->writeLimited(LogLevel::kWarn, "c", "other", Millis(0), "first");
  log->writeLimited(LogLevel::kWarn, "c", "other", Millis(0), "second");
  ASSERT_TRUE(lines.count.reaches(3));
  log->write(LogLevel::kInfo, "c", "end");
  ASSERT_TRUE(lines.count.reaches(4));
  EXPECT_EQ(lines.all[0], "1 c unreachable");
  EXPECT_EQ(lines.all[3], "2 c end") << "nothing between";
}

TEST(Log, AHookThatThrowsIsContained) {
  const auto calls = std::make_shared<Count>();
  auto engine = threadedEngine();
  auto log = Log::make(*engine, LogLevel::kInfo, [calls](LogLevel, std::string_view, std::string_view) {
    calls->add();
    throw 1;  // users do
  });
  log->write(LogLevel::kInfo, "c", "a");
  log->write(LogLevel::kInfo, "c", "b");
  EXPECT_TRUE(calls->reaches(2));
}

TEST(Log, ClosedItHearsOnlyWhatIsWrittenLateAndSaysWhenItIsQuiet) {
  const auto shared = std::make_shared<Lines>();
  Lines& lines = *shared;
  auto engine = threadedEngine();
  lines.hold.add();
  auto log = Log::make(*engine, LogLevel::kWarn, Lines::hookOf(shared));
  Count quiet;
  log->write(LogLevel::kWarn, "c", "before");
  log->close([&] { quiet.add(); });
  ASSERT_TRUE(quiet.reaches(1));
  log->write(LogLevel::kWarn, "c", "not heard");
  log->writeLate(LogLevel::kInfo, "c", "below the level", [&] { quiet.add(); });
  ASSERT_EQ(quiet.get(), 2) << "at once: nobody hears it";
  for (int i = 0; i < 3; ++i) {
    log->writeLate(LogLevel::kWarn, "c", std::to_string(i), [&, i] {
      EXPECT_GE(lines.count.get(), 2 + i) << "heard before";
      quiet.add();
    });
  }
  ASSERT_TRUE(quiet.reaches(5));
  EXPECT_EQ(lines.all, (std::vector<std::string>{"1 c before", "1 c 0", "1 c 1", "1 c 2"}));
  bool told = false;
  Log::silent()->writeLate(LogLevel::kError, "c", "x", [&] { told = true; });
  EXPECT_TRUE(told);
}

TEST(Log, MayBeTheLastToHoldItsEngine) {
  const auto shared = std::make_shared<Lines>();
  Lines& lines = *shared;
  auto engine = threadedEngine();
  auto log = Log::make(*engine, LogLevel::kInfo, Lines::hookOf(shared));
  log->write(LogLevel::kInfo, "c", "a");
  ASSERT_TRUE(lines.count.reaches(1));
  engine.reset();
  log.reset();
  lines.hold.add();
  EXPECT_TRUE(quiesceEngines(std::chrono::seconds(30)));
}

}  // namespace
}  // namespace mqclient::base
