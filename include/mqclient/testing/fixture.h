#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <functional>
#include <iostream>
#include <memory>
#include <string>

#include "mqclient/mock_cluster.h"
#include "mqclient/testing/watchdog.h"

namespace mqclient {
inline namespace v1 {

namespace detail {

/// Real time that a test on a cluster may take. Virtual time costs next to none; sanitizers cost ten times as much.
inline constexpr Millis kTestEndsWithin{120'000};

/// In process virtual time, over TCP real time, which is all it can have.
inline MockClusterOptions onFittingTime(MockClusterOptions options) {
  options.time = options.transport == MockTransport::kMemory ? MockTime::kVirtual : MockTime::kReal;
  return options;
}

inline MockClusterOptions recorded(MockClusterOptions options) {
  options.recordFromStart = true;
  return options;
}

/// A name of the running test that topics and groups may have: "Suite_Test", what is no letter, digit or _ as _.
inline std::string nameOfTest() {
  constexpr std::size_t kLongest = 100;  // of 127 and 120
  const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(test->test_suite_name()) + '_' + test->name();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  if (name.size() > kLongest) {
    const std::string digits = std::to_string(std::hash<std::string>()(name));
    name.resize(kLongest - digits.size() - 1);
    name += '_' + digits;
  }
  return name;
}

/// The last hundred events of what a cluster has recorded.
inline std::string tailOfTrace(const MockCluster& cluster) {
  constexpr int kEventsShown = 100;
  const std::string trace = cluster.trace();
  std::size_t from = trace.size();
  for (int lines = 0; from > 0; --from) {
    if (trace[from - 1] == '\n' && lines++ == kEventsShown) break;
  }
  return trace.substr(from);
}

/// The end of a test on a cluster: a fault that no frame has met fails it, and what passed last is shown if it failed.
class EndOfTest {
 public:
  explicit EndOfTest(const MockCluster& cluster) : cluster_(cluster) {}
  EndOfTest(const EndOfTest&) = delete;
  EndOfTest& operator=(const EndOfTest&) = delete;
  ~EndOfTest() {
    for (const std::string& fault : cluster_.faultsNeverFired()) {
      ADD_FAILURE() << "no frame has met the fault \"" << fault << "\"; optional() excuses it";
    }
    if (::testing::Test::HasFailure()) std::cerr << tailOfTrace(cluster_);
  }

 private:
  const MockCluster& cluster_;
};

}  // namespace detail

/// A cluster of its own for each test, in virtual time: nothing waits, and the same test is the same run. It is there
/// before the members of your fixture and goes after them, so clients may be members. A test that hangs is ended with
/// the stacks of its threads (Watchdog). A fault that never fired fails the test, and a test that failed shows the last
/// hundred events of the cluster, which records from its start.
///
///   class Billing : public MockClusterTest {
///    protected:
///     Billing() : MockClusterTest({.brokers = 2}) {}
///     DefaultMQProducer producer = DefaultMQProducer::start("shop", cluster.client()).value();
///   };
///   TEST_F(Billing, StoresAnOrder) {
///     EXPECT_THAT(producer.send(Message("orders", "{}")), IsOk());
///     EXPECT_THAT(cluster, Stored("orders", SizeIs(1)));
///   }
///
/// With MockTransport::kTcp the cluster is on loopback and time is real.
class MockClusterTest : public ::testing::Test {
 protected:
  explicit MockClusterTest(MockClusterOptions options = {})
      : cluster(MockCluster::start(detail::recorded(detail::onFittingTime(options))).value()) {}

 private:
  Watchdog watchdog_{detail::kTestEndsWithin};

 protected:
  MockCluster cluster;

 private:
  detail::EndOfTest end_{cluster};
};

/// One cluster for all tests of a suite, in virtual time; each test has a topic and a group of its own. For suites of
/// many small tests that do not touch the cluster itself.
///
///   class Prices : public SharedMockClusterTest {};
///   TEST_F(Prices, AreSent) {
///     auto producer = DefaultMQProducer::start("shop", cluster.client()).value();
///     EXPECT_THAT(producer.send(Message(topic(), "7")), IsOk());
///   }
///
/// Another shape: a static SetUpTestSuite() of your own that calls startShared({.brokers = 3}).
class SharedMockClusterTest : public ::testing::Test {
 public:
  static void SetUpTestSuite() { startShared({}); }
  static void TearDownTestSuite() { shared().reset(); }

 protected:
  static void startShared(MockClusterOptions options) {
    shared() = std::make_unique<MockCluster>(MockCluster::start(detail::onFittingTime(options)).value());
  }

  /// The test's topic, made with `queues` queues on every broker when first asked for.
  const std::string& topic(int queues = 4) {
    if (topic_.empty()) {
      topic_ = detail::nameOfTest();
      cluster.createTopic({.topicName = topic_, .readQueueNums = queues, .writeQueueNums = queues}).value();
    }
    return topic_;
  }
  /// The test's consumer group.
  std::string group() const { return detail::nameOfTest(); }

 private:
  static std::unique_ptr<MockCluster>& shared() {
    static std::unique_ptr<MockCluster> one;  // suites run one after the other
    return one;
  }

  std::string topic_;
  Watchdog watchdog_{detail::kTestEndsWithin};

 protected:
  MockCluster& cluster = *shared();
};

/// Each test once in process (virtual time) and once over loopback TCP (real time): what an application promises, it
/// promises in both.
///
///   class Orders : public EachHome {};
///   TEST_P(Orders, ArriveInTurn) { ... cluster.client() ... EXPECT_TRUE(eventually(cluster, 10s, ...)); }
///   INSTANTIATE_TEST_SUITE_P(Homes, Orders, allMockHomes(), nameOfMockHome);
class EachHome : public MockClusterTest, public ::testing::WithParamInterface<MockTransport> {
 protected:
  explicit EachHome(MockClusterOptions options = {}) : MockClusterTest(at(GetParam(), options)) {}

 private:
  static MockClusterOptions at(MockTransport home, MockClusterOptions options) {
    options.transport = home;
    return options;
  }
};

inline auto allMockHomes() {
  return ::testing::Values(MockTransport::kMemory, MockTransport::kTcp);
}
inline std::string nameOfMockHome(const ::testing::TestParamInfo<MockTransport>& home) {
  return home.param == MockTransport::kMemory ? "InProcess" : "Tcp";
}

}  // namespace v1
}  // namespace mqclient
