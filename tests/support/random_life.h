#pragma once

#include <atomic>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"

namespace mqclient::testing {

/// Numbers to draw cases from: the same in every run of one seed.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next(std::uint64_t below) {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state_ >> 33) % below;
  }

 private:
  std::uint64_t state_;
};

/// Lives of a producer and a consumer, one after the other: a few sends, some of them under way, and then an end that
/// is drawn (R10). The cluster outlives this. What goes wrong shows as a crash, a hang, or something left behind.
class RandomLives {
 public:
  RandomLives(const MockCluster& cluster, std::uint64_t seed) : cluster_(cluster), draw_(seed) {}
  ~RandomLives() { end(); }

  void live() {
    const std::string group = "c" + std::to_string(lives_++ % 3);
    producer_.emplace(DefaultMQProducer::start("p", cluster_.client()).value());
    consumer_.emplace(consumer(group, [](Messages, ConsumeConcurrentlyContext&) { return kDone; }));
    for (std::uint64_t i = draw_.next(20); i > 0; --i) {
      if (draw_.next(2) == 0) {
        producer_->sendAsync(message()).detach();
      } else {
        (void)producer_->send(message());
      }
    }
    constexpr void (RandomLives::*kEnds[])() = {&RandomLives::producerFirst,        &RandomLives::consumerFirst,
                                                &RandomLives::closedAtOnce,         &RandomLives::onTwoThreads,
                                                &RandomLives::closedTwice,          &RandomLives::inASendsCallback,
                                                &RandomLives::inTheListener,        &RandomLives::beforeItIsReady,
                                                &RandomLives::withARuntimeOfItsOwn, &RandomLives::movedAway};
    (this->*kEnds[draw_.next(std::size(kEnds))])();
    end();
  }
  /// What lives ends now.
  void end() {
    producer_.reset();
    consumer_.reset();
  }

 private:
  static constexpr auto kDone = ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  static Message message() { return Message("topic", "x"); }

  template <class L>
  DefaultMQPushConsumer consumer(const std::string& group, L listener) {
    return DefaultMQPushConsumer::start(group, {{"topic"}}, std::move(listener), cluster_.client(),
                                        {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()})
        .value();
  }

  void producerFirst() { producer_.reset(); }
  void consumerFirst() { consumer_.reset(); }
  void closedAtOnce() {
    producer_->closeAsync(Millis{0}).detach();
    consumer_->closeAsync(Millis{0}).detach();
  }
  void onTwoThreads() {
    std::thread other([this] { consumer_.reset(); });
    producer_.reset();
    other.join();
  }
  void closedTwice() {
    std::thread other([this] { (void)producer_->close(); });
    (void)producer_->close();
    (void)consumer_->close();
    (void)consumer_->close();
    other.join();
  }
  void inASendsCallback() {
    auto last = std::make_shared<DefaultMQProducer>(*std::move(producer_));
    DefaultMQProducer& raw = *last;
    std::atomic<bool> gone{false};
    raw.sendAsync(message()).then([&gone, last = std::move(last)](const Result<SendResult>&) mutable {
      last.reset();
      gone = true;
    });
    while (!gone) std::this_thread::yield();
  }
  void inTheListener() {
    struct Shared {
      std::optional<DefaultMQPushConsumer> consumer;
      std::atomic<bool> ready{false}, taken{false}, gone{false};
    };
    (void)producer_->send(message());  // something to listen to
    // Other calls of the listener may outlive this one: they share. A group of its own, for the end is not awaited.
    auto shared = std::make_shared<Shared>();
    shared->consumer.emplace(consumer("d" + std::to_string(lives_), [shared](Messages, ConsumeConcurrentlyContext&) {
      while (!shared->ready) std::this_thread::yield();
      if (!shared->taken.exchange(true)) {
        shared->consumer.reset();
        shared->gone = true;
      }
      return kDone;
    }));
    shared->ready = true;
    while (!shared->gone) std::this_thread::yield();
  }
  void beforeItIsReady() {
    ClientOptions nowhere = cluster_.client();
    nowhere.namesrvAddr = "127.0.0.1:1";  // where nobody listens
    nowhere.startTimeout = Millis{0};
    auto early = DefaultMQProducer::start("p", nowhere).value();
    early.sendAsync(message(), {.timeout = Millis{20}}).detach();
  }
  void withARuntimeOfItsOwn() {
    ClientOptions client = cluster_.client();
    client.runtime = Runtime::create({.ioThreads = 1}).value();
    auto own = DefaultMQProducer::start("p", client).value();
    client.runtime = Runtime();
    own.sendAsync(message()).detach();
  }
  void movedAway() {
    DefaultMQProducer other = *std::move(producer_);
    other.sendAsync(message()).detach();
    *producer_ = std::move(other);
  }

  const MockCluster& cluster_;
  Draw draw_;
  int lives_ = 0;
  std::optional<DefaultMQProducer> producer_;
  std::optional<DefaultMQPushConsumer> consumer_;
};

}  // namespace mqclient::testing
