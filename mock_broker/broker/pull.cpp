#include "mock_broker/broker/pull.h"

#include <algorithm>
#include <utility>

#include "base/buggify.h"
#include "protocol/headers/pull.h"
#include "protocol/limits.h"
#include "protocol/names.h"
#include "protocol/subscription.h"

namespace mqclient::broker {
namespace {

constexpr std::int64_t kSuspendMax = 3'600'000;  // ms; no client asks for more than 30 s
constexpr std::int64_t kTransferBytesMin = 100;  // DefaultMessageStore.java
constexpr std::int64_t kTransferBytesMax = 128 << 20;
constexpr std::size_t kWakeStep = 16;  // holds one step releases, about 1 µs each (S6)

// PullMessageResponseHeader.forbiddenType, ForbiddenType.java
constexpr std::int32_t kForbiddenBroker = 1;
constexpr std::int32_t kForbiddenGroup = 2;
constexpr std::int32_t kForbiddenTopic = 3;
constexpr std::int32_t kForbiddenBroadcast = 4;

constexpr std::string_view kNoSql = "The broker does not support consumer to filter message by SQL92";

ResponseCode codeOf(store::GetMessageStatus status, std::int64_t asked_for) {
  using enum store::GetMessageStatus;
  switch (status) {
    case FOUND:
      return ResponseCode::SUCCESS;
    case NO_MATCHED_MESSAGE:
    case MESSAGE_WAS_REMOVING:
      return ResponseCode::PULL_RETRY_IMMEDIATELY;
    case NO_MATCHED_LOGIC_QUEUE:
    case NO_MESSAGE_IN_QUEUE:
      return asked_for == 0 ? ResponseCode::PULL_NOT_FOUND : ResponseCode::PULL_OFFSET_MOVED;
    case OFFSET_FOUND_NULL:
    case OFFSET_OVERFLOW_ONE:
      return ResponseCode::PULL_NOT_FOUND;
    case OFFSET_OVERFLOW_BADLY:
    case OFFSET_TOO_SMALL:
      return ResponseCode::PULL_OFFSET_MOVED;
  }
  return ResponseCode::SYSTEM_ERROR;
}

}  // namespace

PullRequest::Expiry::Expiry(PullRequest& p) : base::Timer(p.core->tables_), pull(p) {}

void PullRequest::Expiry::onTimer() noexcept {
  if (!pull.held) return;
  const base::Ref<PullRequest> keep(&pull);
  pull.core->releaseHold(pull);
  pull.core->beginPull(pull);
}

PullRequest::PullRequest(base::Ref<BrokerCore> c, base::Ref<remoting::Peer> p, remoting::Responder r)
    : core(std::move(c)), peer(std::move(p)), responder(std::move(r)), expiry(*this), step_(*this) {}

void PullRequest::go(Stage stage) noexcept {
  stage_ = stage;
  step_.alive = base::Ref<base::Object>(this);
  if (stage == Stage::kScan) {
    base::after(*core->engine_, step_);
  } else {
    core->tables_.post(step_);
  }
}

base::Next PullRequest::Step::run() noexcept {
  switch (pull.stage_) {
    case Stage::kBegin:
      pull.core->beginPull(pull);
      break;
    case Stage::kScan:
      pull.scan();
      break;
    case Stage::kHold:
      pull.core->holdPull(pull);
      break;
  }
  return base::Next::kDone;
}

bool PullRequest::maySuspend() const noexcept {
  return first && (sys_flag & protocol::kPullSuspend) != 0;
}

void PullRequest::scan() {
  const std::int32_t count = MQ_BUGGIFY(*core->engine_, kPullAnswersOneMessage) ? 1 : count_max;
  const store::GetMessageResult found = core->store_.getMessage(queue.get(), offset, count, bytes_max, filter.get());
  const ResponseCode code = codeOf(found.status, offset);
  if (code == ResponseCode::PULL_NOT_FOUND && maySuspend() && !MQ_BUGGIFY(*core->engine_, kPullIsNotHeld)) {
    return go(Stage::kHold);
  }
  core->messages_pulled_.fetch_add(static_cast<std::uint64_t>(found.messages), std::memory_order_relaxed);
  answer(code, toString(found.status), found);
}

void PullRequest::answer(ResponseCode code, std::string_view remark, const store::GetMessageResult& found) {
  protocol::PullMessageResponseHeader header;
  header.suggestWhichBrokerId = protocol::kMasterId;
  header.nextBeginOffset = found.nextBeginOffset;
  header.minOffset = found.minOffset;
  header.maxOffset = found.maxOffset;
  header.topicSysFlag = topic_sys_flag;
  header.groupSysFlag = group_sys_flag;
  std::move(responder).answer(code, remark, header, found.records);
}

void BrokerCore::pullMessage(remoting::Request&& request, remoting::Responder&& responder) {
  auto header = protocol::decodeHeader<protocol::PullMessageRequestHeaderView>(request.command.ext);
  if (!header) return std::move(responder).answer(ResponseCode::SYSTEM_ERROR, header.error().message());
  auto pull = base::makeRef<PullRequest>(base::Ref<BrokerCore>(this), std::move(request.peer), std::move(responder));
  pull->group = header->consumerGroup;
  pull->topic = header->topic;
  pull->queue_id = header->queueId;
  pull->offset = header->queueOffset;
  pull->count_max = std::clamp(header->maxMsgNums, 1, options_.pull_count_max);
  pull->bytes_max = std::clamp(std::int64_t{header->maxMsgBytes.value_or(0)}, kTransferBytesMin, kTransferBytesMax);
  if (header->maxMsgBytes.value_or(0) <= 0) pull->bytes_max = kTransferBytesMax;
  pull->commit_offset = header->commitOffset;
  pull->sub_version = header->subVersion;
  pull->suspend_ms = std::clamp(header->suspendTimeoutMillis, std::int64_t{0}, kSuspendMax);
  pull->sys_flag = header->sysFlag;
  pull->lite = request.command.requestCode() == RequestCode::LITE_PULL_MESSAGE;
  pull->sql = !header->expressionType.empty() && header->expressionType != protocol::kExpressionTag;
  if ((header->sysFlag & protocol::kPullSubscription) != 0 && !pull->sql) {
    const auto subscription = protocol::buildSubscriptionData(header->topic, header->subscription, header->subVersion);
    pull->bad_expression = !subscription;
    if (subscription) pull->filter = filterOf(*subscription);
  }
  pull->go(PullRequest::Stage::kBegin);
}

std::optional<BrokerCore::PullRefusal> BrokerCore::checkPull(PullRequest& pull) {
  const auto no = [](ResponseCode code, std::string remark, std::optional<std::int32_t> forbidden = {}) {
    return std::optional<PullRefusal>({code, std::move(remark), forbidden});
  };
  if (!protocol::isReadable(options_.brokerPermission)) {
    return no(ResponseCode::NO_PERMISSION, "the broker[" + options_.address + "] pulling message is forbidden",
              kForbiddenBroker);
  }
  const protocol::SubscriptionGroupConfig* group = groups_.find(pull.group);
  if (!group) {
    return no(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, "subscription group [" + pull.group + "] does not exist");
  }
  if (!group->consumeEnable) {
    return no(ResponseCode::NO_PERMISSION, "subscription group no permission, " + pull.group, kForbiddenGroup);
  }
  const base::Ref<const Topic> topic = topics_.find(pull.topic);
  if (!topic) {
    return no(ResponseCode::TOPIC_NOT_EXIST, "topic[" + pull.topic + "] not exist, apply first please!");
  }
  if (!protocol::isReadable(topic->config.perm)) {
    return no(ResponseCode::NO_PERMISSION, "the topic[" + pull.topic + "] pulling message is forbidden",
              kForbiddenTopic);
  }
  if (pull.queue_id < 0 || pull.queue_id >= topic->config.readQueueNums) {
    return no(ResponseCode::INVALID_PARAMETER, "queueId[" + std::to_string(pull.queue_id) + "] is illegal, topic:[" +
                                                   pull.topic + "] topicConfig.readQueueNums:[" +
                                                   std::to_string(topic->config.readQueueNums) + "] consumer:[" +
                                                   pull.peer->address() + "]");
  }
  pull.topic_sys_flag = topic->config.topicSysFlag;
  pull.group_sys_flag = group->groupSysFlag;
  if ((pull.sys_flag & protocol::kPullSubscription) != 0) {
    if (pull.bad_expression) {
      return no(ResponseCode::SUBSCRIPTION_PARSE_FAILED, "parse the consumer's subscription failed");
    }
  } else {
    const ConsumerGroup* consumers = clients_.findConsumers(pull.group);
    if (!consumers) {
      return no(ResponseCode::SUBSCRIPTION_NOT_EXIST, "the consumer's group info not exist, " + pull.group);
    }
    if (consumers->messageModel == protocol::MessageModel::BROADCASTING && !group->consumeBroadcastEnable) {
      return no(ResponseCode::NO_PERMISSION, "the consumer group[" + pull.group + "] can not consume by broadcast way",
                kForbiddenBroadcast);
    }
    const auto subscription = consumers->subscriptions.find(pull.topic);
    if (subscription == consumers->subscriptions.end()) {
      return no(ResponseCode::SUBSCRIPTION_NOT_EXIST,
                "the consumer's subscription not exist, group: " + pull.group + ", topic: " + pull.topic);
    }
    if (subscription->second.subVersion < pull.sub_version) {
      return no(ResponseCode::SUBSCRIPTION_NOT_LATEST,
                "the consumer's subscription not latest, group: " + pull.group + ", topic: " + pull.topic);
    }
    pull.sql =
        subscription->second.expressionType != protocol::kExpressionTag && !subscription->second.expressionType.empty();
    pull.filter = subscription->second.filter;
  }
  if (pull.sql) return no(ResponseCode::SYSTEM_ERROR, std::string(kNoSql));
  return std::nullopt;
}

void BrokerCore::beginPull(PullRequest& pull) {
  if (stopping_) return std::move(pull.responder).discard(remoting::Discard::kStopping);
  if (const auto refusal = checkPull(pull)) {
    protocol::PullMessageResponseHeader header;
    header.forbiddenType = refusal->forbidden;
    return std::move(pull.responder).answer(refusal->code, refusal->remark, header);
  }
  if (pull.first && (pull.sys_flag & protocol::kPullCommitOffset) != 0) {
    commitOffset(pull.group, pull.topic, pull.queue_id, pull.commit_offset);
  }
  if (!pull.queue) pull.queue = store_.findQueue(pull.topic, pull.queue_id);
  // The end of the queue is the common case of a consumer that keeps up: held at once, without a scan.
  const bool at_the_end = pull.offset == (pull.queue ? pull.queue->maxOffset() : 0);
  if (pull.maySuspend() && at_the_end && !MQ_BUGGIFY(*engine_, kPullIsNotHeld)) return holdPull(pull);
  pull.go(PullRequest::Stage::kScan);
}

void BrokerCore::holdPull(PullRequest& pull) {
  if (stopping_) return std::move(pull.responder).discard(remoting::Discard::kStopping);
  if (!pull.peer->open()) return std::move(pull.responder).discard(remoting::Discard::kPeerGone);
  if (!pull.queue) pull.queue = store_.queueOf(pull.topic, pull.queue_id);
  pull.first = false;
  if (holds_.size() >= options_.held_pulls_max || !pull.responder.hold()) return pull.go(PullRequest::Stage::kScan);

  const base::Ref<PullRequest> keep(&pull);
  holds_.insert(keep);
  pulls_held_.fetch_add(1, std::memory_order_relaxed);
  // Only now the end is read again: an arrival since the scan is seen here, a later one sees the hold (B6).
  pull.looked_to = pull.offset;
  if (store_.hasMatch(*pull.queue, pull.looked_to, pull.filter.get())) {
    holds_.remove(pull);
    return pull.go(PullRequest::Stage::kScan);
  }
  const base::Millis wait = options_.longPollingEnable ? base::Millis(pull.suspend_ms) : options_.shortPollingTimeMills;
  pull.expiry.armAfter(keep, wait);
}

void BrokerCore::releaseHold(PullRequest& pull) {
  holds_.remove(pull);
  pull.expiry.cancel();
}

template <class Each>
void BrokerCore::inSteps(std::vector<base::Ref<PullRequest>> pulls, Each each) {
  auto step = [each = std::move(each), pulls = std::move(pulls), next = std::size_t{0}]() mutable {
    for (std::size_t n = 0; n < kWakeStep && next < pulls.size(); ++n) {
      const base::Ref<PullRequest> pull = std::move(pulls[next++]);  // let go of one by one, not all in the last step
      each(*pull);
    }
    return next < pulls.size() ? base::Next::kAgain : base::Next::kDone;
  };
  if (step() == base::Next::kAgain) inTables(std::move(step));
}

void BrokerCore::wake(const std::vector<base::Ref<store::ConsumeQueue>>& arrivals) {
  std::vector<base::Ref<PullRequest>> held;
  for (const auto& queue : arrivals) {
    auto of_queue = holds_.ofQueue(*queue);
    held.insert(held.end(), std::make_move_iterator(of_queue.begin()), std::make_move_iterator(of_queue.end()));
  }
  const auto look = [this](PullRequest& pull) {
    if (!pull.held || !store_.hasMatch(*pull.queue, pull.looked_to, pull.filter.get())) return;
    releaseHold(pull);
    beginPull(pull);
  };
  inSteps(std::move(held), look);
}

void BrokerCore::dropHolds(std::vector<base::Ref<PullRequest>> pulls, remoting::Discard why) {
  inSteps(std::move(pulls), [this, why](PullRequest& pull) {
    if (!pull.held) return;
    releaseHold(pull);
    std::move(pull.responder).discard(why);
    if (why == remoting::Discard::kPeerGone) holds_.forgetPeer(pull.peer->id());
  });
}

}  // namespace mqclient::broker
