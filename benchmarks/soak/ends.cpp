// R8 to R10: how clients and brokers end, under load and at any moment.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "account.h"
#include "mqbroker_process.h"
#include "tests/support/process_threads.h"
#include "tests/support/random_life.h"

namespace mqsoak {

using namespace mqclient;
using mqbench::Clock;
using mqbench::Row;

namespace {

/// What is under way at a time while something ends.
constexpr std::size_t kWindow = 64;
constexpr Millis kDeadline{10'000};
constexpr Millis kPace{1};
constexpr int kSendsATurn = 5;

/// Sends about 5,000 a second, with a window under way at most, until it is told to stop.
class Load {
 public:
  Load(Account& account, MQProducer& producer)
      : thread_([this, &account, &producer] {
          for (; !over_; std::this_thread::sleep_for(kPace)) {
            for (int i = 0; i < kSendsATurn && account.underWay() < kWindow; ++i) account.send(producer);
          }
        }) {}
  ~Load() { stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void stop() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::atomic<bool> over_{false};
  std::thread thread_;
};

bool comesTrue(const std::function<bool()>& condition, Millis within = Millis{30'000}) {
  const auto end = Clock::now() + within;
  while (!condition()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(kPace);
  }
  return true;
}

/// How many ends were not as they should be, and the slowest.
struct Ends {
  int disorderly = 0;
  double slowest_ms = 0;
  void note(Clock::time_point began, bool orderly) {
    slowest_ms = std::max(slowest_ms, mqbench::microsSince(began) / 1'000);
    if (!orderly) ++disorderly;
  }
  std::vector<Row> figures(int count) const {
    return {told("ends", count), none("not in order", disorderly),
            atMost("slowest end", slowest_ms, static_cast<double>(kDeadline.count()), "ms")};
  }
};

/// A consumer and its producer close in the middle of the traffic of another producer; the next pair goes on.
std::vector<Row> clientsClose(int ends) {
  MockCluster cluster = startCluster({.brokers = 2});
  Account account;
  auto busy = startProducer(cluster.client());
  Ends closed;
  {
    Load load(account, busy);
    for (int i = 0; i < ends; ++i) {
      auto consumer = startConsumer(account, cluster.client());
      auto producer = startProducer(cluster.client());
      const std::size_t before = account.delivered();
      if (!comesTrue([&] { return account.delivered() > before + kWindow; })) mqbench::fail("nothing arrives");
      for (std::size_t k = 0; k < kWindow; ++k) account.send(producer);
      const auto began = Clock::now();
      const CloseReport sent = producer.close(kDeadline);
      const CloseReport consumed = consumer.close(kDeadline);
      closed.note(began, sent.complete() && consumed.complete());
    }
  }
  auto last = startConsumer(account, cluster.client());
  (void)comesTrue([&] { return account.drained(); });
  std::vector<Row> figures = closed.figures(ends);
  append(figures, account.figures(Duplicates::kNone));
  return named("close()", std::move(figures));
}

/// Each of two brokers in turn stops under load, and comes back.
std::vector<Row> brokersStop(int ends) {
  MockCluster cluster = startCluster({.brokers = 2});
  Account account;
  auto producer = startProducer(cluster.client());
  auto consumer = startConsumer(account, cluster.client());
  Ends stopped;
  double recovery_ms = 0;
  {
    Load load(account, producer);
    for (int i = 0; i < ends; ++i) {
      MockBroker broker = must(cluster.broker(i % 2 == 0 ? "broker-a" : "broker-b"), "broker");
      const std::size_t before = account.acknowledged();
      if (!comesTrue([&] { return account.acknowledged() > before + kWindow; })) mqbench::fail("sends stand still");
      const auto began = Clock::now();
      stopped.note(began, static_cast<bool>(broker.stop()));
      must(broker.start(), "start");
      const std::size_t then = account.acknowledged();
      if (!comesTrue([&] { return account.acknowledged() > then + kWindow; })) mqbench::fail("sends do not go on");
      recovery_ms = std::max(recovery_ms, mqbench::microsSince(began) / 1'000);
    }
  }
  (void)comesTrue([&] { return account.drained(); });
  std::vector<Row> figures = stopped.figures(ends);
  figures.push_back(told("RECOVERY TIME", recovery_ms, "ms"));
  append(figures, account.figures(Duplicates::kNone));
  return named("broker stop()", std::move(figures));
}

/// mqbroker is told to end under load. What it has in memory ends with it, so what counts is its own end and that every
/// send hears of it.
std::vector<Row> processesEnd(int ends) {
  Ends ended;
  double deaf = 0;
  for (int i = 0; i < ends; ++i) {
    MqbrokerProcess broker;
    Account account;
    auto producer = startProducer({.namesrvAddr = broker.address()},
                                  {.sendMsgTimeout = Millis{500}, .retryTimesWhenSendFailed = 0});
    Load load(account, producer);
    if (!comesTrue([&] { return account.acknowledged() > kWindow; })) mqbench::fail("mqbroker answers nothing");
    const auto began = Clock::now();
    const int status = broker.end(SIGTERM, kDeadline);
    ended.note(began, status == 0);
    load.stop();
    (void)producer.close(Millis{1'000});
    deaf += static_cast<double>(account.underWay());
  }
  std::vector<Row> figures = ended.figures(ends);
  figures.push_back(none("sends that heard nothing", deaf));
  return named("SIGTERM", std::move(figures));
}

std::vector<Row> gracefulEnds(Extent) {
  constexpr int kEnds = 200;
  std::vector<Row> figures = processesEnd(kEnds);
  append(figures, clientsClose(kEnds));
  append(figures, brokersStop(kEnds));
  return figures;
}

// ---- R9

/// Of each fault, one send in so many meets it.
constexpr double kFaultEvery = 1'000;
/// A send that is refused or late on a busy machine meets none; these many show that they were there.
constexpr int kFaultsAtLeast = 100;
constexpr int kSends = 1'000'000;
constexpr int kLives = 100;  // of producers; so many sends each, on two threads

struct Tally {
  explicit Tally(int sends) : called(static_cast<std::size_t>(sends)) {}
  std::vector<std::atomic<std::uint8_t>> called;  // by send
  std::atomic<int> callbacks{0}, acknowledged{0}, refused{0};

  void send(MQProducer& producer, std::size_t number) {
    producer.sendAsync(Message(kTopic, "x")).then([this, number](const Result<SendResult>& result) {
      if (result) {
        acknowledged.fetch_add(1);
      } else if (result.error().code() == ErrorCode::kClosed || result.error().code() == ErrorCode::kQueueFull) {
        refused.fetch_add(1);
      }
      called[number].fetch_add(1);
      callbacks.fetch_add(1);
    });
  }
};

/// Two threads send; in the middle of it the producer is closed, in one of three ways.
void liveAndSend(const ClientOptions& client, Tally& tally, int life) {
  constexpr int kEach = kSends / kLives / 2;
  auto producer =
      std::make_optional(startProducer(client, {.sendMsgTimeout = Millis{200}, .whenFull = WhenFull::kBlockCaller}));
  std::atomic<int> sent{0};
  const auto sendEach = [&](int first) {
    for (int i = first; i < first + kEach; ++i) {
      tally.send(*producer, static_cast<std::size_t>(i));
      sent.fetch_add(1);
    }
  };
  std::thread one(sendEach, 2 * life * kEach);
  std::thread other(sendEach, (2 * life + 1) * kEach);
  // One life in three is ended while the threads still send, one with everything in flight, one in order.
  if (life % 3 == 0) {
    (void)comesTrue([&] { return sent > kEach; });
    producer->closeAsync(Millis{0}).detach();
  }
  one.join();
  other.join();
  if (life % 3 == 1) (void)producer->close();
  producer.reset();
}

std::vector<Row> callbacksOnce(Extent) {
  MockCluster cluster = startCluster({.brokers = 2});
  const auto one_in = [](RequestCode code) { return Match{.code = code, .probability = 1 / kFaultEvery}; };
  std::vector<Fault> faults;
  for (const FaultAction& action :
       {FaultAction::drop(), FaultAction::disconnectBefore(), FaultAction::disconnectAfter(),
        FaultAction::wrongOpaque(), FaultAction::delayAfter(std::chrono::milliseconds(50)), FaultAction::cutAfter(7),
        FaultAction::duplicate()}) {
    faults.push_back(must(cluster.inject(one_in(RequestCode::SEND_MESSAGE_V2), action), "fault"));
  }
  Tally tally(kSends);
  const auto began = Clock::now();
  for (int life = 0; life < kLives; ++life) liveAndSend(cluster.client(), tally, life);
  (void)comesTrue([&] { return tally.callbacks >= kSends; });
  const double seconds = mqbench::microsSince(began) / 1e6;
  const auto times = [&](auto which) { return static_cast<double>(std::ranges::count_if(tally.called, which)); };
  int fired = 0;
  for (const Fault& fault : faults) fired += fault.fired();
  return {told("enqueueInvokeCount", kSends),
          told("callbackCount", tally.callbacks),
          told("enqueueSuccessCount", tally.acknowledged),
          told("refused as closed or full", tally.refused),
          atLeast("faults that fired", fired, kFaultsAtLeast),
          none("missingCallbackCount", times([](const auto& n) { return n == 0; })),
          none("doubleCallbackCount", times([](const auto& n) { return n > 1; })),
          told("took", seconds, "s")};
}

// ---- R10

/// A program that ends with clients alive and sends under way: exit() runs no destructor of theirs. Answers how many
/// did not end with status 0. To be called while this process has one thread.
int exitsWithoutClosing(int times) {
  int bad = 0;
  for (int i = 0; i < times; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      auto* cluster = new MockCluster(startCluster({}));
      auto* producer = new DefaultMQProducer(startProducer(cluster->client()));
      for (int k = 0; k < 100; ++k) producer->sendAsync(Message(kTopic, "x")).detach();
      std::exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    bad += status != 0 ? 1 : 0;
  }
  return bad;
}

/// A fork beside living clients: the child ends at once, the parent's clients go on. Answers 1 if the child did not.
int forkBeside() {
  const pid_t child = fork();
  if (child == 0) std::_Exit(0);
  int status = 0;
  waitpid(child, &status, 0);
  return status != 0 ? 1 : 0;
}

std::vector<Row> randomLives(Extent extent) {
  const int lives = extent == Extent::kCi ? 1'000 : 10'000;
  const int children = lives / 50;
  int bad = exitsWithoutClosing(children);
  const int threads = mqclient::testing::allThreads();
  int descriptors = 0;
  constexpr int kWarmUp = 50;
  for (const int count : {kWarmUp, lives}) {  // the first ones open what stays open, of the C library and of ours
    MockCluster cluster = startCluster({});
    mqclient::testing::RandomLives random(cluster, /*seed=*/11);
    for (int i = 0; i < count; ++i) {
      random.live();
      if (count == lives && i % 50 == 0) bad += forkBeside();
    }
    random.end();
    if (count == kWarmUp) descriptors = mqclient::testing::openDescriptors();
  }
  const auto more = [&] { return mqclient::testing::allThreads() - threads; };
  (void)comesTrue([&] { return Runtime::quiesce(Millis{5'000}) && more() <= 0; });
  return {told("lives", lives), told("exits without close", children), none("children that did not end", bad),
          none("threads left", more()), none("descriptors left", mqclient::testing::openDescriptors() - descriptors)};
}

}  // namespace

std::vector<Promise> endPromises() {
  return {{"R8", "a graceful end loses and repeats nothing", gracefulEnds},
          {"R9", "each asynchronous send calls back once", callbacksOnce},
          {"R10", "a client may be destroyed at any moment", randomLives}};
}

}  // namespace mqsoak
