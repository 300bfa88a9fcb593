#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

#include "base/engine.h"
#include "base/ref.h"
#include "mqclient/log.h"

namespace mqclient::base {

using LogHook = std::function<void(LogLevel, std::string_view component, std::string_view line)>;

/// What writeLimited() is given in the library: one line in this time about the same trouble (an address, a queue, a
/// file).
inline constexpr Millis kLogPeriod{30'000};

/// The library is silent unless a hook was given. Lines go through a bounded ring to one drain job on a listener thread
/// (user code never runs in a strand, R2); what does not fit is counted and reported by the next line that does.
class Log : public Object {
 public:
  /// Never null; without a hook enabled() is always false.
  static Ref<Log> make(Engine& engine, LogLevel level, LogHook hook);
  static Ref<Log> silent();

  bool enabled(LogLevel level) const noexcept { return hears(level) && !closed_.load(std::memory_order_relaxed); }
  /// Nothing is written any more. `quiet` runs, once, when the hook has heard what was written before and will not be
  /// called again: what it captured may then go. At once without a hook; else on the hook's thread or the caller's.
  void close(UniqueFunction<void()> quiet) noexcept;
  void write(LogLevel level, std::string_view component, std::string line) noexcept;
  /// A line for who makes the user wait after close(), as a destructor does for code of the user's: written all the
  /// same. `quiet` as in close(): until it runs, what the hook captured must stay.
  void writeLate(LogLevel level, std::string_view component, std::string line, UniqueFunction<void()> quiet) noexcept;
  /// At most one line per `key` and `period` (engine time); the next one says how many were left out.
  void writeLimited(LogLevel level, std::string_view component, const std::string& key, Millis period,
                    std::string line) noexcept;

  ~Log() override;

 private:
  struct Impl;
  Log(LogLevel level, LogHook hook);
  bool hears(LogLevel level) const noexcept { return static_cast<bool>(hook_) && level <= level_; }
  void startDrain() noexcept;
  LogLevel level_;
  LogHook hook_;
  std::atomic<bool> closed_{false};
  Impl* impl_ = nullptr;
};

/// For code that belongs to no client (a user's promise): to the hook set here, if any. Process-wide, silent by
/// default.
void logProcess(LogLevel level, std::string_view component, std::string_view line) noexcept;
void setProcessLogHook(LogHook hook);

}  // namespace mqclient::base
