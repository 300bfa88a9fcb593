// S1, S2, S3, S7: the strand's own code under every interleaving of three threads with two posts each on two strands
// and at most three preemptions, and under a million random ones. A planted lost wake must be found.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <string>

#include "base/engine.h"
#include "base/parker.h"
#include "base/random.h"
#include "base/sleep_row.h"
#include "base/strand.h"
#include "fibers.h"

namespace mqclient::base {

// What strand.cpp needs of the rest of its floor: patience in real time, of which a schedule has none, and threads that
// sleep, which it has not either.
std::int64_t steadyNanos() noexcept {
  return 0;
}
void SleepRow::wake(std::uint32_t) noexcept {}

namespace {

using testing::Fibers;

constexpr std::size_t kPosters = 3;
constexpr std::size_t kTasks = 2 * kPosters + 1;

class Round;
Round* g_round = nullptr;
Fibers* g_fibers = nullptr;

/// An executor of one fiber; whether a post may run here is the schedule's decision.
class StepEngine final : public Engine {
 public:
  StepEngine() noexcept : Engine(/*seeded=*/true, /*has_executor=*/true) {}
  void submit(Runnable r) noexcept override { queue.push_back(r); }
  std::int64_t monotonicNanos() const noexcept override { return 1; }
  WallTime wallNow() const noexcept override { return {}; }
  Ref<ListenerGroup> makeListenerGroup(std::string, int) override { return nullptr; }
  ListenerGroup& callbacks() noexcept override { std::abort(); }
  ListenerGroup& awaitedSteps() noexcept override { std::abort(); }
  std::shared_ptr<CallbackTarget> callbackTarget() noexcept override { return nullptr; }
  bool runOnLane(LaneKind, UniqueFunction<void()>) override { return false; }
  bool waitFor(WaitSlot&, SteadyTime) override { return false; }
  std::uint64_t random() noexcept override { return 0; }
  const Environment& environment() const noexcept override { return environment_; }
  std::uint64_t nextId() noexcept override { return 0; }
  std::int32_t nextOpaque() noexcept override { return 0; }

  std::deque<Runnable> queue;
  std::function<bool()> here;

 protected:
  bool chooseHere() noexcept override { return here(); }
  void armTimer(Timer&, SteadyTime) noexcept override {}
  bool cancelTimer(Timer&) noexcept override { return false; }

 private:
  Environment environment_;
};

struct Owner final : Object {
  Owner(Engine& e, Round& r, std::size_t n) : strand(e), round(r), number(n) {}
  ~Owner() override;
  Strand strand;
  Round& round;
  std::size_t number;
};

struct Step final : Task {
  Next run() noexcept override;
  Owner* owner = nullptr;  // kept alive by Task::alive
  Step* inner = nullptr;   // posted to the other strand from inside
  Owner* other = nullptr;
  std::size_t number = 0;
  int runs = 0;
};

/// One schedule: what happened, and the first promise that was broken.
class Round {
 public:
  explicit Round(Fibers& fibers) : fibers_(fibers), engine_(Ref<StepEngine>::adopt(new StepEngine())) {}

  /// True: every promise held.
  bool run(Fibers::Chooser& chooser, const std::function<bool()>& here) {
    engine_->here = here;
    g_round = this;
    std::array<Ref<Owner>, 2> owners{makeRef<Owner>(*engine_, *this, std::size_t{0}),
                                     makeRef<Owner>(*engine_, *this, std::size_t{1})};
    // Poster 0 twice on strand 0, poster 1 on 0 and 1, poster 2 on 1 (whose task posts to 0 from inside) and 0.
    constexpr std::array<std::array<std::size_t, 2>, kPosters> kTo{{{0, 0}, {0, 1}, {1, 0}}};
    for (std::size_t i = 0; i < kTasks; ++i) tasks_[i].number = i;
    for (std::size_t p = 0; p < kPosters; ++p) {
      for (std::size_t k = 0; k < 2; ++k) setOwner(tasks_[2 * p + k], *owners[kTo[p][k]]);
    }
    Step& nested = tasks_[kTasks - 1];
    setOwner(nested, *owners[0]);
    tasks_[4].inner = &nested;
    tasks_[4].other = owners[0].get();

    std::vector<std::function<void()>> bodies;
    std::vector<std::function<bool()>> ready(kPosters);
    for (std::size_t p = 0; p < kPosters; ++p) {
      bodies.emplace_back([this, p, mine = owners]() mutable {
        for (std::size_t k = 0; k < 2; ++k) {
          Step& t = tasks_[2 * p + k];
          post(t.owner->strand, t);
        }
        mine = {};  // from here on only tasks keep the strands
        ++posters_done_;
      });
    }
    owners = {};
    bodies.emplace_back([this] { execute(); });
    ready.emplace_back([this] { return !engine_->queue.empty() || posters_done_ == kPosters; });
    if (!fibers_.run(std::move(bodies), std::move(ready), chooser)) fail("a fiber waits for ever");

    for (const Step& t : tasks_) {
      if (t.runs != 1) fail("S1: task " + std::to_string(t.number) + " ran " + std::to_string(t.runs) + " times");
    }
    if (ran_ != pushed_) fail("S2: order of running is not the order of posting");
    broken_before_cleanup_ = !broken_.empty();
    for (Step& t : tasks_) t.alive.reset();
    if (!broken_before_cleanup_ && owners_gone_ != 2) fail("S7: a strand's object was not released");
    return broken_.empty();
  }

  void fail(std::string what) {
    if (broken_.empty()) broken_ = std::move(what);
  }
  const std::string& broken() const { return broken_; }

  /// A strand's word was changed by a post of the fiber that runs now: its task has its place.
  void onPushed() {
    const Step& t = *posting_[fibers_.current()];
    pushed_[t.owner->number].push_back(t.number);
  }
  void onRun(Step& t) {
    const std::size_t strand = t.owner->number;
    if (active_[strand]) fail("S1: two tasks of a strand at a time");
    if (on_stack_[fibers_.current()]) fail("S3: two strands on one stack");
    if (!t.owner->strand.isCurrent()) fail("S1: a task runs outside its strand");
    active_[strand] = on_stack_[fibers_.current()] = true;
    fibers_.step();
    if (t.inner) post(t.other->strand, *t.inner);
    active_[strand] = on_stack_[fibers_.current()] = false;
    ran_[strand].push_back(t.number);
    ++t.runs;
  }
  void onOwnerGone(const Owner& o) {
    ++owners_gone_;
    if (active_[o.number]) fail("S7: the object went while its strand ran");
  }
  void onWordGone(std::uintptr_t value) {
    if (value != 0 && !broken_before_cleanup_) fail("S7: the object went before its strand was left");
  }

 private:
  void post(Strand& strand, Step& t) {
    posting_[fibers_.current()] = &t;
    strand.post(t);
  }
  static void setOwner(Step& t, Owner& o) {
    t.owner = &o;
    t.alive = Ref<Object>(&o);
  }
  void execute() {
    for (;;) {
      while (!engine_->queue.empty()) {
        const Runnable r = engine_->queue.front();
        engine_->queue.pop_front();
        Activation::ofThisThread().run(*engine_, r);
      }
      if (posters_done_ == kPosters) return;
      fibers_.wait();
    }
  }

  Fibers& fibers_;
  Ref<StepEngine> engine_;
  std::array<Step, kTasks> tasks_;
  std::array<const Step*, kPosters + 1> posting_{};  // by each fiber, last
  std::array<std::vector<std::size_t>, 2> pushed_;
  std::array<std::vector<std::size_t>, 2> ran_;
  std::array<bool, 2> active_{};
  std::array<bool, kPosters + 1> on_stack_{};
  std::size_t posters_done_ = 0;
  int owners_gone_ = 0;
  bool broken_before_cleanup_ = false;
  std::string broken_;
};

Owner::~Owner() {
  round.onOwnerGone(*this);
}

Next Step::run() noexcept {
  g_round->onRun(*this);
  return Next::kDone;
}

/// Every schedule with at most `preemptions`: depth first over the decisions, each schedule run from its start.
class Enumeration final : public Fibers::Chooser {
 public:
  explicit Enumeration(int preemptions) : allowed_(preemptions) {}

  bool maySwitch() override { return preempted_ < allowed_; }
  std::size_t choose(const std::vector<std::size_t>& runnable, bool can_go_on) override {
    const std::size_t chosen = decide(runnable.size());
    if (can_go_on && chosen != 0) ++preempted_;
    return chosen;
  }
  /// To the next schedule; false: all have been seen.
  bool next() {
    at_ = 0;
    preempted_ = 0;
    while (!path_.empty() && path_.back().chosen + 1 == path_.back().options) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().chosen;
    return true;
  }

 private:
  struct Decision {
    std::size_t chosen;
    std::size_t options;
  };
  std::size_t decide(std::size_t options) {
    if (options == 1) return 0;
    if (at_ == path_.size()) path_.push_back({0, options});
    return path_[at_++].chosen;
  }

  const int allowed_;
  int preempted_ = 0;
  std::size_t at_ = 0;
  std::vector<Decision> path_;
};

/// A schedule drawn from a seed, and what every seed draws first: how often to switch, how often to leave a post to the
/// executor.
class Drawn final : public Fibers::Chooser {
 public:
  explicit Drawn(std::uint64_t seed) : random_(seed), switches_(1 + random_.below(12)), queued_(random_.below(9)) {}

  bool maySwitch() override { return random_.below(16) < switches_; }
  std::size_t choose(const std::vector<std::size_t>& runnable, bool) override { return random_.below(runnable.size()); }
  bool here() { return random_.below(16) >= queued_; }

 private:
  Xoshiro256 random_;
  const std::uint64_t switches_;  // in 16
  const std::uint64_t queued_;    // in 16
};

class StrandSteps : public ::testing::Test {
 protected:
  StrandSteps() { g_fibers = &fibers_; }
  ~StrandSteps() override {
    g_fibers = nullptr;
    SteppedWord::plant_lost_wake = false;
  }

  /// Schedules run until all were seen or one broke a promise.
  std::size_t enumerate(int preemptions, bool here, std::string& broken) {
    Enumeration e(preemptions);
    std::size_t schedules = 0;
    do {
      ++schedules;
      Round round(fibers_);
      if (!round.run(e, [here] { return here; })) {
        broken = round.broken();
        return schedules;
      }
    } while (e.next());
    return schedules;
  }

  Fibers fibers_{kPosters + 1};
};

TEST_F(StrandSteps, EveryInterleavingWithThreePreemptionsKeepsThePromises) {
  std::string broken;
  std::size_t schedules = enumerate(3, /*here=*/true, broken);
  EXPECT_EQ(broken, "");
  EXPECT_GT(schedules, 10'000U);
  RecordProperty("schedules_here", std::to_string(schedules));
  schedules = enumerate(2, /*here=*/false, broken);
  EXPECT_EQ(broken, "") << "with every post left to the executor";
  RecordProperty("schedules_executor", std::to_string(schedules));
}

TEST_F(StrandSteps, AMillionRandomInterleavingsKeepThePromises) {
  constexpr int kSchedules = 1'000'000;
  for (int i = 0; i < kSchedules; ++i) {
    Drawn drawn(static_cast<std::uint64_t>(i));
    Round round(fibers_);
    const bool held = round.run(drawn, [&drawn] { return drawn.here(); });
    ASSERT_TRUE(held) << "seed " << i << ": " << round.broken();
  }
}

TEST_F(StrandSteps, APlantedLostWakeIsFound) {
  SteppedWord::plant_lost_wake = true;
  std::string broken;
  const std::size_t schedules = enumerate(3, /*here=*/true, broken);
  EXPECT_NE(broken, "");
  RecordProperty("schedules", std::to_string(schedules));
}

}  // namespace

SteppedWord::~SteppedWord() {
  if (g_round) g_round->onWordGone(value_);
}

void SteppedWord::step() noexcept {
  if (g_fibers) g_fibers->step();
}

void SteppedWord::pushed() noexcept {
  if (g_round) g_round->onPushed();
}

}  // namespace mqclient::base
