#include "rebalance/rebalance_loop.h"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sim/sim_engine.h"

namespace mqclient::rebalance {
namespace {

using namespace std::chrono_literals;

std::vector<MessageQueue> queuesOf(const std::string& topic, int n) {
  std::vector<MessageQueue> queues;
  for (int i = 0; i < n; ++i) queues.emplace_back(topic, "b", i);
  return queues;
}

/// A consumer that remembers what it was told.
class Target final : public RebalanceTarget {
 public:
  Target(base::Ref<sim::SimEngine> e, std::shared_ptr<const AllocateMessageQueueStrategy> strategy)
      : engine(std::move(e)), strand(*engine), loop(strand, *this, "g", "me", std::move(strategy)) {}

  std::vector<std::string> topics() override { return subscribed; }
  std::optional<std::vector<MessageQueue>> queuesOf(const std::string& topic) override {
    const auto it = routes.find(topic);
    if (it == routes.end()) return std::nullopt;
    return it->second;
  }
  void askMembers(const std::string&, base::Completion<std::vector<std::string>> done) override {
    asked_at.push_back(engine->now());
    if (hold) {
      held.push_back(std::move(done));
    } else {
      std::move(done)(Result<std::vector<std::string>>(members));
    }
  }
  void onAssigned(const std::string&, const std::vector<MessageQueue>& added, PreviousOwner previous) override {
    assigned += added.size();
    owned += added.size();
    last_previous = previous;
  }
  void onRevoked(const std::string&, const std::vector<MessageQueue>& removed) override {
    revoked += removed.size();
    owned -= removed.size();
  }
  void onRunEnded(bool balanced) override {
    ++runs_ended;
    last_balanced = balanced;
  }
  void onDiverged(const std::string&, const std::string& what) override { divergences.push_back(what); }

  const base::Ref<sim::SimEngine> engine;
  base::Strand strand;
  std::vector<std::string> subscribed{"t"};
  std::map<std::string, std::vector<MessageQueue>> routes{{"t", rebalance::queuesOf("t", 4)}};
  Result<std::vector<std::string>> members{std::vector<std::string>{"me"}};
  bool hold = false;
  std::deque<base::Completion<std::vector<std::string>>> held;
  std::vector<base::SteadyTime> asked_at;
  std::size_t assigned = 0, revoked = 0, owned = 0;
  int runs_ended = 0;
  bool last_balanced = false;
  std::optional<PreviousOwner> last_previous;
  std::vector<std::string> divergences;
  RebalanceLoop loop;
};

class RebalanceLoopTest : public ::testing::Test {
 protected:
  void make(std::shared_ptr<const AllocateMessageQueueStrategy> strategy = nullptr) {
    target = base::makeRef<Target>(engine, std::move(strategy));
  }
  void SetUp() override { make(); }
  void TearDown() override {
    inStrand([this] { target->loop.close(); });
  }
  template <class F>
  void inStrand(F f) {
    target->strand.post(base::Ref<base::Object>(target.get()), std::move(f));
    engine->runUntilIdle();
  }
  void trigger() {
    inStrand([this] { target->loop.trigger(); });
  }
  void setMembers(std::vector<std::string> members) { target->members = std::move(members); }

  base::Ref<sim::SimEngine> engine = sim::makeSimEngine();
  base::Ref<Target> target;
};

TEST_F(RebalanceLoopTest, TheFirstRunIsImmediate) {
  trigger();
  EXPECT_EQ(target->owned, 4u);
  EXPECT_EQ(target->runs_ended, 1);
  EXPECT_TRUE(target->last_balanced);
  EXPECT_EQ(target->last_previous, PreviousOwner::kNobody);
}

TEST_F(RebalanceLoopTest, RunsEveryTwentySecondsAndNotBefore) {
  trigger();
  engine->advance(19'999ms);
  EXPECT_EQ(target->runs_ended, 1);
  engine->advance(2ms);
  EXPECT_EQ(target->runs_ended, 2);
}

TEST_F(RebalanceLoopTest, AStormOfTriggersCostsOneRunASecond) {
  trigger();
  for (int i = 0; i < 99; ++i) {
    engine->advance(10ms);
    trigger();
  }
  EXPECT_EQ(target->runs_ended, 1);
  engine->advance(11ms);
  EXPECT_EQ(target->runs_ended, 2);
  engine->advance(10s);
  EXPECT_EQ(target->runs_ended, 2) << "they were all one";
}

TEST_F(RebalanceLoopTest, ATriggerAfterAQuietSecondRunsAtOnce) {
  trigger();
  engine->advance(5s);
  setMembers({"me", "other"});
  trigger();
  EXPECT_EQ(target->owned, 2u);
  EXPECT_EQ(target->revoked, 2u);
}

TEST_F(RebalanceLoopTest, ATriggerDuringARunIsNotLost) {
  target->hold = true;
  trigger();
  trigger();
  setMembers({"me", "other"});
  inStrand([this] { std::move(target->held.front())(std::vector<std::string>{"me"}); });
  EXPECT_EQ(target->owned, 4u);
  target->hold = false;
  engine->advance(1001ms);
  EXPECT_EQ(target->owned, 2u);
}

TEST_F(RebalanceLoopTest, OthersMakeThePreviousOwnerPossibleForGood) {
  setMembers({"me", "other"});
  trigger();
  EXPECT_EQ(target->last_previous, PreviousOwner::kPossible);
  setMembers({"me"});
  engine->advance(21s);
  EXPECT_EQ(target->owned, 4u);
  EXPECT_EQ(target->last_previous, PreviousOwner::kPossible) << "the other one may have left a moment ago";
}

TEST_F(RebalanceLoopTest, SilenceNeverDropsAQueue) {
  trigger();
  target->routes.clear();  // the nameserver forgot the topic
  engine->advance(60s);
  EXPECT_EQ(target->owned, 4u);
  target->routes["t"] = {};  // or has a route without queues
  engine->advance(60s);
  EXPECT_EQ(target->owned, 4u);
  target->routes["t"] = queuesOf("t", 4);
  target->members = Error(ErrorCode::kTimeout, "no answer");  // or the broker is silent
  engine->advance(60s);
  EXPECT_EQ(target->owned, 4u);
  EXPECT_FALSE(target->last_balanced);
  EXPECT_EQ(target->revoked, 0u);
}

TEST_F(RebalanceLoopTest, AFailedRunIsRepeatedAfterASecond) {
  target->members = Error(ErrorCode::kTimeout, "no answer");
  trigger();
  EXPECT_EQ(target->owned, 0u);
  engine->advance(999ms);
  setMembers({"me"});
  EXPECT_EQ(target->runs_ended, 1);
  engine->advance(2ms);
  EXPECT_EQ(target->owned, 4u);
  engine->advance(19s);
  EXPECT_EQ(target->runs_ended, 2) << "balanced again: every 20 s";
}

TEST_F(RebalanceLoopTest, AListWithoutOurselvesKeepsWhatWeHaveAndIsReported) {
  trigger();
  setMembers({"other"});
  engine->advance(25s);
  EXPECT_EQ(target->owned, 4u);
  EXPECT_FALSE(target->last_balanced);
  ASSERT_EQ(target->divergences.size(), 1u) << "told once, not each second";
  EXPECT_FALSE(target->loop.explain("t").divergence.empty());
  setMembers({"me", "other"});
  engine->advance(2s);
  EXPECT_EQ(target->owned, 2u);
  EXPECT_TRUE(target->loop.explain("t").divergence.empty());
}

TEST_F(RebalanceLoopTest, AddedAndRemovedQueuesAreToldAndNoOthers) {
  trigger();
  target->routes["t"] = queuesOf("t", 6);
  engine->advance(21s);
  EXPECT_EQ(target->assigned, 6u);
  EXPECT_EQ(target->revoked, 0u);
  target->routes["t"] = queuesOf("t", 3);
  engine->advance(21s);
  EXPECT_EQ(target->assigned, 6u);
  EXPECT_EQ(target->revoked, 3u);
}

TEST_F(RebalanceLoopTest, AForgottenTopicComesAnewWhenItIsNamedAgain) {
  trigger();
  EXPECT_EQ(target->assigned, 4u);
  target->subscribed = {};
  inStrand([this] { target->loop.forget("t"); });
  EXPECT_FALSE(target->loop.explain("t").divergence.empty()) << "not computed";
  target->subscribed = {"t", "u"};
  target->routes["u"] = queuesOf("u", 2);
  engine->advance(2s);
  trigger();
  EXPECT_EQ(target->revoked, 0u) << "its queues were given up by the target itself";
  EXPECT_EQ(target->assigned, 4u + 4u + 2u);
}

TEST_F(RebalanceLoopTest, AShareOfATopicThatIsNotNamedAnyMoreIsNobodys) {
  target->hold = true;
  trigger();
  target->subscribed = {};
  inStrand([this] { std::move(target->held.front())(std::vector<std::string>{"me"}); });
  EXPECT_EQ(target->assigned, 0u);
  EXPECT_EQ(target->runs_ended, 1);
  target->hold = false;
  target->subscribed = {"t"};
  engine->advance(2s);
  trigger();
  EXPECT_EQ(target->assigned, 4u);
}

TEST_F(RebalanceLoopTest, NothingHappensAfterClose) {
  target->hold = true;
  trigger();
  inStrand([this] { target->loop.close(); });
  inStrand([this] { std::move(target->held.front())(std::vector<std::string>{"me"}); });
  trigger();
  engine->advance(60s);
  EXPECT_EQ(target->owned, 0u);
  EXPECT_EQ(target->runs_ended, 0);
  EXPECT_EQ(engine->armedTimers(), 0u);
}

TEST_F(RebalanceLoopTest, ExplainsWhoOwnsWhatAndWhy) {
  EXPECT_FALSE(target->loop.explain("t").divergence.empty()) << "not computed yet";
  setMembers({"zoe", "me"});
  trigger();
  const RebalanceReport report = target->loop.explain("t");
  EXPECT_EQ(report.strategy, "AVG");
  EXPECT_EQ(report.self, "me");
  EXPECT_EQ(report.members, (std::vector<std::string>{"me", "zoe"}));
  EXPECT_NE(report.membersHash, 0u);
  EXPECT_NE(report.queuesHash, 0u);
  ASSERT_EQ(report.rows.size(), 4u);
  EXPECT_EQ(report.rows[0].owner, "me");
  EXPECT_EQ(report.rows[3].owner, "zoe");
  EXPECT_EQ(report.rows[3].why, "queue 4 of 4, member 2 of 2, AVG");
}

// ---- a strategy of the user's

class Backwards final : public AllocateMessageQueueStrategy {
 public:
  std::string name() const override { return "BACKWARDS"; }
  std::vector<MessageQueue> allocate(std::string_view, std::string_view, Queues queues,
                                     std::span<const std::string>) const override {
    on_listener_thread = base::Activation::ofThisThread().mayAwait();
    if (fail) throw std::runtime_error("no idea");
    if (invent) return {MessageQueue("t", "elsewhere", 0)};
    return {queues.back(), queues.front(), queues.back()};
  }
  mutable bool on_listener_thread = false;
  bool fail = false;
  bool invent = false;
};

TEST_F(RebalanceLoopTest, AUsersStrategyRunsOutsideStrands) {
  const auto strategy = std::make_shared<Backwards>();
  make(strategy);
  trigger();
  engine->runUntilIdle();
  EXPECT_TRUE(strategy->on_listener_thread);
  EXPECT_EQ(target->owned, 2u) << "sorted, without doubles";
  EXPECT_EQ(target->loop.explain("t").strategy, "BACKWARDS");
}

TEST_F(RebalanceLoopTest, AStrategyThatThrowsOrInventsChangesNothing) {
  const auto strategy = std::make_shared<Backwards>();
  strategy->fail = true;
  make(strategy);
  trigger();
  engine->runUntilIdle();
  EXPECT_EQ(target->owned, 0u);
  EXPECT_FALSE(target->last_balanced);
  ASSERT_EQ(target->divergences.size(), 1u);
  EXPECT_NE(target->divergences[0].find("no idea"), std::string::npos);
  strategy->fail = false;
  strategy->invent = true;
  engine->advance(1001ms);
  ASSERT_EQ(target->divergences.size(), 2u);
  EXPECT_NE(target->divergences[1].find("elsewhere"), std::string::npos);
}

}  // namespace
}  // namespace mqclient::rebalance
