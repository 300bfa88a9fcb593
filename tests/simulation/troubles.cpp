#include "troubles.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "mqclient/codes.h"
#include "pause.h"

namespace mqclient::simulation {
namespace {

using namespace std::chrono_literals;
using base::Nanos;

// Streams of the seed, one a hand: what one draws does not shift the others.
constexpr std::uint64_t kStreamLinks = 100;
constexpr std::uint64_t kStreamFrames = 101;
constexpr std::uint64_t kStreamNodes = 102;

/// Rates while there is trouble, besides what is done on purpose.
constexpr sim::LinkFaults kLinkFaults{.delay_max = 3ms,
                                      .cuts_per_million = 150,
                                      .blackholes_per_million = 150,
                                      .refusals_per_million = 3'000,
                                      .blackhole_min = 200ms,
                                      .blackhole_max = 8s};
/// A fault on purpose meets one of the next frames.
constexpr std::uint32_t kAmongFrames = 20;
constexpr base::Millis kSlowLinkMax = 300ms;

constexpr std::size_t kLiveMax = 4;
/// Of a frame that is delayed or held. With a slow link's delays still less than kLatest.
constexpr base::Millis kFrameDelayMax = 2s;
constexpr base::Millis kWallClockMax = 1h;

// Kinds that are no verbs.
constexpr const char* kCut = "link.cut";
constexpr const char* kSilence = "link.silence";
constexpr const char* kRefusal = "link.refusal";
constexpr const char* kSlowLinks = "link.slow";
constexpr const char* kHold = "hold";
constexpr const char* kKill = "broker.kill";
constexpr const char* kPowerLoss = "broker.powerLoss";
constexpr const char* kStop = "broker.stop";
constexpr const char* kBrokerClock = "broker.clock";
constexpr const char* kSlowDisk = "disk.slow";
constexpr const char* kFailedSync = "disk.failedSync";
constexpr const char* kNameserver = "nameserver.restart";
constexpr const char* kWallClock = "wallClock";

constexpr std::array kVerbs{
    FaultVerb::kReply,
    FaultVerb::kDelayBefore,
    FaultVerb::kDelayAfter,
    FaultVerb::kDrop,
    FaultVerb::kApplyThenDropReply,
    FaultVerb::kDuplicate,
    FaultVerb::kReorder,
    FaultVerb::kDisconnectBefore,
    FaultVerb::kDisconnectAfter,
    FaultVerb::kReset,
    FaultVerb::kFinish,
    FaultVerb::kHalfOpen,
    FaultVerb::kCutAfter,
    FaultVerb::kThrottle,
    FaultVerb::kFlipBits,
    FaultVerb::kGarbage,
    FaultVerb::kOversize,
    FaultVerb::kWrongOpaque,
    FaultVerb::kWrongCrc,
    FaultVerb::kDecompressionBomb,
    FaultVerb::kRefuse,
};

/// What clients and brokers ask, as often as anything else: a fault must not meet pulls alone.
constexpr std::array kCodes{
    RequestCode::SEND_MESSAGE_V2,        RequestCode::SEND_BATCH_MESSAGE,
    RequestCode::PULL_MESSAGE,           RequestCode::HEART_BEAT,
    RequestCode::UNREGISTER_CLIENT,      RequestCode::GET_CONSUMER_LIST_BY_GROUP,
    RequestCode::QUERY_CONSUMER_OFFSET,  RequestCode::UPDATE_CONSUMER_OFFSET,
    RequestCode::GET_ROUTEINFO_BY_TOPIC, RequestCode::NOTIFY_CONSUMER_IDS_CHANGED,
    RequestCode::REGISTER_BROKER,
};

/// Kinds in an order of their own for each seed, each once before any comes again.
class Deck {
 public:
  Deck(std::vector<std::string> kinds, sim::SeededRandom& chance) : kinds_(std::move(kinds)), chance_(chance) {}
  const std::string& next() {
    if (at_ == kinds_.size()) at_ = 0;
    std::swap(kinds_[at_], kinds_[at_ + static_cast<std::size_t>(chance_.below(kinds_.size() - at_))]);
    return kinds_[at_++];
  }

 private:
  std::vector<std::string> kinds_;
  sim::SeededRandom& chance_;
  std::size_t at_ = 0;
};

std::optional<FaultVerb> verbOf(const std::string& kind) {
  const auto verb = std::ranges::find_if(kVerbs, [&](FaultVerb v) { return kind == toString(v); });
  return verb == kVerbs.end() ? std::nullopt : std::optional(*verb);
}

template <class Array>
auto oneOf(sim::SeededRandom& chance, const Array& all) {
  return all[static_cast<std::size_t>(chance.below(all.size()))];
}

std::chrono::milliseconds millisBetween(sim::SeededRandom& chance, base::Millis low, base::Millis high) {
  return std::chrono::milliseconds(chance.between(low.count(), high.count()));
}

FaultAction actionOf(sim::SeededRandom& chance, FaultVerb verb) {
  constexpr std::array kRefusals{ResponseCode::SYSTEM_BUSY, ResponseCode::SYSTEM_ERROR,
                                 ResponseCode::SERVICE_NOT_AVAILABLE};
  const auto amount = [&](std::int64_t low, std::int64_t high) {
    return static_cast<std::size_t>(chance.between(low, high));
  };
  switch (verb) {
    case FaultVerb::kReply:
      return FaultAction::reply(oneOf(chance, kRefusals), "not now");
    case FaultVerb::kDelayBefore:
      return FaultAction::delayBefore(millisBetween(chance, 1ms, kFrameDelayMax));
    case FaultVerb::kDelayAfter:
      return FaultAction::delayAfter(millisBetween(chance, 1ms, kFrameDelayMax));
    case FaultVerb::kDrop:
      return FaultAction::drop();
    case FaultVerb::kApplyThenDropReply:
      return FaultAction::applyThenDropReply();
    case FaultVerb::kDuplicate:
      return FaultAction::duplicate();
    case FaultVerb::kReorder:
      return FaultAction::reorder();
    case FaultVerb::kDisconnectBefore:
      return FaultAction::disconnectBefore();
    case FaultVerb::kDisconnectAfter:
      return FaultAction::disconnectAfter();
    case FaultVerb::kReset:
      return FaultAction::reset();
    case FaultVerb::kFinish:
      return FaultAction::finish();
    case FaultVerb::kHalfOpen:
      return FaultAction::halfOpen();
    case FaultVerb::kCutAfter:
      return FaultAction::cutAfter(amount(1, 64));
    case FaultVerb::kSlices:
      return FaultAction::slices(amount(1, 64));
    case FaultVerb::kThrottle:
      return FaultAction::throttle(amount(4'000, 40'000));
    case FaultVerb::kFlipBits:
      return FaultAction::flipBits(static_cast<int>(amount(1, 3)));
    case FaultVerb::kGarbage:
      return FaultAction::garbage();
    case FaultVerb::kOversize:
      return FaultAction::oversize();
    case FaultVerb::kWrongOpaque:
      return FaultAction::wrongOpaque();
    case FaultVerb::kWrongCrc:
      return FaultAction::wrongCrc();
    case FaultVerb::kDecompressionBomb:
      return FaultAction::decompressionBomb();
    case FaultVerb::kRefuse:
      return FaultAction::refuse();
  }
  return FaultAction::drop();
}

}  // namespace

Troubles::Troubles(Stage stage, std::uint64_t seed, Say say)
    : stage_(std::move(stage)), seed_(seed), say_(std::move(say)), plan_(stage_.cluster->watchedFaults()) {
  for (const char* kind : {kCut, kSilence, kRefusal, kSlowLinks, kHold, kKill, kPowerLoss, kStop, kBrokerClock,
                           kSlowDisk, kFailedSync, kNameserver, kWallClock}) {
    counts_[kind] = 0;
  }
  for (const FaultVerb verb : kVerbs) counts_[toString(verb)] = 0;
}

void Troubles::begin() {
  stage_.links->setFaults(kLinkFaults);
  hand("trouble at links", &Troubles::troubleLinks);
  hand("trouble at frames", &Troubles::troubleFrames);
  hand("trouble at nodes", &Troubles::troubleNodes);
}

void Troubles::hand(const char* name, void (Troubles::*work)()) {
  ++hands_;
  stage_.engine->spawn(name, [this, work] {
    (this->*work)();
    --hands_;
  });
}

bool Troubles::pause(sim::SeededRandom& chance, base::Millis low, base::Millis high) {
  letPass(*stage_.engine, between(chance, low, high));
  return !ending_;
}

FaultCounts Troubles::counts() const {
  FaultCounts all = counts_;
  const sim::LinkCounters links = stage_.links->counters();
  all[kCut] = links.cuts;
  all[kSilence] = links.blackholes;
  all[kRefusal] = links.refusals;
  return all;
}

// ---- links

void Troubles::troubleLinks() {
  sim::SeededRandom chance(seed_, kStreamLinks);
  while (pause(chance, 500ms, 6s)) {
    switch (chance.below(6)) {
      case 0:
      case 1:
        say_("a link is cut");
        stage_.links->cutSoon(kAmongFrames);
        break;
      case 2:
      case 3:
        say_("a link falls silent");
        stage_.links->silenceSoon(kAmongFrames);
        break;
      default: {
        say_("links are slow");
        happened(kSlowLinks);
        sim::LinkFaults slow = kLinkFaults;
        slow.delay_max = between(chance, 10ms, kSlowLinkMax);
        stage_.links->setFaults(slow);
        (void)pause(chance, 500ms, 4s);
        stage_.links->setFaults(kLinkFaults);
      }
    }
  }
  stage_.links->calm();
}

// ---- frames

void Troubles::troubleFrames() {
  sim::SeededRandom chance(seed_, kStreamFrames);
  std::vector<std::string> kinds{kHold};
  for (const FaultVerb verb : kVerbs) kinds.emplace_back(toString(verb));
  Deck deck(std::move(kinds), chance);
  while (pause(chance, 100ms, 2s)) {
    const base::SteadyTime now = stage_.engine->now();
    std::erase_if(live_, [&](const Live& live) {
      if (live.until > now) return false;
      clear(live);
      return true;
    });
    if (live_.size() < kLiveMax) inject(chance, deck.next());
  }
  for (const Live& live : live_) clear(live);
  live_.clear();
}

void Troubles::inject(sim::SeededRandom& chance, const std::string& kind) {
  const std::optional<FaultVerb> verb = verbOf(kind);
  // What holds frames or keeps connections from being made ends before the clients' own patience.
  const bool lasts = verb && *verb != FaultVerb::kRefuse;
  const base::SteadyTime until =
      stage_.engine->now() + (lasts ? between(chance, 2s, 10s) : between(chance, 100ms, kFrameDelayMax));
  Match match = aim(chance, verb.value_or(FaultVerb::kDelayBefore));
  auto rule = verb ? plan_->inject(std::move(match), actionOf(chance, *verb)) : plan_->hold(std::move(match));
  if (!rule) return say_("the simulation asked for a fault that there is not: " + rule.error().message());
  (*rule)->makeOptional();
  say_("from now on " + (*rule)->toString());
  live_.push_back({*std::move(rule), kind, until});
}

/// Which frames a fault meets, with what promises allow it.
Match Troubles::aim(sim::SeededRandom& chance, FaultVerb verb) const {
  Match match;
  if (verb == FaultVerb::kRefuse) {
    match.node = oneOf(chance, std::array{"broker-a", "broker-b", "nameserver-0", "nameserver-1"});
    return match;
  }
  match.code = oneOf(chance, kCodes);
  match.nth = static_cast<int>(chance.between(1, 3));
  if (chance.below(4) == 0) match.direction = FrameDirection::kFromNode;
  switch (verb) {
    case FaultVerb::kFlipBits:
      match.code = oneOf(chance, std::array{RequestCode::HEART_BEAT, RequestCode::GET_CONSUMER_LIST_BY_GROUP,
                                            RequestCode::SEND_MESSAGE_V2, RequestCode::PULL_MESSAGE});
      if (*match.code == RequestCode::SEND_MESSAGE_V2 || *match.code == RequestCode::PULL_MESSAGE) {
        match.topic = stage_.audit_topic;
      }
      match.direction.reset();  // replies: a heartbeat that was turned over would say something else
      break;
    case FaultVerb::kWrongCrc:
    case FaultVerb::kDecompressionBomb:
      match.code = RequestCode::PULL_MESSAGE;
      match.nth = 0;  // it fires on replies with records, and most have none
      match.probability = 0.2;
      if (verb == FaultVerb::kDecompressionBomb) match.topic = stage_.audit_topic;
      break;
    default:
      break;
  }
  return match;
}

void Troubles::clear(const Live& live) {
  counts_[live.kind] += static_cast<std::uint64_t>(live.rule->fired());
  plan_->clear(live.rule);
}

// ---- nodes

void Troubles::troubleNodes() {
  sim::SeededRandom chance(seed_, kStreamNodes);
  std::vector<std::string> kinds{kKill, kStop, kBrokerClock, kSlowDisk, kNameserver, kWallClock};
  if (stage_.cluster->options().flush == MockFlush::kSync) {
    kinds.insert(kinds.end(), {kPowerLoss, kPowerLoss, kFailedSync});
  } else {
    kinds.emplace_back(kKill);
  }
  Deck deck(std::move(kinds), chance);
  while (pause(chance, 1s, 6s)) {
    const std::string kind = deck.next();
    troubleNode(chance, kind, oneOf(chance, stage_.cluster->brokerNames()));
    happened(kind);
  }
}

void Troubles::troubleNode(sim::SeededRandom& chance, const std::string& kind, const std::string& broker) {
  if (kind == kNameserver) return restartNameserver(chance);
  if (kind == kSlowDisk || kind == kFailedSync) return troubleDisk(chance, kind, broker);
  if (kind == kKill || kind == kPowerLoss || kind == kStop) return endBroker(chance, kind, broker);
  const base::Millis by(chance.between(-kWallClockMax.count(), kWallClockMax.count()));
  say_(kind + ": the wall clock" + (kind == kBrokerClock ? " of " + broker : "") + " jumps by " +
       std::to_string(by.count()) + " ms");
  if (kind == kWallClock) return stage_.engine->stepWallClock(by);
  (void)stage_.cluster->skewWallClock(broker, by);
}

void Troubles::endBroker(sim::SeededRandom& chance, const std::string& kind, const std::string& broker) {
  using Unflushed = store::MemoryDisk::Unflushed;
  say_(kind + ": " + broker + " ends");
  if (kind == kStop) {
    (void)stage_.cluster->stopBroker(broker);
  } else if (kind == kKill) {
    (void)stage_.cluster->killBroker(broker);
  } else {
    (void)stage_.cluster->losePower(broker, chance.coin() ? Unflushed::kSome : Unflushed::kGone);
  }
  (void)pause(chance, 0ms, 5s);
  const Result<void> started = stage_.cluster->startBroker(broker);
  say_(broker + (started ? " is back" : " is back, but: " + started.error().message()));
}

void Troubles::troubleDisk(sim::SeededRandom& chance, const std::string& kind, const std::string& broker) {
  const auto disk = stage_.cluster->disk(broker);
  if (!disk) return;
  say_(kind + ": the disk of " + broker);
  if (kind == kSlowDisk) {
    (*disk)->setFlushDelay(between(chance, 10ms, 7s));
    (void)pause(chance, 500ms, 8s);
    return (*disk)->setFlushDelay(Nanos(0));
  }
  // After a failed flush nobody is acknowledged until the broker begins anew.
  (*disk)->failAt(store::DiskOperation::kSync, static_cast<int>(chance.between(1, 4)));
  (void)pause(chance, 500ms, 4s);
  (*disk)->failAt(store::DiskOperation::kSync, 0);
  // As a process the broker finds what was not flushed in the page cache; as a machine it has lost it.
  endBroker(chance, chance.coin() ? kKill : kPowerLoss, broker);
}

void Troubles::restartNameserver(sim::SeededRandom& chance) {
  const auto index = static_cast<std::size_t>(chance.below(stage_.cluster->nameserverAddresses().size()));
  say_("nameserver-" + std::to_string(index) + " ends");
  (void)stage_.cluster->stopNameserver(index);
  (void)pause(chance, 0ms, 10s);
  (void)stage_.cluster->startNameserver(index);
  say_("nameserver-" + std::to_string(index) + " is back and knows nobody");
}

}  // namespace mqclient::simulation
