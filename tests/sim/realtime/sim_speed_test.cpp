#include <gtest/gtest.h>

#include <cstdio>

#include "../sim_support.h"
#include "base/wait.h"

namespace mqclient::sim {
namespace {

/// Per second of real time; the floor in the assertion is for loaded machines and sanitizers, the figure is printed.
double perSecond(std::uint64_t count, std::chrono::steady_clock::duration took) {
  return static_cast<double>(count) / std::chrono::duration<double>(took).count();
}

TEST(SimSpeed, ActivationsAndHandOvers) {
  const Ref<SimEngine> engine = seeded(1);
  std::vector<Ref<Actor>> actors;
  for (int i = 0; i < 8; ++i) actors.push_back(base::makeRef<Actor>(engine));
  constexpr std::uint64_t kPosts = 1'000'000;
  std::uint64_t left = kPosts;
  struct Hop {
    std::vector<Ref<Actor>>& actors;
    std::uint64_t& left;
    std::size_t at;
    void operator()() {
      if (left == 0) return;
      --left;
      const std::size_t to = (at + 1) % actors.size();
      actors[to]->post(Hop{actors, left, to});
    }
  };
  auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < actors.size(); ++i) actors[i]->post(Hop{actors, left, i});
  engine->runUntilIdle();
  const double events = perSecond(engine->events(), std::chrono::steady_clock::now() - start);
  EXPECT_EQ(left, 0u);

  const Ref<base::ListenerGroup> group = engine->makeListenerGroup("g", 4);
  constexpr std::uint64_t kWaits = 20'000;
  start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < kWaits; ++i) {
    const auto slot = base::makeRef<base::WaitSlot>();
    group->submit(nullptr, [&] { slot->settle(); });
    EXPECT_TRUE(engine->waitFor(*slot, base::SteadyTime::max()));
  }
  const double waits = perSecond(kWaits, std::chrono::steady_clock::now() - start);
  std::printf("sim: %.0f events of the scheduler/s, %.0f waits with a hand-over to a listener and back/s\n", events,
              waits);
  EXPECT_GE(events, 20'000);
}

}  // namespace
}  // namespace mqclient::sim
