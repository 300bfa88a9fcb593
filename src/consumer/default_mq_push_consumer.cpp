#include "mqclient/default_mq_push_consumer.h"

#include <utility>

#include "base/wait.h"
#include "client/user_code_wait.h"
#include "consumer/push_consumer.h"
#include "consumer/push_options.h"

namespace mqclient {
inline namespace v1 {
namespace {

/// What a destructor gives our own work.
constexpr Millis kCloseInDestructor{10'000};

Error closedError() {
  return {ErrorCode::kClosed, "this DefaultMQPushConsumer was moved from; use the one it was moved to"};
}

}  // namespace

MessageSelector MessageSelector::all() {
  return MessageSelector("*");
}
MessageSelector MessageSelector::byTag(std::string expression) {
  return MessageSelector(std::move(expression));
}
MessageSelector byTag(std::string expression) {
  return MessageSelector::byTag(std::move(expression));
}

struct DefaultMQPushConsumer::Impl {
  explicit Impl(base::Ref<consumer::PushConsumer> running) noexcept : core(std::move(running)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { end(); }

  Future<CloseReport> close(Millis wait) const {
    auto [future, completion] = base::makeOperation<CloseReport>(core->context().engine().callbackTarget());
    core->close(wait, std::move(completion));
    return std::move(future);
  }
  /// Ours within kCloseInDestructor; a listener of the user's that still runs elsewhere without bound, since returning
  /// would free what it captured. In a listener of this consumer, and where waiting is impossible, it only begins.
  void end() const {
    consumer::ConsumerContext& context = core->context();
    const base::SteadyTime since = context.engine().now();
    const auto closed = base::makeRef<base::WaitSlot>();
    core->close(kCloseInDestructor,
                base::Completion<CloseReport>::of([closed](Result<CloseReport>&&) { closed->settle(); }));
    const bool inside = context.insideListener() || context.instance->insideHook();
    if (inside || !base::Activation::ofThisThread().mayAwait()) return;
    for (base::WaitSlot* gone : {closed.get(), context.listener_gone.get()}) {
      client::awaitUserCode(*context.instance, *gone, since, "the consumer of group " + context.group, [&context] {
        const std::size_t calls = context.gate.running();
        return calls > 0 ? std::to_string(calls) + " calls of your listener, which have not returned"
                         : std::string("its last requests and your hooks to end");
      });
    }
  }

  const base::Ref<consumer::PushConsumer> core;
};

Result<DefaultMQPushConsumer> DefaultMQPushConsumer::start(std::string consumerGroup,
                                                           std::vector<Subscription> subscriptions,
                                                           MessageListener listener, ClientOptions client,
                                                           PushConsumerOptions options) {
  if (!base::Activation::ofThisThread().mayAwait()) {
    return Error(ErrorCode::kWouldBlock, "starting a consumer waits for brokers: not possible on this thread");
  }
  Result<consumer::Subscriptions> wanted =
      consumer::checkPushConsumer(consumerGroup, subscriptions, listener, options, 0);
  if (!wanted) return std::move(wanted).error();
  Result<client::InstanceLease> lease = client::MQClientInstance::acquire(client);
  if (!lease) return std::move(lease).error();

  const auto context = base::makeRef<consumer::ConsumerContext>(lease->ref(), std::move(consumerGroup),
                                                                std::move(options), listener.concurrent());
  for (auto& [topic, subscription] : *wanted) subscription.subVersion = context->engine().wallMillis();
  context->subscriptions.set(std::make_shared<const consumer::Subscriptions>(*std::move(wanted)));

  DefaultMQPushConsumer running(
      std::make_unique<Impl>(base::makeRef<consumer::PushConsumer>(*std::move(lease), context)));
  auto [started, completion] = base::makeOperation<void>(context->engine().callbackTarget());
  running.impl_->core->start(client.startTimeout, std::move(completion));
  if (Result<void> result = std::move(started).get(); !result) return std::move(result).error();  // and closes again
  return running;
}

DefaultMQPushConsumer::DefaultMQPushConsumer(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
DefaultMQPushConsumer::DefaultMQPushConsumer(DefaultMQPushConsumer&&) noexcept = default;
DefaultMQPushConsumer& DefaultMQPushConsumer::operator=(DefaultMQPushConsumer&&) noexcept = default;
DefaultMQPushConsumer::~DefaultMQPushConsumer() = default;

Future<void> DefaultMQPushConsumer::ready() {
  if (!impl_) return Future<void>::ready(closedError());
  auto [future, completion] = base::makeOperation<void>(impl_->core->context().engine().callbackTarget());
  impl_->core->ready(std::move(completion));
  return std::move(future);
}
Future<CloseReport> DefaultMQPushConsumer::closeAsync(Millis wait) {
  if (!impl_) return Future<CloseReport>::ready(CloseReport{});
  return impl_->close(wait);
}
Health DefaultMQPushConsumer::health() const {
  return impl_ ? impl_->core->instance().health() : Health{};
}
std::string DefaultMQPushConsumer::clientId() const {
  return impl_ ? impl_->core->instance().clientId() : "";
}

Result<void> DefaultMQPushConsumer::subscribe(Subscription subscription) {
  if (!impl_) return closedError();
  return impl_->core->subscribe(subscription);
}
Result<void> DefaultMQPushConsumer::unsubscribe(std::string topic) {
  if (!impl_) return closedError();
  return impl_->core->unsubscribe(topic);
}
void DefaultMQPushConsumer::suspend() {
  if (impl_) impl_->core->suspend();
}
void DefaultMQPushConsumer::resume() {
  if (impl_) impl_->core->resume();
}
Future<void> DefaultMQPushConsumer::commit() {
  if (!impl_) return Future<void>::ready(closedError());
  auto [future, completion] = base::makeOperation<void>(impl_->core->context().engine().callbackTarget());
  impl_->core->commit(std::move(completion));
  return std::move(future);
}
Result<void> DefaultMQPushConsumer::seek(const MessageQueue& queue, std::int64_t offset) {
  if (!impl_) return closedError();
  return impl_->core->seek(queue, offset);
}
std::vector<QueueProgress> DefaultMQPushConsumer::progress() const {
  return impl_ ? impl_->core->progress() : std::vector<QueueProgress>{};
}
RebalanceReport DefaultMQPushConsumer::explain(std::string_view topic) const {
  return impl_ ? impl_->core->explain(topic) : RebalanceReport{};
}
bool DefaultMQPushConsumer::insideOwnCallback() const noexcept {
  return impl_ && (impl_->core->context().insideListener() || impl_->core->instance().insideHook());
}

}  // namespace v1
}  // namespace mqclient
