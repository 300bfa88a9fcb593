#include "consumer/consumer_context.h"

#include <utility>

#include "consumer/offset_requests.h"

namespace mqclient::consumer {
namespace {

thread_local const ConsumerContext* inside = nullptr;

FlowLimits limitsOf(const PushConsumerOptions& options) noexcept {
  FlowLimits limits;
  limits.queue_messages = static_cast<std::size_t>(options.pullThresholdForQueue);
  limits.queue_bytes = static_cast<std::size_t>(options.pullThresholdSizeForQueue) << 20;
  limits.queue_span = options.consumeConcurrentlyMaxSpan;
  limits.consumer_bytes = options.cachedBytesMax;
  return limits;
}

}  // namespace

ConsumerContext::ConsumerContext(base::Ref<client::MQClientInstance> shared_instance, std::string consumer_group,
                                 PushConsumerOptions consumer_options,
                                 std::shared_ptr<mqclient::detail::ConcurrentListener> user_code)
    : instance(std::move(shared_instance)),
      group(std::move(consumer_group)),
      options(std::move(consumer_options)),
      limits(limitsOf(options)),
      listeners(instance->engine().makeListenerGroup(group, options.consumeThreadMax)),
      subscriptions(std::make_shared<const Subscriptions>()),
      cached_bytes(options.cachedBytesMax),
      gate([this] { destroyListener(); }),
      listener_gone(base::makeRef<base::WaitSlot>()),
      listener_(std::move(user_code)) {}

bool ConsumerContext::insideListener() const noexcept {
  return inside == this;
}

void ConsumerContext::commit(const MessageQueue& queue, std::int64_t offset, base::SteadyTime deadline,
                             base::Completion<void> done) {
  first_commits.run(queue, [this, alive = base::Ref<ConsumerContext>(this), queue, offset, deadline,
                            done = std::move(done)]() mutable {
    commitOffset(
        *instance, group, queue, offset, deadline,
        base::Completion<void>::of([this, alive, queue, done = std::move(done)](Result<void>&& answer) mutable {
          first_commits.answered(queue, answer.has_value());
          std::move(done)(std::move(answer));
        }));
  });
}

void ConsumerContext::destroyListener() noexcept {
  // Destroying what the listener captured is user code: on a listener thread, never in a strand (R2).
  if (base::Activation::ofThisThread().role() == base::Role::kListener && !base::Activation::ofThisThread().inside()) {
    listener_.reset();
    listener_gone->settle();
    return;
  }
  engine().awaitedSteps().submit(base::Ref<base::Object>(this), [this] {
    listener_.reset();
    listener_gone->settle();
  });
}

InsideListener::InsideListener(const ConsumerContext& context) noexcept : outer_(std::exchange(inside, &context)) {}
InsideListener::~InsideListener() {
  inside = outer_;
}

}  // namespace mqclient::consumer
