#include "producer/send_operation.h"

#include <algorithm>
#include <utility>

#include "client/response_error.h"
#include "mqclient/codes.h"
#include "protocol/headers/send.h"
#include "protocol/names.h"

namespace mqclient::producer {

namespace {

/// One try gets at least this much of the time, whatever the number of tries.
constexpr base::Millis kTryMin{500};

std::optional<SendStatus> storedStatus(ResponseCode code) noexcept {
  switch (code) {
    case ResponseCode::SUCCESS:
      return SendStatus::SEND_OK;
    case ResponseCode::FLUSH_DISK_TIMEOUT:
      return SendStatus::FLUSH_DISK_TIMEOUT;
    case ResponseCode::FLUSH_SLAVE_TIMEOUT:
      return SendStatus::FLUSH_SLAVE_TIMEOUT;
    case ResponseCode::SLAVE_NOT_AVAILABLE:
      return SendStatus::SLAVE_NOT_AVAILABLE;
    default:
      return std::nullopt;
  }
}

}  // namespace

SendOperation::SendOperation(base::Ref<ProducerCore> core, What what, base::Ref<FlowGate::Generation> generation,
                             base::SteadyTime deadline, int tries, base::Completion<SendResult> done)
    : core_(std::move(core)),
      what_(std::move(what)),
      generation_(std::move(generation)),
      started_(core_->engine().now()),
      deadline_(deadline),
      tries_(tries),
      done_(std::move(done)) {}

void SendOperation::begin(base::Ref<PublishTopic> topic, PublishInfoPtr info) {
  topic_ = std::move(topic);
  info_ = std::move(info);
  queue_ = route::selectOneMessageQueue(*info_, topic_->turn(), core_->instance().faults().avoids(),
                                        core_->engine().monotonicNanos(), nullptr);
  attempt();
}

void SendOperation::beginAt(base::Ref<PublishTopic> topic, PublishInfoPtr info, std::size_t queue) {
  topic_ = std::move(topic);
  info_ = std::move(info);
  queue_ = queue;
  fixed_queue_ = true;
  attempt();
}

void SendOperation::fail(Error error) {
  complete(std::move(error).withMsgId(what_.msg_id));
}

void SendOperation::attempt() noexcept {
  base::Engine& engine = core_->engine();
  const route::TopicPublishInfo::Broker& broker = info_->brokerOf(queue_);
  ++tried_;
  brokers_tried_.push_back(&broker.state->name());
  kept_states_.push_back(broker.state);
  if (broker.address.empty()) {
    return attemptFailed(Error(ErrorCode::kNoRoute, broker.state->name() + " has no master in the route"));
  }
  const base::SteadyTime now = engine.now();
  const base::Nanos left = std::max(base::Nanos(0), deadline_ - now);
  const base::Nanos whole = deadline_ - started_;
  const base::SteadyTime try_deadline = now + std::min(left, std::max<base::Nanos>(whole / tries_, kTryMin));

  protocol::SendMessageRequestHeaderV2View header;
  header.producerGroup = core_->group();
  header.topic = what_.topic;
  header.defaultTopic = core_->options().createTopicKey;
  header.defaultTopicQueueNums = core_->options().defaultTopicQueueNums;
  header.queueId = info_->queues[queue_].queueId();
  header.bornTimestamp = engine.wallMillis();
  header.properties = what_.properties;
  header.reconsumeTimes = 0;
  header.batch = what_.code == RequestCode::SEND_BATCH_MESSAGE;
  header.bname = broker.state->name();
  const std::int32_t opaque = engine.nextOpaque();
  sent_at_ = engine.monotonicNanos();
  core_->instance().remoting().invoke(
      broker.address, opaque,
      protocol::encodeRequest(protocol::RequestHead{.code = what_.code, .opaque = opaque}, header, what_.body),
      try_deadline, base::Completion<protocol::RemotingCommand>(*this));
}

void SendOperation::onResult(Result<protocol::RemotingCommand>&& response) noexcept {
  const std::int64_t now = core_->engine().monotonicNanos();
  route::FaultStrategy& faults = core_->instance().faults();
  route::BrokerState& broker = *kept_states_.back();
  std::optional<SendStatus> status;
  if (response) status = storedStatus(response->responseCode());
  if (status) {
    faults.record(broker, now, now - sent_at_, route::Outcome::kAnswered);
    return stored(*status, *response);
  }
  Error error = response ? client::responseError(*response, "send to " + what_.topic + " on " + broker.name() + " (" +
                                                                info_->brokerOf(queue_).address + ")")
                         : std::move(response).error();
  if (faults.record(broker, now, now - sent_at_, route::outcomeOf(error))) {
    core_->instance().event(EventKind::kBrokerIsolated, broker.name(), error.message());
  }
  attemptFailed(std::move(error));
}

bool SendOperation::mayRetry(const Error& error) const noexcept {
  if (tried_ >= tries_ || core_->engine().now() >= deadline_) return false;
  if (fixed_queue_ && error.applied() != Applied::kNo) return false;
  switch (error.code()) {
    case ErrorCode::kTimeout:
    case ErrorCode::kUnreachable:
    case ErrorCode::kConnectionLost:
    case ErrorCode::kCorrupt:
    case ErrorCode::kNoRoute:
      return true;
    case ErrorCode::kClosed:
    case ErrorCode::kQueueFull:
      return false;
    default: {
      const auto& codes = core_->options().retryResponseCodes;
      return std::ranges::find(codes, error.responseCode()) != codes.end();
    }
  }
}

void SendOperation::attemptFailed(Error error) noexcept {
  may_be_stored_ = may_be_stored_ || error.applied() == Applied::kUnknown;
  if (!mayRetry(error)) {
    if (not_durable_) return complete(*std::move(not_durable_));
    return complete(summary(error).withMsgId(what_.msg_id));
  }
  complaints_ += (complaints_.empty() ? "" : "; ") + *brokers_tried_.back() + ": " + error.message();
  if (!fixed_queue_) {
    // The newest route: the broker may have left it meanwhile.
    if (PublishInfoPtr fresh = topic_->info(core_->instance().faults()); fresh && fresh->ok()) info_ = std::move(fresh);
    queue_ = route::selectOneMessageQueue(*info_, topic_->turn(), core_->instance().faults().avoids(),
                                          core_->engine().monotonicNanos(), kept_states_.back().get());
  }
  attempt();
}

Error SendOperation::summary(const Error& last) const {
  const auto took = std::chrono::duration_cast<base::Millis>(core_->engine().now() - started_);
  std::string text = "sending to topic " + what_.topic + " failed after " + std::to_string(tried_) +
                     (tried_ == 1 ? " try in " : " tries in ") + std::to_string(took.count()) +
                     " ms: " + *brokers_tried_.back() + ": " + last.message();
  if (!complaints_.empty()) text += "; before that " + complaints_;
  text += may_be_stored_ ? ". The message may be stored: to repeat the same one use Message::setMsgId(error.msgId())"
                         : ". The message is not stored";
  return Error(last.code(), std::move(text), last.responseCode(), may_be_stored_ ? Applied::kUnknown : Applied::kNo);
}

void SendOperation::stored(SendStatus status, const protocol::RemotingCommand& response) noexcept {
  auto header = protocol::decodeHeader<protocol::SendMessageResponseHeaderView>(response.ext);
  SendResult result;
  result.sendStatus = status;
  const MessageQueue& queue = info_->queues[queue_];
  if (header) {
    result.offsetMsgId = header->msgId;
    result.regionId = header->msgRegion;
    result.queueOffset = header->queueOffset;
    if (header->queueId == queue.queueId()) {
      result.messageQueue.emplace(queue);
    } else {
      result.messageQueue.emplace(what_.topic, queue.brokerName(), header->queueId);
    }
  } else {
    result.messageQueue.emplace(queue);
  }
  result.brokersTried.reserve(brokers_tried_.size());
  for (const std::string* name : brokers_tried_) result.brokersTried.push_back(*name);
  if (info_->from_default_topic) core_->askForOwnRoute(topic_);
  if (status != SendStatus::SEND_OK && core_->options().retryAnotherBrokerWhenNotStoreOK && !fixed_queue_ &&
      tried_ < tries_) {
    result.msgId = what_.msg_id;
    result.batchMsgIds = what_.batch_msg_ids;
    not_durable_ = std::move(result);
    return attemptFailed(
        Error(ErrorCode::kBroker, std::string("stored, but ") + toString(status), response.code, Applied::kUnknown));
  }
  result.msgId = std::move(what_.msg_id);
  result.batchMsgIds = std::move(what_.batch_msg_ids);
  complete(std::move(result));
}

void SendOperation::complete(Result<SendResult> result) noexcept {
  const base::Ref<ProducerCore> core = core_;
  const std::size_t messages = what_.messages;
  const std::size_t bytes = what_.body.size();
  base::Ref<FlowGate::Generation> generation = std::move(generation_);
  base::Completion<SendResult> done = std::move(done_);
  delete this;
  // The result first: whoever waits in flush() or close() finds every callback on its way.
  std::move(done)(std::move(result));
  core->sendEnded(messages, bytes, std::move(generation));
}

}  // namespace mqclient::producer
