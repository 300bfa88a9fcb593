#include "producer/producer_core.h"

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <utility>

#include "mqclient/codes.h"
#include "producer/send_operation.h"
#include "protocol/batch.h"
#include "protocol/body/route.h"
#include "protocol/compression.h"
#include "protocol/headers/send.h"
#include "protocol/message_access.h"
#include "protocol/message_check.h"
#include "protocol/names.h"
#include "protocol/properties.h"

namespace mqclient::producer {

using mqclient::detail::MessageAccess;

namespace {

/// Places of ended sends that are given back together: so many, and no larger a part of the bounds.
constexpr std::size_t kLeftTogetherMax = 32;
constexpr std::size_t kLeftTogetherPart = 16;

constexpr std::string_view kWaitYes = "true";
/// What a send under way may come to hold beside its body and its properties: operation, result, request, frame, 2 KiB
/// at first; as much again once it failed and is tried again, by another thread; and what the ended ones before it
/// still hold until their callbacks have run (measured: `./dev soak --only R11`).
constexpr std::size_t kBytesOfASend = 6'144;
/// The same of each further message of a batch: its id.
constexpr std::size_t kBytesOfABatchedMessage = 64;
constexpr base::Millis kProbeAgainAfter{1'000};
/// A broker tells its nameservers of a topic it made after it has answered the send (Apache 4.9: in the background).
constexpr base::Millis kQueuesAgainAfter{100};
/// Kept of close()'s time for telling the brokers, however late it is.
constexpr base::Millis kUnregisterMin{500};
constexpr int kRetriesMax = 100;
/// Longer waits are as good as none, and sums with the clock must not overflow.
constexpr base::Millis kTimeoutMax{24 * 3600 * 1000};
constexpr int kQueueNumsMax = 65'536;

protocol::RecordHost hostOf(const base::Environment& environment) {
  protocol::RecordHost host;
  host.v6 = environment.host_ip_bytes.size() == host.ip.size();
  std::ranges::transform(environment.host_ip_bytes, host.ip.begin(), [](std::uint8_t b) { return std::byte{b}; });
  return host;
}

Error closedError() {
  return {ErrorCode::kClosed, "the producer was closed"};
}

/// What a send of this message holds until it is completed.
std::size_t bytesHeld(const Message& message) {
  return kBytesOfASend + message.body().size() + 2 * MessageAccess::properties(message).size();  // once in the frame
}

/// Why messages cannot go as one batch; nothing: they can. Each message is checked on its own as well.
std::optional<Error> checkBatch(const std::vector<Message>& messages, std::size_t bytes, std::size_t bytes_max) {
  std::string complaints;
  const auto complain = [&](const std::string& text) { complaints += (complaints.empty() ? "" : "; ") + text; };
  if (messages.empty()) complain("there is no message in it");
  if (messages.size() > protocol::kMaxBatchMessages) {
    complain("it has " + std::to_string(messages.size()) + " messages, at most " +
             std::to_string(protocol::kMaxBatchMessages) + " are allowed");
  }
  if (bytes > bytes_max) {
    complain("it takes " + std::to_string(bytes) + " bytes, at most " + std::to_string(bytes_max) +
             " (maxMessageSize) are allowed; splitBatch() cuts it");
  }
  const auto other = std::ranges::find_if(messages, [&](const Message& m) { return m.topic() != messages[0].topic(); });
  if (other != messages.end()) {
    complain("its messages go to different topics: " + messages[0].topic() + " and " + other->topic());
  }
  if (!messages.empty() && protocol::isRetryTopic(messages[0].topic())) complain("a retry topic takes no batches");
  if (complaints.empty()) return std::nullopt;
  return Error(ErrorCode::kMessageIllegal, "batch: " + complaints, static_cast<int>(ResponseCode::MESSAGE_ILLEGAL));
}

}  // namespace

Result<void> checkProducer(const std::string& group, const ProducerOptions& options) {
  std::string complaints;
  const auto complain = [&](const std::string& text) { complaints += (complaints.empty() ? "" : "; ") + text; };
  const auto within = [&](const char* name, std::int64_t value, std::int64_t least, std::int64_t most) {
    if (value >= least && value <= most) return;
    complain(std::string(name) + " is " + std::to_string(value) + ", it may be " + std::to_string(least) + " to " +
             std::to_string(most));
  };
  const auto atLeastOne = [&](const char* name, std::size_t value, std::size_t most = SIZE_MAX) {
    if (value == 0) complain(std::string(name) + " is 0, it must be at least 1");
    if (value > most) {
      complain(std::string(name) + " is " + std::to_string(value) + ", it may be at most " + std::to_string(most));
    }
  };
  if (auto complaint = protocol::complaintAboutClientGroup("producer group", group)) complain(*complaint);
  within("sendMsgTimeout (ms)", options.sendMsgTimeout.count(), 1, INT32_MAX);
  within("retryTimesWhenSendFailed", options.retryTimesWhenSendFailed, 0, kRetriesMax);
  within("defaultTopicQueueNums", options.defaultTopicQueueNums, 1, kQueueNumsMax);
  atLeastOne("maxMessageSize", options.maxMessageSize);
  atLeastOne("backPressureForAsyncSendNum", options.backPressureForAsyncSendNum, FlowGate::kMessagesMax);
  atLeastOne("backPressureForAsyncSendSize", options.backPressureForAsyncSendSize, FlowGate::kBytesMax);
  switch (options.compressType) {
    case CompressionType::LZ4:
    case CompressionType::ZSTD:
    case CompressionType::ZLIB:
      break;
    default:
      complain("compressType is " + std::to_string(static_cast<int>(options.compressType)) +
               ", it may be LZ4 (1), ZSTD (2) or ZLIB (3)");
  }
  for (const std::string& topic : options.topics) {
    if (auto complaint = protocol::complaintAboutTopic(topic)) complain("topics: " + *complaint);
  }
  if (auto complaint = protocol::complaintAboutTopic(options.createTopicKey)) complain("createTopicKey: " + *complaint);
  if (complaints.empty()) return {};
  return Error(ErrorCode::kInvalidArgument, complaints);
}

ProducerCore::ProducerCore(client::InstanceLease lease, std::string group, ProducerOptions options)
    : instance_(lease.ref()),
      group_(std::move(group)),
      options_(std::move(options)),
      ids_(hostOf(instance_->engine().environment()), instance_->engine().environment().pid,
           instance_->engine().environment().process_salt ^ static_cast<std::uint32_t>(instance_->engine().nextId())),
      gate_({options_.backPressureForAsyncSendNum, options_.backPressureForAsyncSendSize}),
      left_together_{std::min(kLeftTogetherMax, options_.backPressureForAsyncSendNum / kLeftTogetherPart),
                     options_.backPressureForAsyncSendSize / kLeftTogetherPart},
      callbacks_(std::make_shared<CallbackGate>(instance_->engine().callbackTarget())),
      callback_target_(callbacks_),
      topics_(*instance_),
      strand_(instance_->engine()),
      lease_(std::move(lease)),
      probe_timer_(strand_, [this] { probeOnStrand(instance_->apiDeadline()); }),
      queues_timer_(strand_,
                    [this] {
                      for (auto& question : std::exchange(queues_questions_, {})) askForQueues(std::move(question));
                    }),
      drain_timer_(strand_, [this] {
        drainedOrLate();
        calledBackOrLate();
      }) {}

// ---- life

void ProducerCore::start(base::Millis timeout, base::Completion<void> done) {
  post([this, timeout, done = std::move(done)]() mutable {
    instance_->registerProducer(group_);
    for (const std::string& topic : options_.topics) topicOf(topic);
    if (timeout.count() == 0) return std::move(done)(Result<void>());
    ready_waiters_.push_back(std::move(done));
    one_probe_ = true;
    probeOnStrand(engine().now() + timeout);
  });
}

void ProducerCore::ready(base::Completion<void> done) {
  post([this, done = std::move(done)]() mutable {
    if (step_ != Step::kRunning) return std::move(done)(closedError());
    if (ready_) return std::move(done)(Result<void>());
    ready_waiters_.push_back(std::move(done));
    if (!probing_) probeOnStrand(instance_->apiDeadline());
  });
}

void ProducerCore::probeOnStrand(base::SteadyTime deadline) {
  if (step_ != Step::kRunning || ready_) return;
  probing_ = true;
  // Any nameserver's answer will do, also that it does not know the topic.
  const std::string& topic = options_.topics.empty() ? options_.createTopicKey : options_.topics.front();
  instance_->fetchRoute(
      topic, deadline,
      base::Completion<route::RoutePtr>::of([core = base::Ref<ProducerCore>(this)](Result<route::RoutePtr>&& answer) {
        core->post([core = core.get(), answer = std::move(answer)] { core->probed(answer); });
      }));
}

void ProducerCore::probed(const Result<route::RoutePtr>& answer) {
  probing_ = false;
  if (step_ != Step::kRunning) return;
  const bool answered = answer || answer.error().code() == ErrorCode::kNoRoute;
  const bool last = std::exchange(one_probe_, false);
  if (!answered && !last) {
    probe_timer_.armAfter(self(), kProbeAgainAfter);
    return;
  }
  ready_ = answered;
  std::vector<base::Completion<void>> waiters = std::exchange(ready_waiters_, {});
  for (auto& done : waiters) {
    if (answered) {
      std::move(done)(Result<void>());
    } else {
      std::move(done)(
          Error(ErrorCode::kNoNameServer, "no nameserver answered within startTimeout: " + answer.error().message() +
                                              ", or start offline with startTimeout 0"));
    }
  }
}

void ProducerCore::close(base::Millis wait, base::Completion<CloseReport> done) {
  post([this, wait, done = std::move(done)]() mutable { closeOnStrand(wait, std::move(done)); });
}

void ProducerCore::closeOnStrand(base::Millis wait, base::Completion<CloseReport> done) {
  if (step_ == Step::kClosed) return std::move(done)(report_);
  close_waiters_.push_back(std::move(done));
  if (step_ != Step::kRunning) return;
  step_ = Step::kDraining;
  probe_timer_.cancel();
  std::vector<base::Completion<void>> never_ready = std::exchange(ready_waiters_, {});
  for (auto& waiter : never_ready) std::move(waiter)(closedError());
  queues_timer_.cancel();
  for (auto& question : std::exchange(queues_questions_, {})) std::move(question.done)(closedError());
  closing_since_ = engine().now();
  close_deadline_ = closing_since_ + std::max(wait, base::Millis(0));
  report_.drained = gate_.close();
  gate_.flush(base::Completion<void>::of([core = base::Ref<ProducerCore>(this)](Result<void>&&) {
    core->post([core = core.get()] { core->drainedOrLate(); });
  }));
  if (step_ == Step::kDraining) drain_timer_.arm(self(), close_deadline_);
}

void ProducerCore::drainedOrLate() {
  if (step_ != Step::kDraining) return;
  step_ = Step::kUnregistering;
  drain_timer_.cancel();
  report_.abandoned = gate_.underWay();
  report_.drained -= std::min(report_.drained, report_.abandoned);
  const base::SteadyTime deadline = std::max(close_deadline_, engine().now() + kUnregisterMin);
  instance_->unregisterProducer(group_, deadline,
                                base::Completion<void>::of([core = base::Ref<ProducerCore>(this)](Result<void>&&) {
                                  core->post([core = core.get()] { core->unregistered(); });
                                }));
}

void ProducerCore::unregistered() {
  topics_.clear();  // not before: with the last watch of a topic its brokers are forgotten
  lease_.release(base::Completion<void>::of([core = base::Ref<ProducerCore>(this)](Result<void>&&) {
    core->post([core = core.get()] { core->disconnected(); });
  }));
}

void ProducerCore::disconnected() {
  // Every send has its result now, so every callback is on its way.
  step_ = Step::kCallingBack;
  callbacks_->whenIdle(base::Completion<void>::of([core = base::Ref<ProducerCore>(this)](Result<void>&&) {
    core->post([core = core.get()] {
      core->calledBackOrLate();
      for (auto& done : std::exchange(core->idle_waiters_, {})) std::move(done)(Result<void>());
      core->callbacks_idle_ = true;
    });
  }));
  if (step_ != Step::kCallingBack) return;
  drain_timer_.arm(self(), std::max(close_deadline_, engine().now()));
}

void ProducerCore::calledBackOrLate() {
  if (step_ != Step::kCallingBack) return;
  step_ = Step::kClosed;
  drain_timer_.cancel();
  report_.listenersRunning = callbacks_->notReturned();
  report_.took = std::chrono::duration_cast<Millis>(engine().now() - closing_since_);
  std::vector<base::Completion<CloseReport>> waiters = std::exchange(close_waiters_, {});
  for (auto& done : waiters) std::move(done)(report_);
}

void ProducerCore::whenCallbacksIdle(base::Completion<void> done) {
  post([this, done = std::move(done)]() mutable {
    if (callbacks_idle_) return std::move(done)(Result<void>());
    idle_waiters_.push_back(std::move(done));
  });
}

// ---- sending

namespace {

constinit thread_local bool t_leaving_ended = false;

/// Places that the sends which ended in this turn of a strand give back together: those who enter change the same word.
/// One a thread, of one producer at a time.
class Leaving final : public base::Sleeper {
 public:
  /// Null: the thread ends, or there was no memory.
  static Leaving* ofThisThread() {
    struct Mine {
      ~Mine() { t_leaving_ended = true; }
      const base::Ref<Leaving> leaving = base::Ref<Leaving>::adopt(new (std::nothrow) Leaving);
    };
    if (t_leaving_ended) return nullptr;
    thread_local const Mine mine;
    return mine.leaving.get();
  }
  /// Of `core`'s places at most `most` stay here meanwhile.
  void add(ProducerCore& core, const FlowGate::Place& place, const FlowGate::Bounds& most) noexcept {
    if (core_ != &core) wake();
    const bool first = !core_;
    core_ = &core;
    all_.messages += place.messages;
    all_.bytes += place.bytes;
    if (all_.messages >= most.messages_max || all_.bytes >= most.bytes_max) return wake();
    if (first) base::Activation::ofThisThread().wakeAfterTurn(*this);
  }
  void wake() noexcept override {
    if (ProducerCore* const core = std::exchange(core_, nullptr)) core->leave(std::exchange(all_, {}));
  }

 private:
  ProducerCore* core_ = nullptr;  // kept by the places
  FlowGate::Place all_;
};

}  // namespace

void ProducerCore::leaveAnswered(const FlowGate::Place& place) noexcept {
  // Who is refused instead of waiting may have its own count of what is under way: it finds the place free at once.
  const bool together =
      options_.whenFull == WhenFull::kBlockCaller && place.epoch == 0 && base::Activation::ofThisThread().inside();
  Leaving* const leaving = together ? Leaving::ofThisThread() : nullptr;
  if (!leaving) return leave(place);
  leaving->add(*this, place, left_together_);
}

void ProducerCore::leave(const FlowGate::Place& place) noexcept {
  if (gate_.leave(place) == FlowGate::Left::kNothing) Object::release();
}

SentId ProducerCore::completeProperties(std::string_view own, std::int64_t wall_ms, std::string& to) {
  const protocol::PropertiesView view(own);
  const auto given = own.empty() ? std::nullopt : view.find(protocol::kPropertyUniqClientMessageIdKeyIdx);
  to.reserve(to.size() + own.size() + protocol::kPropertiesAddedBySend);
  const std::size_t begin = to.size();
  to.append(own);
  SentId id;
  if (given) {
    id = {begin + static_cast<std::size_t>(given->data() - own.data()), given->size()};
  } else {
    std::array<char, protocol::UniqIdGenerator::kSizeMax> made;
    ids_.nextTo(made.data(), wall_ms);
    protocol::appendProperty(to, protocol::kPropertyUniqClientMessageIdKeyIdx, {made.data(), ids_.size()});
    id = {to.size() - 1 - ids_.size(), ids_.size()};  // a separator ends it
  }
  protocol::appendProperty(to, protocol::kPropertyWaitStoreMsgOk, kWaitYes);
  return id;
}

bool ProducerCore::mayCompress(const Body& body) const noexcept {
  // What our own consumers would not inflate goes as it is.
  return body.size() >= options_.compressMsgBodyOverHowmuch && body.size() <= protocol::kMaxInflatedBodySize;
}

ProducerCore::WireBody ProducerCore::wireBody(Body body) const {
  if (mayCompress(body)) {
    const std::int32_t type = static_cast<std::int32_t>(options_.compressType) << protocol::kCompressionShift;
    if (auto compressed = protocol::compressBody(type, body.bytes())) {
      return {*std::move(compressed), protocol::kCompressedFlag | type};
    }
  }
  const std::span<const std::byte> bytes = body.bytes();
  return {base::Slice(std::move(body).owner(), bytes), 0};
}

base::Ref<PublishTopic> ProducerCore::topicOf(std::string_view name) {
  return topics_.topic(name);
}

SendBudget ProducerCore::budgetOf(const SendOptions& options, base::SteadyTime now) const {
  const Millis timeout = std::clamp(options.timeout.value_or(options_.sendMsgTimeout), Millis(0), kTimeoutMax);
  const int retries = std::clamp(options.retryTimes.value_or(options_.retryTimesWhenSendFailed), 0, kRetriesMax);
  return {.started = now, .deadline = now + timeout, .tries = 1 + retries};
}

Result<FlowGate::Place> ProducerCore::enter(std::size_t messages, std::size_t bytes, base::SteadyTime deadline,
                                            base::SteadyTime& now) {
  FlowGate::Place place;
  for (;;) {
    switch (gate_.enter(messages, bytes, place)) {
      case FlowGate::Entry::kAccepted:
        if (place.first) Object::retain();  // until nothing is under way: leave()
        return place;
      case FlowGate::Entry::kClosed:
        return closedError();
      case FlowGate::Entry::kFull:
        break;
    }
    const Error full(ErrorCode::kQueueFull,
                     "the producer has as many sends under way as it may (backPressureForAsyncSendNum " +
                         std::to_string(options_.backPressureForAsyncSendNum) + ", backPressureForAsyncSendSize " +
                         std::to_string(options_.backPressureForAsyncSendSize) + "); wait for writable()");
    if (options_.whenFull == WhenFull::kFail || now >= deadline) return full;
    if (!base::Activation::ofThisThread().mayAwait()) {
      return Error(ErrorCode::kWouldBlock, "waiting for room is not possible on this thread; " + full.message());
    }
    const auto slot = base::makeRef<base::WaitSlot>();
    gate_.whenRoom(messages, bytes, slot);
    engine().waitFor(*slot, deadline);
    now = engine().now();
  }
}

Result<std::size_t> ProducerCore::chooseQueue(MessageQueueSelector& selector, const route::TopicPublishInfo& info,
                                              const Message& message) const {
  if (const MessageQueue* wanted = selector.messageQueue()) {
    const auto found = std::ranges::find(info.queues, *wanted);
    if (found != info.queues.end()) return static_cast<std::size_t>(found - info.queues.begin());
    return Error(ErrorCode::kInvalidArgument, wanted->toString() + " is none of the " +
                                                  std::to_string(info.queues.size()) + " queues that topic " +
                                                  message.topic() + " can be written to");
  }
  try {
    const std::size_t index = selector(info.queues, message);
    if (index < info.queues.size()) return index;
    return Error(ErrorCode::kInvalidArgument, "the queue selector answered index " + std::to_string(index) + " of " +
                                                  std::to_string(info.queues.size()) + " queues of topic " +
                                                  message.topic());
  } catch (...) {
    const Error thrown = mqclient::detail::errorOfException(std::current_exception());
    return Error(ErrorCode::kUserCode, "the queue selector threw: " + thrown.message());
  }
}

void ProducerCore::findPublishInfo(base::Ref<PublishTopic> topic, base::SteadyTime deadline,
                                   base::Completion<PublishInfoPtr> done) {
  if (PublishInfoPtr known = topic->info(instance_->faults()); known && known->ok()) return std::move(done)(known);
  const std::string name = topic->name();
  instance_->fetchRoute(
      name, deadline,
      base::Completion<route::RoutePtr>::of([core = base::Ref<ProducerCore>(this), topic, deadline,
                                             done = std::move(done)](Result<route::RoutePtr>&& own) mutable {
        if (PublishInfoPtr info = topic->info(core->instance_->faults()); info && info->ok())
          return std::move(done)(info);
        if (own) {
          return std::move(done)(Error(ErrorCode::kNoRoute, "topic " + topic->name() +
                                                                " has no queue that can be written to: no write "
                                                                "permission, or no master is up"));
        }
        if (own.error().code() != ErrorCode::kNoRoute) {
          core->topics_.dropUnknown(topic->name());
          return std::move(done)(own.error());
        }
        // Nobody knows the topic: the brokers of the create-topic key may make it.
        const std::string& key = core->options_.createTopicKey;
        core->instance_->fetchRoute(
            key, deadline,
            base::Completion<route::RoutePtr>::of([core, topic, own_error = own.error(),
                                                   done = std::move(done)](Result<route::RoutePtr>&& answer) mutable {
              if (!answer) {
                core->topics_.dropUnknown(topic->name());
                return std::move(done)(
                    Error(ErrorCode::kNoRoute,
                          own_error.message() + "; and it cannot be made by sending: " + answer.error().message(),
                          own_error.responseCode()));
              }
              auto info = route::makePublishInfo(topic->name(), **answer, 0, core->instance_->faults(),
                                                 core->options_.defaultTopicQueueNums);
              if (!info->ok()) {
                core->topics_.dropUnknown(topic->name());
                return std::move(done)(Error(
                    ErrorCode::kNoRoute, own_error.message() + "; and no broker may make it: " +
                                             core->options_.createTopicKey + " has no queue that can be written to"));
              }
              topic->useDefault(info);
              std::move(done)(PublishInfoPtr(std::move(info)));
            }));
      }));
}

template <class T>
Future<T> ProducerCore::refused(Error why) const {
  auto [future, completion] = base::makeOperation<T>(callback_target_);
  std::move(completion)(std::move(why));
  return std::move(future);
}

Future<SendResult> ProducerCore::send(Message message, std::optional<MessageQueueSelector> selector,
                                      SendOptions options) {
  if (auto illegal = protocol::checkMessage(message, {.body_max = options_.maxMessageSize})) {
    return refused<SendResult>(*std::move(illegal));
  }
  base::SteadyTime now = engine().now();
  const SendBudget budget = budgetOf(options, now);
  const Result<FlowGate::Place> place = enter(1, bytesHeld(message), budget.deadline, now);
  if (!place) return refused<SendResult>(place.error());

  SendOperation::What what{
      .code = RequestCode::SEND_MESSAGE_V2, .body = {}, .properties = {}, .wall_ms = engine().wallMillisAt(now)};
  const bool perhaps_compressed = mayCompress(message.body());
  WireBody body = wireBody(selector ? message.body() : MessageAccess::takeBody(message));  // a selector may look at it
  what.body = std::move(body.bytes);
  what.sys_flag = body.sys_flag;
  if (perhaps_compressed) now = engine().now();  // the time that it took is no broker's latency
  thread_local std::string properties;           // its room serves all sends of the thread
  properties.clear();
  what.id = completeProperties(MessageAccess::properties(message), what.wall_ms, properties);
  what.properties = base::PooledString(properties);
  auto [future, completion] = base::makeOperation<SendResult>(callback_target_);
  PublishingRef publishing = topics_.publishing(message.topic());
  const Publishing& to = *publishing;  // the operation keeps it until it begins
  auto* operation =
      new SendOperation(*this, std::move(publishing), std::move(what), *place, budget, std::move(completion));
  if (to.ok()) {
    if (!selector) {
      operation->begin(now);
    } else if (const Result<std::size_t> queue = chooseQueue(*selector, *to.info, message); queue) {
      operation->beginAt(*queue, engine().now());
    } else {
      operation->fail(queue.error());
    }
    return std::move(future);
  }
  findPublishInfo(
      to.topic, budget.deadline,
      base::Completion<PublishInfoPtr>::of([core = base::Ref<ProducerCore>(this), operation,
                                            selector = std::move(selector),
                                            message = std::move(message)](Result<PublishInfoPtr>&& found) mutable {
        if (!found) return operation->fail(std::move(found).error());
        operation->use(*found);
        if (!selector) return operation->begin(core->engine().now());
        // The selector is the user's: it runs on a listener thread, not in this strand.
        ProducerCore& raw = *core;
        raw.engine().awaitedSteps().submit(core, [core = core.get(), operation, selector = *std::move(selector),
                                                  message = std::move(message), info = *std::move(found)]() mutable {
          const Result<std::size_t> queue = core->chooseQueue(selector, *info, message);
          if (!queue) return operation->fail(queue.error());
          operation->beginAt(*queue, core->engine().now());
        });
      }));
  return std::move(future);
}

Future<SendResult> ProducerCore::sendBatch(std::vector<Message> messages, SendOptions options) {
  std::size_t bytes = 0;
  for (const Message& m : messages) {
    if (auto illegal = protocol::checkMessage(m, {.body_max = options_.maxMessageSize})) {
      return refused<SendResult>(*std::move(illegal));
    }
    bytes += protocol::kBatchElementOverhead + m.body().size() + MessageAccess::properties(m).size() +
             protocol::propertySize(protocol::kPropertyUniqClientMessageIdKeyIdx, {}) + ids_.size() +
             protocol::propertySize(protocol::kPropertyWaitStoreMsgOk, kWaitYes);
  }
  if (auto illegal = checkBatch(messages, bytes, options_.maxMessageSize)) {
    return refused<SendResult>(*std::move(illegal));
  }
  base::SteadyTime now = engine().now();
  const SendBudget budget = budgetOf(options, now);

  SendOperation::What what{
      .code = RequestCode::SEND_BATCH_MESSAGE, .body = {}, .properties = {}, .wall_ms = engine().wallMillis()};
  what.batch_msg_ids.reserve(messages.size());
  base::BlockWriter block(bytes + messages.size() * protocol::kPropertiesAddedBySend);
  std::byte* to = block.data();
  std::string properties;
  for (const Message& m : messages) {
    properties.clear();
    const SentId id = completeProperties(MessageAccess::properties(m), what.wall_ms, properties);
    what.batch_msg_ids.push_back(properties.substr(id.at, id.size));
    to = protocol::encodeBatchElement(to, {.flag = 0, .body = m.body().bytes(), .properties = properties});
  }
  const auto written = static_cast<std::size_t>(to - block.data());
  what.body = std::move(block).freeze(written);
  properties.clear();
  completeProperties({}, what.wall_ms, properties);
  what.properties = base::PooledString(properties);

  const std::size_t held = kBytesOfASend + what.body.size() + messages.size() * kBytesOfABatchedMessage;
  const Result<FlowGate::Place> place = enter(messages.size(), held, budget.deadline, now);
  if (!place) return refused<SendResult>(place.error());
  auto [future, completion] = base::makeOperation<SendResult>(callback_target_);
  PublishingRef publishing = topics_.publishing(messages[0].topic());
  const Publishing& known = *publishing;  // the operation keeps it until it begins
  auto* operation =
      new SendOperation(*this, std::move(publishing), std::move(what), *place, budget, std::move(completion));
  if (known.ok()) {
    operation->begin(engine().now());
    return std::move(future);
  }
  findPublishInfo(known.topic, budget.deadline,
                  base::Completion<PublishInfoPtr>::of(
                      [core = base::Ref<ProducerCore>(this), operation](Result<PublishInfoPtr>&& info) mutable {
                        if (!info) return operation->fail(std::move(info).error());
                        operation->use(*std::move(info));
                        operation->begin(core->engine().now());
                      }));
  return std::move(future);
}

Result<void> ProducerCore::sendOneway(Message message, std::optional<MessageQueueSelector> selector) {
  if (auto illegal = protocol::checkMessage(message, {.body_max = options_.maxMessageSize})) return *std::move(illegal);
  base::SteadyTime now = engine().now();
  const base::SteadyTime deadline = now + options_.sendMsgTimeout;
  const Result<FlowGate::Place> place = enter(1, bytesHeld(message), deadline, now);
  if (!place) return place.error();
  const auto left = [&](Result<void> result) {
    leave(*place);
    return result;
  };

  const base::Ref<PublishTopic> topic = topicOf(message.topic());
  auto finding = base::makeOperation<PublishInfoPtr>(engine().callbackTarget());
  findPublishInfo(topic, deadline, std::move(finding.completion));
  auto info = std::move(finding.future).get();
  if (!info) return left(std::move(info).error());
  std::size_t index = 0;
  if (selector) {
    auto chosen = chooseQueue(*selector, **info, message);
    if (!chosen) return left(std::move(chosen).error());
    index = *chosen;
  } else {
    index = route::selectOneMessageQueue(**info, topic->turn(), instance_->faults().avoids(), engine().monotonicNanos(),
                                         nullptr);
  }
  const route::TopicPublishInfo::Broker& broker = (*info)->brokerOf(index);
  const auto failed = [&](Error error) {
    refreshDefault(topic, *info, error);
    return left(std::move(error));
  };
  if (broker.address.empty()) {
    return failed(Error(ErrorCode::kNoRoute, "broker " + broker.state->name() + " has no master in the route"));
  }
  std::string properties;
  const std::int64_t wall_ms = engine().wallMillis();
  completeProperties(MessageAccess::properties(message), wall_ms, properties);
  protocol::SendMessageRequestHeaderV2View header;
  header.producerGroup = group_;
  header.topic = message.topic();
  header.defaultTopic = options_.createTopicKey;
  header.defaultTopicQueueNums = options_.defaultTopicQueueNums;
  header.queueId = (*info)->queues[index].queueId();
  WireBody body = wireBody(message.body());
  header.sysFlag = body.sys_flag;
  header.bornTimestamp = wall_ms;
  header.properties = properties;
  header.reconsumeTimes = 0;
  header.bname = broker.state->name();
  auto handing = base::makeOperation<void>(engine().callbackTarget());
  instance_->remoting().invokeOneway(broker.address,
                                     protocol::encodeRequest(protocol::RequestHead{.code = RequestCode::SEND_MESSAGE_V2,
                                                                                   .opaque = engine().nextOpaque(),
                                                                                   .oneway = protocol::Oneway::kYes},
                                                             header, std::move(body.bytes)),
                                     deadline, std::move(handing.completion), whenOutputFull());
  Result<void> handed = std::move(handing.future).get();
  return handed ? left({}) : failed(std::move(handed).error());
}

Future<std::vector<MessageQueue>> ProducerCore::fetchPublishMessageQueues(std::string topic) {
  if (auto complaint = protocol::complaintAboutTopic(topic)) {
    return refused<std::vector<MessageQueue>>(Error(ErrorCode::kInvalidArgument, *complaint));
  }
  auto [future, completion] = base::makeOperation<std::vector<MessageQueue>>(callback_target_);
  askForQueues({std::move(topic), engine().now() + options_.sendMsgTimeout, std::move(completion)});
  return std::move(future);
}

void ProducerCore::askForQueues(QueuesQuestion question) {
  const std::string topic = question.topic;
  const base::SteadyTime deadline = question.deadline;
  instance_->fetchRoute(
      topic, deadline,
      base::Completion<route::RoutePtr>::of([core = base::Ref<ProducerCore>(this),
                                             question = std::move(question)](Result<route::RoutePtr>&& answer) mutable {
        if (answer) {
          auto queues = route::makePublishInfo(question.topic, **answer, 0, core->instance_->faults())->queues;
          std::ranges::sort(queues);
          return std::move(question.done)(std::move(queues));
        }
        const bool later = answer.error().code() == ErrorCode::kNoRoute && core->topics_.madeHere(question.topic) &&
                           core->engine().now() + kQueuesAgainAfter < question.deadline;
        if (!later) return std::move(question.done)(std::move(answer).error());
        core->post([core = core.get(), question = std::move(question)]() mutable {
          core->askForQueuesLater(std::move(question));
        });
      }));
}

void ProducerCore::askForQueuesLater(QueuesQuestion question) {
  if (step_ != Step::kRunning) return std::move(question.done)(closedError());
  queues_questions_.push_back(std::move(question));
  if (!queues_timer_.armed()) queues_timer_.armAfter(self(), kQueuesAgainAfter);
}

void ProducerCore::askForOwnRoute(base::Ref<PublishTopic> topic) {
  if (!topic->shouldAskForOwnRoute()) return;
  const std::string name = topic->name();
  instance_->fetchRoute(name, instance_->apiDeadline(),
                        base::Completion<route::RoutePtr>::of([topic = std::move(topic)](Result<route::RoutePtr>&& r) {
                          if (!r) topic->mayAskAgain();
                        }));
}

}  // namespace mqclient::producer
