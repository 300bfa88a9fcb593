// Progress of groups and ends of queues. ConsumerManageProcessor.java, AdminBrokerProcessor.java
#include <algorithm>
#include <cctype>
#include <utility>

#include "mock_broker/broker/core.h"

namespace mqclient::broker {
namespace {

std::string unknownTopic(std::string_view topic) {
  return "topic[" + std::string(topic) + "] not exist, apply first please!";
}

bool isUpper(std::string_view boundary) {
  constexpr std::string_view kUpper = "UPPER";
  return std::equal(boundary.begin(), boundary.end(), kUpper.begin(), kUpper.end(),
                    [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == b; });
}

}  // namespace

void BrokerCore::queryConsumerOffset(protocol::QueryConsumerOffsetRequestHeader header, remoting::Request&&,
                                     remoting::Responder&& responder) {
  inTables([this, header = std::move(header), responder = std::move(responder)]() mutable {
    const auto found = [&](std::int64_t offset) {
      std::move(responder).answer(ResponseCode::SUCCESS, {}, protocol::QueryConsumerOffsetResponseHeader{offset});
    };
    if (const auto offset = offsets_.find(header.consumerGroup, header.topic, header.queueId)) return found(*offset);
    if (header.setZeroIfNotFound.value_or(true)) {
      // A young queue: nothing of it is gone yet, so a new group misses nothing by starting at 0. The empty queue
      // counts too, as in 4.x; 5.x sends the client to GET_MAX_OFFSET, which then answers 0 unless a message slips in.
      const auto queue = store_.findQueue(header.topic, header.queueId);
      const bool young = queue ? store_.minOffset(*queue) <= 0 : static_cast<bool>(topics_.find(header.topic));
      if (young) return found(0);
    }
    std::move(responder).answer(ResponseCode::QUERY_NOT_FOUND, "Not found, maybe this group consumer boot first");
  });
}

void BrokerCore::updateConsumerOffset(protocol::UpdateConsumerOffsetRequestHeader header, remoting::Request&&,
                                      remoting::Responder&& responder) {
  inTables([this, header = std::move(header), responder = std::move(responder)]() mutable {
    if (!groups_.findExisting(header.consumerGroup)) {
      return std::move(responder).answer(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST,
                                         "subscription group [" + header.consumerGroup + "] does not exist");
    }
    const base::Ref<const Topic> topic = topics_.find(header.topic);
    if (!topic) return std::move(responder).answer(ResponseCode::TOPIC_NOT_EXIST, unknownTopic(header.topic));
    // Java takes any queue id; here a stranger must not be able to fill the table with them. Ids of queues that were
    // taken away stay valid for groups that had them.
    const std::int32_t queues = std::max(topic->config.readQueueNums, topic->config.writeQueueNums);
    if ((header.queueId < 0 || header.queueId >= queues) &&
        !offsets_.find(header.consumerGroup, header.topic, header.queueId)) {
      return std::move(responder).answer(ResponseCode::INVALID_PARAMETER,
                                         "queueId[" + std::to_string(header.queueId) + "] is illegal, topic:[" +
                                             header.topic + "] has " + std::to_string(queues) + " queues");
    }
    commitOffset(header.consumerGroup, header.topic, header.queueId, header.commitOffset);
    std::move(responder).answer(ResponseCode::SUCCESS);
  });
}

void BrokerCore::commitOffset(std::string_view group, std::string_view topic, std::int32_t queue_id,
                              std::int64_t offset) {
  offsets_.commit(group, topic, queue_id, offset);
  if (config_files_.kept() && !offsets_timer_.armed() && !stopping_) {
    offsets_timer_.armAfter(self(), options_.flushConsumerOffsetInterval);
  }
}

void BrokerCore::writeOffsets() {
  config_files_.write(offsets_);
}

// What follows reads published state only: no strand is needed.

void BrokerCore::searchOffset(const protocol::SearchOffsetRequestHeader& header, remoting::Request&&,
                              remoting::Responder&& responder) {
  const auto queue = store_.findQueue(header.topic, header.queueId);
  const auto boundary = isUpper(header.boundaryType) ? store::Boundary::kUpper : store::Boundary::kLower;
  const std::int64_t offset = queue ? store_.offsetByTime(*queue, header.timestamp, boundary) : 0;
  std::move(responder).answer(ResponseCode::SUCCESS, {}, protocol::SearchOffsetResponseHeader{offset});
}

void BrokerCore::getMaxOffset(const protocol::GetMaxOffsetRequestHeader& header, remoting::Request&&,
                              remoting::Responder&& responder) {
  const auto queue = store_.findQueue(header.topic, header.queueId);
  std::move(responder).answer(ResponseCode::SUCCESS, {},
                              protocol::GetMaxOffsetResponseHeader{queue ? queue->maxOffset() : 0});
}

void BrokerCore::getMinOffset(const protocol::GetMinOffsetRequestHeader& header, remoting::Request&&,
                              remoting::Responder&& responder) {
  const auto queue = store_.findQueue(header.topic, header.queueId);
  std::move(responder).answer(ResponseCode::SUCCESS, {},
                              protocol::GetMinOffsetResponseHeader{queue ? store_.minOffset(*queue) : 0});
}

void BrokerCore::getEarliestMsgStoretime(const protocol::GetEarliestMsgStoretimeRequestHeader& header,
                                         remoting::Request&&, remoting::Responder&& responder) {
  constexpr std::int64_t kNone = -1;
  const auto queue = store_.findQueue(header.topic, header.queueId);
  std::move(responder).answer(
      ResponseCode::SUCCESS, {},
      protocol::GetEarliestMsgStoretimeResponseHeader{queue ? store_.earliestStoreTime(*queue) : kNone});
}

}  // namespace mqclient::broker
