#pragma once

#include "base/engine.h"
#include "base/wait.h"
#include "sim/random.h"

namespace mqclient::simulation {

/// Virtual time passes for the calling body; the others go on.
inline void letPass(base::Engine& engine, base::Nanos time) {
  const base::Ref<base::WaitSlot> never = base::makeRef<base::WaitSlot>();
  engine.waitFor(*never, engine.now() + time);
}

/// Both included, to the nanosecond.
inline base::Nanos between(sim::SeededRandom& chance, base::Millis low, base::Millis high) {
  return base::Nanos(chance.between(base::Nanos(low).count(), base::Nanos(high).count()));
}

}  // namespace mqclient::simulation
