#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/engine.h"
#include "base/mutex.h"
#include "remoting/in_process.h"
#include "sim/random.h"
#include "sim/sim_engine.h"

namespace mqclient::sim {

/// How unkind the links of a simulation are.
struct LinkFaults {
  base::Nanos delay_min{50'000};  ///< each frame, each connect
  base::Nanos delay_max{3'000'000};
  std::uint32_t cuts_per_million{0};        ///< frames before which the connection ends
  std::uint32_t blackholes_per_million{0};  ///< frames with which the connection falls silent
  std::uint32_t refusals_per_million{0};    ///< connects that fail
  base::Millis blackhole_min{200};          ///< how long a silent connection stays so
  base::Millis blackhole_max{8'000};
};

/// What has happened on the links so far.
struct LinkCounters {
  std::uint64_t frames{0}, connects{0};
  std::uint64_t delivered{0}, dropped{0};
  std::uint64_t cuts{0}, blackholes{0}, refusals{0};
  std::uint64_t faults() const noexcept { return cuts + blackholes + refusals; }
};

/// Delays, silences and cuts links by the engine's seed, and writes every frame with its time, link, direction and
/// fate into the engine's trace.
///
/// Faults   As TCP fails: a connection that has swallowed bytes never carries later ones. While a black hole lasts,
/// both
///          directions vanish and nobody is told; the first frame after it cuts the connection.
/// Threads  any; under kSeeded one at a time, and then every answer follows from the seed.
class SeededLinkPolicy final : public remoting::LinkPolicy {
 public:
  SeededLinkPolicy(base::Ref<SimEngine> engine, LinkFaults faults);

  remoting::LinkVerdict onFrame(std::uint64_t link, const std::string& client, const std::string& server,
                                bool to_server, const base::Chain& frame) noexcept override;
  remoting::LinkVerdict onConnect(const std::string& server) noexcept override;

  /// New rates from now on; black holes under way last on.
  void setFaults(const LinkFaults& faults);
  /// No faults from now on, only delays: for the drain at the end of a run. Black holes under way end with a cut at
  /// the next frame.
  void calm();
  /// Cuts, or silences, whichever link carries one of the next frames (drawn among the next `among`). By hand, beside
  /// the rates.
  void cutSoon(std::uint32_t among = 8);
  void silenceSoon(std::uint32_t among = 8);
  LinkCounters counters() const;

 private:
  enum class Fault { kNone, kCut, kBlackhole };
  Fault drawFault() MQ_REQUIRES(mutex_);
  base::Nanos drawDelay() MQ_REQUIRES(mutex_);
  remoting::LinkVerdict judge(std::uint64_t link) MQ_REQUIRES(mutex_);

  const base::Ref<SimEngine> engine_;
  mutable base::Mutex mutex_;
  SeededRandom chance_ MQ_GUARDED_BY(mutex_);
  LinkFaults faults_ MQ_GUARDED_BY(mutex_);
  LinkCounters counters_ MQ_GUARDED_BY(mutex_);
  std::map<std::uint64_t, base::SteadyTime> silent_ MQ_GUARDED_BY(mutex_);  // link → end; leaves with the cut
  std::uint32_t cut_in_ MQ_GUARDED_BY(mutex_) = 0;                          // frames until then; 0: not asked for
  std::uint32_t silence_in_ MQ_GUARDED_BY(mutex_) = 0;
};

}  // namespace mqclient::sim
