#include "base/log.h"

#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace mqclient::base {

namespace {

constexpr std::size_t kRingLines = 1024;    // lines that wait for the hook; more are dropped and counted
constexpr std::size_t kLinesPerJob = 64;    // then the drain job goes to the back of its group
constexpr std::size_t kLimitedKeys = 1024;  // keys of writeLimited() remembered at a time

}  // namespace

struct Log::Impl {
  Impl(Engine& e, Ref<ListenerGroup> g) : engine(&e), group(std::move(g)) {}

  struct Line {
    LogLevel level;
    std::string component;
    std::string text;
  };
  struct Drain final : Job {
    explicit Drain(Log& l) : log(l) {}
    void run() noexcept override;
    Log& log;
  };
  struct Limit {
    SteadyTime next;
    std::uint64_t left_out = 0;
  };

  const Ref<Engine> engine;
  const Ref<ListenerGroup> group;
  Mutex mutex;
  std::deque<Line> ring MQ_GUARDED_BY(mutex);
  std::uint64_t dropped MQ_GUARDED_BY(mutex) = 0;
  bool draining MQ_GUARDED_BY(mutex) = false;  // the one job is queued or runs
  std::unordered_map<std::string, Limit> limits MQ_GUARDED_BY(mutex);
  std::vector<UniqueFunction<void()>> when_quiet MQ_GUARDED_BY(mutex);
  std::unique_ptr<Drain> drain;

  /// True: the drain job must be started.
  bool add(LogLevel level, std::string_view component, std::string line) MQ_REQUIRES(mutex);
};

Log::Log(LogLevel level, LogHook hook) : level_(level), hook_(std::move(hook)) {}

Log::~Log() {
  delete impl_;
}

Ref<Log> Log::make(Engine& engine, LogLevel level, LogHook hook) {
  auto log = Ref<Log>::adopt(new Log(level, std::move(hook)));
  if (log->hook_) {
    log->impl_ = new Impl(engine, engine.makeListenerGroup("log", 1));
    log->impl_->drain = std::make_unique<Impl::Drain>(*log);
  }
  return log;
}

Ref<Log> Log::silent() {
  return Ref<Log>::adopt(new Log(LogLevel::kError, nullptr));
}

void Log::Impl::Drain::run() noexcept {
  Impl& impl = *log.impl_;
  std::vector<Line> lines;
  {
    MutexLock lock(impl.mutex);
    while (!impl.ring.empty() && lines.size() < kLinesPerJob) {
      lines.push_back(std::move(impl.ring.front()));
      impl.ring.pop_front();
    }
  }
  for (const Line& l : lines) {
    try {
      log.hook_(l.level, l.component, l.text);
    } catch (...) {  // a hook that throws has said what it could; the next line may do better
    }
  }
  std::vector<UniqueFunction<void()>> tell;
  bool more = false;
  {
    MutexLock lock(impl.mutex);
    more = !impl.ring.empty();
    if (!more) {
      impl.draining = false;
      tell.swap(impl.when_quiet);
    }
  }
  if (more) {
    alive = Ref<Object>(&log);
    return impl.group->submit(*this);
  }
  for (auto& quiet : tell) quiet();
}

bool Log::Impl::add(LogLevel level, std::string_view component, std::string line) {
  if (ring.size() >= kRingLines) {
    ++dropped;
    return false;
  }
  if (dropped > 0 && ring.size() + 1 < kRingLines) {
    ring.push_back(Line{
        LogLevel::kWarn, "log",
        std::to_string(std::exchange(dropped, 0)) + " lines were dropped here: the log hook is slower than the log"});
  }
  ring.push_back(Line{level, std::string(component), std::move(line)});
  return !std::exchange(draining, true);
}

void Log::startDrain() noexcept {
  impl_->drain->alive = Ref<Object>(this);
  impl_->group->submit(*impl_->drain);
}

void Log::write(LogLevel level, std::string_view component, std::string line) noexcept {
  if (!enabled(level)) return;
  {
    MutexLock lock(impl_->mutex);
    if (closed_.load(std::memory_order_relaxed)) return;  // close() has the same lock: nothing comes after it
    if (!impl_->add(level, component, std::move(line))) return;
  }
  startDrain();
}

void Log::writeLate(LogLevel level, std::string_view component, std::string line,
                    UniqueFunction<void()> quiet) noexcept {
  if (!hears(level)) return quiet();
  {
    MutexLock lock(impl_->mutex);
    const bool start = impl_->add(level, component, std::move(line));
    impl_->when_quiet.push_back(std::move(quiet));  // the drain job is queued or runs, or begins below
    if (!start) return;
  }
  startDrain();
}

void Log::close(UniqueFunction<void()> quiet) noexcept {
  if (impl_) {
    MutexLock lock(impl_->mutex);
    closed_.store(true, std::memory_order_relaxed);
    if (impl_->draining) return impl_->when_quiet.push_back(std::move(quiet));
  }
  quiet();
}

void Log::writeLimited(LogLevel level, std::string_view component, const std::string& key, Millis period,
                       std::string line) noexcept {
  if (!enabled(level)) return;
  const SteadyTime now = impl_->engine->now();
  std::uint64_t left_out = 0;
  {
    MutexLock lock(impl_->mutex);
    auto& known = impl_->limits;
    if (known.size() >= kLimitedKeys && !known.contains(key)) {
      std::erase_if(known, [now](const auto& entry) { return entry.second.next <= now; });
      if (known.size() >= kLimitedKeys) return;  // so many different lines in one period are themselves a flood
    }
    Impl::Limit& limit = known.try_emplace(key, Impl::Limit{now}).first->second;
    if (now < limit.next) {
      ++limit.left_out;
      return;
    }
    limit.next = now + period;
    left_out = std::exchange(limit.left_out, 0);
  }
  if (left_out > 0) line += " (and " + std::to_string(left_out) + " like this before)";
  write(level, component, std::move(line));
}

}  // namespace mqclient::base
