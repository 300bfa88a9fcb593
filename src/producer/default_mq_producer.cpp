#include "mqclient/default_mq_producer.h"

#include <utility>

#include "base/answer_source.h"
#include "client/user_code_wait.h"
#include "producer/producer_core.h"
#include "protocol/batch.h"
#include "protocol/hash.h"
#include "protocol/message_access.h"
#include "protocol/message_check.h"

namespace mqclient {
inline namespace v1 {
namespace {

/// What a destructor gives our own work.
constexpr Millis kCloseInDestructor{10'000};

Error movedFrom() {
  return {ErrorCode::kClosed, "this DefaultMQProducer was moved from; use the one it was moved to"};
}

}  // namespace

// ---- the faces: one line each over the virtuals

Result<SendResult> MQProducer::send(Message message, SendOptions options) {
  const base::BlockingCall call;
  return doSend(std::move(message), std::nullopt, options).get();
}
Result<SendResult> MQProducer::send(Message message, MessageQueueSelector selector, SendOptions options) {
  const base::BlockingCall call;
  return doSend(std::move(message), std::move(selector), options).get();
}
Future<SendResult> MQProducer::sendAsync(Message message, SendOptions options) {
  return doSend(std::move(message), std::nullopt, options);
}
Future<SendResult> MQProducer::sendAsync(Message message, MessageQueueSelector selector, SendOptions options) {
  return doSend(std::move(message), std::move(selector), options);
}
Result<SendResult> MQProducer::sendBatch(std::vector<Message> messages, SendOptions options) {
  const base::BlockingCall call;
  return doSendBatch(std::move(messages), options).get();
}
Future<SendResult> MQProducer::sendBatchAsync(std::vector<Message> messages, SendOptions options) {
  return doSendBatch(std::move(messages), options);
}
Result<void> MQProducer::sendOneway(Message message) {
  return doSendOneway(std::move(message), std::nullopt);
}
Result<void> MQProducer::sendOneway(Message message, MessageQueueSelector selector) {
  return doSendOneway(std::move(message), std::move(selector));
}
Result<std::vector<MessageQueue>> MQProducer::fetchPublishMessageQueues(std::string topic) {
  return doFetchPublishMessageQueues(std::move(topic)).get();
}

// ---- DefaultMQProducer

struct DefaultMQProducer::Impl {
  explicit Impl(base::Ref<producer::ProducerCore> running) noexcept : core(std::move(running)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    const base::SteadyTime since = core->engine().now();
    close(kCloseInDestructor).detach();
    if (!base::Activation::ofThisThread().mayAwait() || insideOwnCallback()) return;
    // A callback that still runs may use what its owner destroys next: that is waited for however long it takes.
    const auto gone = base::makeRef<base::WaitSlot>();
    core->whenCallbacksIdle(base::Completion<void>::of([gone](Result<void>&&) { gone->settle(); }));
    client::awaitUserCode(core->instance(), *gone, since, "the producer of group " + core->group(), [this] {
      const std::size_t callbacks = core->callbacksNotReturned();
      return callbacks > 0 ? std::to_string(callbacks) + " of your callbacks, which have not returned"
                           : std::string("its sends to end and your hooks to return");
    });
  }
  Future<CloseReport> close(Millis wait) const {
    auto [future, completion] = base::makeOperation<CloseReport>(core->engine().callbackTarget());
    core->close(wait, std::move(completion));
    return std::move(future);
  }
  /// This thread runs a callback or hook of this producer: closing must not wait here for itself.
  bool insideOwnCallback() const noexcept { return core->insideCallback() || core->instance().insideHook(); }
  template <class F>
  Future<void> operation(F begin) const {
    auto [future, completion] = base::makeOperation<void>(core->callbackTarget());
    begin(std::move(completion));
    return std::move(future);
  }

  const base::Ref<producer::ProducerCore> core;
};

Result<DefaultMQProducer> DefaultMQProducer::start(std::string producerGroup, ClientOptions client,
                                                   ProducerOptions options) {
  if (!base::Activation::ofThisThread().mayAwait()) {
    return Error(ErrorCode::kWouldBlock, "starting a producer waits for a nameserver: not possible on this thread");
  }
  if (auto checked = producer::checkProducer(producerGroup, options); !checked) return checked.error();
  auto lease = client::MQClientInstance::acquire(client);
  if (!lease) return std::move(lease).error();
  DefaultMQProducer running(std::make_unique<Impl>(
      base::makeRef<producer::ProducerCore>(*std::move(lease), std::move(producerGroup), std::move(options))));
  producer::ProducerCore& core = *running.impl_->core;
  auto started =
      running.impl_->operation([&](base::Completion<void> done) { core.start(client.startTimeout, std::move(done)); });
  if (Result<void> result = std::move(started).get(); !result) return std::move(result).error();  // and closes again
  return running;
}

DefaultMQProducer::DefaultMQProducer(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
DefaultMQProducer::DefaultMQProducer(DefaultMQProducer&&) noexcept = default;
DefaultMQProducer& DefaultMQProducer::operator=(DefaultMQProducer&&) noexcept = default;
DefaultMQProducer::~DefaultMQProducer() = default;

Future<void> DefaultMQProducer::ready() {
  if (!impl_) return Future<void>::ready(movedFrom());
  return impl_->operation([&](base::Completion<void> done) { impl_->core->ready(std::move(done)); });
}
Future<CloseReport> DefaultMQProducer::closeAsync(Millis wait) {
  return impl_ ? impl_->close(wait) : Future<CloseReport>::ready(CloseReport{});
}
Health DefaultMQProducer::health() const {
  return impl_ ? impl_->core->instance().health() : Health{};
}
std::string DefaultMQProducer::clientId() const {
  return impl_ ? impl_->core->instance().clientId() : "";
}
Future<void> DefaultMQProducer::flush() {
  if (!impl_) return Future<void>::ready(movedFrom());
  return impl_->operation([&](base::Completion<void> done) { impl_->core->gate().flush(std::move(done)); });
}
Future<void> DefaultMQProducer::writable() {
  if (!impl_) return Future<void>::ready(movedFrom());
  return impl_->operation([&](base::Completion<void> done) { impl_->core->gate().writable(std::move(done)); });
}
Future<SendResult> DefaultMQProducer::doSend(Message message, std::optional<MessageQueueSelector> selector,
                                             SendOptions options) {
  if (!impl_) return Future<SendResult>::ready(movedFrom());
  return impl_->core->send(std::move(message), std::move(selector), options);
}
Future<SendResult> DefaultMQProducer::doSendBatch(std::vector<Message> messages, SendOptions options) {
  if (!impl_) return Future<SendResult>::ready(movedFrom());
  return impl_->core->sendBatch(std::move(messages), options);
}
Result<void> DefaultMQProducer::doSendOneway(Message message, std::optional<MessageQueueSelector> selector) {
  if (!impl_) return movedFrom();
  return impl_->core->sendOneway(std::move(message), std::move(selector));
}
Future<std::vector<MessageQueue>> DefaultMQProducer::doFetchPublishMessageQueues(std::string topic) {
  if (!impl_) return Future<std::vector<MessageQueue>>::ready(movedFrom());
  return impl_->core->fetchPublishMessageQueues(std::move(topic));
}
bool DefaultMQProducer::insideOwnCallback() const noexcept {
  return impl_ && impl_->insideOwnCallback();
}

// ---- selectors

SelectMessageQueueByHash::SelectMessageQueueByHash(std::string_view key) noexcept : hash_(protocol::hashCode(key)) {}

std::size_t SelectMessageQueueByHash::operator()(Queues queues, const Message&) const noexcept {
  // Java: hash % n, then its absolute value; in 64 bits, where the absolute value of the smallest int exists.
  const std::int64_t rest = std::int64_t{hash_} % static_cast<std::int64_t>(queues.size());
  return static_cast<std::size_t>(rest < 0 ? -rest : rest);
}

std::size_t SelectMessageQueueByRandom::operator()(Queues queues, const Message&) const {
  base::Ref<base::Engine> engine(base::Activation::ofThisThread().home());
  if (!engine) {
    auto shared = base::defaultEngine();
    if (!shared) return 0;
    engine = *std::move(shared);
  }
  return engine->random() % queues.size();
}

// ---- splitBatch

std::vector<std::vector<Message>> splitBatch(std::vector<Message> messages, std::size_t bytesMax) {
  std::vector<std::vector<Message>> batches;
  std::size_t bytes = 0;
  for (Message& m : messages) {
    const std::size_t size = protocol::kBatchElementOverhead + m.body().size() +
                             detail::MessageAccess::properties(m).size() + protocol::kPropertiesAddedBySend;
    const bool full =
        !batches.empty() && (bytes + size > bytesMax || batches.back().size() == protocol::kMaxBatchMessages);
    if (batches.empty() || full) {
      batches.emplace_back();
      bytes = 0;
    }
    batches.back().push_back(std::move(m));
    bytes += size;
  }
  return batches;
}

}  // namespace v1
}  // namespace mqclient
