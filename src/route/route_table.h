#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/ref.h"
#include "base/snapshot.h"

namespace mqclient::protocol {
struct TopicRouteData;
}

namespace mqclient::route {

/// One version of a topic's route: immutable, shared by all readers.
using RoutePtr = std::shared_ptr<const protocol::TopicRouteData>;

/// The place where one topic's route appears and changes. Readers keep the slot and ask version() before get().
/// Any thread; set() is the instance's.
class RouteSlot final : public base::Object {
 public:
  explicit RouteSlot(std::string topic) : topic_(std::move(topic)) {}
  const std::string& topic() const noexcept { return topic_; }
  /// Null until the first route; never null again afterwards.
  RoutePtr get() const { return route_.get(); }
  std::uint64_t version() const noexcept { return route_.version(); }
  void set(RoutePtr route) { route_.set(std::move(route)); }

 private:
  const std::string topic_;
  base::Snapshot<protocol::TopicRouteData> route_;
};

/// All cached routes of an instance by topic. A route is replaced by a better one and never removed because a
/// nameserver has nothing to say (availability before freshness, MQClientInstance.java). Any thread.
class RouteTable {
 public:
  RoutePtr route(std::string_view topic) const;
  /// The topic's slot, made empty if it is not there.
  base::Ref<RouteSlot> slot(std::string_view topic);
  /// The same, for who goes on reading it: forget() leaves it where it is until letGo().
  base::Ref<RouteSlot> hold(std::string_view topic);
  void letGo(std::string_view topic);
  /// Topics with a route, in order of name.
  std::vector<std::pair<std::string, RoutePtr>> all() const;
  /// Nobody watches the topic any more. True: with it a route went.
  bool forget(std::string_view topic);

 private:
  struct Entry {
    base::Ref<RouteSlot> slot;
    std::size_t holders = 0;
  };
  Entry& entry(std::string_view topic) MQ_REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  std::map<std::string, Entry, std::less<>> slots_ MQ_GUARDED_BY(mutex_);
};

/// Whether two routes say the same; the order of brokers and queues does not count.
bool sameRoute(const protocol::TopicRouteData& a, const protocol::TopicRouteData& b);
/// Has brokers with addresses and queues: worth replacing another route with.
bool usable(const protocol::TopicRouteData& route) noexcept;

}  // namespace mqclient::route
