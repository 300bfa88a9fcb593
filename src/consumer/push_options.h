#pragma once

#include <string>
#include <vector>

#include "consumer/consumer_context.h"
#include "mqclient/default_mq_push_consumer.h"
#include "mqclient/error.h"

namespace mqclient::consumer {

/// A subscription as the wire has it, with `sub_version` (milliseconds: all clients of a group, in all languages, must
/// count so). kInvalidArgument: the topic's name, or an expression of separators only.
Result<protocol::SubscriptionData> toSubscriptionData(const Subscription& subscription, std::int64_t sub_version);

/// Everything that keeps a consumer from starting, in one error: group, subscriptions, listener, options. The answer
/// are the subscriptions by topic. Source  DefaultMQPushConsumerImpl.checkConfig
Result<Subscriptions> checkPushConsumer(const std::string& group, const std::vector<Subscription>& subscriptions,
                                        const MessageListener& listener, const PushConsumerOptions& options,
                                        std::int64_t sub_version);

/// The readable queues of a route, ascending. Also of brokers without a master: slaves can be read.
std::vector<MessageQueue> subscribeQueues(const std::string& topic, const protocol::TopicRouteData& route);

}  // namespace mqclient::consumer
