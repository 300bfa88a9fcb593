#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <typeinfo>

#include "sim/scheduler.h"

// What a simulation says when it cannot go on, and what tests ask about it.
namespace mqclient::sim {

namespace {

constexpr std::size_t kTimersShown = 24;

std::string seconds(std::int64_t nanos) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6f s", static_cast<double>(nanos) / 1e9);
  return text;
}

std::string typeName(const std::type_info& type) {
  int status = 0;
  char* plain = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = status == 0 ? plain : type.name();
  std::free(plain);
  return name;
}

const char* laneName(std::size_t lane) {
  constexpr const char* kNames[] = {"net", "files", "flush", "read"};
  return kNames[lane];
}

}  // namespace

std::string Scheduler::reportLocked() const {
  const std::int64_t t = now();
  std::string out = "pending operations after " + std::to_string(events_) + " events:\n";
  for (const Wait* w : waits_) {
    out += "  waits: " + w->who;
    out += w->kind == WaitKind::kSlot   ? " for a result"
           : w->kind == WaitKind::kIdle ? " in a pump"
                                        : " for a predicate";
    out += ", since " + seconds(t - w->since);
    if (w->kind == WaitKind::kSlot && w->settled) out += ", result is there";
    if (w->until != kNever && w->until != kAtOnce) out += ", until in " + seconds(w->until - t);
    if (w->kind == WaitKind::kSlot && w->until == kNever) out += ", without deadline";
    out += '\n';
  }
  std::vector<Due> timers;
  std::size_t lane_jobs = 0;
  for (const Due& d : due_.items()) {
    if (d.kind == Due::Kind::kTimer) timers.push_back(d);
    if (d.kind == Due::Kind::kLane) ++lane_jobs;
  }
  std::sort(timers.begin(), timers.end(),
            [](const Due& a, const Due& b) { return a.due != b.due ? a.due < b.due : a.order < b.order; });
  for (std::size_t i = 0; i < timers.size() && i < kTimersShown; ++i) {
    const base::Timer& timer = *static_cast<const base::Timer*>(timers[i].what);
    out += "  timer: " + typeName(typeid(timer)) + " in " + seconds(timers[i].due - t) + '\n';
  }
  if (timers.size() > kTimersShown) out += "  and " + std::to_string(timers.size() - kTimersShown) + " more timers\n";
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (lanes_[i].in_service == 0) continue;
    out += std::string("  lane ") + laneName(i) + ": " + std::to_string(lanes_[i].in_service) + " running, " +
           std::to_string(lanes_[i].waiting.size()) + " waiting\n";
  }
  for (const SimListenerGroup* g : groups_) {
    out += "  listener group " + g->name_ + ": " + std::to_string(g->running_) + " running (cap " +
           std::to_string(g->cap_) + "), " + std::to_string(g->jobs_.size()) + " waiting\n";
  }
  out += "  ready: " + std::to_string(ready_.size()) + " strands and tasks, " + std::to_string(new_bodies_.size()) +
         " new bodies; bodies not ended: " + std::to_string(bodies_) + '\n';
  return out;
}

void Scheduler::fail(Lock& lock, const std::string& why) {
  const std::string text = "sim: " + why + "; " + reportLocked();
  lock.unlock();
  if (on_stuck_) on_stuck_(text);
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
  std::abort();
}

std::string Scheduler::report() {
  const Lock lock(lock_);
  return reportLocked();
}

std::size_t Scheduler::armedTimers() noexcept {
  const Lock lock(lock_);
  return static_cast<std::size_t>(std::count_if(due_.items().begin(), due_.items().end(),
                                                [](const Due& d) { return d.kind == Due::Kind::kTimer; }));
}

std::size_t Scheduler::bodies() noexcept {
  const Lock lock(lock_);
  return bodies_;
}

std::uint64_t Scheduler::events() noexcept {
  const Lock lock(lock_);
  return events_;
}

std::size_t Scheduler::workers() noexcept {
  const Lock lock(lock_);
  return workers_.size();
}

}  // namespace mqclient::sim
