#include "base/process.h"

#include <chrono>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/mutex.h"
#include "base/parker.h"

namespace mqclient::base {

namespace {

struct Process {
  Mutex mutex;
  CondVar reaped;
  Engine* default_engine MQ_GUARDED_BY(mutex) = nullptr;  // weak
  int reaping MQ_GUARDED_BY(mutex) = 0;
  std::vector<Thread> to_join MQ_GUARDED_BY(mutex);  // have done their last act
  Mutex log_mutex;
  std::shared_ptr<const LogHook> log MQ_GUARDED_BY(log_mutex);
};

/// Never destroyed: engines may end after the user's statics.
Process& process() {
  static Process& p = *new Process;
  return p;
}

void joinAll(std::vector<Thread>& threads) {
  for (Thread& t : threads) t.join();
}

}  // namespace

Result<Ref<Engine>> defaultEngine() {
  Process& p = process();
  MutexLock lock(p.mutex);
  if (p.default_engine && p.default_engine->tryRetain()) return Ref<Engine>::adopt(p.default_engine);
  Result<Ref<Engine>> made = makeThreadedEngine({});
  if (made) p.default_engine = made->get();
  return made;
}

void forgetDefaultEngine(const Engine& engine) noexcept {
  Process& p = process();
  MutexLock lock(p.mutex);
  if (p.default_engine == &engine) p.default_engine = nullptr;
}

void engineReapingBegins() noexcept {
  Process& p = process();
  std::vector<Thread> done;
  {
    MutexLock lock(p.mutex);
    ++p.reaping;
    done.swap(p.to_join);
  }
  joinAll(done);
}

void engineReaped(Thread self) noexcept {
  Process& p = process();
  MutexLock lock(p.mutex);
  p.to_join.push_back(std::move(self));
  if (--p.reaping == 0) p.reaped.notifyAll();
}

bool quiesceEngines(Millis wait) {
  Process& p = process();
  const SteadyTime deadline = SteadyTime(Nanos(steadyNanos())) + wait;
  std::vector<Thread> done;
  bool quiet = false;
  {
    MutexLock lock(p.mutex);
    while (p.reaping > 0 && p.reaped.waitUntil(p.mutex, deadline)) {
    }
    quiet = p.reaping == 0;
    done.swap(p.to_join);
  }
  joinAll(done);
  return quiet;
}

void setProcessLogHook(LogHook hook) {
  auto next = hook ? std::make_shared<const LogHook>(std::move(hook)) : nullptr;
  Process& p = process();
  MutexLock lock(p.log_mutex);
  p.log.swap(next);
}

void logProcess(LogLevel level, std::string_view component, std::string_view line) noexcept {
  std::shared_ptr<const LogHook> hook;
  {
    Process& p = process();
    MutexLock lock(p.log_mutex);
    hook = p.log;
  }
  if (!hook) return;
  try {
    (*hook)(level, component, line);
  } catch (...) {  // a hook that throws has said what it could
  }
}

}  // namespace mqclient::base
