#include "load.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace mqbench {

using namespace mqclient;

namespace {
constexpr int kBatch = 32;
/// Of a round beside a bare socket: both see the same moments of the machine.
constexpr int kTurns = 20;

void append(std::vector<double>& to, const std::vector<double>& more) {
  to.insert(to.end(), more.begin(), more.end());
}
}  // namespace

Message message1k() {
  return {kTopic, std::string(kBodyBytes, 'x')};
}

DefaultMQProducer startProducer(const std::string& namesrv, ProducerOptions options) {
  auto producer = must(DefaultMQProducer::start("bench", {.namesrvAddr = namesrv}, std::move(options)), "producer");
  must(producer.send(message1k()), "send");
  return producer;
}

std::string brokerAddress(MQProducer& producer, const std::string& topic) {
  must(producer.fetchPublishMessageQueues(topic), "route");
  const Health health = producer.health();
  if (health.brokers.empty() || health.brokers.front().address.empty()) fail("the producer knows no broker");
  return health.brokers.front().address;
}

std::vector<double> sendOneByOne(MQProducer& producer, int times) {
  const Message message = message1k();
  std::vector<double> micros;
  micros.reserve(static_cast<std::size_t>(times));
  for (int i = 0; i < times; ++i) {
    const auto began = Clock::now();
    must(producer.send(message), "send");
    micros.push_back(microsSince(began));
  }
  return micros;
}

Row besideBareSocket(const std::string& name, MQProducer& producer, RawSocket& raw, const std::string& frame,
                     const Extents& extents, std::optional<Bound> bound, const std::string& reference) {
  raw.exchange(frame, extents.warm_up);
  sendOneByOne(producer, extents.warm_up);
  std::vector<double> ours;
  std::vector<double> bare;
  std::vector<double> ratios;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> bare_micros;
    std::vector<double> our_micros;
    for (int turn = 0; turn < kTurns; ++turn) {
      append(bare_micros, raw.exchange(frame, extents.sends / kTurns));
      append(our_micros, sendOneByOne(producer, extents.sends / kTurns));
    }
    bare.push_back(quantile(bare_micros, 0.5));
    ours.push_back(quantile(our_micros, 0.5));
    ratios.push_back(ours.back() / bare.back());
  }
  Row row{.name = name, .value = quantile(ours, 0.5), .unit = "us", .reference = quantile(bare, 0.5), .bound = bound};
  row.note = "reference: " + reference + "; ratios of the rounds " + span(ratios, 2);
  return row;
}

void sendOnThreads(MQProducer& producer, int threads, int each) {
  const Message message = message1k();
  std::vector<std::thread> running;
  running.reserve(static_cast<std::size_t>(threads));
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&] {
      for (int i = 0; i < each; ++i) must(producer.send(message), "send");
    });
  }
  for (std::thread& t : running) t.join();
}

void beginAndAwait(int count, const std::function<Future<SendResult>()>& send) {
  std::atomic<int> left{count};
  std::atomic<int> bad{0};
  for (int i = 0; i < count; ++i) {
    send().then([&](const Result<SendResult>& r) {
      if (!r) bad.fetch_add(1);
      left.fetch_sub(1);
    });
  }
  while (left > 0) std::this_thread::yield();
  if (bad != 0) fail(std::to_string(bad) + " sends failed");
}

void sendAsynchronously(MQProducer& producer, int messages) {
  beginAndAwait(messages, [&producer, message = message1k()] { return producer.sendAsync(message); });
}

Turns::Turns(MQProducer& producer, const ClientOptions& client) : producer_(producer) {
  const auto listener = [this](Messages came, ConsumeConcurrentlyContext&) {
    const auto now = Clock::now();
    const std::scoped_lock lock(mutex_);
    seen_at_ = now;
    seen_ += came.size();
    arrived_.notify_one();
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  };
  consumer_.emplace(
      must(DefaultMQPushConsumer::start("bench-c", {{kTopic}}, listener, client,
                                        {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()}),
           "consumer"));
  waitUntilSeen(sent_);
}

Clock::time_point Turns::waitUntilSeen(std::size_t all) {
  std::unique_lock lock(mutex_);
  if (!arrived_.wait_for(lock, std::chrono::seconds(10), [&] { return seen_ >= all; })) {
    fail("a message did not arrive");
  }
  return seen_at_;
}

double Turns::sendOne() {
  const auto began = Clock::now();
  must(producer_.send(message_), "send");
  return std::chrono::duration<double, std::micro>(waitUntilSeen(++sent_) - began).count();
}

std::vector<double> sendToListener(const ClientOptions& client, int messages) {
  constexpr int kWarmUp = 2'000;
  auto producer = must(DefaultMQProducer::start("bench", client), "producer");
  must(producer.send(message1k()), "send");  // makes the topic where there is none
  Turns turns(producer, client);
  for (int i = 0; i < kWarmUp; ++i) turns.sendOne();
  std::vector<double> micros;
  micros.reserve(static_cast<std::size_t>(messages));
  for (int i = 0; i < messages; ++i) micros.push_back(turns.sendOne());
  return micros;
}

void storeInBatches(MQProducer& producer, int messages) {
  const std::vector<Message> batch(kBatch, message1k());
  for (int i = 0; i < messages; i += kBatch) must(producer.sendBatch(batch), "batch");
}

void drainTopic(const std::string& namesrv, const std::string& group, int messages) {
  std::mutex mutex;
  std::condition_variable done;
  std::atomic<int> left{messages};
  const auto listener = [&](Messages came, ConsumeConcurrentlyContext&) {
    const int n = static_cast<int>(came.size());
    if (left.fetch_sub(n) <= n) {
      const std::scoped_lock lock(mutex);
      done.notify_all();
    }
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  };
  DefaultMQPushConsumer consumer =
      must(DefaultMQPushConsumer::start(group, {{kTopic}}, listener, {.namesrvAddr = namesrv},
                                        {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()}),
           "consumer");
  std::unique_lock lock(mutex);
  if (!done.wait_for(lock, std::chrono::seconds(60), [&] { return left <= 0; })) {
    fail(std::to_string(left) + " of " + std::to_string(messages) + " messages did not come");
  }
}

}  // namespace mqbench
