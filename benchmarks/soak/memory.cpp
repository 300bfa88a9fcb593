// R11 and R12: what a client may take when its other side stands still.
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "account.h"
#include "mqbroker_process.h"

namespace mqsoak {

using namespace mqclient;
using mqbench::Clock;
using mqbench::Row;

namespace {

constexpr double kMiB = 1u << 20;

double residentMiB() {
  return static_cast<double>(mqclient::testing::residentBytes()) / kMiB;
}

// ---- R11

constexpr std::size_t kOffered = 1'000'000;
constexpr std::size_t kOfferedBytes = 1'024;
constexpr double kBesideTheCapMiB = 32;
constexpr Millis kSendTimeout{500};
/// A thread of this machine may be so late.
constexpr double kLateMs = 500;

/// What became of the messages that were offered to a broker that stands still.
struct Offered {
  std::vector<std::atomic<bool>> acknowledged = std::vector<std::atomic<bool>>(kOffered);
  std::vector<std::atomic<bool>> delivered = std::vector<std::atomic<bool>>(kOffered);
  std::atomic<std::size_t> callbacks{0}, full{0}, full_at_once{0}, others{0};
  double most_mib = 0, longest_call_ms = 0;
  std::size_t most_behind = 0;  // callbacks that have not run yet

  void look() { most_mib = std::max(most_mib, residentMiB()); }
  std::size_t dropped() const {
    std::size_t n = 0;
    for (std::size_t i = 0; i < kOffered; ++i) n += acknowledged[i] && !delivered[i] ? 1U : 0U;
    return n;
  }
};

void offerAll(MQProducer& producer, Offered& offered) {
  for (std::size_t i = 0; i < kOffered; ++i) {
    std::string body = std::to_string(i) + ' ';
    body.resize(kOfferedBytes, 'x');
    const auto began = Clock::now();
    producer.sendAsync(Message(kTopic, std::move(body))).then([&offered, i, began](const Result<SendResult>& result) {
      if (result) {
        offered.acknowledged[i] = true;
      } else if (result.error().code() == ErrorCode::kQueueFull) {
        offered.full.fetch_add(1);
        if (Clock::now() - began < kSendTimeout) offered.full_at_once.fetch_add(1);
      } else {
        offered.others.fetch_add(1);
      }
      offered.callbacks.fetch_add(1);
    });
    offered.longest_call_ms = std::max(offered.longest_call_ms, mqbench::microsSince(began) / 1'000);
    if (i % 256 == 0) offered.look();
    offered.most_behind = std::max(offered.most_behind, i + 1 - offered.callbacks);
  }
  while (offered.callbacks < kOffered) {
    offered.look();
    std::this_thread::sleep_for(Millis{1});
  }
}

std::vector<Row> offeredToAStoppedBroker(WhenFull when_full) {
  MqbrokerProcess broker({"memoryLogBytesMax=2147483648"});
  const ClientOptions client{.namesrvAddr = broker.address()};
  auto producer = startProducer(client, {.sendMsgTimeout = kSendTimeout, .whenFull = when_full});
  must(producer.send(Message(kTopic, "-")), "first send");
  auto offered = std::make_unique<Offered>();
  broker.signal(SIGSTOP);
  offerAll(producer, *offered);
  broker.signal(SIGCONT);
  const auto listener = [&](Messages messages, ConsumeConcurrentlyContext&) {
    for (const MessageExt& m : messages) {
      if (m.body() != "-") offered->delivered[static_cast<std::size_t>(std::stoul(std::string(m.body())))] = true;
    }
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  };
  auto consumer =
      must(DefaultMQPushConsumer::start(kGroup, {{kTopic}}, listener, client,
                                        {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()}),
           "consumer");
  for (int i = 0; i < 1'000 && offered->dropped() > 0; ++i) std::this_thread::sleep_for(Millis{10});
  const double cap_mib = static_cast<double>(ProducerOptions{}.backPressureForAsyncSendSize) / kMiB;
  return {told("enqueueInvokeCount", kOffered),
          told("refused as full", static_cast<double>(offered->full)),
          when_full == WhenFull::kBlockCaller ? none("refused at once", static_cast<double>(offered->full_at_once))
                                              : told("refused at once", static_cast<double>(offered->full_at_once)),
          told("ended by their deadline", static_cast<double>(offered->others)),
          told("callbacks under way", static_cast<double>(offered->most_behind)),
          none("missingCallbackCount", static_cast<double>(kOffered - offered->callbacks)),
          none("acked and dropped", static_cast<double>(offered->dropped())),
          atMost("longest call", offered->longest_call_ms, static_cast<double>(kSendTimeout.count()) + kLateMs, "ms"),
          atMost("resident", offered->most_mib, cap_mib + kBesideTheCapMiB, "MiB")};
}

std::vector<Row> producersMemory(Extent) {
  std::vector<Row> figures = named("fail", offeredToAStoppedBroker(WhenFull::kFail));
  append(figures, named("block", offeredToAStoppedBroker(WhenFull::kBlockCaller)));
  return figures;
}

// ---- R12

constexpr int kQueues = 64;
constexpr int kMessagesOfAQueue = 10;
constexpr std::size_t kLargeBytes = 1u << 20;
constexpr double kFlatPercent = 5;
constexpr auto kSettles = std::chrono::seconds(5);

void fill(const ClientOptions& client) {
  auto producer =
      startProducer(client, {.compressMsgBodyOverHowmuch = 2 * kLargeBytes, .defaultTopicQueueNums = kQueues});
  must(producer.send(Message(kTopic, "-")), "first send");
  const auto queues = must(producer.fetchPublishMessageQueues(kTopic), "route");
  if (queues.size() != kQueues) mqbench::fail("the topic has " + std::to_string(queues.size()) + " queues");
  for (const MessageQueue& queue : queues) {
    for (int i = 0; i < kMessagesOfAQueue; ++i) {
      must(producer.send(Message(kTopic, std::string(kLargeBytes, 'x')), MessageQueueSelector(queue)), "send");
    }
  }
}

std::vector<Row> consumersMemory(Extent extent) {
  MqbrokerProcess broker({"memoryLogBytesMax=2147483648", "defaultTopicQueueNums=64"});
  const ClientOptions client{.namesrvAddr = broker.address()};
  fill(client);
  std::latch released(1);
  const auto listener = [&](Messages, ConsumeConcurrentlyContext&) {
    released.wait();
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  };
  const PushConsumerOptions options{.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()};
  auto consumer = must(DefaultMQPushConsumer::start(kGroup, {{kTopic}}, listener, client, options), "consumer");
  std::this_thread::sleep_for(kSettles);
  const auto flat_for = extent == Extent::kCi ? std::chrono::seconds(20) : std::chrono::seconds(120);
  double least = residentMiB();
  double most = least;
  std::int64_t cached = 0;
  for (const auto began = Clock::now(); Clock::now() - began < flat_for;) {
    least = std::min(least, residentMiB());
    most = std::max(most, residentMiB());
    std::int64_t now = 0;
    for (const QueueProgress& queue : consumer.progress()) now += queue.cached;
    cached = std::max(cached, now);
    std::this_thread::sleep_for(Millis{100});
  }
  released.count_down();
  const CloseReport report = consumer.close();
  return {told("offered", kQueues * kMessagesOfAQueue * static_cast<double>(kLargeBytes) / kMiB, "MiB"),
          told("watched", static_cast<double>(flat_for.count()), "s"),
          atLeast("cached at least", static_cast<double>(cached), 1, "MiB"),
          atMost("cached", static_cast<double>(cached), static_cast<double>(options.cachedBytesMax) / kMiB, "MiB"),
          told("resident", most, "MiB"),
          atMost("resident changes by", 100 * (most - least) / most, kFlatPercent, "%"),
          holds("closes in order", report.complete())};
}

}  // namespace

std::vector<Promise> memoryPromises() {
  return {{"R11", "a producer's memory is bounded while its broker stands still", producersMemory},
          {"R12", "a consumer's memory is bounded while its listener stands still", consumersMemory}};
}

}  // namespace mqsoak
