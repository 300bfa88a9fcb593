#include "producer/send_operation.h"

#include <algorithm>
#include <utility>

#include "base/buggify.h"
#include "client/response_error.h"
#include "mqclient/codes.h"
#include "protocol/headers/send.h"
#include "protocol/names.h"

namespace mqclient::producer {

namespace {

/// One try gets at least this much of the time, whatever the number of tries.
constexpr base::Millis kTryMin{500};
/// Of the future, written by who sent and by who runs the callback.
constexpr std::size_t kFutureFetched = 3 * base::kCacheLine;

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

SendOperation::SendOperation(ProducerCore& core, PublishingRef to, What what, const FlowGate::Place& place,
                             const SendBudget& budget, base::Completion<SendResult> done)
    : core_(core),
      to_(std::move(to)),
      what_(std::move(what)),
      place_(place),
      budget_(budget),
      done_(std::move(done)),
      kept_(std::make_unique<StoredSend>()) {}

void SendOperation::begin(base::SteadyTime now) {
  queue_ = route::selectOneMessageQueue(info(), topic().turn(), core_.instance().faults().avoids(),
                                        now.time_since_epoch().count(), nullptr);
  attempt(now);
}

void SendOperation::beginAt(std::size_t queue, base::SteadyTime now) {
  queue_ = queue;
  fixed_queue_ = true;
  attempt(now);
}

void SendOperation::fail(Error error) {
  complete(std::move(error).withMsgId(msgId()));
}

void SendOperation::attempt(base::SteadyTime now) noexcept {
  base::Engine& engine = core_.engine();
  const route::TopicPublishInfo::Broker& broker = info().brokerOf(queue_);
  ++tried_;
  broker_ = broker.state.get();
  sent_at_ = now;
  if (broker.address.empty()) {
    return attemptFailed(Error(ErrorCode::kNoRoute, broker_->name() + " has no master in the route"), now);
  }
  const base::Nanos left = std::max(base::Nanos(0), budget_.deadline - now);
  const base::Nanos whole = budget_.deadline - budget_.started;
  // The last try has all that is left: nobody comes after it.
  const base::Nanos share = tried_ == budget_.tries ? left : std::max<base::Nanos>(whole / budget_.tries, kTryMin);

  protocol::SendMessageRequestHeaderV2View header;
  header.producerGroup = core_.group();
  header.topic = topic().name();
  header.defaultTopic = core_.options().createTopicKey;
  header.defaultTopicQueueNums = core_.options().defaultTopicQueueNums;
  header.queueId = info().queues[queue_].queueId();
  header.sysFlag = what_.sys_flag;
  header.bornTimestamp = tried_ == 1 ? what_.wall_ms : engine.wallMillisAt(now);
  header.properties = what_.properties;
  header.reconsumeTimes = 0;
  header.batch = what_.code == RequestCode::SEND_BATCH_MESSAGE;
  header.bname = broker_->name();
  const std::int32_t opaque = engine.nextOpaque();
  core_.instance().remoting().invoke(
      broker.address, opaque,
      protocol::encodeRequest(protocol::RequestHead{.code = what_.code, .opaque = opaque}, header, what_.body),
      now + std::min(left, share), base::Completion<protocol::RemotingCommand>(*this), core_.whenOutputFull());
}

void SendOperation::onResult(Result<protocol::RemotingCommand>&& response) noexcept {
  base::fetchForWriting(kept_.get(), sizeof *kept_);
  done_.expect(kFutureFetched);
  std::optional<SendStatus> status;
  if (response) status = storedStatus(response->responseCode());
  // Exact where another try may follow: it must not begin after the deadline.
  const base::SteadyTime now =
      status == SendStatus::SEND_OK ? std::max(core_.engine().turnNow(), sent_at_) : core_.engine().now();
  if (status) {
    core_.instance().faults().record(*broker_, now.time_since_epoch().count(), (now - sent_at_).count(),
                                     route::Outcome::kAnswered);
    return stored(*status, *std::move(response), now);
  }
  Error error = response
                    ? client::responseError(*response, "send to topic " + topic().name() + " on " + broker_->name() +
                                                           " (" + info().brokerOf(queue_).address + ")")
                    : std::move(response).error();
  core_.instance().noteOutcome(*broker_, sent_at_.time_since_epoch().count(), error);
  attemptFailed(std::move(error), now);
}

bool SendOperation::mayRetry(const Error& error, base::SteadyTime now) const noexcept {
  if (tried_ >= budget_.tries || now >= budget_.deadline) return false;
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
      const auto& codes = core_.options().retryResponseCodes;
      return std::ranges::find(codes, error.responseCode()) != codes.end();
    }
  }
}

void SendOperation::attemptFailed(Error error, base::SteadyTime now) noexcept {
  may_be_stored_ = may_be_stored_ || error.applied() == Applied::kUnknown;
  core_.refreshDefault(to_->topic, to_->info, error);
  if (!mayRetry(error, now)) {
    if (earlier_ && earlier_->not_durable) return complete(*std::move(earlier_->not_durable));
    return complete(summary(error, now).withMsgId(msgId()));
  }
  tryAgain(error, now);
}

void SendOperation::tryAgain(const Error& why, base::SteadyTime now) noexcept {
  // What a broker said first tells most: later it is as a rule that there is still no connection.
  Earlier& before = earlier();
  const bool first = std::ranges::none_of(before.brokers, [&](const auto& b) { return b.get() == broker_; });
  if (first) before.complaints += (before.complaints.empty() ? "" : "; ") + broker_->name() + ": " + why.message();
  before.brokers.emplace_back(broker_);  // before its route may go
  if (!fixed_queue_) {
    // The newest route: the broker may have left it meanwhile.
    if (PublishInfoPtr fresh = topic().info(core_.instance().faults()); fresh && fresh->ok()) use(std::move(fresh));
    const bool stays = MQ_BUGGIFY(core_.engine(), kRetryStaysAtTheBroker);
    queue_ = route::selectOneMessageQueue(info(), topic().turn(), core_.instance().faults().avoids(),
                                          now.time_since_epoch().count(), stays ? nullptr : broker_);
  }
  attempt(now);
}

Error SendOperation::summary(const Error& last, base::SteadyTime now) const {
  const auto took = std::chrono::duration_cast<base::Millis>(now - budget_.started);
  std::string text = "sending to topic " + topic().name() + " failed after " + std::to_string(tried_) +
                     (tried_ == 1 ? " try in " : " tries in ") + std::to_string(took.count()) +
                     " ms: " + broker_->name() + ": " + last.message();
  if (earlier_ && !earlier_->complaints.empty()) text += "; before that " + earlier_->complaints;
  if (broker_->lastAnswer() == 0 && route::notAnswered(last)) {
    text += ". " + broker_->name() + " has never answered there: the address is what it told the nameserver " +
            "(brokerIP1, listenPort)";
  }
  text += may_be_stored_ ? ". The message may be stored: to repeat the same one use Message::setMsgId(error.msgId())"
                         : ". The message is not stored";
  return Error(last.code(), std::move(text), last.responseCode(), may_be_stored_ ? Applied::kUnknown : Applied::kNo);
}

void SendOperation::stored(SendStatus status, protocol::RemotingCommand&& response, base::SteadyTime now) noexcept {
  if (info().from_default_topic) core_.askForOwnRoute(to_->topic);
  if (status != SendStatus::SEND_OK && core_.options().retryAnotherBrokerWhenNotStoreOK && !fixed_queue_ &&
      tried_ < budget_.tries && now < budget_.deadline) {
    earlier().not_durable = makeResult(status, response.ext, info().queues[queue_]);
    may_be_stored_ = true;
    return tryAgain(
        Error(ErrorCode::kBroker, std::string("stored, but ") + toString(status), response.code, Applied::kUnknown),
        now);
  }
  const MessageQueue& queue = info().queues[queue_];
  const auto header = protocol::decodeHeader<protocol::SendMessageResponseHeaderView>(response.ext);
  const bool usual = header && what_.batch_msg_ids.empty() && !earlier_ &&
                     kept_->keep(status, header->queueId, header->queueOffset,
                                 {.topic = queue.topic(),
                                  .broker_name = queue.brokerName(),
                                  .msg_id = singleMsgId(),
                                  .offset_msg_id = header->msgId,
                                  .region_id = header->msgRegion});
  if (!usual) return complete(makeResult(status, response.ext, queue));
  ProducerCore& core = core_;
  const FlowGate::Place place = place_;
  base::Completion<SendResult> done = std::move(done_);
  base::Deferred<SendResult>& kept = *kept_.release();
  delete this;
  // The result first: whoever waits in flush() or close() finds every callback on its way.
  std::move(done)(kept);
  core.leaveAnswered(place);
}

SendResult SendOperation::makeResult(SendStatus status, const protocol::ExtFields& response, MessageQueue queue) const {
  const auto header = protocol::decodeHeader<protocol::SendMessageResponseHeaderView>(response);
  SendResult result;
  result.sendStatus = status;
  result.msgId = msgId();
  result.batchMsgIds = what_.batch_msg_ids;
  if (header) {
    result.offsetMsgId = header->msgId;
    result.regionId = header->msgRegion;
    result.queueOffset = header->queueOffset;
  }
  if (earlier_) {
    result.brokersTried.reserve(earlier_->brokers.size() + 1);
    for (const auto& broker : earlier_->brokers) result.brokersTried.push_back(broker->name());
  }
  result.brokersTried.push_back(queue.brokerName());
  if (header && header->queueId != queue.queueId()) {
    queue = MessageQueue(queue.topic(), queue.brokerName(), header->queueId);
  }
  result.messageQueue = std::move(queue);
  return result;
}

std::string SendOperation::msgId() const {
  if (what_.batch_msg_ids.empty()) return std::string(singleMsgId());
  std::string joined;
  for (const std::string& id : what_.batch_msg_ids) joined.append(joined.empty() ? "" : ",").append(id);
  return joined;
}

void SendOperation::complete(Result<SendResult> result) noexcept {
  ProducerCore& core = core_;
  const FlowGate::Place place = place_;
  base::Completion<SendResult> done = std::move(done_);
  delete this;
  // The result first: whoever waits in flush() or close() finds every callback on its way.
  std::move(done)(std::move(result));
  core.leave(place);
}

}  // namespace mqclient::producer
