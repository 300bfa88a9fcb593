#include "home.h"

namespace mqclient::scenarios {
namespace {

class InProcess final : public Home {
 public:
  explicit InProcess(MockTime time) : cluster_(MockCluster::start({.brokers = 2, .time = time}).value()), time_(time) {}
  ClientOptions client() const override { return cluster_.client(); }
  void createTopic(const std::string& topic, int queues) override {
    cluster_.createTopic({.topicName = topic, .readQueueNums = queues, .writeQueueNums = queues}).value();
  }
  bool eventually(UniqueFunction<bool()> condition) override {
    return cluster_.waitUntil(std::move(condition), Millis{60'000});
  }
  bool canAdvance() const override { return time_ == MockTime::kVirtual; }
  void advance(Millis time) override { cluster_.clock().advance(time).value(); }

 private:
  MockCluster cluster_;
  MockTime time_;
};

}  // namespace

std::vector<HomeKind> allHomes() {
  return {{"InProcessVirtualTime", [] { return std::unique_ptr<Home>(new InProcess(MockTime::kVirtual)); }},
          {"InProcessRealTime", [] { return std::unique_ptr<Home>(new InProcess(MockTime::kReal)); }}};
}

}  // namespace mqclient::scenarios
