#pragma once

#include <dirent.h>
#include <execinfo.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mqclient/future.h"

namespace mqclient {
inline namespace v1 {

/// What a process ends with when its watchdog ends it; timeout(1)'s.
inline constexpr int kWatchdogExitCode = 124;

namespace detail {

/// The stacks of all threads of this process, to standard error. Best effort: a thread that does not answer in time, as
/// in an uninterruptible call, is only named. For a process that is about to end.
class ThreadStacks {
 public:
  /// ThreadSanitizer keeps signals back until a thread comes out of a call: those of its builds are only named.
#if defined(__SANITIZE_THREAD__) || !defined(__linux__) || !defined(__GLIBC__)
  static constexpr bool kShown = false;
#else
  static constexpr bool kShown = true;
#endif

  static void print() {
    const std::vector<pid_t> threads = all();
    const bool shown = kShown && install();
    if (!shown) std::fputs("(this build shows no stacks)\n", stderr);
    for (const pid_t thread : threads) {
      const bool own = thread == self();
      std::fprintf(stderr, "thread %d %s%s\n", static_cast<int>(thread), nameOf(thread).c_str(),
                   own ? " (the watchdog)" : "");
      std::fflush(stderr);
      if (shown && !own && !printOne(thread)) std::fputs("  (does not answer)\n", stderr);
    }
  }

 private:
  static constexpr int kFramesMax = 64;
  static constexpr std::chrono::milliseconds kAnswerMax{1000};

  struct Answer {
    std::array<void*, kFramesMax> frames{};
    int count = 0;
    std::atomic<pid_t> asked{0};  // only this one may write
    std::atomic<bool> there{false};
  };
  static Answer& answer() {
    static Answer one;
    return one;
  }

  static pid_t self() {
    return static_cast<pid_t>(::syscall(SYS_gettid));
  }

  static std::vector<pid_t> all() {
    std::vector<pid_t> threads;
    DIR* const tasks = ::opendir("/proc/self/task");
    if (tasks == nullptr) return threads;
    while (const dirent* entry = ::readdir(tasks)) {
      if (entry->d_name[0] != '.') threads.push_back(static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10)));
    }
    ::closedir(tasks);
    return threads;
  }

  static std::string nameOf(pid_t thread) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/comm");
    std::string name;
    std::getline(file, name);
    return name;
  }

  static void onSignal(int /*number*/) {
    Answer& mine = answer();
    if (mine.asked.load(std::memory_order_acquire) != self()) return;  // too late
    const int before = errno;
    mine.count = ::backtrace(mine.frames.data(), kFramesMax);
    mine.there.store(true, std::memory_order_release);
    errno = before;
  }

  /// mqclient's threads block every signal that a program may block, so an ordinary one would reach none of them. The C
  /// library keeps one to itself (setuid of all threads), which cannot be blocked; this process will not need it again.
  /// The kernel's form of an action is the C library's secret: that of an ordinary signal is copied.
  static int signalNumber() {
    return 33;
  }
  static bool install() {
    struct KernelAction {
      std::array<unsigned long, 8> words{};
    };
    constexpr std::size_t kMaskBytes = 8;
    void* warm = nullptr;
    (void)::backtrace(&warm, 1);  // loads the unwinder here and not in a handler
    struct sigaction action = {};
    struct sigaction before = {};
    action.sa_handler = onSignal;
    action.sa_flags = SA_RESTART;
    if (::sigaction(SIGUSR2, &action, &before) != 0) return false;
    KernelAction ours;
    const bool read = ::syscall(SYS_rt_sigaction, SIGUSR2, nullptr, &ours, kMaskBytes) == 0;
    (void)::sigaction(SIGUSR2, &before, nullptr);
    return read && ::syscall(SYS_rt_sigaction, signalNumber(), &ours, nullptr, kMaskBytes) == 0;
  }

  static bool printOne(pid_t thread) {
    Answer& its = answer();
    its.there.store(false, std::memory_order_relaxed);
    its.asked.store(thread, std::memory_order_release);
    if (::syscall(SYS_tgkill, ::getpid(), thread, signalNumber()) != 0) return false;
    const auto deadline = std::chrono::steady_clock::now() + kAnswerMax;
    while (!its.there.load(std::memory_order_acquire)) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    // The first two are the handler and the kernel's way back.
    constexpr int kOurs = 2;
    if (its.count > kOurs) ::backtrace_symbols_fd(its.frames.data() + kOurs, its.count - kOurs, STDERR_FILENO);
    return true;
  }
};

inline bool isDebugged() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("TracerPid:")) return line.find_first_of("123456789") != std::string::npos;
  }
  return false;
}

}  // namespace detail

/// Ends the process, with the stacks of all its threads, when this object has not been destroyed in time: a test that
/// hangs says where, instead of hanging the whole run. `within` is real time, also where a test's time is virtual. No
/// effect when the test ends in time, nor while a debugger is attached.
///
///   Watchdog watchdog(30s, [&] { std::cerr << trace(); });
///
/// `tell` is asked, on the watchdog's thread, after the stacks have been printed, and what it throws is ignored; it may
/// hang too, and then it is left behind after 5 s. Exit code: kWatchdogExitCode. Linux with glibc; elsewhere, and under
/// ThreadSanitizer, without stacks. `addr2line -Cfpie PROGRAM OFFSET...` makes lines of the offsets.
class Watchdog {
 public:
  explicit Watchdog(Millis within, std::function<void()> tell = {})
      : within_(within), tell_(std::move(tell)), thread_([this] { watch(); }) {}
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  static constexpr std::chrono::seconds kTellMax{5};

  void watch() {
    std::unique_lock lock(mutex_);
    do {
      if (changed_.wait_for(lock, within_, [this] { return over_; })) return;
    } while (detail::isDebugged());
    lock.unlock();
    bite();
  }

  [[noreturn]] void bite() {
    std::fflush(stdout);
    const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info();
    const std::string name =
        test != nullptr ? std::string(test->test_suite_name()) + "." + test->name() : std::string("the program");
    std::fprintf(stderr, "\nWATCHDOG: %s did not end within %lld ms; these are its threads:\n", name.c_str(),
                 static_cast<long long>(within_.count()));
    detail::ThreadStacks::print();
    if (tell_) tellInTime();
    std::fprintf(stderr, "WATCHDOG: %s did not end within %lld ms: the process ends here\n", name.c_str(),
                 static_cast<long long>(within_.count()));
    std::fflush(stderr);
    std::_Exit(kWatchdogExitCode);
  }

  void tellInTime() {
    auto told = std::make_shared<std::atomic<bool>>(false);
    std::thread([tell = tell_, told] {
      try {
        tell();
      } catch (...) {
        std::fputs("  (what should have been told threw)\n", stderr);
      }
      told->store(true, std::memory_order_release);
    }).detach();
    const auto deadline = std::chrono::steady_clock::now() + kTellMax;
    while (!told->load(std::memory_order_acquire) && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
  }

  const Millis within_;
  const std::function<void()> tell_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

/// Watches every test of a program, each for `within`:
///   ::testing::UnitTest::GetInstance()->listeners().Append(new WatchEachTest(60s));
class WatchEachTest : public ::testing::EmptyTestEventListener {
 public:
  explicit WatchEachTest(Millis within, std::function<void()> tell = {}) : within_(within), tell_(std::move(tell)) {}

  void OnTestStart(const ::testing::TestInfo& /*test*/) override { watchdog_.emplace(within_, tell_); }
  void OnTestEnd(const ::testing::TestInfo& /*test*/) override { watchdog_.reset(); }

 private:
  const Millis within_;
  const std::function<void()> tell_;
  std::optional<Watchdog> watchdog_;
};

}  // namespace v1
}  // namespace mqclient
