#include "consumer/push_options.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "protocol/body/route.h"
#include "protocol/limits.h"
#include "protocol/message_check.h"
#include "protocol/names.h"
#include "protocol/subscription.h"

namespace mqclient::consumer {
namespace {

class Complaints {
 public:
  void add(std::string_view one) {
    if (!all_.empty()) all_ += "; ";
    all_ += one;
  }
  void range(std::string_view name, std::int64_t value, std::int64_t low, std::int64_t high) {
    if (value >= low && value <= high) return;
    add(std::string(name) + " is " + std::to_string(value) + ", allowed are " + std::to_string(low) + " to " +
        std::to_string(high));
  }
  bool any() const noexcept { return !all_.empty(); }
  std::string text() const { return all_; }

 private:
  std::string all_;
};

void checkOptions(const PushConsumerOptions& options, Complaints& complaints) {
  // Ranges of DefaultMQPushConsumerImpl.checkConfig.
  complaints.range("consumeThreadMax", options.consumeThreadMax, 1, 1000);
  complaints.range("consumeMessageBatchMaxSize", options.consumeMessageBatchMaxSize, 1, 1024);
  complaints.range("pullBatchSize", options.pullBatchSize, 1, 1024);
  complaints.range("pullThresholdForQueue", options.pullThresholdForQueue, 1, 65535);
  complaints.range("pullThresholdSizeForQueue", options.pullThresholdSizeForQueue, 1, 1024);
  complaints.range("consumeConcurrentlyMaxSpan", options.consumeConcurrentlyMaxSpan, 1, 65535);
  complaints.range("pullInterval", options.pullInterval.count(), 0, 65535);
  if (options.cachedBytesMax == 0) complaints.add("cachedBytesMax is 0: nothing could ever be pulled");
  const WallTime earliest{};
  if (options.consumeFromWhere.kind() == ConsumeFromWhere::Kind::kTimestamp &&
      options.consumeFromWhere.timestamp() < earliest) {
    complaints.add("CONSUME_FROM_TIMESTAMP lies before 1970");
  }
}

}  // namespace

Result<protocol::SubscriptionData> toSubscriptionData(const Subscription& subscription, std::int64_t sub_version) {
  if (std::optional<std::string> complaint = protocol::complaintAboutTopic(subscription.topic)) {
    return Error(ErrorCode::kInvalidArgument, "subscription: " + *complaint);
  }
  Result<protocol::SubscriptionData> data =
      protocol::buildSubscriptionData(subscription.topic, subscription.selector.expression(), sub_version);
  if (!data) {
    return Error(ErrorCode::kInvalidArgument, "subscription to " + subscription.topic + ": " + data.error().message());
  }
  if (data->tagsSet.empty() && data->subString != protocol::kSubAll) {
    // To the broker it would mean everything, which is not what somebody who wrote separators wants.
    return Error(ErrorCode::kInvalidArgument,
                 "subscription to " + subscription.topic + ": no tag in '" + data->subString + "'");
  }
  return data;
}

Result<Subscriptions> checkPushConsumer(const std::string& group, const std::vector<Subscription>& subscriptions,
                                        const MessageListener& listener, const PushConsumerOptions& options,
                                        std::int64_t sub_version) {
  Complaints complaints;
  if (const auto complaint = protocol::complaintAboutClientGroup("consumer group", group)) complaints.add(*complaint);
  Subscriptions by_topic;
  for (const Subscription& subscription : subscriptions) {
    Result<protocol::SubscriptionData> data = toSubscriptionData(subscription, sub_version);
    if (!data) {
      complaints.add(data.error().message());
    } else if (!by_topic.emplace(subscription.topic, *std::move(data)).second) {
      complaints.add("topic '" + subscription.topic + "' is subscribed twice: join the tags with ||");
    }
  }
  if (subscriptions.size() > protocol::kMaxSubscriptionsPerClient) {
    complaints.add(std::to_string(subscriptions.size()) + " subscriptions, at most " +
                   std::to_string(protocol::kMaxSubscriptionsPerClient) + " are possible");
  }
  if (!listener.concurrent()) complaints.add("the listener is a null pointer");
  checkOptions(options, complaints);
  if (complaints.any()) {
    return Error(ErrorCode::kInvalidArgument, "push consumer not started: " + complaints.text());
  }
  return by_topic;
}

std::vector<MessageQueue> subscribeQueues(const std::string& topic, const protocol::TopicRouteData& route) {
  std::vector<MessageQueue> queues;
  for (const protocol::QueueData& data : route.queueDatas) {
    if (!protocol::isReadable(data.perm)) continue;
    for (std::int32_t id = 0; id < data.readQueueNums; ++id) queues.emplace_back(topic, data.brokerName, id);
  }
  std::sort(queues.begin(), queues.end());
  queues.erase(std::unique(queues.begin(), queues.end()), queues.end());
  return queues;
}

}  // namespace mqclient::consumer
