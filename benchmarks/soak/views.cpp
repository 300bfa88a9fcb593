// R25 and R26: nameservers that disagree, and wall clocks that jump, as seeds want it. Virtual time.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "account.h"
#include "tests/support/random_life.h"

namespace mqsoak {

using namespace mqclient;
using mqbench::Row;
using mqclient::testing::Draw;

namespace {

using namespace std::chrono_literals;

/// Clients ask for routes every 30 s, consumers rebalance every 20 s, an address server is asked every two minutes.
constexpr Millis kRoutesAreRead{31'000};
constexpr Millis kListsAreRead{121'000};
constexpr Millis kViewsAgree{60'000};
constexpr int kBrokers = 2;
constexpr int kQueues = 4;
constexpr int kMembers = 2;
constexpr int kSendsOfARound = 8;

/// A cluster in virtual time with a producer and a group of two, and what they did.
struct Scene {
  Scene(std::uint64_t seed, int nameservers)
      : cluster(startCluster(
            {.nameservers = nameservers, .brokers = kBrokers, .time = MockTime::kVirtual, .seed = seed}, kQueues)),
        draw(seed) {}

  void begin(ClientOptions client) {
    producer.emplace(startProducer(client));
    for (int i = 0; i < kMembers; ++i) {
      client.instanceName = "member-" + std::to_string(i);
      members.push_back(startConsumer(account, client));
    }
    pass(kViewsAgree);
  }
  void pass(Millis time) { must(cluster.clock().advance(time), "advance"); }
  /// Sends of which each should succeed; answers how many did not.
  int failedSends() {
    const std::size_t before = account.acknowledged();
    for (int i = 0; i < kSendsOfARound; ++i) account.send(*producer);
    (void)cluster.waitUntil([&] { return account.underWay() == 0; }, 10s);
    return kSendsOfARound - static_cast<int>(account.acknowledged() - before);
  }
  std::map<MessageQueue, int> owners() const {
    std::map<MessageQueue, int> owners;
    for (const auto& member : members) {
      for (const QueueProgress& queue : member.progress()) {
        if (queue.messageQueue.topic() == kTopic) ++owners[queue.messageQueue];
      }
    }
    return owners;
  }
  /// Each queue has one owner.
  bool isShared() const {
    const auto now = owners();
    return now.size() == std::size_t{kBrokers} * kQueues &&
           std::ranges::all_of(now, [](const auto& o) { return o.second == 1; });
  }

  Account account;
  MockCluster cluster;
  Draw draw;
  std::optional<DefaultMQProducer> producer;
  std::vector<DefaultMQPushConsumer> members;
};

/// What went wrong over all seeds.
struct Wrongs {
  int failed_sends = 0, dropped = 0, not_shared = 0, not_delivered = 0, expired = 0, stalled = 0;
};

/// The scenes' figures of deliveries, added up.
void addUp(std::map<std::string, double>& sums, const Scene& scene, Duplicates duplicates) {
  for (const Row& row : scene.account.figures(duplicates)) sums[row.name] += row.value;
}

std::vector<Row> deliveryOf(const std::map<std::string, double>& sums, Duplicates duplicates) {
  const auto sum = [&](const char* name) { return sums.at(name); };
  return {told("enqueueInvokeCount", sum("enqueueInvokeCount")),
          told("enqueueSuccessCount", sum("enqueueSuccessCount")),
          told("dequeueSuccessCount", sum("dequeueSuccessCount")), none("lostMessageCount", sum("lostMessageCount")),
          duplicates == Duplicates::kNone ? none("duplicateMessageCount", sum("duplicateMessageCount"))
                                          : told("duplicateMessageCount", sum("duplicateMessageCount"))};
}

// ---- R25

constexpr int kNameservers = 3;
constexpr int kRounds = 10;

class Disagreement {
 public:
  explicit Disagreement(Scene& scene) : scene_(scene) {}

  /// One nameserver goes on as ever; each other draws what is wrong with it, and clients are told another list.
  void begin() {
    good_ = static_cast<int>(scene_.draw.next(kNameservers));
    std::vector<int> told{good_};
    for (int i = 0; i < kNameservers; ++i) {
      if (i == good_) continue;
      constexpr void (Disagreement::*kWrong[])(MockNameserver) = {&Disagreement::isGone, &Disagreement::isEmpty,
                                                                  &Disagreement::standsStill, &Disagreement::saysFewer};
      (this->*kWrong[scene_.draw.next(std::size(kWrong))])(nameserver(i));
      if (scene_.draw.next(2) == 0) told.push_back(i);
    }
    must(scene_.cluster.tellNameservers(told), "list");
  }
  /// All of them know nothing of the topic, for a while.
  void allAreEmpty() {
    for (int i = 0; i < kNameservers; ++i) isEmpty(nameserver(i));
  }
  void end() {
    std::vector<int> all;
    for (int i = 0; i < kNameservers; ++i) {
      MockNameserver ns = nameserver(i);
      if (!ns.running()) must(ns.start(), "start");
      must(ns.thaw(), "thaw");
      must(ns.clearRoutes(), "clear");
      all.push_back(i);
    }
    must(scene_.cluster.tellNameservers(all), "list");
  }

 private:
  MockNameserver nameserver(int i) { return must(scene_.cluster.nameserver(i), "nameserver"); }
  void isGone(MockNameserver ns) { must(ns.stop(), "stop"); }
  void isEmpty(MockNameserver ns) {
    must(ns.setRoute(kTopic, {}), "route");
    must(ns.setRoute("TBW102", {}), "route");
  }
  void standsStill(MockNameserver ns) { must(ns.freeze(), "freeze"); }
  void saysFewer(MockNameserver ns) {
    must(ns.setRoute(kTopic, {{.brokerName = "broker-a", .readQueueNums = 2, .writeQueueNums = 2}}), "route");
  }

  Scene& scene_;
  int good_ = 0;
};

std::vector<Row> nameserversDisagree(Extent extent) {
  const std::uint64_t seeds = extent == Extent::kCi ? 20 : 500;
  Wrongs wrong;
  std::map<std::string, double> sums;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Scene scene(seed, kNameservers);
    scene.begin(must(scene.cluster.discoveringClient(), "client"));
    Disagreement views(scene);
    wrong.failed_sends += scene.failedSends();
    for (int round = 0; round < kRounds; ++round) {
      const auto before = scene.owners();
      const bool empty = scene.draw.next(3) == 0;
      empty ? views.allAreEmpty() : views.begin();
      for (int i = 0; i < 4; ++i) {
        scene.pass(kRoutesAreRead);
        wrong.failed_sends += scene.failedSends();
        if (empty && scene.owners() != before) ++wrong.dropped;
      }
      views.end();
      scene.pass(kListsAreRead);
      scene.pass(kViewsAgree);
      if (!scene.isShared()) ++wrong.not_shared;
      if (!scene.cluster.waitUntil([&] { return scene.account.drained(); }, 10s)) ++wrong.not_delivered;
    }
    addUp(sums, scene, Duplicates::kMayCome);
  }
  std::vector<Row> figures{
      told("seeds", static_cast<double>(seeds)),       told("disagreements", static_cast<double>(seeds) * kRounds),
      none("failed sends", wrong.failed_sends),        none("queues dropped for an empty route", wrong.dropped),
      none("not shared afterwards", wrong.not_shared), none("not drained afterwards", wrong.not_delivered)};
  append(figures, deliveryOf(sums, Duplicates::kMayCome));
  return figures;
}

// ---- R26

/// A heartbeat every 30 s, and a client without one for 120 s expires.
constexpr Millis kExpires{150'000};
/// Offsets are committed every 5 s.
constexpr Millis kCommits{6'000};

void jump(Scene& scene) {
  const Millis hour = scene.draw.next(2) == 0 ? Millis(60min) : Millis(-60min);
  const std::uint64_t whose = scene.draw.next(kBrokers + 1);
  if (whose == kBrokers) {
    must(scene.cluster.clock().stepWallClock(hour), "step");
  } else {
    must(must(scene.cluster.broker(whose == 0 ? "broker-a" : "broker-b"), "broker").skewWallClock(hour), "skew");
  }
}

std::int64_t committed(const Scene& scene) {
  std::int64_t sum = 0;
  for (const auto& [queue, owners] : scene.owners()) {
    sum += std::max<std::int64_t>(scene.cluster.committedOffset(kGroup, queue), 0);
  }
  return sum;
}

std::vector<Row> clocksJump(Extent extent) {
  const std::uint64_t seeds = extent == Extent::kCi ? 20 : 500;
  Wrongs wrong;
  std::map<std::string, double> sums;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Scene scene(seed, 1);
    scene.begin(scene.cluster.client());
    for (int round = 0; round < kRounds; ++round) {
      jump(scene);
      wrong.failed_sends += scene.failedSends();
      if (!scene.cluster.waitUntil([&] { return scene.account.drained(); }, 100ms)) ++wrong.not_delivered;
      const auto all = [&] { return committed(scene) == static_cast<std::int64_t>(scene.account.acknowledged()); };
      if (!scene.cluster.waitUntil(all, kCommits)) ++wrong.stalled;
      scene.pass(kExpires);
      if (scene.cluster.members(kGroup).size() != kMembers) ++wrong.expired;
      if (!scene.isShared()) ++wrong.not_shared;
    }
    addUp(sums, scene, Duplicates::kNone);
  }
  std::vector<Row> figures{
      told("seeds", static_cast<double>(seeds)), told("jumps of an hour", static_cast<double>(seeds) * kRounds),
      none("failed sends", wrong.failed_sends),  none("late deliveries", wrong.not_delivered),
      none("stalled commits", wrong.stalled),    none("expired members", wrong.expired),
      none("not shared", wrong.not_shared)};
  append(figures, deliveryOf(sums, Duplicates::kNone));
  return figures;
}

}  // namespace

std::vector<Promise> viewPromises() {
  return {{"R25", "nameservers may disagree", nameserversDisagree}, {"R26", "the wall clock may jump", clocksJump}};
}

}  // namespace mqsoak
