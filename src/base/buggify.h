#pragma once

#include <cstddef>
#include <cstdint>

/// MQ_BUGGIFY(engine, kPoint): true now and then, where the code may do what is rare and allowed: the smaller step, the
/// early end, the detour. Simulated runs meet it often, and the seed decides when (docs/testing-design.md). Only in
/// what the simulation is linked from (MQCLIENT_BUGGIFY); everywhere else it is the word `false`.
#ifdef MQCLIENT_BUGGIFY
#define MQ_BUGGIFY(engine, point) ::mqclient::base::buggify((engine), ::mqclient::base::BuggifyPoint::point)
#else
#define MQ_BUGGIFY(engine, point) false
#endif

namespace mqclient::base {

class Engine;

enum class BuggifyPoint : std::uint8_t {
  kPullAnswersOneMessage,
  kPullIsNotHeld,
  kIdleConnectionCloses,
  kPeriodicCommitIsLate,
  kRetryStaysAtTheBroker,
  kHeartbeatIsSkipped,
  kRebalanceIsLate,
  kNewRouteIsSeenLater,
};
inline constexpr std::size_t kBuggifyPoints = 8;

/// Whether the point acts this time: the simulation's.
bool buggify(Engine& engine, BuggifyPoint point) noexcept;

}  // namespace mqclient::base
