#include "mock_broker/standalone/apache_keys.h"

#include <algorithm>
#include <array>
#include <vector>

namespace mqclient::standalone {
namespace {

struct ApacheClass {
  std::string_view name;
  std::string_view keys;  ///< in alphabetical order, one blank or line end between two
};

// Setters of the configuration classes in RocketMQ 4.9.7, 4.9.8, 5.0.0, 5.1.4, 5.2.0, 5.3.3 and 5.5.0: a key is the
// name of a setter without "set", its first letter small (MixAll.properties2Object). A key stands at the first class
// that has it. Two keys of BrokerConfig's are read by BrokerStartup itself: rmqAddressServer....
constexpr std::array kApacheClasses{
    ApacheClass{"BrokerConfig", R"(
accountStatsEnable accountStatsPrintZeroValues ackMessageThreadPoolNums ackThreadPoolQueueCapacity aclEnable
adminBrokerThreadPoolNums adminBrokerThreadPoolQueueCapacity allowRecallWhenBrokerNotWriteable appendAckAsync
appendCkAsync asyncSendEnable autoCreateSubscriptionGroup autoCreateTopicEnable autoDeleteUnusedStats
broadcastOffsetExpireMaxSecond broadcastOffsetExpireSecond brokerClusterName brokerConfigPath brokerElectionPriority
brokerFastFailureEnable brokerHeartbeatInterval brokerIP1 brokerIP2 brokerId brokerName brokerNotActiveTimeoutMillis
brokerPermission brokerTopicEnable cgColdReadThreshold channelExpiredTimeout checkSyncStateSetPeriod
cleanOfflineBrokerInterval clearRetryTopicWhenDeleteTopic clientManageThreadPoolNums
clientManagerThreadPoolQueueCapacity clusterTopicEnable coldCtrStrategyEnable commercialBaseCount commercialBigCount
commercialEnable commercialSizePerMsg commercialTimerCount commercialTransCount compatibleWithOldNameSrv
compressedRegister configBlackList configManagerVersion consumerFallbehindThreshold consumerManageThreadPoolNums
consumerManagerThreadPoolQueueCapacity consumerOffsetUpdateVersionStep controllerAddr
controllerHeartBeatTimeoutMills defaultMessageRequestMode defaultPopShareQueueNum defaultTopicQueueNums
delayOffsetUpdateVersionStep disableConsumeIfConsumerReadSlowly enableBroadcastOffsetStore enableCalcFilterBitMap
enableConnectionMetrics enableControllerMode enableCreateSysGroup enableDetailStat enableFastChannelEventProcess
enableLagAndDlqMetrics enableLiteEventMode enableLitePopLog enableLmqStats enableMessageStoreMetrics
enableMixedMessageType enableNetWorkFlowControl enableNotifyAfterPopOrderLockRelease
enableNotifyBeforePopCalculateLag enablePopBatchAck enablePopBufferMerge enablePopLog enablePopMessageThreshold
enablePopMetrics enablePropertyFilter enableRegisterProducer enableRemoteEscape enableRemotingMetrics
enableRequestMetrics enableRetryTopicV2 enableSingleTopicRegister enableSkipLongAwaitingAck enableSlaveActingMaster
enableSplitMetadata enableSplitRegistration enableStatsMetrics enableTransactionMetrics
endTransactionPoolQueueCapacity endTransactionThreadPoolNums estimateAccumulation expectConsumerNumUseFilter
fetchControllerAddrByDnsLookup fetchNameSrvAddrByDnsLookup fetchNamesrvAddrByAddressServer fetchNamesrvAddrInterval
filterDataCleanTimeSpan filterServerNums filterSupportRetry flushConsumerOffsetHistoryInterval
flushConsumerOffsetInterval forceRegister forwardTimeout globalColdReadThreshold heartbeatThreadPoolNums
heartbeatThreadPoolQueueCapacity highSpeedMode inBrokerContainer initPopOffsetByCheckMsgInMem isolateLogEnable
listenPort liteEventCheckInterval liteEventFullDispatchDelayTime liteEventFullDispatchDelayTimeForWildcardGroup
liteLagCountMetricsEnable liteLagLatencyCollectEnable liteLagLatencyMetricsEnable liteLagLatencyTopK
litePullMessageEnable litePullMessageThreadPoolNums litePullThreadPoolQueueCapacity liteSubscriptionCheckInterval
liteSubscriptionCheckTimeoutMills liteTtlCheckInterval loadBalancePollNameServerInterval
loadBalanceProcessorThreadPoolNums loadBalanceThreadPoolQueueCapacity lockInStrictMode longPollingEnable
maxClientEventCount maxDelayTime maxErrorRateOfBloomFilter maxLiteSubscriptionCount
maxMessageFilterNumForNotification maxPopPollingSize maxStatsIdleTimeInMinutes messageStorePlugIn
metricGrpcExporterIntervalInMills metricGrpcExporterTimeOutInMills metricLoggingExporterIntervalInMills
metricsExportBatchMaxDataPoints metricsExporterType metricsGrpcExporterHeader metricsGrpcExporterTarget
metricsInDelta metricsLabel metricsOtelCardinalityLimit metricsPromExporterHost metricsPromExporterPort minLiteTTl
msgTraceTopicName namesrvAddr notifyConsumerIdsChangedEnable persistConsumerOffsetIncrementally popCkMaxBufferSize
popCkOffsetMaxQueueSize popCkStayBufferTime popCkStayBufferTimeOut popConsumerFSServiceInit
popConsumerKVServiceEnable popConsumerKVServiceInit popConsumerKVServiceLog popFromRetryProbability
popFromRetryProbabilityForPriority popInflightMessageThreshold popLongPollingForceNotifyInterval
popPollingMapExpireTimeSeconds popPollingMapSize popPollingSize popResponseReturnActualRetryTopic
popReviveConcurrency popReviveMaxAttemptTimes popReviveMaxReturnSizePerRead popReviveSkipIfGroupAbsent
printChannelGroups printChannelGroupsMinNum priorityOrderAsc processReplyMessageThreadPoolNums
pullMessageThreadPoolNums pullThreadPoolQueueCapacity putMessageFutureThreadPoolNums putThreadPoolQueueCapacity
queryMessageThreadPoolNums queryThreadPoolQueueCapacity realTimeNotifyConsumerChange recallMessageEnable
recoverConcurrently recoverThreadPoolNums regionId registerBrokerTimeoutMills registerNameServerPeriod
rejectPullConsumerEnable rejectTransactionMessage replyThreadPoolQueueCapacity retrieveMessageFromPopRetryTopicV1
reviveAckWaitMs reviveInterval reviveMaxSlow reviveQueueNum reviveScanTime rmqAddressServerDomain
rmqAddressServerSubGroup rocketmqHome sendHeartbeatTimeoutMillis sendMessageThreadPoolNums
sendThreadPoolQueueCapacity serverLoadBalancerEnable shortPollingTimeMills skipPreOnline
skipWhenCKRePutReachMaxTimes slaveReadEnable splitMetadataSize splitRegistrationSize startAcceptSendRequestTimeStamp
storeReplyMessageEnable subscriptionExpiredTimeout syncBrokerMemberGroupPeriod syncBrokerMetadataPeriod
syncControllerMetadataPeriod traceOn traceTopicEnable transactionCheckInterval transactionCheckMax
transactionCheckRocksdbCoreThreads transactionCheckRocksdbMaxThreads transactionCheckRocksdbQueueCapacity
transactionMetricFlushInterval transactionOpBatchInterval transactionOpMsgMaxSize transactionTimeOut
transferMsgByHeap updateNameServerAddrPeriod useMessageFilterForNotification usePIDColdCtrStrategy
useSeparateRetryQueue useServerSideResetOffset useSingleRocksDBForAllConfigs useStaticSubscription
validateSystemTopicWhenUpdateTopic waitTimeMillsInAckQueue waitTimeMillsInAdminBrokerQueue
waitTimeMillsInHeartbeatQueue waitTimeMillsInLitePullQueue waitTimeMillsInPullQueue waitTimeMillsInSendQueue
waitTimeMillsInTransactionQueue)"},
    ApacheClass{"MessageStoreConfig", R"(
accessMessageInMemoryHotRatio accessMessageInMemoryMaxRatio allAckInSyncStateSet appendTopicForTimerDeleteKey
asyncLearner autoMessageVersionOnTopicLen batchDispatchRequestThreadPoolNums bitMapLengthConsumeQueueExt
bottomMostCompressionTypeForConsumeQueueStore brokerRole checkCRCOnRecover checkCommitLogOffsetOnRecover
cleanFileForciblyEnable cleanResourceInterval cleanRocksDBDirtyCQIntervalMin cleanSwapedMapInterval
coldDataFlowControlEnable coldDataScanEnable combineAssignOffsetCQType combineCQEnableCheckSelf
combineCQLoadingCQTypes combineCQMaxExtraSearchCommitLogFiles combineCQPreferCQType combineCQUseRocksdbForLmq
commitCommitLogLeastPages commitCommitLogThoroughInterval commitIntervalCommitLog commitLogForceSwapMapInterval
commitLogRecoverMaxNum commitLogSwapMapInterval commitLogSwapMapReserveFileNum compactionCqMappedFileSize
compactionMappedFileSize compactionScheduleInternal compactionThreadNum correctLogicMinOffsetForceInterval
correctLogicMinOffsetSleepInterval dLegerGroup dLegerPeers dLegerSelfId dataReadAheadEnable debugLockEnable
defaultQueryMaxNum deleteCommitLogFilesInterval deleteConsumeQueueFilesInterval deleteFileBatchMax deleteWhen
destroyMapedFileIntervalForcibly disappearTimeAfterStart diskFallRecorded diskMaxUsedSpaceRatio
diskSpaceCleanForciblyRatio diskSpaceWarningLevelRatio dispatchCqCacheNum dispatchCqThreads dispatchFromSenderThread
duplicationEnable enableAcceleratedRecovery enableAsyncReput enableAutoInSyncReplicas enableBatchPush
enableBuildConsumeQueueConcurrently enableCleanExpiredOffset enableCompaction enableConsumeQueueExt
enableDLegerCommitLog enableLmq enableLmqQuota enableLogConsumeQueueRepeatedlyBuildWhenRecover enableMultiDispatch
enableRocksDBLog enableRunningFlagsInFlush enableScheduleAsyncDeliver enableScheduleMessageStats
enabledAppendPropCRC fastFailIfNoBufferInStorePool fileReservedTime flushCommitLogLeastPages
flushCommitLogThoroughInterval flushCommitLogTimed flushConsumeQueueLeastPages flushConsumeQueueThoroughInterval
flushDelayOffsetInterval flushDiskType flushIntervalCommitLog flushIntervalConsumeQueue
flushLeastPagesWhenWarmMapedFile forceVerifyPropCRC haFlowControlEnable haHousekeepingInterval haListenPort
haMasterAddress haMaxGapNotInSync haMaxTimeSlaveNotCatchup haSendHeartbeatInterval haSlaveFallbehindMax
haTransferBatchSize inSyncReplicas indexFileReadEnable indexFileWriteEnable indexRocksDBEnable
iteratorWhenUseRocksdbConsumeQueue logicQueueForceSwapMapInterval logicQueueSwapMapInterval
logicQueueSwapMapReserveFileNum logicalDiskSpaceCleanForciblyThreshold mappedFileSizeCommitLog
mappedFileSizeConsumeQueue mappedFileSizeConsumeQueueExt mappedFileSizeTimerLog mappedFileSwapEnable
mapperFileSizeBatchConsumeQueue maxAsyncPutMessageRequests maxBatchDeleteFilesNum maxChecksumRange
maxConsumeQueueScan maxFilterMessageSize maxHaTransferByteInSecond maxHashSlotNum maxIndexNum maxLmqConsumeQueueNum
maxMessageSize maxMsgsNumBatch maxOffsetMapSize maxRecoveryCommitlogFiles maxRocksDBIndexQueryDays
maxSlaveResendLength maxTopicLength maxTransferBytesOnMessageInDisk maxTransferBytesOnMessageInMemory
maxTransferCountOnMessageInDisk maxTransferCountOnMessageInMemory memTableFlushInterval memTableFlushIntervalMs
messageDelayLevel messageIndexEnable messageIndexSafe minInSyncReplicas offsetCheckInSlave
osPageCacheBusyTimeOutMills preferredLeaderId pullBatchMaxMessageCount putConsumeQueueDataByFileChannel
putMessageTimeout putMsgIndexHightWater readOnlyCommitLogStorePaths readUnCommitted realTimePersistRocksDBConfig
recheckReputOffsetFromCq redeleteHangedFileInterval replicasPerDiskPartition rocksdbCQDoubleWriteEnable
rocksdbCompressionType rocksdbFlushWalFrequency rocksdbWalFileRollingThreshold sampleCountThreshold sampleSteps
scheduleAsyncDeliverMaxPendingLimit scheduleAsyncDeliverMaxResendNum2Blocked searchBcqByCacheEnable
sharedByteBufferNum slaveTimeout spinLockCollisionRetreatOptimalDegree statRocksDBCQIntervalSec
storePathBrokerIdentity storePathCommitLog storePathDLedgerCommitLog storePathEpochFile storePathRootDir storeType
syncFlushTimeout syncFromLastFile syncMasterFlushOffsetWhenStartup timerColdDataCheckIntervalMs
timerCongestNumEachSlot timerEnableCheckMetrics timerEnableRetryUntilSuccess timerFlushIntervalMs
timerGetMessageThreadNum timerInterceptDelayLevel timerMaxDelaySec timerMetricSmallThreshold timerPrecisionMs
timerProgressLogIntervalMs timerPutMessageThreadNum timerRecallToTimeWheelEnable timerRecallToTimelineEnable
timerReputServiceCorePoolSize timerReputServiceMaxPoolSize timerReputServiceQueueCapacity timerRocksDBEnable
timerRocksDBPrecisionMs timerRocksDBRollIntervalHours timerRocksDBRollMaxTps timerRocksDBRollRangeHours
timerRocksDBStopScan timerRocksDBTimeExpiredMaxTps timerRollWindowSlot timerSkipUnknownError timerStopEnqueue
timerWheelEnable timerWheelSnapshotFlush timerWheelSnapshotIntervalMs topicQueueLockNum totalReplicas
transRocksDBEnable transWriteOriginTransHalfEnable transientStorePoolEnable transientStorePoolSize
travelCqFileNumWhenGetMessage useABSLock useReentrantLockWhenPutMessage useSeparateStorePathForRocksdbCQ
wakeCommitWhenPutMessage wakeFlushWhenPutMessage warmMapedFileEnable writeWithoutMmap)"},
    ApacheClass{"NettyServerConfig", R"(
bindAddress enableShutdownGracefully serverAsyncSemaphoreValue serverCallbackExecutorThreads
serverChannelMaxIdleTimeSeconds serverNettyWorkerGroupEnable serverOnewaySemaphoreValue
serverPooledByteBufAllocatorEnable serverSelectorThreads serverSocketBacklog serverSocketRcvBufSize
serverSocketSndBufSize serverWorkerThreads shutdownWaitTimeSeconds useEpollNativeSelector writeBufferHighWaterMark
writeBufferLowWaterMark)"},
    ApacheClass{"NettyClientConfig", R"(
channelNotActiveInterval clientAsyncSemaphoreValue clientCallbackExecutorThreads clientChannelMaxIdleTimeSeconds
clientCloseSocketIfTimeout clientOnewaySemaphoreValue clientPooledByteBufAllocatorEnable clientSocketRcvBufSize
clientSocketSndBufSize clientWorkerThreads connectTimeoutMillis disableCallbackExecutor disableNettyWorkerGroup
enableReconnectForGoAway enableTransparentRetry maxReconnectIntervalTimeSeconds scanAvailableNameSrv
socksProxyConfig useTLS)"},
    ApacheClass{"AuthConfig", R"(
aclCacheExpiredSecond aclCacheMaxNum aclCacheRefreshSecond authConfigPath authenticationEnabled
authenticationMetadataProvider authenticationProvider authenticationStrategy authenticationWhitelist
authorizationEnabled authorizationMetadataProvider authorizationProvider authorizationStrategy
authorizationWhitelist clusterName configName initAuthenticationUser innerClientAuthenticationCredentials
migrateAuthFromV1Enabled statefulAuthenticationCacheExpiredSecond statefulAuthenticationCacheMaxNum
statefulAuthorizationCacheExpiredSecond statefulAuthorizationCacheMaxNum userCacheExpiredSecond userCacheMaxNum
userCacheRefreshSecond)"},
    ApacheClass{"NamesrvConfig", R"(
clientRequestThreadPoolNums clientRequestThreadPoolQueueCapacity clusterTest configStorePath defaultThreadPoolNums
defaultThreadPoolQueueCapacity deleteTopicWithBrokerRegistration enableAllTopicList enableControllerInNamesrv
enableTopicList kvConfigPath needWaitForService notifyMinBrokerIdChanged orderMessageEnable productEnvName
returnOrderTopicConfigToBroker scanNotActiveBrokerInterval supportActingMaster unRegisterBrokerQueueCapacity
waitSecondsForService)"},
    ApacheClass{"ControllerConfig", R"(
controllerDLegerGroup controllerDLegerPeers controllerDLegerSelfId controllerRequestThreadPoolQueueCapacity
controllerStorePath controllerThreadPoolNums controllerType electMasterMaxRetryCount enableElectUncleanMaster
jraftConfig mappedFileSize notifyBrokerRoleChanged processReadEvent scanInactiveMasterInterval)"},
    ApacheClass{"tieredstore.MessageStoreConfig", R"(
commitLogRollingInterval commitLogRollingMinimumSize objectStoreAccessKey objectStoreBucket objectStoreEndpoint
objectStoreSecretKey readAheadCacheEnable readAheadCacheExpireDuration readAheadCacheSizeThresholdRate
readAheadMessageCountThreshold readAheadMessageSizeThreshold recordGetMessageResult tieredBackendServiceProvider
tieredMetadataServiceProvider tieredStorageLevel tieredStoreCommitLogMaxSize tieredStoreConsumeQueueMaxSize
tieredStoreCrcCheckEnable tieredStoreDeleteFileEnable tieredStoreDeleteFileInterval tieredStoreFilePath
tieredStoreFileReservedTime tieredStoreGroupCommit tieredStoreGroupCommitCount tieredStoreGroupCommitSize
tieredStoreGroupCommitTimeout tieredStoreIndexFileMaxHashSlotNum tieredStoreIndexFileMaxIndexNum
tieredStoreMaxGroupCommitCount tieredStoreMaxPendingLimit)"},
};

template <class F>
void forEachKey(std::string_view keys, F f) {
  while (!keys.empty()) {
    const std::size_t end = std::min(keys.find_first_of(" \n"), keys.size());
    if (end > 0) f(keys.substr(0, end));
    keys.remove_prefix(std::min(end + 1, keys.size()));
  }
}

struct Reason {
  std::string_view begins;  ///< of keys
  std::string_view why;
};
// What a key does not do here, where the class alone does not say it. The first that fits.
constexpr std::array kReasons{
    Reason{"aclEnable", "requests are neither authenticated nor authorized"},
    Reason{"authenticationEnabled", "requests are neither authenticated nor authorized"},
    Reason{"enablePropertyFilter", "SQL92 filters are refused"},
    Reason{"transaction", "transactional messages are refused"},
    Reason{"rejectTransactionMessage", "transactional messages are refused"},
    Reason{"messageDelayLevel", "delayed messages are refused"},
    Reason{"timer", "delayed messages are refused"},
    Reason{"ha", "nothing is replicated"},
    Reason{"inSyncReplicas", "nothing is replicated"},
    Reason{"brokerIP2", "nothing is replicated"},
    Reason{"fetchNam", "nameservers are those of namesrvAddr"},
    Reason{"rmqAddressServer", "nameservers are those of namesrvAddr"},
    Reason{"rocketmqHome", "mqbroker reads and writes no files but its configuration"},
};

std::size_t distance(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view apacheClassOf(std::string_view key) {
  for (const ApacheClass& one : kApacheClasses) {
    bool has = false;
    forEachKey(one.keys, [&](std::string_view k) { has = has || k == key; });
    if (has) return one.name;
  }
  return {};
}

std::string_view whyWithoutEffect(std::string_view key) {
  for (const Reason& reason : kReasons) {
    if (key.starts_with(reason.begins)) return reason.why;
  }
  const std::string_view by = apacheClassOf(key);
  if (by.ends_with("MessageStoreConfig")) return "messages are kept in memory";
  if (by.starts_with("Netty")) return "the transport is mqclient's own";
  if (by == "AuthConfig") return "requests are neither authenticated nor authorized";
  return "mqbroker has nothing that it would change";
}

std::string_view nearestOf(std::string_view name, std::span<const std::string_view> candidates) {
  constexpr std::size_t kLettersPerMistake = 4;
  constexpr std::size_t kLettersMax = 64;
  if (name.size() > kLettersMax) return {};
  std::size_t best = std::max<std::size_t>(2, name.size() / kLettersPerMistake) + 1;
  std::string_view nearest;
  std::string_view longer;  // the shortest one that begins with the name
  for (const std::string_view candidate : candidates) {
    if (const std::size_t d = distance(name, candidate); d < best) {
      best = d;
      nearest = candidate;
    }
    const bool begins = candidate.size() > name.size() && distance(name, candidate.substr(0, name.size())) == 0;
    if (begins && (longer.empty() || candidate.size() < longer.size())) longer = candidate;
  }
  return nearest.empty() && name.size() >= kLettersPerMistake ? longer : nearest;
}

std::vector<std::string_view> apacheKeys() {
  std::vector<std::string_view> keys;
  for (const ApacheClass& one : kApacheClasses) {
    forEachKey(one.keys, [&](std::string_view k) { keys.push_back(k); });
  }
  return keys;
}

}  // namespace mqclient::standalone
