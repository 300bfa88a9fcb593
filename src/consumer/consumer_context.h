#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/engine.h"
#include "base/snapshot.h"
#include "base/wait.h"
#include "client/mq_client_instance.h"
#include "consumer/cached_bytes.h"
#include "consumer/first_commits.h"
#include "consumer/invocation_gate.h"
#include "consumer/pull_schedule.h"
#include "mqclient/default_mq_push_consumer.h"
#include "protocol/body/subscription_data.h"

namespace mqclient::consumer {

/// Who speaks in a log line.
inline constexpr const char* kComponent = "consumer";

using Subscriptions = std::map<std::string, protocol::SubscriptionData, std::less<>>;

/// What a consumer and its queues share. Immutable but for what says how it is guarded. Lives as long as any of them.
class ConsumerContext final : public base::Object {
 public:
  ConsumerContext(base::Ref<client::MQClientInstance> shared_instance, std::string consumer_group,
                  PushConsumerOptions consumer_options,
                  std::shared_ptr<mqclient::detail::ConcurrentListener> user_code);

  base::Engine& engine() const noexcept { return instance->engine(); }
  base::Log& log() const noexcept { return instance->log(); }
  /// Whether the calling thread runs this consumer's listener now.
  bool insideListener() const noexcept;

  const base::Ref<client::MQClientInstance> instance;
  const std::string group;
  const PushConsumerOptions options;
  const FlowLimits limits;
  const base::Ref<base::ListenerGroup> listeners;  ///< cap consumeThreadMax

  base::Snapshot<Subscriptions> subscriptions;
  std::atomic<bool> suspended{false};
  CachedBytes cached_bytes;               ///< cap cachedBytesMax
  std::atomic<std::size_t> drained{0};    ///< messages finished since closing began
  std::atomic<std::size_t> abandoned{0};  ///< unfinished ones of queues given up while closing

  FirstCommits first_commits;
  /// Commits an offset of a queue of ours, after the first commit of its topic at that broker if it is not that one.
  void commit(const MessageQueue& queue, std::int64_t offset, base::SteadyTime deadline, base::Completion<void> done);

  InvocationGate gate;
  /// Settled when the gate is closed and empty and the listener has been destroyed.
  const base::Ref<base::WaitSlot> listener_gone;
  /// Only between gate.enter() and leave().
  mqclient::detail::ConcurrentListener& listener() const noexcept { return *listener_; }

 private:
  void destroyListener() noexcept;

  std::shared_ptr<mqclient::detail::ConcurrentListener> listener_;
};

/// Marks the calling thread as running a consumer's listener, for insideListener().
class InsideListener {
 public:
  explicit InsideListener(const ConsumerContext& context) noexcept;
  ~InsideListener();
  InsideListener(const InsideListener&) = delete;
  InsideListener& operator=(const InsideListener&) = delete;

 private:
  const ConsumerContext* outer_;
};

}  // namespace mqclient::consumer
