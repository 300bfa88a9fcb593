#include "mock_broker/standalone/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "mock_broker/standalone/apache_keys.h"
#include "tests/support/source_dir.h"

namespace mqclient::standalone {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Read {
  Settings settings;
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
};

Read read(std::string_view text, ConfigFile file = ConfigFile::kBroker) {
  SettingsReader reader;
  reader.read(parseProperties("broker.conf", text).value(), file);
  Settings settings = reader.finish();
  return {std::move(settings), reader.errors(), reader.warnings()};
}

TEST(Settings, NothingSaidIsSafeAndGood) {
  const Read r = read("");
  EXPECT_THAT(r.errors, IsEmpty());
  EXPECT_THAT(r.warnings, IsEmpty());
  EXPECT_EQ(r.settings.bindAddress, "127.0.0.1");
  EXPECT_EQ(r.settings.listenPort, 10911);
  EXPECT_TRUE(r.settings.namesrvAddr.empty());
  EXPECT_FALSE(r.settings.namesrvPort);
}

TEST(Settings, EveryKeyWithAnEffectReachesItsSetting) {
  const Read r = read(R"(autoCreateSubscriptionGroup=false
autoCreateTopicEnable = FALSE
bindAddress=0.0.0.0
brokerClusterName=C
brokerIP1=10.0.0.5
brokerId=3
brokerName=b
brokerPermission=4
brokerRole=SLAVE
brokerTopicEnable=false
channelExpiredTimeout=5000
clusterTopicEnable=false
connectionsMax=7
connectionsPerAddressMax=5
defaultTopicQueueNums=2
listenPort=0
longPollingEnable=false
maxMessageSize=1024
maxTransferBytesOnMessageInMemory=1000
maxTransferCountOnMessageInMemory=5
memoryLogBytesMax=33554432
namesrvAddr=a:1; b:2
notifyConsumerIdsChangedEnable=false
regionId=R
registerBrokerTimeoutMills=11
registerNameServerPeriod=12000
scanNotActiveBrokerInterval=700
serverChannelMaxIdleTimeSeconds=9
shortPollingTimeMills=13
traceOn=false
)");
  EXPECT_THAT(r.errors, IsEmpty());
  EXPECT_THAT(r.warnings, ElementsAre(HasSubstr("brokerRole=SLAVE: it is registered as one")));
  const Settings& s = r.settings;
  EXPECT_FALSE(s.broker.autoCreateSubscriptionGroup);
  EXPECT_FALSE(s.broker.autoCreateTopicEnable);
  EXPECT_EQ(s.bindAddress, "0.0.0.0");
  EXPECT_EQ(s.broker.brokerClusterName, "C");
  EXPECT_EQ(s.brokerIP1, "10.0.0.5");
  EXPECT_EQ(s.broker.brokerId, 3);
  EXPECT_EQ(s.broker.brokerName, "b");
  EXPECT_EQ(s.broker.brokerPermission, 4);
  EXPECT_FALSE(s.broker.brokerTopicEnable);
  EXPECT_EQ(s.broker.channelExpiredTimeout.count(), 5000);
  EXPECT_FALSE(s.broker.clusterTopicEnable);
  EXPECT_EQ(s.connectionsMax, 7);
  EXPECT_EQ(s.connectionsPerAddressMax, 5);
  EXPECT_EQ(s.broker.defaultTopicQueueNums, 2);
  EXPECT_EQ(s.listenPort, 0);
  EXPECT_FALSE(s.broker.longPollingEnable);
  EXPECT_EQ(s.broker.maxMessageSize, 1024);
  EXPECT_EQ(s.broker.maxTransferBytesOnMessageInMemory, 1000);
  EXPECT_EQ(s.broker.maxTransferCountOnMessageInMemory, 5);
  EXPECT_EQ(s.broker.memoryLogBytesMax, 33554432);
  EXPECT_THAT(splitNamesrvAddr(s.namesrvAddr).value(), ElementsAre("a:1", "b:2"));
  EXPECT_FALSE(s.broker.notifyConsumerIdsChangedEnable);
  EXPECT_EQ(s.broker.regionId, "R");
  EXPECT_EQ(s.broker.registerBrokerTimeoutMills.count(), 11);
  EXPECT_EQ(s.broker.registerNameServerPeriod.count(), 12000);
  EXPECT_EQ(s.scanNotActiveBrokerInterval.count(), 700);
  EXPECT_EQ(s.serverChannelMaxIdleTime.count(), 9000);
  EXPECT_EQ(s.broker.shortPollingTimeMills.count(), 13);
  EXPECT_FALSE(s.broker.traceOn);
  // Printed and read again it is the same: every key was given above, so none is missing here.
  EXPECT_EQ(printed(read(printed(s)).settings), printed(s));
  EXPECT_EQ(std::ranges::count(printed(s), '\n'), 30);
}

TEST(Settings, TheLaterLineWins) {
  EXPECT_EQ(read("brokerName=a\nbrokerName=b").settings.broker.brokerName, "b");
}

TEST(Settings, AWrongValueIsNamedWithItsPlaceAndWhatWasExpected) {
  EXPECT_THAT(read(R"(listenPort=65536
# a comment
listenPort=x
listenPort=
autoCreateTopicEnable=yes
bindAddress=here
brokerName=a b
brokerRole=LEADER
namesrvAddr=http://host/x
memoryLogBytesMax=1
registerNameServerPeriod=999
maxMessageSize=4194304x
)")
                  .errors,
              ElementsAre("broker.conf:1: listenPort=65536: expected a number from 0 to 65535",
                          "broker.conf:3: listenPort=x: expected a number from 0 to 65535",
                          "broker.conf:4: listenPort=: expected a number from 0 to 65535",
                          "broker.conf:5: autoCreateTopicEnable=yes: expected true or false",
                          "broker.conf:6: bindAddress=here: expected an IP address, as 127.0.0.1",
                          HasSubstr("broker.conf:7: brokerName=a b: expected a name"),
                          "broker.conf:8: brokerRole=LEADER: expected ASYNC_MASTER, SYNC_MASTER or SLAVE",
                          HasSubstr("broker.conf:9: namesrvAddr=http://host/x: expected addresses as 127.0.0.1:9876"),
                          HasSubstr("broker.conf:10: memoryLogBytesMax=1: expected a number from 16777216"),
                          "broker.conf:11: registerNameServerPeriod=999: expected a number from 1000 to 60000",
                          HasSubstr("broker.conf:12: maxMessageSize=4194304x: expected a number")));
}

TEST(Settings, AKeyThatNobodyKnowsIsRefusedWithTheNearestOne) {
  EXPECT_THAT(read("lisenPort=1\nbrokername=x\nautoCreateTopic=true\nzzzzzzzzzz=1\nlisenPort=2\n").errors,
              ElementsAre("broker.conf:1: lisenPort is no key of broker.conf that RocketMQ or mqbroker knows; was "
                          "listenPort meant?",
                          HasSubstr("was brokerName meant?"), HasSubstr("was autoCreateTopicEnable meant?"),
                          "broker.conf:4: zzzzzzzzzz is no key of broker.conf that RocketMQ or mqbroker knows"));
}

TEST(Settings, AKeyOfApachesWithoutEffectCostsOneWarning) {
  const Read r = read("flushDiskType=ASYNC_FLUSH\naclEnable=true\nflushDiskType=SYNC_FLUSH\nserverWorkerThreads=8\n");
  EXPECT_THAT(r.errors, IsEmpty());
  EXPECT_THAT(r.warnings,
              ElementsAre("broker.conf:1: flushDiskType has no effect: messages are kept in memory",
                          "broker.conf:2: aclEnable has no effect: requests are neither authenticated nor authorized",
                          "broker.conf:4: serverWorkerThreads has no effect: the transport is mqclient's own"));
}

TEST(Settings, EveryKeyOfApachesIsTakenOrCostsAWarning) {
  const auto keys = apacheKeys();
  EXPECT_GT(keys.size(), 500u);
  std::size_t with_effect = 0;
  for (const std::string_view key : keys) {
    EXPECT_FALSE(apacheClassOf(key).empty()) << key;
    const Read r = read(std::string(key) + "=\n");
    for (const std::string& error : r.errors) EXPECT_THAT(error, HasSubstr("expected ")) << key;
    if (r.warnings.empty()) ++with_effect;
  }
  EXPECT_EQ(with_effect, 27u);  // and three of our own
  // The oldest and the newest, from each class.
  for (const char* key : {"brokerIP2", "flushDiskType", "timerWheelEnable", "useTLS", "serverSocketBacklog",
                          "authorizationEnabled", "kvConfigPath", "controllerDLegerPeers", "tieredStoreFilePath"}) {
    EXPECT_FALSE(apacheClassOf(key).empty()) << key;
  }
}

TEST(Settings, NoKeyIsAsNearToAnotherAsToItself) {
  const auto keys = apacheKeys();
  for (const std::string_view key : keys) EXPECT_EQ(nearestOf(key, keys), key);
}

TEST(Settings, TheDocumentedTableIsWhole) {
  std::ifstream file(std::string(mqclient::testing::sourceDir()) + "/docs/mqbroker.md");
  std::vector<std::string> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| `")) rows.push_back(line);
  }
  Settings all;
  all.brokerIP1 = "bindAddress";  // their defaults in words
  all.namesrvAddr = "none";
  std::istringstream keys(printed(all));
  for (std::string line; std::getline(keys, line);) {
    const std::string key = line.substr(0, line.find('='));
    const std::string value = line.substr(line.find('=') + 1);
    const bool stands = std::ranges::any_of(rows, [&](const std::string& row) {
      return row.find("`" + key + "`") != std::string::npos && row.find(value) != std::string::npos;
    });
    EXPECT_TRUE(stands) << key << " with its default " << value;
  }
}

TEST(Settings, AMastersIdIsZero) {
  const Read master = read("brokerId=5");
  EXPECT_EQ(master.settings.broker.brokerId, 0);
  EXPECT_THAT(master.warnings, ElementsAre(HasSubstr("broker.conf:1: brokerId has no effect")));
  EXPECT_THAT(read("brokerRole=SYNC_MASTER").warnings, ElementsAre(HasSubstr("brokerRole=SYNC_MASTER has no effect")));
  EXPECT_THAT(read("brokerRole=SLAVE").errors, ElementsAre(HasSubstr("brokerId=1 or higher")));
}

TEST(Settings, AnOuterAddressIsNotToldWhileOnlyThisMachineIsLetIn) {
  const Read shut = read("brokerIP1=10.0.0.5");
  EXPECT_THAT(shut.errors, IsEmpty());
  EXPECT_THAT(shut.warnings, ElementsAre(HasSubstr("broker.conf:1: brokerIP1=10.0.0.5 has no effect: mqbroker listens "
                                                   "at 127.0.0.1 only; bindAddress=0.0.0.0")));
  EXPECT_TRUE(shut.settings.brokerIP1.empty());
  const Read open = read("brokerIP1=10.0.0.5\nbindAddress=0.0.0.0");
  EXPECT_THAT(open.warnings, IsEmpty());
  EXPECT_EQ(open.settings.brokerIP1, "10.0.0.5");
}

TEST(Settings, ASegmentHoldsTheLargestMessage) {
  const Read big = read("maxMessageSize=15728640");
  EXPECT_THAT(big.errors, IsEmpty());
  EXPECT_GT(big.settings.broker.mappedFileSizeCommitLog, 15728640);
  EXPECT_THAT(read("maxMessageSize=15728640\nmemoryLogBytesMax=16777216").errors,
              ElementsAre(HasSubstr("broker.conf:2: memoryLogBytesMax=16777216: expected at least 33554432")));
}

TEST(Settings, TheNameserversFileSetsItsPortAndAddress) {
  const Read r =
      read("listenPort=19876\nbindAddress=127.0.0.1\nrocketmqHome=/x\nbrokerName=b\nlisten=1", ConfigFile::kNamesrv);
  EXPECT_EQ(r.settings.namesrvPort, 19876);
  EXPECT_EQ(r.settings.namesrvBindAddress, "127.0.0.1");
  EXPECT_EQ(r.settings.listenPort, 10911);
  EXPECT_EQ(r.settings.broker.brokerName, "broker-a");
  EXPECT_EQ(r.warnings.size(), 2u);
  EXPECT_THAT(r.errors, ElementsAre(HasSubstr("listen is no key of namesrv.conf")));
}

TEST(Settings, Addresses) {
  EXPECT_THAT(splitNamesrvAddr(" a:1 ;;b:2;a:1;").value(), ElementsAre("a:1", "b:2"));
  EXPECT_THAT(splitNamesrvAddr("127.0.0.1:0;[::1]:9876").value(), ElementsAre("127.0.0.1:0", "[::1]:9876"));
  for (const char* bad : {"", ";", "a", "a:", ":1", "a:70000", "a:0", "a:-1", "::1:9876", "http://a:1", "mock://x"}) {
    EXPECT_FALSE(splitNamesrvAddr(bad)) << bad;
  }
  for (const char* ip : {"127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"}) EXPECT_TRUE(isLoopback(ip)) << ip;
  for (const char* ip : {"0.0.0.0", "128.0.0.1", "127.example.org", "::", ""}) EXPECT_FALSE(isLoopback(ip)) << ip;
  EXPECT_EQ(addressOf("::1", 5), "[::1]:5");
  EXPECT_EQ(addressOf("127.0.0.1", 5), "127.0.0.1:5");
}

}  // namespace
}  // namespace mqclient::standalone
