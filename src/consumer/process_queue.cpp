#include "consumer/process_queue.h"

#include <algorithm>
#include <utility>

#include "base/buggify.h"
#include "client/response_error.h"
#include "consumer/commit_rule.h"
#include "consumer/offset_requests.h"
#include "mqclient/codes.h"
#include "protocol/message_access.h"
#include "protocol/subscription.h"

namespace mqclient::consumer {

using mqclient::detail::MessageAccess;
using mqclient::detail::MessageFrame;

ProcessQueue::ProcessQueue(base::Ref<ConsumerContext> context, MessageQueue queue, base::Ref<base::Object> owner_alive,
                           QueueOwner& owner)
    : context_(std::move(context)),
      queue_(std::move(queue)),
      strand_(context_->engine()),
      owner_alive_(std::move(owner_alive)),
      owner_(&owner),
      pull_answer_(*this),
      timer_(strand_, [this] { onTimer(); }),
      redelivery_timer_(strand_, [this] { redeliverDue(); }),
      commit_timer_(strand_, [this] { commitPeriodically(); }) {}
ProcessQueue::~ProcessQueue() = default;

const char* ProcessQueue::nameOf(State state) noexcept {
  switch (state) {
    case State::kBorn:
      return "born";
    case State::kWaitingForOwner:
      return "waiting for the previous owner";
    case State::kFindingOffset:
      return "finding the start offset";
    case State::kPulling:
      return "pulling";
    case State::kPausing:
      return "pausing";
    case State::kBackingOff:
      return "backing off";
    case State::kSuspended:
      return "suspended";
    case State::kDropped:
      return "dropped";
  }
  return "unknown";
}

std::string ProcessQueue::where() const {
  return "group " + context_->group + ", " + queue_.topic() + "/" + queue_.brokerName() + "/" +
         std::to_string(queue_.queueId());
}

// ---- states and waiting

void ProcessQueue::enter(State next, const char* why) {
  if (context_->log().enabled(LogLevel::kDebug) && next != state_) {
    context_->log().write(
        LogLevel::kDebug, kComponent,
        where() + ": " + nameOf(state_) + " -> " + nameOf(next) + ", " + (why != nullptr ? why : "an error"));
  }
  state_ = next;
  why_.store(why, std::memory_order_relaxed);
}

void ProcessQueue::waitThen(State next, base::Millis delay, const char* why) {
  enter(next, why);
  timer_.armAfter(self(), delay);
}

void ProcessQueue::enterBackOff(base::Millis delay, const Error& error) {
  {
    base::MutexLock lock(why_mutex_);
    why_error_ = error.message();
  }
  context_->log().writeLimited(
      LogLevel::kWarn, kComponent, context_->instance->logKey(queue_.brokerName(), error, where()), base::kLogPeriod,
      where() + ": " + error.message() + "; tried again in " + std::to_string(delay.count()) + " ms");
  waitThen(State::kBackingOff, delay, nullptr);
}

void ProcessQueue::onTimer() {
  if (over() || draining_) return;
  switch (state_) {
    case State::kWaitingForOwner:
      return findOffset();
    case State::kPausing:
    case State::kBackingOff:
      return consumed_.load(std::memory_order_relaxed) < 0 ? findOffset() : pull();
    default:
      return;
  }
}

void ProcessQueue::wake() {
  strand_.post(self(), [this] {
    if (over() || draining_) return;
    if (state_ == State::kSuspended || state_ == State::kBackingOff) {
      timer_.cancel();
      consumed_.load(std::memory_order_relaxed) < 0 ? findOffset() : pull();
    }
  });
}

// ---- where to begin (client.md 3.2, computePullFromWhere)

void ProcessQueue::start(base::Millis delay, std::optional<std::int64_t> offset) {
  strand_.post(self(), [this, delay, offset] {
    if (over() || draining_) return;
    if (offset) {
      startAt(*offset);
    } else if (delay.count() > 0) {
      waitThen(State::kWaitingForOwner, delay, "the previous owner may still commit");
    } else {
      findOffset();
    }
  });
}

void ProcessQueue::findOffset() {
  enter(State::kFindingOffset, "asking the broker where the group stands");
  queryOffset(*context_->instance, context_->group, queue_, context_->engine().now() + kOffsetRequestTimeout,
              base::Completion<std::optional<std::int64_t>>::of(
                  [this, alive = self()](Result<std::optional<std::int64_t>>&& answer) {
                    strand_.post(alive, [this, answer = std::move(answer)]() mutable {
                      if (over() || draining_) return;
                      if (!answer) return enterBackOff(kDelayAfterError, answer.error());
                      if (!*answer) return findOffsetByPolicy();
                      committed_.store(**answer, std::memory_order_relaxed);
                      // 0 is also what a broker says of a group that never committed.
                      if (**answer > 0) context_->first_commits.known(queue_);
                      startAt(**answer);
                    });
                  }));
}

void ProcessQueue::findOffsetByPolicy() {
  enter(State::kFindingOffset, "the group is new here: asking for the offset of consumeFromWhere");
  auto found = base::Completion<std::int64_t>::of([this, alive = self()](Result<std::int64_t>&& answer) {
    strand_.post(alive, [this, answer = std::move(answer)]() mutable { onOffsetFound(std::move(answer)); });
  });
  client::MQClientInstance& instance = *context_->instance;
  const base::SteadyTime deadline = context_->engine().now() + kOffsetRequestTimeout;
  const ConsumeFromWhere& where_from = context_->options.consumeFromWhere;
  switch (where_from.kind()) {
    case ConsumeFromWhere::Kind::kLastOffset:
      return queryMaxOffset(instance, queue_, deadline, std::move(found));
    case ConsumeFromWhere::Kind::kFirstOffset:
      return queryMinOffset(instance, queue_, deadline, std::move(found));
    case ConsumeFromWhere::Kind::kTimestamp:
      return searchOffset(instance, queue_, where_from.timestamp(), deadline, std::move(found));
  }
}

void ProcessQueue::onOffsetFound(Result<std::int64_t> offset) {
  if (over() || draining_) return;
  if (!offset) return enterBackOff(kDelayAfterError, offset.error());
  startAt(std::max<std::int64_t>(*offset, 0));
}

void ProcessQueue::startAt(std::int64_t offset) {
  next_offset_ = offset;
  consumed_.store(offset, std::memory_order_relaxed);
  // A position that the broker does not know yet is committed like progress: a restart before the first message must
  // not choose anew and skip what was sent meanwhile.
  updateConsumed();
  if (!std::exchange(started_reported_, true)) owner_->onQueueStarted();
  pull();
}

// ---- pulling (client.md 6.3, 6.4)

const protocol::SubscriptionData* ProcessQueue::subscription() {
  const std::uint64_t version = context_->subscriptions.version();
  if (!subscriptions_ || version != subscriptions_version_) {
    subscriptions_ = context_->subscriptions.get();
    subscriptions_version_ = version;
  }
  const auto it = subscriptions_->find(queue_.topic());
  return it == subscriptions_->end() ? nullptr : &it->second;
}

void ProcessQueue::pull() {
  if (over() || draining_ || in_flight_) return;
  if (context_->suspended.load(std::memory_order_acquire)) return enter(State::kSuspended, "suspended by the user");
  const protocol::SubscriptionData* wanted = subscription();
  if (wanted == nullptr) return waitThen(State::kPausing, kDelayAfterError, "the topic is not subscribed");
  const CacheFill fill{cache_.count(), cache_.bytes(), cache_.span(), context_->cached_bytes.now()};
  if (const char* why = whyNotPull(fill, context_->limits)) return waitThen(State::kPausing, kDelayWhileCacheFull, why);

  client::MQClientInstance& instance = *context_->instance;
  const client::BrokerTarget target{queue_.brokerName(), suggested_broker_, client::OnlyThis::kNo};
  const std::optional<client::BrokerAddress> to = instance.findBroker(target);
  if (!to) return enterBackOff(kDelayAfterError, instance.unknownBroker(target, RequestCode::PULL_MESSAGE));
  // What is known to be there comes at once, and room is kept for it. A pull that the broker may hold keeps none: idle
  // queues would shut out the others.
  const bool more_is_there = max_offset_.load(std::memory_order_relaxed) > next_offset_;
  expected_bytes_ = more_is_there ? answer_bytes_ : 0;
  if (!context_->cached_bytes.take(expected_bytes_)) {
    return waitThen(State::kPausing, kDelayWhileCacheFull, kConsumerBytesReached);
  }

  const std::int64_t consumed = consumed_.load(std::memory_order_relaxed);
  pull_broker_ = to->broker_id;
  pull_commit_.reset();
  // Only when all that was pulled is finished. Apache executes pulls and commits in different pools of threads: the
  // offset of a pull that waits there would otherwise undo the commit of what was finished since (seen at 4.9.7: a
  // closed member's last commit was gone). A newer commit than this one needs messages, and they come after this pull's
  // answer. Also what was confirmed already: a member that had the queue before may have committed its older view
  // since. Not with the first pull: what that member commits in parting may be newer than what we were told.
  const bool again = std::exchange(pulled_before_, true);
  if (pull_broker_ == 0 && consumed == next_offset_ &&
      (again || consumed != committed_.load(std::memory_order_relaxed))) {
    if (context_->first_commits.done(queue_)) {
      pull_commit_ = consumed;
    } else if (!again) {  // where we begin is told at once all the same
      commitOnStrand(context_->engine().now() + kOffsetRequestTimeout, {});
    }
  }

  protocol::PullMessageRequestHeaderView header;
  header.consumerGroup = context_->group;
  header.topic = queue_.topic();
  header.queueId = queue_.queueId();
  header.queueOffset = next_offset_;
  header.maxMsgNums = context_->options.pullBatchSize;
  header.sysFlag = protocol::kPullSuspend | (pull_commit_ ? protocol::kPullCommitOffset : 0);
  header.commitOffset = pull_commit_.value_or(0);
  header.suspendTimeoutMillis = kBrokerSuspend.count();
  header.subVersion = wanted->subVersion;
  header.expressionType = wanted->expressionType;
  header.maxMsgBytes = kPullBytesMax;
  header.bname = queue_.brokerName();

  in_flight_ = true;
  pulled_at_ = context_->engine().now();
  enter(State::kPulling, "waiting for messages");
  retain();  // for the answer
  instance.invokeAddress(to->address, RequestCode::PULL_MESSAGE, header, {}, pulled_at_ + kPullTimeout,
                         base::Completion<protocol::RemotingCommand>(pull_answer_));
}

void ProcessQueue::PullAnswer::onResult(Result<protocol::RemotingCommand>&& answer) noexcept {
  result.emplace(std::move(answer));
  alive = base::Ref<base::Object>(base::Ref<ProcessQueue>::adopt(&queue));
  queue.strand_.post(*this);
}

base::Next ProcessQueue::PullAnswer::run() noexcept {
  Result<protocol::RemotingCommand> answer = *std::move(result);
  result.reset();
  queue.onPullAnswer(std::move(answer));
  return base::Next::kDone;
}

void ProcessQueue::onPullAnswer(Result<protocol::RemotingCommand> answer) {
  in_flight_ = false;
  const bool goes_on = !over() && !draining_;
  const bool messages = goes_on && answer && answer->responseCode() == ResponseCode::SUCCESS;
  // With messages they become what came.
  const std::size_t expected = std::exchange(expected_bytes_, 0);
  if (!messages) context_->cached_bytes.giveBack(expected);
  if (!goes_on) return;
  if (!answer) return enterBackOff(delayAfter(answer.error()), answer.error());
  const ResponseCode code = answer->responseCode();
  switch (code) {
    case ResponseCode::SUCCESS:
    case ResponseCode::PULL_NOT_FOUND:
    case ResponseCode::PULL_RETRY_IMMEDIATELY:
    case ResponseCode::PULL_OFFSET_MOVED:
      break;
    case ResponseCode::SUBSCRIPTION_NOT_EXIST:
    case ResponseCode::SUBSCRIPTION_NOT_LATEST:
    case ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST:
      owner_->onNotRegistered();
      [[fallthrough]];
    default: {
      const Error error = client::responseError(*answer, "pull from " + queue_.toString());
      return enterBackOff(delayAfter(error), error);
    }
  }
  const auto header = protocol::decodeHeader<protocol::PullMessageResponseHeader>(answer->ext);
  if (!header) {
    if (messages) context_->cached_bytes.giveBack(expected);
    return enterBackOff(kDelayAfterError, header.error());
  }
  min_offset_.store(header->minOffset, std::memory_order_relaxed);
  max_offset_.store(header->maxOffset, std::memory_order_relaxed);
  suggested_broker_ = header->suggestWhichBrokerId;
  if (pull_commit_) onCommitted(*pull_commit_, true);

  if (messages) {
    answer_bytes_ = answer->body.size();
    // Not kept, and pulled again when there is room.
    if (!context_->cached_bytes.take(answer_bytes_, expected)) {
      return waitThen(State::kPausing, kDelayWhileCacheFull, kConsumerBytesReached);
    }
    return onMessages(std::move(answer->body), *header);
  }
  if (code == ResponseCode::PULL_OFFSET_MOVED) return onOffsetMoved(header->nextBeginOffset);
  pullAfterEmpty(header->nextBeginOffset);
}

void ProcessQueue::onMessages(base::Chain body, const protocol::PullMessageResponseHeader& header) {
  std::size_t unreadable = 0;
  const bool in_pieces = body.count() > 1;
  auto frame = std::make_shared<const MessageFrame>(std::move(body), queue_);
  std::vector<MessageExt> messages = MessageAccess::decode(frame, &unreadable);
  if (unreadable > 0 && in_pieces) {  // a record may lie across two pieces
    frame = std::make_shared<const MessageFrame>(base::Chain(frame->bytes().flatten()), queue_);
    messages = MessageAccess::decode(frame, &unreadable);
  }
  if (unreadable > 0) {
    context_->log().write(LogLevel::kError, kComponent,
                          where() + ": " + std::to_string(unreadable) + " records of a pull at offset " +
                              std::to_string(next_offset_) + " cannot be read and are passed over");
  }

  const protocol::SubscriptionData* wanted = subscription();
  const bool by_tag = wanted != nullptr && !wanted->tagsSet.empty();
  const std::size_t bytes_before = cache_.bytes();
  std::vector<MessageCache::Key> keys;
  keys.reserve(messages.size());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    MessageExt& message = messages[i];
    // The broker compared hashes of tags; equal hashes of other tags come through.
    if (by_tag && !protocol::matchesTag(*wanted, message.tags())) continue;
    const std::optional<MessageCache::Key> key = cache_.add(message.queueOffset(), MessageAccess::size(message));
    if (!key) continue;
    keys.push_back(*key);
    if (kept != i) messages[kept] = std::move(message);
    ++kept;
  }
  messages.erase(messages.begin() + static_cast<std::ptrdiff_t>(kept), messages.end());
  context_->cached_bytes.giveBack(answer_bytes_ - (cache_.bytes() - bytes_before));
  cached_.store(cache_.count(), std::memory_order_relaxed);
  empty_backoff_.reset();
  advance(header.nextBeginOffset);

  if (kept > 0) {
    const base::Ref<Delivery> delivery =
        base::makeRef<Delivery>(self(), context_, std::move(messages), std::move(keys));
    handed_out_ += delivery->submit(static_cast<std::size_t>(context_->options.consumeMessageBatchMaxSize));
    if (context_->options.pullInterval.count() > 0) {
      return waitThen(State::kPausing, context_->options.pullInterval, "pullInterval");
    }
  }
  pull();
}

void ProcessQueue::advance(std::int64_t next_offset) {
  next_offset_ = std::max({next_offset_, next_offset, cache_.newest() + 1});
  updateConsumed();
}

void ProcessQueue::pullAfterEmpty(std::int64_t next_offset) {
  const std::int64_t before = next_offset_;
  advance(next_offset);
  const base::Millis wait = empty_backoff_.afterEmpty(next_offset_ != before, context_->engine().now() - pulled_at_);
  if (wait.count() > 0) return waitThen(State::kPausing, wait, "the broker has nothing and does not hold pulls");
  pull();
}

void ProcessQueue::onOffsetMoved(std::int64_t corrected) {
  if (pull_broker_ != 0) {
    // A slave may lag or be wrong about the range: only the master's word moves a group.
    suggested_broker_ = 0;
    return waitThen(State::kPausing, kDelayAfterError, "a slave does not have the offset: asking the master");
  }
  if (corrected == next_offset_) return pullAfterEmpty(corrected);
  const std::string what = where() + ": offset " + std::to_string(next_offset_) + " is not in the queue, moved to " +
                           std::to_string(corrected);
  context_->log().write(LogLevel::kWarn, kComponent, what);
  context_->instance->event(EventKind::kWarning, queue_.topic(), what);
  if (corrected > next_offset_) {
    // What lies between was deleted. What is cached is still good: Java throws it away here, and loses it.
    next_offset_ = corrected;
    updateConsumed();
    return pull();
  }
  // The broker lost its end. Frozen from here on: nothing of this period is committed any more (I8).
  QueueOwner* owner = owner_;
  const base::Ref<base::Object> alive = owner_alive_;
  dropOnStrand(FinalCommit::kNo, context_->engine().now(), base::Completion<void>());
  owner->onOffsetIllegal(queue_, corrected);
}

// ---- results of the listener (client.md 6.5)

void ProcessQueue::onSettled(const Delivery& delivery, const Invocation& invocation) {
  --handed_out_;
  if (over()) return;
  const std::size_t bytes_before = cache_.bytes();
  std::size_t finished = 0;
  std::vector<std::size_t> again;
  for (std::size_t i = 0; i < invocation.count(); ++i) {
    const std::size_t at = invocation.first() + i;
    if (invocation.outcome() == Invocation::Outcome::kAnswered && invocation.finished(i)) {
      if (cache_.finish(delivery.key(at))) ++finished;
    } else {
      again.push_back(at);
    }
  }
  context_->cached_bytes.giveBack(bytes_before - cache_.bytes());
  cached_.store(cache_.count(), std::memory_order_relaxed);
  if (draining_) {
    context_->drained.fetch_add(finished, std::memory_order_relaxed);
  } else if (!again.empty()) {
    redeliverLater(delivery, again);
  }
  updateConsumed();
  if (draining_ && handed_out_ == 0) reportIdle();
}

void ProcessQueue::redeliverLater(const Delivery& delivery, const std::vector<std::size_t>& which) {
  std::vector<MessageExt> messages;
  std::vector<MessageCache::Key> keys;
  messages.reserve(which.size());
  keys.reserve(which.size());
  for (const std::size_t i : which) {
    messages.push_back(delivery.message(i));
    MessageAccess::setRedeliveries(messages.back(), MessageAccess::redeliveries(messages.back()) + 1);
    keys.push_back(delivery.key(i));
  }
  const base::SteadyTime due = context_->engine().now() + kRedeliveryDelay;
  redeliveries_.push_back({due, base::makeRef<Delivery>(self(), context_, std::move(messages), std::move(keys))});
  if (!redelivery_timer_.armed()) redelivery_timer_.arm(self(), due);
}

void ProcessQueue::redeliverDue() {
  if (over() || draining_) return;
  const base::SteadyTime now = context_->engine().now();
  while (!redeliveries_.empty() && redeliveries_.front().due <= now) {
    const base::Ref<Delivery> delivery = std::move(redeliveries_.front().messages);
    redeliveries_.pop_front();
    handed_out_ += delivery->submit(static_cast<std::size_t>(context_->options.consumeMessageBatchMaxSize));
  }
  if (!redeliveries_.empty()) redelivery_timer_.arm(self(), redeliveries_.front().due);
}

// ---- committing

void ProcessQueue::updateConsumed() {
  const std::int64_t before = consumed_.load(std::memory_order_relaxed);
  if (before < 0 || over()) return;  // the start offset is not known yet, or what is cached was thrown away
  const std::int64_t consumed = std::max(before, committableOffset(cache_, next_offset_));
  consumed_.store(consumed, std::memory_order_relaxed);
  if (consumed != committed_.load(std::memory_order_relaxed) && !commit_timer_.armed()) {
    commit_timer_.armAfter(self(), kPersistConsumerOffsetInterval);
  }
}

void ProcessQueue::commit(base::SteadyTime deadline, base::Completion<void> done) {
  strand_.post(self(), [this, deadline, done = std::move(done)]() mutable {
    if (over()) {
      return std::move(done)(Error(ErrorCode::kCancelled, where() + ": the queue was given up meanwhile"));
    }
    commitOnStrand(deadline, std::move(done));
  });
}

void ProcessQueue::commitPeriodically() {
  // The answer under way, or the next period, covers it.
  if (commit_in_flight_ || MQ_BUGGIFY(context_->engine(), kPeriodicCommitIsLate)) {
    return commit_timer_.armAfter(self(), kPersistConsumerOffsetInterval);
  }
  commitOnStrand(context_->engine().now() + kOffsetRequestTimeout, base::Completion<void>());
}

void ProcessQueue::commitOnStrand(base::SteadyTime deadline, base::Completion<void> done) {
  const std::int64_t offset = consumed_.load(std::memory_order_relaxed);
  if (offset < 0 || offset == committed_.load(std::memory_order_relaxed)) {
    return std::move(done)(Result<void>());
  }
  commit_in_flight_ = true;
  auto answered = [this, alive = self(), offset, done = std::move(done)](Result<void>&& answer) mutable {
    strand_.post(alive, [this, offset, done = std::move(done), answer = std::move(answer)]() mutable {
      onCommitAnswer(offset, std::move(answer), std::move(done));
    });
  };
  context_->commit(queue_, offset, deadline, base::Completion<void>::of(std::move(answered)));
}

void ProcessQueue::onCommitAnswer(std::int64_t offset, Result<void> answer, base::Completion<void> done) {
  commit_in_flight_ = false;
  onCommitted(offset, answer.has_value());
  if (!answer) {
    context_->log().writeLimited(LogLevel::kWarn, kComponent,
                                 context_->instance->logKey(queue_.brokerName(), answer.error(), where() + " commit"),
                                 base::kLogPeriod, where() + ": " + answer.error().message());
  }
  std::move(done)(std::move(answer));
}

void ProcessQueue::onCommitted(std::int64_t offset, bool ok) {
  if (ok && offset > committed_.load(std::memory_order_relaxed)) committed_.store(offset, std::memory_order_relaxed);
  updateConsumed();  // arms the next commit if there is more, or if this one failed
}

// ---- ending

void ProcessQueue::drain(base::Completion<void> idle) {
  strand_.post(self(), [this, idle = std::move(idle)]() mutable {
    if (over()) return std::move(idle)(Result<void>());
    idle_ = std::move(idle);
    draining_ = true;
    timer_.cancel();
    redelivery_timer_.cancel();
    redeliveries_.clear();  // not finished: they stay in the cache and hold back the commit
    if (!std::exchange(started_reported_, true)) owner_->onQueueStarted();
    if (handed_out_ == 0) reportIdle();
  });
}

void ProcessQueue::reportIdle() {
  std::move(idle_)(Result<void>());
}

void ProcessQueue::drop(FinalCommit commit, base::SteadyTime deadline, base::Completion<void> done) {
  dropped_.store(true, std::memory_order_release);  // seen by listener threads at once
  strand_.post(self(), [this, commit, deadline, done = std::move(done)]() mutable {
    dropOnStrand(commit, deadline, std::move(done));
  });
}

void ProcessQueue::dropOnStrand(FinalCommit commit, base::SteadyTime deadline, base::Completion<void> done) {
  if (over()) return std::move(done)(Result<void>());
  dropped_.store(true, std::memory_order_release);
  enter(State::kDropped, "given up");
  timer_.cancel();
  redelivery_timer_.cancel();
  commit_timer_.cancel();
  redeliveries_.clear();
  if (draining_) context_->abandoned.fetch_add(cache_.count(), std::memory_order_relaxed);
  giveUpCache();
  if (!std::exchange(started_reported_, true)) owner_->onQueueStarted();
  owner_ = nullptr;
  owner_alive_.reset();
  reportIdle();  // nobody waits for its listener any more
  if (commit == FinalCommit::kNo) return std::move(done)(Result<void>());
  commitOnStrand(deadline, std::move(done));
}

void ProcessQueue::giveUpCache() {
  context_->cached_bytes.giveBack(cache_.bytes());
  cache_ = MessageCache();
  cached_.store(0, std::memory_order_relaxed);
}

QueueProgress ProcessQueue::progress() const {
  QueueProgress progress{queue_};
  progress.minOffset = min_offset_.load(std::memory_order_relaxed);
  progress.maxOffset = max_offset_.load(std::memory_order_relaxed);
  progress.consumed = consumed_.load(std::memory_order_relaxed);
  progress.committed = committed_.load(std::memory_order_relaxed);
  progress.cached = static_cast<std::int64_t>(cached_.load(std::memory_order_relaxed));
  progress.paused = context_->suspended.load(std::memory_order_relaxed);
  if (const char* why = why_.load(std::memory_order_relaxed)) {
    progress.why = why;
  } else {
    base::MutexLock lock(why_mutex_);
    progress.why = "trying again after: " + why_error_;
  }
  return progress;
}

}  // namespace mqclient::consumer
