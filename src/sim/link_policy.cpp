#include "sim/link_policy.h"

#include <algorithm>
#include <array>

#include "base/buffer.h"

namespace mqclient::sim {

using base::MutexLock;
using base::Nanos;
using remoting::LinkVerdict;

namespace {

// Kinds of trace events: which fate, and in which direction.
constexpr std::uint64_t kTraceFrame = 0x10;  // + fate, + kTraceToServer
constexpr std::uint64_t kTraceToServer = 0x8;
constexpr std::uint64_t kTraceConnect = 0x20;  // + fate
constexpr std::uint64_t kLinkShift = 16;

/// Links whose silence is remembered; a link that ends while silent is not reported to us and stays until pushed out.
constexpr std::size_t kSilentLinksMax = 4'096;

}  // namespace

SeededLinkPolicy::SeededLinkPolicy(base::Ref<SimEngine> engine, LinkFaults faults)
    : engine_(std::move(engine)), chance_(engine_->random(), 3), faults_(faults) {}

LinkVerdict SeededLinkPolicy::onFrame(std::uint64_t link, const std::string& client, const std::string& server,
                                      bool to_server, const base::Chain& frame) noexcept {
  static_cast<void>(client);
  static_cast<void>(server);
  LinkVerdict verdict;
  {
    MutexLock lock(mutex_);
    verdict = judge(link);
  }
  engine_->traceEvent(
      (link << kLinkShift) | kTraceFrame | (to_server ? kTraceToServer : 0) | static_cast<std::uint64_t>(verdict.kind),
      frame);
  return verdict;
}

LinkVerdict SeededLinkPolicy::judge(std::uint64_t link) {
  ++counters_.frames;
  LinkVerdict verdict{LinkVerdict::Kind::kDeliver, drawDelay()};
  if (const auto silent = silent_.find(link); silent != silent_.end()) {
    if (engine_->now() < silent->second) {
      ++counters_.dropped;
      verdict.kind = LinkVerdict::Kind::kDrop;
    } else {
      silent_.erase(silent);
      verdict.kind = LinkVerdict::Kind::kCut;  // the end of the black hole, not a fault of its own
    }
    return verdict;
  }
  switch (drawFault()) {
    case Fault::kNone:
      ++counters_.delivered;
      break;
    case Fault::kCut:
      ++counters_.cuts;
      verdict.kind = LinkVerdict::Kind::kCut;
      break;
    case Fault::kBlackhole: {
      ++counters_.blackholes;
      ++counters_.dropped;
      verdict.kind = LinkVerdict::Kind::kDrop;
      const Nanos length(chance_.between(Nanos(faults_.blackhole_min).count(), Nanos(faults_.blackhole_max).count()));
      if (silent_.size() == kSilentLinksMax) silent_.erase(silent_.begin());
      silent_.emplace(link, engine_->now() + length);
      break;
    }
  }
  return verdict;
}

SeededLinkPolicy::Fault SeededLinkPolicy::drawFault() {
  if (cut_in_ > 0 && --cut_in_ == 0) return Fault::kCut;
  if (silence_in_ > 0 && --silence_in_ == 0) return Fault::kBlackhole;
  if (faults_.cuts_per_million == 0 && faults_.blackholes_per_million == 0) return Fault::kNone;
  const std::uint64_t draw = chance_.below(1'000'000);
  if (draw < faults_.cuts_per_million) return Fault::kCut;
  if (draw < std::uint64_t{faults_.cuts_per_million} + faults_.blackholes_per_million) return Fault::kBlackhole;
  return Fault::kNone;
}

Nanos SeededLinkPolicy::drawDelay() {
  return Nanos(chance_.between(faults_.delay_min.count(), std::max(faults_.delay_min, faults_.delay_max).count()));
}

LinkVerdict SeededLinkPolicy::onConnect(const std::string& server) noexcept {
  LinkVerdict verdict;
  {
    MutexLock lock(mutex_);
    ++counters_.connects;
    verdict.delay = drawDelay();
    if (chance_.perMillion(faults_.refusals_per_million)) {
      ++counters_.refusals;
      verdict.kind = LinkVerdict::Kind::kCut;
    }
  }
  engine_->traceEvent(kTraceConnect | static_cast<std::uint64_t>(verdict.kind),
                      std::as_bytes(std::span(server.data(), server.size())));
  return verdict;
}

void SeededLinkPolicy::setFaults(const LinkFaults& faults) {
  MutexLock lock(mutex_);
  faults_ = faults;
}

void SeededLinkPolicy::calm() {
  MutexLock lock(mutex_);
  faults_.cuts_per_million = faults_.blackholes_per_million = faults_.refusals_per_million = 0;
  cut_in_ = silence_in_ = 0;
  for (auto& [link, until] : silent_) until = engine_->now();
}

void SeededLinkPolicy::cutSoon(std::uint32_t among) {
  MutexLock lock(mutex_);
  cut_in_ = 1 + static_cast<std::uint32_t>(chance_.below(std::max(among, 1u)));
}

void SeededLinkPolicy::silenceSoon(std::uint32_t among) {
  MutexLock lock(mutex_);
  silence_in_ = 1 + static_cast<std::uint32_t>(chance_.below(std::max(among, 1u)));
}

LinkCounters SeededLinkPolicy::counters() const {
  MutexLock lock(mutex_);
  return counters_;
}

}  // namespace mqclient::sim
