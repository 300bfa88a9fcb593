#pragma once

#include <cstdint>
#include <functional>

#include "mqclient/client.h"
#include "mqclient/error.h"
#include "mqclient/export.h"
#include "mqclient/mock_cluster.h"

namespace mqclient {
inline namespace v1 {

/// One simulated run: a cluster of its own in virtual time, whose every choice (what runs next, ties of timers, delays,
/// what a power loss leaves, whether a fault of some probability acts) comes from the seed.
struct World {
  MockCluster& cluster;
  std::uint64_t seed;
  /// For the clients of this run: the cluster's address and its runtime.
  ClientOptions client() const { return cluster.client(); }
};

/// Runs `scenario` once on a cluster of `options` in virtual time. The same seed is the same run, whatever machine and
/// process.
///
/// Errors   what the scenario threw (kUserCode, or the error of an MQClientException), or why the cluster did not
///          start. A scenario says that something is wrong by throwing; `.value()` on a Result does.
/// Threads  one: the scenario must wait only for what belongs to its world, and let nothing of it outlive it.
MQCLIENT_EXPORT Result<void> simulate(std::uint64_t seed, MockClusterOptions options,
                                      const std::function<void(World&)>& scenario);

/// simulate() with the seeds 1 to `count`, up to the first that fails; its error begins with "seed N: " and ends with
/// how to run it alone: with the environment variable MQCLIENT_SEED=N only that seed runs.
MQCLIENT_EXPORT Result<void> forEachSeed(std::uint64_t count, const MockClusterOptions& options,
                                         const std::function<void(World&)>& scenario);

}  // namespace v1
}  // namespace mqclient
