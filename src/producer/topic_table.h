#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"
#include "base/ref.h"
#include "base/snapshot.h"
#include "client/mq_client_instance.h"
#include "route/topic_publish_info.h"

namespace mqclient::producer {

using PublishInfoPtr = std::shared_ptr<const route::TopicPublishInfo>;

/// One topic of a producer: where its route appears, the queues made of it, and whose turn it is. Any thread.
class PublishTopic final : public base::Object {
 public:
  PublishTopic(std::string name, base::Ref<route::RouteSlot> slot) : name_(std::move(name)), slot_(std::move(slot)) {}

  const std::string& name() const noexcept { return name_; }
  /// The queues of the newest route; null: none is known.
  PublishInfoPtr info(route::FaultStrategy& faults);
  /// Queues of the create-topic key's route, used until the topic has a route of its own, instead of `before` if that
  /// is still what is used.
  void useDefault(PublishInfoPtr info, const PublishInfoPtr& before = nullptr);
  /// Once a period: the caller asks again who may make the topic.
  bool mayAskForDefault(base::SteadyTime now);
  std::atomic<std::uint32_t>& turn() noexcept { return turn_; }
  bool known();
  /// Whether `info` was made of the newest route of its own.
  bool isNewest(const route::TopicPublishInfo& info) const noexcept {
    return !info.from_default_topic && info.version == slot_->version();
  }
  /// True once: the first message of a topic made on demand was stored, its own route is worth asking for.
  bool shouldAskForOwnRoute() noexcept {
    made_here_.store(true, std::memory_order_relaxed);
    return !asked_.exchange(true, std::memory_order_relaxed);
  }
  /// A broker made the topic for a message of ours: a nameserver that does not know it yet will.
  bool madeHere() const noexcept { return made_here_.load(std::memory_order_relaxed); }
  void mayAskAgain() noexcept { asked_.store(false, std::memory_order_relaxed); }

 private:
  const std::string name_;
  const base::Ref<route::RouteSlot> slot_;
  std::atomic<std::uint32_t> turn_{0};
  std::atomic<bool> asked_{false};
  std::atomic<bool> made_here_{false};
  base::Mutex mutex_;
  PublishInfoPtr info_ MQ_GUARDED_BY(mutex_);
  base::SteadyTime ask_for_default_after_ MQ_GUARDED_BY(mutex_){};
};

/// A topic and the queues to choose from, once for all sends that choose among them. Immutable.
struct Publishing final : base::Object {
  Publishing(base::Ref<PublishTopic> t, PublishInfoPtr i) noexcept : topic(std::move(t)), info(std::move(i)) {}
  bool ok() const noexcept { return info && info->ok(); }
  const base::Ref<PublishTopic> topic;
  const PublishInfoPtr info;  ///< null or not ok(): no queue is known
};
using PublishingRef = base::Ref<const Publishing>;

/// The topics a producer has sent to. Each is watched by the instance until the producer closes. Any thread.
class TopicTable {
 public:
  explicit TopicTable(client::MQClientInstance& instance);

  base::Ref<PublishTopic> topic(std::string_view name);
  /// A thread remembers the last answer that is ok(): as a rule it sends there again.
  PublishingRef publishing(std::string_view name);
  bool madeHere(std::string_view name);
  /// A topic that turned out to have no route at all is not kept, or every misspelt name would be asked for for ever.
  void dropUnknown(std::string_view name);
  /// Queues of `key`'s route did not take a message: if it was the broker that did not answer, asks who may make the
  /// topic now, at most once a second. Sends go on meanwhile, with what is known.
  void refreshDefault(const base::Ref<PublishTopic>& topic, const PublishInfoPtr& info, const Error& error,
                      const std::string& key, int queue_nums_max);
  /// Gives all watches back.
  void clear();

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>()(s); }
  };
  client::MQClientInstance& instance_;
  const std::uint64_t number_;  // in this process, never used again: what a thread remembers is of this table
  base::Mutex mutex_;
  std::unordered_map<std::string, base::Ref<PublishTopic>, Hash, std::equal_to<>> topics_ MQ_GUARDED_BY(mutex_);
  bool closed_ MQ_GUARDED_BY(mutex_) = false;
};

}  // namespace mqclient::producer
