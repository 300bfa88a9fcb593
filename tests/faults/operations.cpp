#include "tests/faults/operations.h"

#include <algorithm>
#include <array>
#include <set>

namespace mqclient::faults {

namespace {

/// Beyond every deadline of one request.
constexpr Millis kDelay{40'000};
constexpr Millis kSettle = kDelay + 5s;
/// How long no connection can be made.
constexpr Millis kRefusing{2'000};
constexpr Millis kStep{100};

std::string told(const Error& error) {
  return std::string(mqclient::toString(error.code())) + (error.applied() == Applied::kUnknown ? "?" : "");
}
template <class T>
std::string told(const Result<T>& result) {
  return result ? "ok" : told(result.error());
}

/// The smallest of a few bounds that holds `took`: a figure that outlives a change of jitter.
std::string within(Millis took) {
  for (const auto bound : {1s, 5s, 12s, 35s, 65s, 125s}) {
    if (took <= bound) return "in " + std::to_string(bound.count()) + " s";
  }
  return "never";
}

std::string times(int n) {
  return n == 0 ? "never" : n == 1 ? "once" : n == 2 ? "twice" : std::to_string(n) + " times";
}

Match sendOf(const std::string& body) {
  return {
      .code = kSend, .role = NodeRole::kBroker, .where = [body](const Captured& seen) { return seen.body == body; }};
}

}  // namespace

const char* toString(Wrong wrong) {
  constexpr std::array kNames{"refused", "reset",      "fin",        "half-open", "delayed",
                              "dropped", "reply lost", "duplicated", "reordered", "wrong opaque",
                              "garbage", "truncated",  "oversize",   "slices",    "stale route"};
  return kNames[static_cast<std::size_t>(wrong)];
}

World::World(MockClusterOptions options)
    : cluster(MockCluster::start(options).value()), virtual_time_(options.time == MockTime::kVirtual) {
  cluster.createTopic({.topicName = "orders", .readQueueNums = 1, .writeQueueNums = 1}).value();
}

void World::spoil(Wrong wrong, Match match) {
  match.nth = 1;
  const auto add = [&](Match m, FaultAction action) { faults_.push_back(cluster.inject(m, action).value()); };
  switch (wrong) {
    case Wrong::kRefused: {
      const auto lost_at = std::make_shared<Millis>(-1);
      match.where = [lost_at, fits = match.where](const Captured& seen) {
        if (fits && !fits(seen)) return false;
        if (lost_at->count() < 0) *lost_at = seen.at;
        return true;
      };
      add(match, FaultAction::disconnectBefore());
      add({.role = match.role,
           .where =
               [lost_at](const Captured& connect) {
                 return lost_at->count() >= 0 && connect.at < *lost_at + kRefusing;
               }},
          FaultAction::refuse());
      return;
    }
    case Wrong::kReset:
      return add(match, FaultAction::reset());
    case Wrong::kFin:
      return add(match, FaultAction::disconnectBefore());
    case Wrong::kHalfOpen:
      return add(match, FaultAction::halfOpen());
    case Wrong::kDelayed:
      return add(match, FaultAction::delayBefore(kDelay));
    case Wrong::kDropped:
      return add(match, FaultAction::drop());
    case Wrong::kReplyLost:
      return add(match, FaultAction::applyThenDropReply());
    case Wrong::kDuplicated:
      return add(match, FaultAction::duplicate());
    case Wrong::kReordered:
      return add(match, FaultAction::reorder());
    case Wrong::kWrongOpaque:
      return add(match, FaultAction::wrongOpaque());
    case Wrong::kGarbage:
      return add(match, FaultAction::garbage());
    case Wrong::kTruncated:
      return add(match, FaultAction::cutAfter(10));
    case Wrong::kOversize:
      return add(match, FaultAction::oversize());
    case Wrong::kSlices:
      return add(match, FaultAction::slices(1));
    case Wrong::kStaleRoute:
      return cluster.broker("broker-b")->stop().value();
  }
}

bool World::met() const {
  return faults_.empty() || faults_.front().fired() > 0;
}

void World::advance(Millis by) {
  if (!virtual_time_) return;
  cluster.clock().advance(by).value();
}

template <class F>
std::string World::timeUntil(F condition) {
  if (!virtual_time_) return cluster.waitUntil([&condition] { return condition(); }, 30s) ? "in time" : "never";
  for (Millis waited{0}; waited <= 125s; waited += kStep) {
    if (condition()) return within(std::max(waited, sinceTheFault()));
    advance(kStep);
  }
  return "never";
}

Millis World::sinceTheFault() const {
  const std::vector<Captured> all = cluster.requests();
  const auto hit = std::ranges::find_if(all, [](const Captured& seen) { return !seen.fault.empty(); });
  return hit == all.end() ? Millis(0) : all.back().at - hit->at;
}

int World::brokersRunning() const {
  int running = 0;
  for (const std::string& name : cluster.brokerNames()) running += cluster.broker(name)->running() ? 1 : 0;
  return running;
}

std::string World::timesStored(const std::string& body) const {
  int n = 0;
  std::set<std::string> ids;
  for (const MessageExt& m : cluster.messages("orders")) {
    if (m.body() != body) continue;
    ++n;
    ids.insert(std::string(m.msgId()));
  }
  EXPECT_LE(ids.size(), 1u) << "what is stored again is the same message";
  return body + " " + times(n);
}

std::int64_t World::messagesAtBrokerA() const {
  const auto all = cluster.messages("orders");
  return std::ranges::count_if(all, [](const MessageExt& m) { return m.messageQueue().brokerName() == "broker-a"; });
}

DefaultMQProducer World::startProducer(ProducerOptions options) {
  auto producer = DefaultMQProducer::start("shop", cluster.client(), std::move(options)).value();
  for (int i = 0; i < 2; ++i) producer.send(Message("orders", "warm")).value();  // a connection to each broker
  return producer;
}

DefaultMQPushConsumer World::startConsumer(Taken& taken) {
  return DefaultMQPushConsumer::start("billing", {{"orders"}}, taken.listener(), cluster.client(), kFromFirst).value();
}

// ---- what is done

namespace {

Outcome waitingSends(World& w, Wrong wrong, const ProducerOptions& options) {
  auto producer = w.startProducer(options);
  w.spoil(wrong, sendOf("x"));
  const std::string x = told(producer.send(Message("orders", "x")));
  const std::string y = told(producer.send(Message("orders", "y")));
  w.advance(kSettle);
  return {x + ", then " + y, w.timesStored("x") + ", " + w.timesStored("y")};
}

/// Both under way at once.
Outcome sendsAtOnce(World& w, Wrong wrong, const ProducerOptions& options) {
  auto producer = w.startProducer(options);
  w.spoil(wrong, sendOf("x"));
  Future<SendResult> first = producer.sendAsync(Message("orders", "x"));
  Future<SendResult> second = producer.sendAsync(Message("orders", "y"));
  const std::string x = told(std::move(first).get());
  const std::string y = told(std::move(second).get());
  w.advance(kSettle);
  return {x + " and " + y, w.timesStored("x") + ", " + w.timesStored("y")};
}

}  // namespace

Outcome syncSend(World& w, Wrong wrong) {
  return waitingSends(w, wrong, {});
}
Outcome syncSendOnce(World& w, Wrong wrong) {
  return waitingSends(w, wrong, kOneTry);
}
Outcome asyncSend(World& w, Wrong wrong) {
  return sendsAtOnce(w, wrong, {});
}
Outcome asyncSendOnce(World& w, Wrong wrong) {
  return sendsAtOnce(w, wrong, kOneTry);
}

Outcome onewaySend(World& w, Wrong wrong) {
  auto producer = w.startProducer();
  w.spoil(wrong, sendOf("x"));
  const std::string x = told(producer.sendOneway(Message("orders", "x")));
  w.advance(kStep);
  const std::string y = told(producer.sendOneway(Message("orders", "y")));
  if (!w.inVirtualTime()) w.timeUntil([&] { return w.met() && w.timesStored("y") != "y never"; });
  w.advance(kSettle);
  return {x + ", then " + y, w.timesStored("x") + ", " + w.timesStored("y")};
}

/// Sends end the pulls that wait; the first pull anew meets it, and what is sent from then on must come all the same.
Outcome pull(World& w, Wrong wrong) {
  auto producer = w.startProducer();
  Taken taken;
  auto consumer = w.startConsumer(taken);
  w.timeUntil([&] { return taken.count() >= 2; });
  w.spoil(wrong, {.code = RequestCode::PULL_MESSAGE, .role = NodeRole::kBroker});
  for (int i = 0; i < 2; ++i) (void)producer.send(Message("orders", "wake"));
  w.timeUntil([&] { return taken.count() >= 4; });
  for (int i = 0; i < 2; ++i) (void)producer.send(Message("orders", "x"));
  const auto delivered = [&] {
    const auto messages = taken.messages();
    return std::ranges::count_if(messages, [](const MessageExt& m) { return m.body() == "x"; });
  };
  const std::string took = w.timeUntil([&] { return delivered() >= 2; });
  w.advance(kSettle);
  return {"delivered " + took, std::to_string(delivered()) + " of 2"};
}

Outcome heartbeat(World& w, Wrong wrong) {
  Taken taken;
  w.startProducer();
  if (!w.inVirtualTime())
    w.spoil(wrong, {.code = RequestCode::HEART_BEAT, .node = "broker-a", .role = NodeRole::kBroker});
  auto consumer = w.startConsumer(taken);
  if (w.inVirtualTime()) {
    w.advance(1s);
    w.spoil(wrong, {.code = RequestCode::HEART_BEAT, .node = "broker-a", .role = NodeRole::kBroker});
    w.timeUntil([&] { return w.met(); });
  }
  const Match answered{.code = RequestCode::HEART_BEAT,
                       .node = "broker-a",
                       .direction = FrameDirection::kFromNode,
                       .where = [](const Captured& reply) { return reply.fault.empty() || reply.fault == "slices"; }};
  const std::string took = w.timeUntil([&] { return !w.cluster.requests(answered).empty(); });
  bool always = true;
  for (int s = 0; s < 150; ++s) {
    w.advance(1s);
    always = always && !w.cluster.members("billing").empty();
  }
  return {"answered again " + took, always ? "a member throughout" : "forgotten meanwhile"};
}

Outcome offsetCommit(World& w, Wrong wrong) {
  auto producer = w.startProducer();
  Taken taken;
  auto consumer = w.startConsumer(taken);
  const MessageQueue queue("orders", "broker-a", 0);
  const auto committed = [&] { return w.cluster.committedOffset("billing", queue) == w.messagesAtBrokerA(); };
  w.timeUntil([&] { return taken.count() >= 2; });
  if (w.inVirtualTime()) w.timeUntil(committed);
  w.spoil(wrong, {.code = RequestCode::UPDATE_CONSUMER_OFFSET, .node = "broker-a", .role = NodeRole::kBroker});
  for (int i = 0; i < 2; ++i) (void)producer.send(Message("orders", "x"));
  w.timeUntil([&] { return taken.count() >= 4; });
  if (!w.inVirtualTime()) consumer.commit().detach();  // else the periodic one does
  w.timeUntil([&] { return w.met(); });
  if (!w.inVirtualTime() && !committed()) consumer.commit().detach();
  const std::string took = w.timeUntil(committed);
  w.advance(kSettle);
  return {"committed " + took, committed() ? "what was consumed" : "something else"};
}

Outcome routeQuery(World& w, Wrong wrong) {
  auto producer = w.startProducer();
  w.cluster.createTopic({.topicName = "fresh", .readQueueNums = 3, .writeQueueNums = 3}).value();
  w.spoil(wrong, {.code = RequestCode::GET_ROUTEINFO_BY_TOPIC, .topic = "fresh", .role = NodeRole::kNameserver});
  const auto first = producer.fetchPublishMessageQueues("fresh");
  const auto second = producer.fetchPublishMessageQueues("fresh");
  w.advance(kSettle);
  const auto later = producer.fetchPublishMessageQueues("fresh");
  return {told(first) + ", then " + told(second), (later ? std::to_string(later->size()) : "no") + " queues"};
}

Outcome memberList(World& w, Wrong wrong) {
  Taken taken;
  auto first = w.startConsumer(taken);
  w.timeUntil([&] { return first.progress().size() == 2; });
  w.spoil(wrong, {.code = RequestCode::GET_CONSUMER_LIST_BY_GROUP, .role = NodeRole::kBroker});
  auto second = w.startConsumer(taken);
  const auto shares = [&] {
    return std::to_string(first.progress().size()) + " and " + std::to_string(second.progress().size());
  };
  const std::string fair = w.brokersRunning() == 2 ? "1 and 1" : "1 and 0";
  const std::string took = w.timeUntil([&] { return w.met() && shares() == fair; });
  w.advance(kSettle);
  return {"shared " + took, shares()};
}

Outcome registration(World& w, Wrong wrong) {
  auto producer = w.startProducer();
  w.spoil(wrong, {.code = RequestCode::REGISTER_BROKER, .role = NodeRole::kNameserver});
  const std::string made = told(w.cluster.createTopic({.topicName = "fresh", .readQueueNums = 1, .writeQueueNums = 1}));
  std::size_t known = 0;
  const std::string took = w.timeUntil([&] {
    const auto queues = producer.fetchPublishMessageQueues("fresh");
    known = queues ? queues->size() : 0;
    return known == static_cast<std::size_t>(w.brokersRunning());
  });
  return {made + ", known " + took, std::to_string(known) + " queues"};
}

}  // namespace mqclient::faults
