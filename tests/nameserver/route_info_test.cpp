#include "mock_broker/nameserver/route_info.h"

#include <gtest/gtest.h>

#include <limits>

namespace mqclient::nameserver {
namespace {

using namespace std::chrono_literals;

constexpr base::SteadyTime kStart{};

protocol::TopicConfig topicConfig(const std::string& name, int read, int write, int perm = 6) {
  protocol::TopicConfig config;
  config.topicName = name;
  config.readQueueNums = read;
  config.writeQueueNums = write;
  config.perm = perm;
  return config;
}

Registration registration(const std::string& broker, const std::string& address, std::int64_t id = 0,
                          std::int64_t version = 1) {
  Registration r;
  r.cluster_name = "DefaultCluster";
  r.broker_name = broker;
  r.broker_addr = address;
  r.broker_id = id;
  r.ha_server_addr = address + "1";
  r.topics.dataVersion.counter = version;
  r.topics.topicConfigTable["orders"] = topicConfig("orders", 8, 4);
  r.topics.topicConfigTable["TBW102"] = topicConfig("TBW102", 8, 8, 7);
  return r;
}

TEST(RouteInfo, ARouteShowsReadAndWriteQueuesOfEveryBrokerOfTheTopic) {
  RouteInfo info;
  ASSERT_TRUE(info.registerBroker(registration("broker-a", "10.0.0.1:10911"), 1, kStart));
  ASSERT_TRUE(info.registerBroker(registration("broker-b", "10.0.0.2:10911"), 2, kStart));
  const auto route = info.route("orders");
  ASSERT_TRUE(route);
  ASSERT_EQ(route->queueDatas.size(), 2u);
  EXPECT_EQ(route->queueDatas[0].brokerName, "broker-a");
  EXPECT_EQ(route->queueDatas[0].readQueueNums, 8);
  EXPECT_EQ(route->queueDatas[0].writeQueueNums, 4);
  ASSERT_EQ(route->brokerDatas.size(), 2u);
  EXPECT_EQ(route->brokerDatas[1].brokerAddrs.at(0), "10.0.0.2:10911");
  EXPECT_EQ(route->brokerDatas[1].cluster, "DefaultCluster");
  EXPECT_FALSE(info.route("nowhere"));
}

TEST(RouteInfo, MasterAndSlaveOfOneNameAreOneGroup) {
  RouteInfo info;
  ASSERT_TRUE(info.registerBroker(registration("broker-a", "10.0.0.1:10911", 0), 1, kStart));
  const auto slave = info.registerBroker(registration("broker-a", "10.0.0.2:10911", 1), 2, kStart);
  ASSERT_TRUE(slave);
  EXPECT_EQ(slave->master_addr, "10.0.0.1:10911");
  EXPECT_EQ(slave->ha_server_addr, "10.0.0.1:109111");
  const auto route = info.route("orders");
  ASSERT_TRUE(route);
  ASSERT_EQ(route->brokerDatas.size(), 1u);
  EXPECT_EQ(route->brokerDatas[0].brokerAddrs.size(), 2u);

  // The master goes: the slave still serves reads, so the route stays.
  info.unregisterBroker("DefaultCluster", "10.0.0.1:10911", "broker-a", 0);
  const auto slave_only = info.route("orders");
  ASSERT_TRUE(slave_only);
  EXPECT_FALSE(slave_only->brokerDatas[0].brokerAddrs.contains(0));
}

TEST(RouteInfo, ANewBrokerIdMustRegisterItsWholeTableFirst) {
  RouteInfo info;
  Registration single = registration("broker-a", "10.0.0.1:10911");
  single.topics.topicConfigTable.erase("TBW102");
  EXPECT_FALSE(info.registerBroker(single, 1, kStart));
  EXPECT_FALSE(info.route("orders"));
  EXPECT_EQ(info.brokers(), 0u);
  ASSERT_TRUE(info.registerBroker(registration("broker-a", "10.0.0.1:10911"), 1, kStart));
  single.topics.topicConfigTable["orders"].readQueueNums = 16;
  single.topics.dataVersion.counter = 2;
  EXPECT_TRUE(info.registerBroker(single, 1, kStart));
  EXPECT_EQ(info.route("orders")->queueDatas[0].readQueueNums, 16);
}

TEST(RouteInfo, TopicsOfAnUnchangedVersionAreNotReplaced) {
  RouteInfo info;
  ASSERT_TRUE(info.registerBroker(registration("broker-a", "10.0.0.1:10911"), 1, kStart));
  Registration changed = registration("broker-a", "10.0.0.1:10911");
  changed.topics.topicConfigTable["orders"].readQueueNums = 99;
  ASSERT_TRUE(info.registerBroker(changed, 1, kStart));
  EXPECT_EQ(info.route("orders")->queueDatas[0].readQueueNums, 8);
  changed.topics.dataVersion.counter = 2;
  ASSERT_TRUE(info.registerBroker(changed, 1, kStart));
  EXPECT_EQ(info.route("orders")->queueDatas[0].readQueueNums, 99);
}

TEST(RouteInfo, RegistrationDoesNotDeleteTopicsItNoLongerNames) {
  RouteInfo info;
  ASSERT_TRUE(info.registerBroker(registration("broker-a", "10.0.0.1:10911"), 1, kStart));
  Registration fewer = registration("broker-a", "10.0.0.1:10911", 0, 2);
  fewer.topics.topicConfigTable.erase("orders");
  ASSERT_TRUE(info.registerBroker(fewer, 1, kStart));
  EXPECT_TRUE(info.route("orders"));
}

TEST(RouteInfo, TheSameAddressUnderAnotherIdReplacesTheOldOne) {
  RouteInfo info;
  ASSERT_TRUE(info.registerBroker(registration("broker-a", "10.0.0.2:10911", 1), 1, kStart));
  ASSERT_TRUE(info.registerBroker(registration("broker-a", "10.0.0.2:10911", 0), 1, kStart));
  const auto route = info.route("orders");
  ASSERT_TRUE(route);
  EXPECT_EQ(route->brokerDatas[0].brokerAddrs, (std::map<std::int64_t, std::string>{{0, "10.0.0.2:10911"}}));
}

TEST(RouteInfo, AClosedConnectionRemovesItsBrokerAtOnce) {
  RouteInfo info;
  ASSERT_TRUE(info.registerBroker(registration("broker-a", "10.0.0.1:10911"), 1, kStart));
  ASSERT_TRUE(info.registerBroker(registration("broker-b", "10.0.0.2:10911"), 2, kStart));
  info.onConnectionClosed(1);
  const auto route = info.route("orders");
  ASSERT_TRUE(route);
  ASSERT_EQ(route->brokerDatas.size(), 1u);
  EXPECT_EQ(route->brokerDatas[0].brokerName, "broker-b");
  info.onConnectionClosed(2);
  EXPECT_FALSE(info.route("orders"));
  EXPECT_EQ(info.brokers(), 0u);
}

TEST(RouteInfo, ASilentBrokerIsRemovedAfterItsTimeoutAndNotBefore) {
  RouteInfo info;
  ASSERT_TRUE(info.registerBroker(registration("broker-a", "10.0.0.1:10911"), 7, kStart));
  Registration quick = registration("broker-b", "10.0.0.2:10911");
  quick.heartbeat_timeout_millis = 10'000;
  ASSERT_TRUE(info.registerBroker(quick, 8, kStart));
  EXPECT_TRUE(info.expire(kStart + 10s).empty());
  EXPECT_EQ(info.expire(kStart + 10s + 1ms), std::vector<std::uint64_t>{8});
  EXPECT_TRUE(info.expire(kStart + RouteInfo::kBrokerExpiry).empty());
  EXPECT_TRUE(info.touch("DefaultCluster", "10.0.0.1:10911", kStart + 100s));
  EXPECT_TRUE(info.expire(kStart + 220s).empty());
  EXPECT_EQ(info.expire(kStart + 220s + 1ms), std::vector<std::uint64_t>{7});
  EXPECT_FALSE(info.route("orders"));
  EXPECT_FALSE(info.touch("DefaultCluster", "10.0.0.1:10911", kStart + 221s));
}

TEST(RouteInfo, ATimeoutThatNoClockCouldCountLastsADay) {
  RouteInfo info;
  Registration patient = registration("broker-a", "10.0.0.1:10911");
  patient.heartbeat_timeout_millis = std::numeric_limits<std::int64_t>::max();
  ASSERT_TRUE(info.registerBroker(patient, 7, kStart));
  EXPECT_TRUE(info.expire(kStart + 1s).empty());
  EXPECT_TRUE(info.expire(kStart + 24h).empty());
  EXPECT_EQ(info.expire(kStart + 24h + 1ms), std::vector<std::uint64_t>{7});
  Registration hasty = registration("broker-b", "10.0.0.2:10911");
  hasty.heartbeat_timeout_millis = -1;
  ASSERT_TRUE(info.registerBroker(hasty, 8, kStart));
  EXPECT_TRUE(info.expire(kStart).empty()) << "as with 0";
  EXPECT_EQ(info.expire(kStart + 1ms), std::vector<std::uint64_t>{8});
}

TEST(RouteInfo, WithoutAMasterAnActingGroupIsNotWritten) {
  RouteInfo info;
  Registration master = registration("broker-a", "10.0.0.1:10911", 0);
  master.enable_acting_master = true;
  Registration slave = registration("broker-a", "10.0.0.2:10911", 1);
  slave.enable_acting_master = true;
  ASSERT_TRUE(info.registerBroker(master, 1, kStart));
  ASSERT_TRUE(info.registerBroker(slave, 2, kStart));
  info.onConnectionClosed(1);
  EXPECT_EQ(info.route("orders")->queueDatas[0].perm, 4);
}

}  // namespace
}  // namespace mqclient::nameserver
