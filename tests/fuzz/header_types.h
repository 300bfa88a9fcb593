#pragma once

#include <tuple>

#include "protocol/headers/back.h"
#include "protocol/headers/client.h"
#include "protocol/headers/namesrv.h"
#include "protocol/headers/offset.h"
#include "protocol/headers/pull.h"
#include "protocol/headers/query.h"
#include "protocol/headers/relay.h"
#include "protocol/headers/reply.h"
#include "protocol/headers/send.h"
#include "protocol/headers/topic.h"
#include "protocol/headers/transaction.h"

namespace mqclient::fuzz {

/// Every typed header of the protocol, by file. A corpus names them by their place: append.
using HeaderTypes = std::tuple<
    protocol::ConsumerSendMsgBackRequestHeader, protocol::HeartbeatResponseHeader,
    protocol::UnregisterClientRequestHeader, protocol::GetConsumerListByGroupRequestHeader,
    protocol::NotifyConsumerIdsChangedRequestHeader, protocol::LockBatchMqRequestHeader,
    protocol::UnlockBatchMqRequestHeader, protocol::RegisterBrokerRequestHeader, protocol::RegisterBrokerResponseHeader,
    protocol::UnRegisterBrokerRequestHeader, protocol::GetRouteInfoRequestHeader,
    protocol::QueryDataVersionRequestHeader, protocol::QueryDataVersionResponseHeader,
    protocol::QueryConsumerOffsetRequestHeader, protocol::QueryConsumerOffsetResponseHeader,
    protocol::UpdateConsumerOffsetRequestHeader, protocol::SearchOffsetRequestHeader,
    protocol::SearchOffsetResponseHeader, protocol::GetMaxOffsetRequestHeader, protocol::GetMaxOffsetResponseHeader,
    protocol::GetMinOffsetRequestHeader, protocol::GetMinOffsetResponseHeader,
    protocol::GetEarliestMsgStoretimeRequestHeader, protocol::GetEarliestMsgStoretimeResponseHeader,
    protocol::PullMessageRequestHeader, protocol::PullMessageResponseHeader, protocol::QueryMessageRequestHeader,
    protocol::QueryMessageResponseHeader, protocol::ViewMessageRequestHeader, protocol::ResetOffsetRequestHeader,
    protocol::GetConsumerStatusRequestHeader, protocol::GetConsumerRunningInfoRequestHeader,
    protocol::ConsumeMessageDirectlyResultRequestHeader, protocol::ReplyMessageRequestHeader,
    protocol::SendMessageRequestHeader, protocol::SendMessageRequestHeaderV2, protocol::SendMessageResponseHeader,
    protocol::CreateTopicRequestHeader, protocol::EndTransactionRequestHeader,
    protocol::CheckTransactionStateRequestHeader>;

}  // namespace mqclient::fuzz
