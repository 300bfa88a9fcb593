#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/completion.h"
#include "base/engine.h"
#include "base/strand.h"
#include "base/timer.h"
#include "base/wait.h"
#include "sim/sim_engine.h"

namespace mqclient::sim {

using namespace std::chrono_literals;
using base::Ref;

inline Ref<SimEngine> seeded(std::uint64_t seed, SimOptions::Time time = SimOptions::Time::kAutoAdvance) {
  SimOptions options;
  options.seed = seed;
  options.schedule = SimOptions::Schedule::kSeeded;
  options.time = time;
  return makeSimEngine(std::move(options));
}

/// Something with a strand and a timer, as the library's objects are.
class Actor : public base::Object {
 public:
  explicit Actor(Ref<SimEngine> e) : engine(std::move(e)), strand(*engine) {}
  template <class F>
  void post(F f) {
    strand.post(Ref<base::Object>(this), std::move(f));
  }
  const Ref<SimEngine> engine;
  base::Strand strand;
};

/// An Actor with timers that write down when they ran.
class Bells final : public Actor {
 public:
  struct Bell final : base::Timer {
    Bell(Bells& o, std::string n) : Timer(o.strand), owner(o), name(std::move(n)) {}
    void onTimer() noexcept override {
      owner.rung.emplace_back(name, owner.engine->now());
      if (then) then();
    }
    Bells& owner;
    std::string name;
    UniqueFunction<void()> then{};
  };
  using Actor::Actor;
  std::vector<std::pair<std::string, base::SteadyTime>> rung;
  std::string names() const {
    std::string all;
    for (const auto& [name, when] : rung) all += name;
    return all;
  }
};

/// Blocks for the value.
inline int take(Future<int>& future) {
  return std::move(future).get().value();
}

inline base::Operation<int> operation(SimEngine& engine) {
  return base::makeOperation<int>(engine.callbackTarget());
}

}  // namespace mqclient::sim
