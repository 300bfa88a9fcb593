#include "report.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace mqbench {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

namespace {

std::string number(std::optional<double> v) {
  return v ? mqbench::number(*v) : "null";
}

}  // namespace

std::string Row::json() const {
  const auto boolean = [](std::optional<bool> b) { return !b ? "null" : *b ? "true" : "false"; };
  return "{\"name\":\"" + name + "\",\"value\":" + number(value) + ",\"unit\":\"" + unit +
         "\",\"reference\":" + number(reference) + ",\"ratio\":" + number(ratio()) +
         ",\"must\":" + (bound ? number(bound->must) : "null") + ",\"goal\":" + (bound ? number(bound->goal) : "null") +
         ",\"met\":" + boolean(met()) + "}";
}

std::string Row::text() const {
  char line[256];
  std::string limits;
  if (bound) {
    const char* sense = bound->sense == Bound::Sense::kAtMost ? "<=" : ">=";
    const char* of = bound->on == Bound::On::kRatio ? " x ref" : "";
    limits = std::string("must ") + sense + ' ' + number(bound->must) + of + (*met() ? "  ok" : "  MISSED");
    if (bound->goal) limits += std::string("   goal ") + number(*bound->goal) + of + (*goalMet() ? "  ok" : "  missed");
  }
  std::string ref = reference ? "ref " + number(*reference) + " (x " + number(ratio()) + ")" : "";
  std::snprintf(line, sizeof line, "%-38s %12s %-11s %-28s %s", name.c_str(), number(value).c_str(), unit.c_str(),
                ref.c_str(), limits.c_str());
  return note.empty() ? line : std::string(line) + "   [" + note + "]";
}

std::string span(std::vector<double>& samples, int decimals) {
  char line[64];
  std::snprintf(line, sizeof line, "%.*f to %.*f", decimals, quantile(samples, 0), decimals, quantile(samples, 1));
  return line;
}

int cores() {
  return static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
}

bool pinToOneCore() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  return sched_setaffinity(0, sizeof one, &one) == 0;
}

double crossCoreWakeMicros() {
  constexpr int kRounds = 4'000;
  const auto pinThread = [](int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu % cores()), &set);
    (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
  };
  std::mutex mutex;
  std::condition_variable changed;
  Clock::time_point asked{};
  bool wanted = false;
  bool stop = false;
  std::vector<double> samples;
  samples.reserve(kRounds);
  std::thread sleeper([&] {
    pinThread(1);
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return wanted || stop; });
      if (stop) return;
      samples.push_back(microsSince(asked));
      wanted = false;
      changed.notify_all();
    }
  });
  std::thread waker([&] {
    pinThread(0);
    for (int i = 0; i < kRounds; ++i) {
      const auto settle = Clock::now();
      while (microsSince(settle) < 50) {
      }
      std::unique_lock lock(mutex);
      asked = Clock::now();
      wanted = true;
      lock.unlock();
      changed.notify_all();
      lock.lock();
      changed.wait(lock, [&] { return !wanted; });
    }
    const std::scoped_lock lock(mutex);
    stop = true;
    changed.notify_all();
  });
  waker.join();
  sleeper.join();
  return quantile(samples, 0.5);
}

void fail(const std::string& what) {
  std::fprintf(stderr, "mqbench: %s\n", what.c_str());
  std::_Exit(3);
}

}  // namespace mqbench
