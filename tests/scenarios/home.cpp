#include "home.h"

namespace mqclient::scenarios {
namespace {

class OwnCluster final : public Home {
 public:
  explicit OwnCluster(MockTime time, MockTransport transport = MockTransport::kMemory)
      : cluster_(MockCluster::start({.brokers = 2, .transport = transport, .time = time}).value()), time_(time) {}
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
  return {
      {"InProcessVirtualTime", [] { return std::unique_ptr<Home>(new OwnCluster(MockTime::kVirtual)); }},
      {"InProcessRealTime", [] { return std::unique_ptr<Home>(new OwnCluster(MockTime::kReal)); }},
      {"Tcp", [] { return std::unique_ptr<Home>(new OwnCluster(MockTime::kReal, MockTransport::kTcp)); }},
#ifdef MQBROKER
      {"Mqbroker", makeMqbrokerHome},
#endif
  };
}

}  // namespace mqclient::scenarios
