#include "mock_broker/cluster/wait_until.h"

#include <utility>

#include "base/wait.h"
#include "sim/sim_engine.h"

namespace mqclient::cluster {

namespace {

/// How often a condition on real time is looked at.
constexpr base::Millis kLookEvery{1};

}  // namespace

bool waitUntil(base::Engine& engine, UniqueFunction<bool()> condition, base::Millis wait) {
  if (engine.isVirtualTime()) return static_cast<sim::SimEngine&>(engine).pumpUntil(std::move(condition), wait);
  const base::SteadyTime deadline = engine.now() + wait;
  const base::Ref<base::WaitSlot> never = base::makeRef<base::WaitSlot>();
  while (!condition()) {
    if (engine.now() >= deadline) return false;
    engine.waitFor(*never, engine.now() + kLookEvery);
  }
  return true;
}

}  // namespace mqclient::cluster
