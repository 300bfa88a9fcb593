#pragma once

#include <tuple>

#include "protocol/body/client.h"
#include "protocol/body/heartbeat.h"
#include "protocol/body/offsets.h"
#include "protocol/body/register_broker.h"
#include "protocol/body/route.h"
#include "protocol/body/running_info.h"
#include "protocol/body/subscription_data.h"
#include "protocol/body/topic_config.h"

namespace mqclient::fuzz {

/// Every JSON body of the protocol. A corpus names them by their place: append.
using BodyTypes =
    std::tuple<protocol::HeartbeatData, protocol::TopicRouteData, protocol::ResetOffsetBody,
               protocol::GetConsumerStatusBody, protocol::RegisterBrokerBody, protocol::KVTable,
               protocol::ConsumerRunningInfo, protocol::ConsumeMessageDirectlyResult, protocol::SubscriptionData,
               protocol::DataVersion, protocol::TopicConfig, protocol::TopicConfigSerializeWrapper,
               protocol::SubscriptionGroupConfig, protocol::GetConsumerListByGroupResponseBody,
               protocol::LockBatchRequestBody, protocol::LockBatchResponseBody, protocol::UnlockBatchRequestBody,
               protocol::CheckClientRequestBody>;

}  // namespace mqclient::fuzz
