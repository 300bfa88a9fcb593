#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mock_broker/cluster/cluster.h"
#include "mock_broker/faults/fault_plan.h"
#include "sim/link_policy.h"
#include "sim/random.h"
#include "sim/sim_engine.h"

namespace mqclient::simulation {

/// How often each kind of fault happened. Every kind of the simulation has an entry; verbs are called as the makers of
/// FaultAction.
using FaultCounts = std::map<std::string, std::uint64_t>;

/// What goes wrong in a run, all by its seed. Three hands, which do not wait for each other: one at the links, one at
/// the frames (every verb of mqclient/mock_faults.h), one at the nodes.
///
/// Left out, because the promise that a run is judged by does not hold under it:
///   slices              a link in process carries whole frames
///   powerLoss           of a broker that flushes later: it may take an interval of acknowledged messages (R3). Only
///                       seeds with synchronous flush have it
///   flipBits            but for heartbeats, member lists and the audit topic: no checksum covers a frame's header, and
///                       an offset or a place that was turned over cannot be told from a true one
///   decompressionBomb   but for the audit topic: what it plants has a right checksum
/// Threads  one at a time: whoever holds the simulation's baton.
class Troubles {
 public:
  using Say = std::function<void(const std::string& text)>;
  struct Stage {
    base::Ref<sim::SimEngine> engine;
    std::shared_ptr<sim::SeededLinkPolicy> links;
    std::shared_ptr<cluster::Cluster> cluster;
    std::string audit_topic;  ///< what its readers are told is judged by nobody
  };
  Troubles(Stage stage, std::uint64_t seed, Say say);
  Troubles(const Troubles&) = delete;
  Troubles& operator=(const Troubles&) = delete;

  void begin();
  /// The hands put right what they have broken, then they leave.
  void end() noexcept { ending_ = true; }
  bool over() const noexcept { return hands_ == 0; }
  /// After over(): nothing that was held up arrives later than so long after it.
  static constexpr base::Millis kLatest{3'000};
  FaultCounts counts() const;

 private:
  /// A fault of the frames that is in force.
  struct Live {
    std::shared_ptr<faults::Rule> rule;
    std::string kind;
    base::SteadyTime until;
  };

  void hand(const char* name, void (Troubles::*work)());
  /// False: the time for trouble is over.
  bool pause(sim::SeededRandom& chance, base::Millis low, base::Millis high);
  void happened(const std::string& kind) { ++counts_[kind]; }

  void troubleLinks();

  void troubleFrames();
  void inject(sim::SeededRandom& chance, const std::string& kind);
  Match aim(sim::SeededRandom& chance, FaultVerb verb) const;
  void clear(const Live& live);

  void troubleNodes();
  void troubleNode(sim::SeededRandom& chance, const std::string& kind, const std::string& broker);
  void endBroker(sim::SeededRandom& chance, const std::string& kind, const std::string& broker);
  void troubleDisk(sim::SeededRandom& chance, const std::string& kind, const std::string& broker);
  void restartNameserver(sim::SeededRandom& chance);

  const Stage stage_;
  const std::uint64_t seed_;
  const Say say_;
  const base::Ref<faults::FaultPlan> plan_;
  int hands_ = 0;
  bool ending_ = false;
  std::deque<Live> live_;
  FaultCounts counts_;
};

}  // namespace mqclient::simulation
