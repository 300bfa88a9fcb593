#include "producer/topic_table.h"

#include <utility>

#include "protocol/body/route.h"

namespace mqclient::producer {

namespace {

constexpr base::Millis kAskForDefaultPeriod{1'000};

std::uint64_t nextNumber() noexcept {
  static std::atomic<std::uint64_t> numbers{0};
  return numbers.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

PublishInfoPtr PublishTopic::info(route::FaultStrategy& faults) {
  const std::uint64_t version = slot_->version();
  {
    base::MutexLock lock(mutex_);
    if (info_ && (info_->version == version || version == 0)) return info_;
  }
  const route::RoutePtr route = slot_->get();
  if (!route) return nullptr;
  PublishInfoPtr made = route::makePublishInfo(name_, *route, version, faults);
  base::MutexLock lock(mutex_);
  info_ = made;
  return made;
}

void PublishTopic::useDefault(PublishInfoPtr info, const PublishInfoPtr& before) {
  base::MutexLock lock(mutex_);
  if (info_ == before) info_ = std::move(info);
}

bool PublishTopic::mayAskForDefault(base::SteadyTime now) {
  base::MutexLock lock(mutex_);
  if (now < ask_for_default_after_) return false;
  ask_for_default_after_ = now + kAskForDefaultPeriod;
  return true;
}

bool PublishTopic::known() {
  if (slot_->version() != 0) return true;
  base::MutexLock lock(mutex_);
  return info_ != nullptr;
}

TopicTable::TopicTable(client::MQClientInstance& instance) : instance_(instance), number_(nextNumber()) {}

PublishingRef TopicTable::publishing(std::string_view name) {
  struct Last {
    std::uint64_t table = 0;
    base::RefStock<const Publishing> found;
  };
  thread_local Last last;  // names and queues, nothing that runs: it may outlive the producer
  if (last.table == number_ && last.found->topic->name() == name && last.found->topic->isNewest(*last.found->info)) {
    return last.found.take();
  }
  base::Ref<PublishTopic> to = topic(name);
  PublishInfoPtr info = to->info(instance_.faults());
  PublishingRef found = base::makeRef<Publishing>(std::move(to), std::move(info));
  if (found->ok()) last = {number_, base::RefStock<const Publishing>(found)};
  return found;
}

base::Ref<PublishTopic> TopicTable::topic(std::string_view name) {
  base::Ref<PublishTopic> made;
  bool watch = false;
  {
    base::MutexLock lock(mutex_);
    const auto found = topics_.find(name);
    if (found != topics_.end()) return found->second;
    made = base::makeRef<PublishTopic>(
        std::string(name), closed_ ? base::makeRef<route::RouteSlot>(std::string(name)) : instance_.holdRoute(name));
    made->turn().store(static_cast<std::uint32_t>(instance_.engine().random()), std::memory_order_relaxed);
    if (!closed_) {
      topics_.emplace(std::string(name), made);
      watch = true;
    }
  }
  if (watch) instance_.watchTopic(std::string(name));
  return made;
}

bool TopicTable::madeHere(std::string_view name) {
  base::MutexLock lock(mutex_);
  const auto found = topics_.find(name);
  return found != topics_.end() && found->second->madeHere();
}

void TopicTable::dropUnknown(std::string_view name) {
  base::Ref<PublishTopic> dropped;
  {
    base::MutexLock lock(mutex_);
    const auto found = topics_.find(name);
    if (found == topics_.end() || found->second->known()) return;
    dropped = std::move(found->second);
    topics_.erase(found);
  }
  instance_.unwatchTopic(std::string(name), client::MQClientInstance::RouteHeld::kYes);
}

void TopicTable::refreshDefault(const base::Ref<PublishTopic>& topic, const PublishInfoPtr& info, const Error& error,
                                const std::string& key, int queue_nums_max) {
  if (!info->from_default_topic || (!route::notAnswered(error) && error.code() != ErrorCode::kNoRoute)) return;
  if (!topic->mayAskForDefault(instance_.engine().now())) return;
  auto told = [topic, info, queue_nums_max,
               instance = base::Ref<client::MQClientInstance>(&instance_)](Result<route::RoutePtr>&& answer) {
    if (!answer) return;
    PublishInfoPtr fresh = route::makePublishInfo(topic->name(), **answer, 0, instance->faults(), queue_nums_max);
    if (fresh->ok()) topic->useDefault(std::move(fresh), info);
  };
  instance_.fetchRoute(key, instance_.apiDeadline(), base::Completion<route::RoutePtr>::of(std::move(told)));
}

void TopicTable::clear() {
  decltype(topics_) dropped;
  {
    base::MutexLock lock(mutex_);
    closed_ = true;
    dropped.swap(topics_);
  }
  for (const auto& [name, topic] : dropped) instance_.unwatchTopic(name, client::MQClientInstance::RouteHeld::kYes);
}

}  // namespace mqclient::producer
