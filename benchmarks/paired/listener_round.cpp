#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "load.h"
#include "mqclient/mqclient.h"
#include "pairs.h"

namespace mqpaired {

using namespace mqclient;
using mqbench::Clock;
using mqbench::must;

namespace {

/// A producer and a listener that take turns: one message at a time.
class Turns {
 public:
  explicit Turns(const std::string& namesrv) : producer_(mqbench::startProducer(namesrv)) {
    const auto listener = [this](Messages came, ConsumeConcurrentlyContext&) {
      const std::scoped_lock lock(mutex_);
      seen_at_ = Clock::now();
      seen_ += came.size();
      arrived_.notify_one();
      return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
    };
    consumer_.emplace(must(
        DefaultMQPushConsumer::start("bench-c", {{mqbench::kTopic}}, listener, {.namesrvAddr = namesrv}), "consumer"));
    must(consumer_->ready().get(), "ready");
    // Until one comes the member may not have its queues.
    for (std::size_t before = 0; before == 0;) {
      must(producer_.send(mqbench::message1k()), "send");
      std::unique_lock lock(mutex_);
      arrived_.wait_for(lock, std::chrono::milliseconds(100), [&] { return seen_ > 0; });
      before = seen_;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));  // for those that were sent in vain
  }

  double sendOne() {
    std::unique_lock lock(mutex_);
    const std::size_t before = seen_;
    lock.unlock();
    const auto began = Clock::now();
    must(producer_.send(message_), "send");
    lock.lock();
    if (!arrived_.wait_for(lock, std::chrono::seconds(10), [&] { return seen_ > before; })) {
      mqbench::fail("a message did not arrive");
    }
    return std::chrono::duration<double, std::micro>(seen_at_ - began).count();
  }

 private:
  const Message message_ = mqbench::message1k();
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::size_t seen_ = 0;
  Clock::time_point seen_at_{};
  DefaultMQProducer producer_;
  std::optional<DefaultMQPushConsumer> consumer_;
};

}  // namespace

Round listenerRound(std::shared_ptr<void> system, const std::string& namesrv) {
  constexpr int kMessages = 2'000;
  // Ends before the system it runs on.
  const auto turns = std::shared_ptr<Turns>(new Turns(namesrv), [system = std::move(system)](Turns* t) { delete t; });
  return [turns] {
    std::vector<double> micros;
    micros.reserve(kMessages);
    for (int i = 0; i < kMessages; ++i) micros.push_back(turns->sendOne());
    return mqbench::quantile(micros, 0.5);
  };
}

}  // namespace mqpaired
