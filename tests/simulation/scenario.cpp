#include "scenario.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include "base/runtime.h"
#include "base/wait.h"
#include "buggify.h"
#include "history.h"
#include "machine.h"
#include "mock_broker/cluster/cluster.h"
#include "mqclient/mqclient.h"
#include "pause.h"
#include "sim/link_policy.h"
#include "sim/random.h"
#include "sim/sim_engine.h"
#include "troubles.h"

namespace mqclient::simulation {
namespace {

using namespace std::chrono_literals;
using base::Ref;
using Status = ConsumeConcurrentlyStatus;

constexpr const char* kTopic = "orders";
constexpr const char* kAuditTopic = "audit";
constexpr const char* kGroup = "workers";
constexpr std::size_t kBrokers = 2;
constexpr int kQueuesPerBroker = 5;  // the members cannot have equally many
constexpr std::size_t kQueues = kBrokers * std::size_t{kQueuesPerBroker};
constexpr int kProducers = 3;
constexpr int kConsumers = 4;
constexpr std::size_t kAcknowledgedPerProducer = 105;
constexpr int kInFlightMax = 8;  // of the asynchronous producer

/// Files so small that a run fills several of each.
void withSmallFiles(broker::BrokerOptions& options) {
  options.mappedFileSizeCommitLog = 16 << 10;
  options.consumeQueueUnitsPerFile = 16;
}

/// Virtual time after which a phase that has not ended counts as hung.
constexpr Millis kTroubleMax = 15min;
constexpr Millis kDrainMax = 10min;
constexpr Millis kCloseMax = 5min;
constexpr Millis kLookEvery = 250ms;

/// After so long without faults no pull is under way any more that an ended or silent connection swallowed.
constexpr Millis kPullsAreFresh = 75s;
/// Of a message when nothing is wrong. Less than a broker holds a pull (15 s): where an arrival wakes nobody, it is
/// late.
constexpr Millis kPromptly = 2s;

// Streams of the seed, one per actor: what one draws does not shift the others. Those of the troubles are below 200.
constexpr std::uint64_t kStreamShape = 1;
constexpr std::uint64_t kStreamProbe = 2;
constexpr std::uint64_t kStreamProducer = 200;
constexpr std::uint64_t kStreamConsumer = 300;
constexpr std::uint64_t kStreamListener = 1'000;

class Run {
 public:
  Run(std::uint64_t seed, const Observer& observer) : seed_(seed), observer_(observer) {}

  /// False: something hung, and bodies still stand on it: it must not be destroyed.
  bool play();
  Figures figures();

 private:
  enum class Phase {
    kTrouble,  ///< messages flow, members come and go, links fail
    kCalm,     ///< no more faults; every consumer is there and works off what is left
    kSettled,  ///< everything is finished and committed: consumers leave
  };
  class Member;
  /// A consumer that stays to the end.
  struct Staying {
    DefaultMQPushConsumer* consumer = nullptr;
    Member* listener = nullptr;
  };

  bool start();
  void producer(int number);
  void producerSends(int number, DefaultMQProducer& producer);
  void consumer(int number);
  void consumerLeaves(DefaultMQPushConsumer& consumer, Machine& machine, sim::SeededRandom& chance,
                      const std::string& name);
  /// Reads all of `what` in a group of its own, from the beginning to the end of the run.
  void reader(const std::string& group, const Subscription& what, const std::function<void(const MessageExt&)>& sees);
  bool settled() const;
  bool promptly();
  bool hearsOfTheEnd();
  std::optional<DefaultMQPushConsumer> join(const Machines::Place& place, const std::shared_ptr<Member>& member,
                                            sim::SeededRandom& chance, const std::string& name);
  void checkBrokers();

  void letPass(base::Nanos time) { simulation::letPass(*engine_, time); }
  bool await(Millis limit, const char* what, const std::function<bool()>& done);
  template <class T>
  std::optional<Result<T>> finish(Future<T> future, std::string what);
  void say(const std::string& text);
  ClientOptions options(const Machines::Place& place);

  const std::uint64_t seed_;
  const Observer& observer_;
  Ref<sim::SimEngine> engine_;
  std::shared_ptr<sim::SeededLinkPolicy> links_;
  std::shared_ptr<cluster::Cluster> cluster_;
  std::optional<Troubles> troubles_;
  std::optional<Machines> machines_;
  std::optional<DefaultMQProducer> relay_;  // what listeners send on with
  History history_{kTopic, kGroup};
  Phase phase_ = Phase::kTrouble;
  base::SteadyTime began_{};
  base::SteadyTime ended_{};
  int producers_sending_ = kProducers;
  std::array<Staying, kConsumers> staying_{};
  std::uint64_t listeners_ = 0;
  std::size_t membership_changes_ = 0;
  std::size_t abrupt_leaves_ = 0;
};

// ---- small tools

bool Run::await(Millis limit, const char* what, const std::function<bool()>& done) {
  const base::SteadyTime end = engine_->now() + limit;
  while (!done()) {
    if (engine_->now() >= end) {
      history_.violated(std::string("hung: ") + what + " after " + std::to_string(limit.count() / 1'000) + " s");
      return false;
    }
    letPass(kLookEvery);
  }
  return true;
}

/// Waits by way of the callback, which is counted.
template <class T>
std::optional<Result<T>> Run::finish(Future<T> future, std::string what) {
  struct Answer final : base::Object {
    std::optional<Result<T>> result;
  };
  const auto answer = base::makeRef<Answer>();
  const auto slot = base::makeRef<base::WaitSlot>();
  std::move(future).then([this, answer, slot, id = history_.callbackBegins(std::move(what))](Result<T> result) {
    history_.callbackRuns(id);
    answer->result.emplace(std::move(result));
    slot->settle();
  });
  engine_->waitFor(*slot, engine_->now() + kCloseMax);
  return std::move(answer->result);
}

void Run::say(const std::string& text) {
  if (!observer_.narrate) return;
  const auto at = std::chrono::duration_cast<Millis>(engine_->now() - began_).count();
  observer_.narrate(std::to_string(at / 1'000) + "." + std::to_string(1'000 + at % 1'000).substr(1) + " s  " + text);
}

ClientOptions Run::options(const Machines::Place& place) {
  ClientOptions client;
  client.namesrvAddr = place.namesrv_addr;
  client.runtime = mqclient::detail::RuntimeAccess::of(engine_);
  // Always there, so that listening to the log does not change the run.
  client.log = [this](LogLevel, std::string_view component, std::string_view line) {
    if (observer_.with_log) say("    " + std::string(component) + ": " + std::string(line));
  };
  return client;
}

// ---- producers

void Run::producer(int number) {
  const std::string name = "producer-" + std::to_string(number);
  const Machines::Place place = machines_->make(name);
  std::optional<DefaultMQProducer> running;
  while (!running) {
    Result<DefaultMQProducer> started = DefaultMQProducer::start("shop-" + std::to_string(number), options(place));
    if (started) {
      running.emplace(*std::move(started));
    } else {
      say(name + " did not start: " + started.error().message());
      letPass(1s);
    }
  }
  producerSends(number, *running);
  const auto flushed = finish(running->flush(), name + "'s flush");
  if (!flushed || !*flushed) history_.violated(name + "'s flush failed");
  --producers_sending_;
  say(name + " is done");
  const auto closed = finish(running->closeAsync(), name + "'s close");
  if (!closed || !*closed || (*closed)->abandoned > 0) history_.violated(name + "'s close left sends behind");
}

/// 0 sends and waits; 1 has several under way; 2 sends batches, by key, and one way.
void Run::producerSends(int number, DefaultMQProducer& producer) {
  sim::SeededRandom chance(seed_, kStreamProducer + static_cast<std::uint64_t>(number));
  std::size_t acknowledged = 0;
  int in_flight = 0;
  int count = 0;
  const auto fresh = [&] { return "p" + std::to_string(number) + "-" + std::to_string(++count); };
  const auto message = [&](const std::string& body) {
    Message made(kTopic, body);
    if (chance.below(3) == 0) made.setTags(History::kPickedTag);
    return made;
  };
  const auto ended = [&](std::size_t id, std::size_t messages, const Result<SendResult>& result) {
    history_.sendEnds(id, result);
    if (result) {
      acknowledged += messages;
    } else {
      say("producer-" + std::to_string(number) + ": " + result.error().message());
    }
  };
  while (acknowledged < kAcknowledgedPerProducer) {
    const std::string body = fresh();
    if (number == 0) {
      const std::size_t id = history_.sendBegins({body});
      ended(id, 1, producer.send(message(body)));
    } else if (number == 1) {
      const std::size_t id = history_.sendBegins({body});
      ++in_flight;
      producer.sendAsync(message(body)).then([&, id](Result<SendResult> result) {
        --in_flight;
        ended(id, 1, result);
      });
      while (in_flight >= kInFlightMax) letPass(kLookEvery);
    } else if (const std::uint64_t way = chance.below(10); way < 4) {
      std::vector<std::string> bodies{body};
      std::vector<Message> batch{message(body)};
      for (std::uint64_t more = 1 + chance.below(5); more > 0; --more) {
        bodies.push_back(fresh());
        batch.push_back(message(bodies.back()));
      }
      const std::size_t id = history_.sendBegins(bodies);
      ended(id, bodies.size(), producer.sendBatch(std::move(batch)));
      letPass(between(chance, 500ms, 2s));
    } else if (way < 9) {
      const std::string_view key = body;
      const SelectMessageQueueByHash by_key(key);
      const std::size_t id = history_.sendBegins({body});
      ended(id, 1, producer.send(message(body), by_key));
    } else {
      (void)producer.sendOneway(message(body));  // what is stored of it must come, too
    }
    letPass(between(chance, 50ms, 950ms));
  }
  // The callbacks refer to this call.
  while (in_flight > 0) letPass(kLookEvery);
}

// ---- consumers

/// The listener of one member: slow at times, and at times unwilling.
class Run::Member {
 public:
  Member(Run& run, std::uint64_t stream) : run_(run), chance_(run.seed_, stream) {}

  /// Calls that run now.
  int running() const noexcept { return running_; }
  void beWilling() noexcept { willing_ = true; }

  Status listen(Messages messages, ConsumeConcurrentlyContext& context) {
    const Running here(running_);
    came(messages);
    if (willing_) {
      finished(messages);
      return Status::CONSUME_SUCCESS;
    }
    beSlow();
    const std::uint64_t mood = chance_.below(100);
    if (mood < 4) return Status::RECONSUME_LATER;
    if (mood < 5) throw std::runtime_error("the listener does not feel like it");
    if (mood < 8) {
      const auto done = static_cast<std::size_t>(chance_.below(messages.size() + 1));
      context.ackIndex = static_cast<int>(done) - 1;
      messages = messages.first(done);
    } else if (mood < 10) {
      const auto again = static_cast<std::size_t>(chance_.below(messages.size()));
      context.reconsumeLater(again);
      for (std::size_t i = 0; i < messages.size(); ++i) {
        if (i != again) run_.history_.finished(messages[i]);
      }
      return Status::CONSUME_SUCCESS;
    }
    finished(messages);
    return Status::CONSUME_SUCCESS;
  }

  Future<Status> sendOn(Messages messages, ConsumeConcurrentlyContext& /*context*/) {
    const Running here(running_);
    came(messages);
    for (const MessageExt& m : messages) {
      const std::size_t id = run_.history_.callbackBegins("a message sent on");
      Message copy(kAuditTopic, std::string(m.body()));
      Result<SendResult> sent = co_await run_.relay_->sendAsync(std::move(copy));
      run_.history_.callbackRuns(id);
      if (!sent) co_return Status::RECONSUME_LATER;
    }
    finished(messages);
    co_return Status::CONSUME_SUCCESS;
  }

 private:
  struct Running {
    explicit Running(int& n) noexcept : count(n) { ++count; }
    ~Running() { --count; }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    int& count;
  };
  void came(Messages messages) {
    for (const MessageExt& m : messages) run_.history_.delivered(m);
  }
  void finished(Messages messages) {
    for (const MessageExt& m : messages) run_.history_.finished(m);
  }
  void beSlow() {
    const std::uint64_t draw = chance_.below(100);
    if (draw < 1) return run_.letPass(between(chance_, 4s, 9s));
    if (draw < 15) run_.letPass(between(chance_, 10ms, 1500ms));
  }

  Run& run_;
  sim::SeededRandom chance_;
  int running_ = 0;
  bool willing_ = false;  ///< neither slow nor refusing
};

std::optional<DefaultMQPushConsumer> Run::join(const Machines::Place& place, const std::shared_ptr<Member>& member,
                                               sim::SeededRandom& chance, const std::string& name) {
  PushConsumerOptions wanted;
  wanted.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET();
  wanted.consumeThreadMax = static_cast<int>(chance.between(1, 8));
  wanted.consumeMessageBatchMaxSize = static_cast<int>(chance.between(1, 4));
  wanted.pullBatchSize = static_cast<int>(chance.between(2, 32));
  const bool sends_on = chance.below(4) == 0;
  MessageListener listener =
      sends_on ? MessageListener([member](Messages m, ConsumeConcurrentlyContext& c) { return member->sendOn(m, c); })
               : MessageListener([member](Messages m, ConsumeConcurrentlyContext& c) { return member->listen(m, c); });
  Result<DefaultMQPushConsumer> started =
      DefaultMQPushConsumer::start(kGroup, {{kTopic}}, std::move(listener), options(place), std::move(wanted));
  if (!started) {
    say(name + " did not start: " + started.error().message());
    return std::nullopt;
  }
  ++membership_changes_;
  say(name + " joined" + (sends_on ? ", sends on" : ""));
  return *std::move(started);
}

void Run::consumer(int number) {
  sim::SeededRandom chance(seed_, kStreamConsumer + static_cast<std::uint64_t>(number));
  letPass(between(chance, 0ms, 4s));
  for (int life = 1; phase_ != Phase::kSettled; ++life) {
    const std::string name = "consumer-" + std::to_string(number) + "-" + std::to_string(life);
    const Machines::Place place = machines_->make(name);
    const auto listener = std::make_shared<Member>(*this, kStreamListener + ++listeners_);
    std::optional<DefaultMQPushConsumer> running = join(place, listener, chance, name);
    if (!running) {
      letPass(1s);
      continue;
    }
    const base::SteadyTime leaves = engine_->now() + between(chance, 3s, 20s);
    while (phase_ == Phase::kTrouble && engine_->now() < leaves) {
      letPass(between(chance, 200ms, 3s));
      if (chance.below(8) == 0) {
        running->commit().then([this, id = history_.callbackBegins(name + "'s commit")](const Result<void>&) {
          history_.callbackRuns(id);
        });
      }
    }
    if (phase_ == Phase::kTrouble) {
      consumerLeaves(*running, *place.machine, chance, name);
      running.reset();
      ++membership_changes_;
      say(name + " is gone");
      place.machine->die();
      letPass(between(chance, 100ms, 4s));
      continue;
    }
    staying_[static_cast<std::size_t>(number)] = {&*running, listener.get()};
    // All of them stay until all of them have settled: what one gives up early would come again to another.
    while (phase_ != Phase::kSettled) letPass(kLookEvery);
    const auto report = finish(running->closeAsync(), name + "'s close");
    if (!report || !*report || !(*report)->complete()) {
      history_.violated(name + " had nothing left to do and still closed with: " +
                        (report && *report ? (*report)->toString() : std::string("no report")));
    }
  }
}

void Run::reader(const std::string& group, const Subscription& what,
                 const std::function<void(const MessageExt&)>& sees) {
  const Machines::Place place = machines_->make(group);
  const auto listener = [&sees](Messages messages, ConsumeConcurrentlyContext& /*context*/) {
    for (const MessageExt& message : messages) sees(message);
    return Status::CONSUME_SUCCESS;
  };
  PushConsumerOptions wanted;
  wanted.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET();
  std::optional<DefaultMQPushConsumer> running;
  while (!running) {
    Result<DefaultMQPushConsumer> started =
        DefaultMQPushConsumer::start(group, {what}, MessageListener(listener), options(place), wanted);
    if (started) {
      running.emplace(*std::move(started));
    } else {
      say(group + " did not start: " + started.error().message());
      letPass(1s);
    }
  }
  while (phase_ != Phase::kSettled) letPass(kLookEvery);
  (void)finish(running->closeAsync(), group + "'s close");
}

/// Every consumer is there, the queues are shared out, nothing is cached or runs, everything is committed to the
/// end, and the brokers say so (so that no link in use is silent any more).
bool Run::settled() const {
  if (history_.unpicked() > 0) return false;
  std::set<MessageQueue> owned;
  std::size_t shares = 0;
  for (const Staying& staying : staying_) {
    if (staying.consumer == nullptr || staying.listener->running() > 0) return false;
    for (const QueueProgress& queue : staying.consumer->progress()) {
      const std::int64_t end = history_.end(queue.messageQueue);
      if (queue.cached != 0 || queue.consumed != end || queue.committed != end) return false;
      owned.insert(queue.messageQueue);
      ++shares;
    }
  }
  if (shares != owned.size() || shares != kQueues) return false;
  // A member of before may have committed its older view last; the owner's next pull puts that right.
  return std::all_of(owned.begin(), owned.end(), [this](const MessageQueue& queue) {
    return std::max<std::int64_t>(cluster_->committedOffset(kGroup, queue), 0) == history_.end(queue);
  });
}

/// Nothing is wrong any more: a message to any queue comes promptly.
bool Run::promptly() {
  sim::SeededRandom chance(seed_, kStreamProbe);
  for (const Staying& staying : staying_) staying.listener->beWilling();
  letPass(kPullsAreFresh);
  say("each queue gets a message");
  for (const std::string& name : cluster_->brokerNames()) {
    for (int queue = 0; queue < kQueuesPerBroker; ++queue) {
      const std::string body = "probe-" + std::to_string(history_.sends());
      const std::size_t id = history_.sendBegins({body});
      const Result<SendResult> sent = relay_->send(Message(kTopic, body), MessageQueue(kTopic, name, queue));
      history_.sendEnds(id, sent);
      if (!sent) history_.violated("a send failed although nothing is wrong: " + sent.error().message());
      letPass(between(chance, 0ms, 400ms));
    }
  }
  history_.stored(cluster_->messages(kTopic));
  return await(kPromptly, "a message, although nothing is wrong,", [this] { return history_.unfinished() == 0; });
}

/// A broker dies with a request in hand: who waits for the answer hears it then, not at its deadline.
bool Run::hearsOfTheEnd() {
  const std::string broker = cluster_->brokerNames()[static_cast<std::size_t>(seed_ % kBrokers)];
  const auto held = cluster_->faults()->hold({.code = RequestCode::SEND_MESSAGE_V2, .node = broker});
  if (!held) return false;
  say(broker + " dies while it has a request");
  Future<SendResult> sending = relay_->sendAsync(Message(kAuditTopic, "held"), MessageQueue(kAuditTopic, broker, 0));
  letPass(kLookEvery);
  (void)cluster_->killBroker(broker);
  const auto sent = finish(std::move(sending), "the held send");
  cluster_->faults()->clear(*held);
  if (!sent || *sent || sent->error().code() != ErrorCode::kConnectionLost) {
    history_.violated("a send whose broker died ended so: " + (!sent   ? std::string("not at all")
                                                               : *sent ? std::string("acknowledged")
                                                                       : sent->error().message()));
  }
  (void)cluster_->startBroker(broker);
  return true;
}

void Run::consumerLeaves(DefaultMQPushConsumer& consumer, Machine& machine, sim::SeededRandom& chance,
                         const std::string& name) {
  const std::uint64_t way = chance.below(10);
  if (way < 4) {
    say(name + " leaves");
    (void)finish(consumer.closeAsync(), name + "'s close");
  } else if (way < 5) {
    say(name + "'s handle is dropped");  // by the caller, at once
  } else {
    say(name + "'s machine dies");
    ++abrupt_leaves_;
    machine.die();
    if (chance.coin()) letPass(between(chance, 0ms, 2s));  // works on what it has, and nobody hears of it
    (void)finish(consumer.closeAsync(Millis(chance.between(0, 1'000))), name + "'s close");
  }
}

// ---- the run

bool Run::start() {
  sim::SimOptions options;
  options.seed = seed_;
  options.schedule = sim::SimOptions::Schedule::kSeeded;
  options.time = sim::SimOptions::Time::kAutoAdvance;
  options.on_stuck = observer_.on_stuck;
  engine_ = sim::makeSimEngine(std::move(options));
  began_ = engine_->now();
  links_ = std::make_shared<sim::SeededLinkPolicy>(engine_, sim::LinkFaults{});
  MockClusterOptions shape;
  shape.nameservers = 2;
  shape.brokers = static_cast<int>(kBrokers);
  shape.seed = seed_;  // of the disks
  shape.flush = sim::SeededRandom(seed_, kStreamShape).coin() ? MockFlush::kSync : MockFlush::kAsync;
  Result<std::shared_ptr<cluster::Cluster>> started =
      cluster::Cluster::start({.options = shape, .engine = engine_, .link_policy = links_, .adjust = withSmallFiles});
  if (!started) {
    history_.violated("the cluster did not start: " + started.error().message());
    return false;
  }
  cluster_ = *std::move(started);
  machines_.emplace(engine_, cluster_->network(), cluster_->nameserverAddresses());
  for (const char* topic : {kTopic, kAuditTopic}) {
    const Result<void> made = cluster_->createTopic(
        {.topicName = topic, .readQueueNums = kQueuesPerBroker, .writeQueueNums = kQueuesPerBroker});
    if (!made) history_.violated("the topic was not made: " + made.error().message());
  }
  Result<DefaultMQProducer> relay = DefaultMQProducer::start("relay", this->options(machines_->make("relay")));
  if (!relay) {
    history_.violated("the relay did not start: " + relay.error().message());
    return false;
  }
  relay_.emplace(*std::move(relay));
  troubles_.emplace(Troubles::Stage{engine_, links_, cluster_, kAuditTopic}, seed_,
                    [this](const std::string& text) { say(text); });
  return true;
}

bool Run::play() {
  if (!start()) return true;
  for (int i = 0; i < kProducers; ++i) engine_->spawn("producer", [this, i] { producer(i); });
  for (int i = 0; i < kConsumers; ++i) engine_->spawn("consumer", [this, i] { consumer(i); });
  engine_->spawn("picker", [this] {
    reader("pickers", {kTopic, byTag(History::kPickedTag)}, [this](const MessageExt& m) { history_.picked(m); });
  });
  engine_->spawn("auditor", [this] { reader("auditors", {kAuditTopic}, [](const MessageExt&) {}); });
  troubles_->begin();

  const bool sent = await(kTroubleMax, "sending", [this] {
    return producers_sending_ == 0 && engine_->now() - began_ >= Millis(kVirtualMillisMin) &&
           links_->counters().faults() >= kLinkFaultsMin && membership_changes_ >= kMembershipChangesMin;
  });
  if (!sent) return false;
  say("the faults stop");
  troubles_->end();
  Buggify::end();
  if (!await(kTroubleMax, "putting right what was broken", [this] { return troubles_->over(); })) return false;
  phase_ = Phase::kCalm;
  // Nobody sends any more; a frame that is still on its way arrives within its delay.
  letPass(Troubles::kLatest);
  history_.stored(cluster_->messages(kTopic));
  const bool drained = await(kDrainMax, "draining", [this] { return history_.unfinished() == 0; });
  say(drained ? "everything is finished" : "not everything is finished");
  if (!await(kDrainMax, "settling", [this] { return settled(); })) return false;
  say("everything is committed");
  if (!promptly() || !hearsOfTheEnd()) return false;
  if (!await(kDrainMax, "settling again", [this] { return settled(); })) return false;
  phase_ = Phase::kSettled;
  if (!await(kCloseMax, "closing", [this] { return engine_->bodies() == 0; })) return false;
  const auto closed = finish(relay_->closeAsync(), "the relay's close");
  if (!closed || !*closed) history_.violated("the relay did not close");
  relay_.reset();
  ended_ = engine_->now();
  if (drained) checkBrokers();
  cluster_->stop();
  machines_.reset();
  engine_->advance(kCloseMax);
  if (engine_->armedTimers() > 0) history_.violated("timers are armed after the end:\n" + engine_->pendingReport());
  return true;
}

/// Nothing may be left of the group but its offsets, and those stand at the end of every queue.
void Run::checkBrokers() {
  for (const std::string& name : cluster_->brokerNames()) {
    cluster_->inspect(name, [&](const broker::Inspection& broker) {
      for (int queue = 0; queue < kQueuesPerBroker; ++queue) {
        const std::int64_t end = broker.maxOffset(kTopic, queue);
        const std::int64_t committed = broker.committedOffset(kGroup, kTopic, queue).value_or(0);
        if (committed != end) {
          history_.violated(name + "/" + std::to_string(queue) + " is committed to " + std::to_string(committed) +
                            " of " + std::to_string(end));
        }
      }
      if (!broker.members(kGroup).empty()) history_.violated(name + " still knows members");
      if (broker.heldPulls() != 0) history_.violated(name + " still holds pulls");
      if (broker.counters().responders_dropped != 0) history_.violated(name + " left requests without an answer");
    });
  }
}

Figures Run::figures() {
  Figures f;
  f.trace_hash = engine_->traceHash();
  f.schedule_hash = engine_->scheduleHash();
  f.events = engine_->events();
  f.virtual_millis = std::chrono::duration_cast<Millis>(ended_ - began_).count();
  const sim::LinkCounters links = links_ ? links_->counters() : sim::LinkCounters{};
  f.frames = links.frames;
  f.link_faults = links.faults();
  f.sends = history_.sends();
  f.messages = history_.acknowledged();
  f.deliveries = history_.deliveries();
  f.repeated = history_.repeated();
  f.membership_changes = membership_changes_;
  f.abrupt_leaves = abrupt_leaves_;
  if (troubles_) f.faults = troubles_->counts();
  f.faults.merge(Buggify::counts());
  if (f.messages < kMessagesMin) history_.violated("only " + std::to_string(f.messages) + " messages");
  f.violations = history_.violations();
  return f;
}

}  // namespace

Figures runSeed(std::uint64_t seed, const Observer& observer) {
  Buggify::begin(seed);
  auto run = std::make_unique<Run>(seed, observer);
  const bool ended = run->play();
  Figures figures = run->figures();
  if (!ended) static_cast<void>(run.release());  // its bodies still stand on it
  return figures;
}

}  // namespace mqclient::simulation
