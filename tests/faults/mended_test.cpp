// What faults have uncovered, and was mended.
#include "tests/faults/faults_fixture.h"

namespace mqclient::faults {
namespace {

class Mended : public FaultsTest {
 protected:
  static constexpr RequestCode kRoute = RequestCode::GET_ROUTEINFO_BY_TOPIC;
  void SetUp() override {
    cluster.createTopic({.topicName = "fresh", .readQueueNums = 3, .writeQueueNums = 3}).value();
  }
  std::size_t questions() const {
    return cluster.requests({.code = kRoute, .topic = "fresh", .direction = FrameDirection::kToNode}).size();
  }
};

TEST_F(Mended, ARouteQueryWhoseConnectionEndsIsMadeOnceMore) {
  Fault fault = inject({.code = kRoute, .topic = "fresh", .nth = 1}, FaultAction::disconnectBefore());
  const auto queues = producer->fetchPublishMessageQueues("fresh");
  ASSERT_TRUE(queues) << queues.error();
  EXPECT_EQ(queues->size(), 3u);
  EXPECT_EQ(questions(), 2u);
}

TEST_F(Mended, ButNotForEver) {
  Fault fault = inject({.code = kRoute, .topic = "fresh"}, FaultAction::disconnectBefore());
  const auto queues = producer->fetchPublishMessageQueues("fresh");
  ASSERT_FALSE(queues);
  EXPECT_EQ(queues.error().code(), ErrorCode::kNoNameServer);
  EXPECT_EQ(questions(), 2u);
}

}  // namespace
}  // namespace mqclient::faults
