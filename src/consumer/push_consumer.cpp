#include "consumer/push_consumer.h"

#include <algorithm>
#include <utility>

#include "client/response_error.h"
#include "consumer/push_options.h"
#include "mqclient/codes.h"
#include "protocol/body/client.h"
#include "protocol/body/heartbeat.h"
#include "protocol/body/route.h"
#include "protocol/headers/client.h"

namespace mqclient::consumer {
namespace {

/// Completes `done` when all of `count` parts have, with the first error among them.
class Join final : public base::Object {
 public:
  Join(std::size_t count, base::Completion<void> done) : left_(count), done_(std::move(done)) {}

  static base::Completion<void> part(const base::Ref<Join>& join) {
    return base::Completion<void>::of([join](Result<void>&& result) { join->finish(std::move(result)); });
  }

 private:
  void finish(Result<void> result) {
    {
      base::MutexLock lock(mutex_);
      if (!result && !error_) error_ = result.error();
      if (--left_ > 0) return;
    }
    std::move(done_)(error_ ? Result<void>(*error_) : Result<void>());
  }

  base::Mutex mutex_;
  std::size_t left_ MQ_GUARDED_BY(mutex_);
  std::optional<Error> error_;  // settled once left_ is 0
  base::Completion<void> done_;
};

protocol::ConsumeFromWhere wireName(ConsumeFromWhere::Kind kind) noexcept {
  switch (kind) {
    case ConsumeFromWhere::Kind::kFirstOffset:
      return protocol::ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET;
    case ConsumeFromWhere::Kind::kTimestamp:
      return protocol::ConsumeFromWhere::CONSUME_FROM_TIMESTAMP;
    case ConsumeFromWhere::Kind::kLastOffset:
      break;
  }
  return protocol::ConsumeFromWhere::CONSUME_FROM_LAST_OFFSET;
}

}  // namespace

/// The instance's view of the consumer. Held by the instance until unregisterConsumer.
class PushConsumer::Hooks final : public client::ConsumerHooks {
 public:
  explicit Hooks(base::Ref<PushConsumer> consumer) noexcept : consumer_(std::move(consumer)) {}

  const std::string& group() const noexcept override { return consumer_->context_->group; }
  protocol::ConsumerData heartbeatData() const override {
    const ConsumerContext& context = *consumer_->context_;
    protocol::ConsumerData data;
    data.groupName = context.group;
    data.consumeType = protocol::ConsumeType::CONSUME_PASSIVELY;
    data.messageModel = protocol::MessageModel::CLUSTERING;
    data.consumeFromWhere = wireName(context.options.consumeFromWhere.kind());
    const std::shared_ptr<const Subscriptions> subscriptions = context.subscriptions.get();
    for (const auto& [topic, subscription] : *subscriptions) {
      data.subscriptionDataSet.push_back(subscription);
    }
    return data;
  }
  void onConsumerIdsChanged() noexcept override { consumer_->onMembersChanged(); }
  void onRouteChanged(const std::string& /*topic*/, const client::RoutePtr& /*route*/) noexcept override {
    consumer_->onRoutesChanged();
  }
  void onBrokerConnected(const std::string& broker_name) noexcept override {
    consumer_->onBrokerConnected(broker_name);
  }

 private:
  const base::Ref<PushConsumer> consumer_;
};

PushConsumer::PushConsumer(client::InstanceLease lease, base::Ref<ConsumerContext> context)
    : context_(std::move(context)),
      strand_(context_->engine()),
      lease_(std::move(lease)),
      loop_(strand_, *this, context_->group, context_->instance->clientId(),
            context_->options.allocateMessageQueueStrategy),
      start_timer_(strand_, [this] { startIsLate(); }),
      drain_timer_(strand_, [this] { drained(); }) {}
PushConsumer::~PushConsumer() = default;

// ---- starting

void PushConsumer::start(base::Millis wait, base::Completion<void> done) {
  post([this, wait, done = std::move(done)]() mutable { startOnStrand(wait, std::move(done)); });
}

void PushConsumer::startOnStrand(base::Millis wait, base::Completion<void> done) {
  if (step_ != Step::kStarting) {
    return std::move(done)(Error(ErrorCode::kClosed, "the consumer was closed before it had started"));
  }
  start_done_ = std::move(done);
  const std::vector<std::string> subscribed = topics();
  for (const std::string& topic : subscribed) {
    if (watched_.insert(topic).second) instance().watchTopic(topic);
  }
  if (wait.count() <= 0) {  // offline: everything happens when a nameserver is there
    registerAndTell();
    return startEnded(Result<void>());
  }
  start_timer_.armAfter(self(), wait);
  if (subscribed.empty()) {
    nameserver_answered_ = true;
    return registerAndTell();
  }
  first_routes_left_ = subscribed.size();
  const base::SteadyTime deadline = context_->engine().now() + wait;
  for (const std::string& topic : subscribed) {
    instance().fetchRoute(
        topic, deadline, base::Completion<client::RoutePtr>::of([me = self()](Result<client::RoutePtr>&& route) {
          me->post([me = me.get(), route = std::move(route)]() mutable { me->onFirstRoute(std::move(route)); });
        }));
  }
}

void PushConsumer::onFirstRoute(Result<client::RoutePtr> route) {
  if (step_ != Step::kStarting || !start_done_) return;
  // A topic without a route is no error: it is asked for each second, and a nameserver has answered.
  if (route || route.error().code() == ErrorCode::kNoRoute) {
    nameserver_answered_ = true;
  } else if (!first_route_error_) {
    first_route_error_ = route.error();
  }
  if (--first_routes_left_ > 0) return;
  if (nameserver_answered_) {
    registerAndTell();
    if (start_is_late_) startEnded(Result<void>());
    return;
  }
  // Silence until the end of startTimeout says about the nameservers what a refusal says.
  const ErrorCode code = first_route_error_->code();
  startEnded(Error(code == ErrorCode::kTimeout ? ErrorCode::kNoNameServer : code,
                   "push consumer not started: " + first_route_error_->message()));
}

void PushConsumer::registerAndTell() {
  hooks_ = base::makeRef<Hooks>(self());
  if (Result<void> registered = instance().registerConsumer(hooks_); !registered) {
    hooks_.reset();
    return startEnded(std::move(registered));
  }
  instance().heartbeatNow(base::Completion<void>::of([me = self()](Result<void>&&) {
    me->post([me = me.get()] { me->onFirstHeartbeat(); });  // whom it did not reach is told by the next one
  }));
}

void PushConsumer::onFirstHeartbeat() {
  if (step_ != Step::kStarting) return;
  step_ = Step::kRunning;
  loop_.trigger();
}

void PushConsumer::startIsLate() {
  // The first routes have the same deadline, and whoever fails them knows why.
  start_is_late_ = first_routes_left_ > 0;
  if (!start_is_late_) startEnded(Result<void>());
}

void PushConsumer::startEnded(Result<void> result) {
  if (!start_done_) return;
  start_timer_.cancel();
  if (result && nameserver_answered_) becomeReady();
  std::move(start_done_)(std::move(result));
}

void PushConsumer::ready(base::Completion<void> done) {
  post([this, done = std::move(done)]() mutable {
    if (step_ > Step::kRunning) return std::move(done)(Error(ErrorCode::kClosed, "the consumer was closed"));
    if (ready_) return std::move(done)(Result<void>());
    ready_waiters_.push_back(std::move(done));
    askWhetherReady();
  });
}

void PushConsumer::askWhetherReady() {
  if (ready_ || asking_ready_ || ready_waiters_.empty()) return;
  const std::vector<std::string> subscribed = topics();
  const bool any_route = std::any_of(subscribed.begin(), subscribed.end(),
                                     [this](const std::string& topic) { return instance().route(topic) != nullptr; });
  if (!any_route) return;  // asked again after the next run
  asking_ready_ = true;
  instance().heartbeatNow(base::Completion<void>::of([me = self()](Result<void>&& told) {
    me->post([me = me.get(), ok = told.has_value()] {
      me->asking_ready_ = false;
      if (ok) me->becomeReady();
    });
  }));
}

void PushConsumer::becomeReady() {
  ready_ = true;
  std::vector<base::Completion<void>> waiters = std::move(ready_waiters_);
  ready_waiters_.clear();
  for (base::Completion<void>& done : waiters) std::move(done)(Result<void>());
}

// ---- what the instance tells

void PushConsumer::onMembersChanged() noexcept {
  post([this] {
    if (step_ == Step::kRunning) loop_.trigger();
  });
}

void PushConsumer::onRoutesChanged() noexcept {
  post([this] { tellThenRebalance(); });
}

void PushConsumer::onBrokerConnected(const std::string& broker_name) noexcept {
  post([this, broker_name] {
    if (step_ != Step::kRunning) return;
    for (const base::Ref<ProcessQueue>& queue : queues()) {
      if (queue->queue().brokerName() == broker_name) queue->wake();
    }
    loop_.trigger();
  });
}

void PushConsumer::tellThenRebalance() {
  if (step_ != Step::kRunning) return;
  // A broker that does not know the group yet would answer our questions with errors.
  instance().heartbeatNow(base::Completion<void>::of([me = self()](Result<void>&&) {
    me->post([me = me.get()] {
      if (me->step_ == Step::kRunning) me->loop_.trigger();
    });
  }));
}

// ---- RebalanceTarget

std::vector<std::string> PushConsumer::topics() {
  const std::shared_ptr<const Subscriptions> subscriptions = context_->subscriptions.get();
  std::vector<std::string> names;
  names.reserve(subscriptions->size());
  for (const auto& [topic, subscription] : *subscriptions) names.push_back(topic);
  return names;
}

std::optional<std::vector<MessageQueue>> PushConsumer::queuesOf(const std::string& topic) {
  const client::RoutePtr route = instance().route(topic);
  if (!route) return std::nullopt;
  return subscribeQueues(topic, *route);
}

void PushConsumer::askMembers(const std::string& topic, base::Completion<std::vector<std::string>> done) {
  const client::RoutePtr route = instance().route(topic);
  std::vector<std::pair<std::string, std::string>> brokers;  // name, master's address or else any
  if (route) {
    for (const protocol::BrokerData& broker : route->brokerDatas) {
      if (!broker.brokerAddrs.empty()) brokers.emplace_back(broker.brokerName, broker.brokerAddrs.begin()->second);
    }
  }
  if (brokers.empty()) return std::move(done)(Error(ErrorCode::kNoRoute, "no broker of topic " + topic + " is known"));
  // All members ask the same broker first, so that they compute from the same list; the next one after a failure.
  std::sort(brokers.begin(), brokers.end());
  const auto& [name, address] = brokers[asks_ % brokers.size()];
  protocol::GetConsumerListByGroupRequestHeader header;
  header.consumerGroup = context_->group;
  header.bname = name;
  instance().invokeAddress(
      address, RequestCode::GET_CONSUMER_LIST_BY_GROUP, header, {}, instance().apiDeadline(),
      base::Completion<protocol::RemotingCommand>::of(
          [me = self(), what = "members of " + context_->group + " at " + name, name = name,
           done = std::move(done)](Result<protocol::RemotingCommand>&& answer) mutable {
            Result<std::vector<std::string>> members = [&]() -> Result<std::vector<std::string>> {
              if (!answer) return std::move(answer).error();
              if (answer->responseCode() != ResponseCode::SUCCESS) return client::responseError(*answer, what);
              auto body = protocol::GetConsumerListByGroupResponseBody::decode(answer->body.flatten().text());
              if (!body) return std::move(body).error();
              return std::move(body->consumerIdList);
            }();
            if (!members) {
              me->post([me = me.get(), name, error = members.error()] {
                ++me->asks_;
                me->context_->log().writeLimited(
                    LogLevel::kWarn, kComponent,
                    me->instance().logKey(name, error, "members of " + me->context_->group), base::kLogPeriod,
                    error.message());
              });
            }
            std::move(done)(std::move(members));
          }));
}

void PushConsumer::onAssigned(const std::string& topic, const std::vector<MessageQueue>& added,
                              rebalance::PreviousOwner previous) {
  if (step_ != Step::kRunning) return;
  const base::Millis delay = previous == rebalance::PreviousOwner::kPossible ? kDelayForPreviousOwner : base::Millis{0};
  for (const MessageQueue& queue : added) addQueue(queue, delay, std::nullopt);
  const std::string text = "group " + context_->group + " took " + std::to_string(added.size()) + " queues of " + topic;
  context_->log().write(LogLevel::kInfo, kComponent, text);
  instance().event(EventKind::kRebalanced, topic, text);
}

void PushConsumer::onRevoked(const std::string& topic, const std::vector<MessageQueue>& removed) {
  if (step_ != Step::kRunning) return;
  giveUp(topic, removed, base::Completion<void>());
}

void PushConsumer::onRunEnded(bool balanced) {
  if (!std::exchange(first_run_ended_, true) && queues_starting_ == 0) startEnded(Result<void>());
  if (!balanced) heartbeat();  // the broker may have forgotten us
  askWhetherReady();
}

void PushConsumer::onDiverged(const std::string& topic, const std::string& what) {
  context_->log().write(LogLevel::kWarn, kComponent, "group " + context_->group + ", topic " + topic + ": " + what);
  instance().event(EventKind::kDiverged, topic, what);
}

// ---- queues

void PushConsumer::addQueue(const MessageQueue& queue, base::Millis delay, std::optional<std::int64_t> offset) {
  QueueOwner& owner = *this;
  const auto added = base::makeRef<ProcessQueue>(context_, queue, base::Ref<base::Object>(this), owner);
  base::Ref<ProcessQueue> before;
  {
    base::MutexLock lock(mutex_);
    base::Ref<ProcessQueue>& place = queues_[queue];
    before = std::move(place);
    place = added;
  }
  if (before) {
    before->drop(ProcessQueue::FinalCommit::kNo, context_->engine().now(), base::Completion<void>());
  }
  if (!first_run_ended_ && delay.count() == 0) ++queues_starting_;
  added->start(delay, offset);
}

void PushConsumer::giveUp(const std::string& topic, const std::vector<MessageQueue>& queues,
                          base::Completion<void> done) {
  if (queues.empty()) return std::move(done)(Result<void>());
  const base::Ref<Join> join = base::makeRef<Join>(queues.size(), std::move(done));
  for (const MessageQueue& queue : queues) removeQueue(queue, Join::part(join));
  const std::string text =
      "group " + context_->group + " gave up " + std::to_string(queues.size()) + " queues of " + topic;
  context_->log().write(LogLevel::kInfo, kComponent, text);
  instance().event(EventKind::kRebalanced, topic, text);
}

void PushConsumer::removeQueue(const MessageQueue& queue, base::Completion<void> done) {
  base::Ref<ProcessQueue> removed;
  {
    base::MutexLock lock(mutex_);
    const auto it = queues_.find(queue);
    if (it != queues_.end()) {
      removed = std::move(it->second);
      queues_.erase(it);
    }
  }
  if (!removed) return std::move(done)(Result<void>());
  endPeriod(removed, context_->engine().now() + kOffsetRequestTimeout, std::move(done));
  moving_.erase(queue);
}

void PushConsumer::endPeriod(const base::Ref<ProcessQueue>& queue, base::SteadyTime deadline,
                             base::Completion<void> done) {
  auto committed = base::Completion<void>::of(
      [me = self(), of = queue->queue(), done = std::move(done)](Result<void>&& answer) mutable {
        if (!answer) {
          me->post([me = me.get(), of] {
            if (me->step_ > Step::kRunning) me->report_.offsetsNotCommitted.push_back(of);
          });
        }
        std::move(done)(std::move(answer));
      });
  const auto moving = moving_.find(queue->queue());
  if (moving == moving_.end()) return queue->drop(ProcessQueue::FinalCommit::kYes, deadline, std::move(committed));
  // After the last step of the period: no commit of it can come after this one.
  auto ended = [context = context_, of = queue->queue(), offset = moving->second.offset, deadline,
                committed = std::move(committed)](Result<void>&&) mutable {
    context->commit(of, offset, deadline, std::move(committed));
  };
  queue->drop(ProcessQueue::FinalCommit::kNo, deadline, base::Completion<void>::of(std::move(ended)));
}

void PushConsumer::moveQueue(const MessageQueue& queue, std::int64_t offset, Move why) {
  if (step_ != Step::kRunning) return;
  if (const auto moving = moving_.find(queue); moving != moving_.end()) {
    // The user's latest word counts; a broker corrects what was asked for before.
    if (why == Move::kSeek) moving->second.offset = offset;
    return;
  }
  base::Ref<ProcessQueue> old;
  {
    base::MutexLock lock(mutex_);
    const auto it = queues_.find(queue);
    if (it == queues_.end()) return;  // given up meanwhile
    old = it->second;
  }
  moving_.emplace(queue, Moving{old, offset});
  // The new period begins after the last step of the old one: no commit of it can come after ours.
  old->drop(ProcessQueue::FinalCommit::kNo, context_->engine().now(),
            base::Completion<void>::of([me = self(), old, queue](Result<void>&&) {
              me->post([me = me.get(), old, queue] { me->beginMoved(queue, old); });
            }));
}

void PushConsumer::beginMoved(const MessageQueue& queue, const base::Ref<ProcessQueue>& old) {
  if (step_ != Step::kRunning) return;
  const auto moving = moving_.find(queue);
  if (moving == moving_.end() || !(moving->second.from == old)) return;  // given up meanwhile
  const std::int64_t offset = moving->second.offset;
  moving_.erase(moving);
  addQueue(queue, base::Millis{0}, offset);
}

std::vector<base::Ref<ProcessQueue>> PushConsumer::queues() const {
  base::MutexLock lock(mutex_);
  std::vector<base::Ref<ProcessQueue>> all;
  all.reserve(queues_.size());
  for (const auto& [queue, process_queue] : queues_) all.push_back(process_queue);
  return all;
}

void PushConsumer::onQueueStarted() noexcept {
  post([this] {
    if (queues_starting_ > 0 && --queues_starting_ == 0 && first_run_ended_) startEnded(Result<void>());
  });
}

void PushConsumer::onOffsetIllegal(const MessageQueue& queue, std::int64_t offset) noexcept {
  post([this, queue, offset] { moveQueue(queue, offset, Move::kCorrection); });
}

void PushConsumer::onNotRegistered() noexcept {
  post([this] { heartbeat(); });
}

void PushConsumer::heartbeat() {
  if (step_ == Step::kRunning) {
    instance().heartbeatNow(base::Completion<void>::of([](Result<void>&&) {}));
  }
}

// ---- what the user asks for

Result<void> PushConsumer::subscribe(const Subscription& subscription) {
  {
    base::MutexLock lock(subscribe_mutex_);
    if (subscriptions_closed_) return Error(ErrorCode::kClosed, "the consumer was closed");
    // Rises even if the clock does not: the broker keeps the newest version and refuses older pulls.
    sub_version_ = std::max(context_->engine().wallMillis(), sub_version_ + 1);
    Result<protocol::SubscriptionData> data = toSubscriptionData(subscription, sub_version_);
    if (!data) return std::move(data).error();
    auto next = std::make_shared<Subscriptions>(*context_->subscriptions.get());
    (*next)[subscription.topic] = *std::move(data);
    context_->subscriptions.set(std::move(next));
  }
  post([this, topic = subscription.topic] {
    if (step_ > Step::kRunning) return;
    if (watched_.insert(topic).second) instance().watchTopic(topic);
    tellThenRebalance();
  });
  return {};
}

Result<void> PushConsumer::unsubscribe(const std::string& topic) {
  {
    base::MutexLock lock(subscribe_mutex_);
    if (subscriptions_closed_) return Error(ErrorCode::kClosed, "the consumer was closed");
    auto next = std::make_shared<Subscriptions>(*context_->subscriptions.get());
    if (next->erase(topic) == 0) {
      return Error(ErrorCode::kInvalidArgument, "topic '" + topic + "' is not subscribed");
    }
    context_->subscriptions.set(std::move(next));
  }
  post([this, topic] {
    if (step_ > Step::kRunning) return;
    const std::shared_ptr<const Subscriptions> now = context_->subscriptions.get();
    if (now->find(topic) != now->end()) return;  // subscribed again meanwhile
    loop_.forget(topic);
    std::vector<MessageQueue> ours;
    for (const base::Ref<ProcessQueue>& queue : queues()) {
      if (queue->queue().topic() == topic) ours.push_back(queue->queue());
    }
    if (watched_.erase(topic) > 0) leaving_.insert(topic);
    giveUp(topic, ours, base::Completion<void>::of([me = self(), topic](Result<void>&&) {
             me->post([me = me.get(), topic] { me->left(topic); });
           }));
    tellThenRebalance();
  });
  return {};
}

void PushConsumer::left(const std::string& topic) {
  const auto leaving = leaving_.find(topic);
  if (leaving == leaving_.end()) return;
  leaving_.erase(leaving);
  instance().unwatchTopic(topic);  // not before: with its last watch a topic's brokers are forgotten
  commitEnded();
}

void PushConsumer::suspend() {
  context_->suspended.store(true, std::memory_order_release);
}

void PushConsumer::resume() {
  context_->suspended.store(false, std::memory_order_release);
  for (const base::Ref<ProcessQueue>& queue : queues()) queue->wake();
}

void PushConsumer::commit(base::Completion<void> done) {
  const std::vector<base::Ref<ProcessQueue>> all = queues();
  if (all.empty()) return std::move(done)(Result<void>());
  const base::SteadyTime deadline = context_->engine().now() + kOffsetRequestTimeout;
  const base::Ref<Join> join = base::makeRef<Join>(all.size(), std::move(done));
  for (const base::Ref<ProcessQueue>& queue : all) queue->commit(deadline, Join::part(join));
}

Result<void> PushConsumer::seek(const MessageQueue& queue, std::int64_t offset) {
  if (offset < 0) {
    return Error(ErrorCode::kInvalidArgument, "seek to offset " + std::to_string(offset) + ": offsets begin at 0");
  }
  {
    base::MutexLock lock(mutex_);
    if (queues_.find(queue) == queues_.end()) {
      return Error(ErrorCode::kInvalidArgument,
                   "seek: " + queue.toString() + " is none of this consumer's queues now; see progress()");
    }
  }
  post([this, queue, offset] { moveQueue(queue, offset, Move::kSeek); });
  return {};
}

std::vector<QueueProgress> PushConsumer::progress() const {
  std::vector<QueueProgress> all;
  for (const base::Ref<ProcessQueue>& queue : queues()) all.push_back(queue->progress());
  return all;
}

}  // namespace mqclient::consumer
