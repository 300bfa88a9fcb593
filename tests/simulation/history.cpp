#include "history.h"

#include <algorithm>
#include <utility>

namespace mqclient::simulation {
namespace {

/// A seed that breaks one promise often breaks it a hundred times.
constexpr std::size_t kViolationsKept = 20;

}  // namespace

std::string History::nameOf(const MessageQueue& queue, std::int64_t offset) {
  return queue.topic() + "/" + queue.brokerName() + "/" + std::to_string(queue.queueId()) + "@" +
         std::to_string(offset);
}

void History::violated(std::string what) {
  if (violations_.size() < kViolationsKept) violations_.push_back(std::move(what));
}

std::size_t History::sendBegins(std::vector<std::string> bodies) {
  sends_.push_back({std::move(bodies)});
  return sends_.size() - 1;
}

void History::sendEnds(std::size_t send, const Result<SendResult>& result) {
  Send& it = sends_[send];
  ++it.outcomes;
  if (!result) return;
  if (!result->messageQueue || result->queueOffset < 0) {
    return violated("the send of " + it.bodies.front() + " was acknowledged without a place");
  }
  Queue& queue = queues_[*result->messageQueue];
  for (std::size_t i = 0; i < it.bodies.size(); ++i) {
    const std::int64_t offset = result->queueOffset + static_cast<std::int64_t>(i);
    Place& place = queue.places[offset];
    if (std::exchange(place.is_acknowledged, true)) {
      violated(nameOf(*result->messageQueue, offset) + " was acknowledged to " + place.acknowledged + " and to " +
               it.bodies[i]);
    }
    place.acknowledged = it.bodies[i];
    ++acknowledged_;
  }
}

void History::delivered(const MessageExt& message) {
  ++deliveries_;
  const MessageQueue where = message.messageQueue();
  Queue& queue = queues_[where];
  Place& place = queue.places[message.queueOffset()];
  if (place.is_delivered) {
    ++repeated_;
    if (place.delivered != message.body()) {
      violated(nameOf(where, message.queueOffset()) + " came as " + place.delivered + " and as " +
               std::string(message.body()));
    }
    return;
  }
  place.is_delivered = true;
  place.delivered = std::string(message.body());
  if (message.queueOffset() < queue.newest_delivered) {
    violated(nameOf(where, message.queueOffset()) + " came for the first time after offset " +
             std::to_string(queue.newest_delivered) + " of its queue");
  }
  queue.newest_delivered = std::max(queue.newest_delivered, message.queueOffset());
}

void History::finished(const MessageExt& message) {
  queues_[message.messageQueue()].places[message.queueOffset()].is_finished = true;
}

std::size_t History::callbackBegins(std::string what) {
  callbacks_.push_back({std::move(what)});
  return callbacks_.size() - 1;
}

void History::callbackRuns(std::size_t callback) {
  ++callbacks_[callback].runs;
}

void History::stored(const std::vector<MessageExt>& messages) {
  for (const MessageExt& message : messages) {
    Place& place = queues_[message.messageQueue()].places[message.queueOffset()];
    place.is_stored = true;
    place.stored = std::string(message.body());
  }
}

std::size_t History::unfinished() const {
  std::size_t count = 0;
  for (const auto& [where, queue] : queues_) {
    for (const auto& [offset, place] : queue.places) count += place.is_stored && !place.is_finished ? 1 : 0;
  }
  return count;
}

std::int64_t History::end(const MessageQueue& queue) const {
  const auto found = queues_.find(queue);
  if (found == queues_.end()) return 0;
  const auto& places = found->second.places;
  const auto last =
      std::find_if(places.rbegin(), places.rend(), [](const auto& place) { return place.second.is_stored; });
  return last == places.rend() ? 0 : last->first + 1;
}

std::vector<std::string> History::violations() {
  for (const Send& send : sends_) {
    if (send.outcomes == 1) continue;
    violated("the callback of the send of " + send.bodies.front() + " ran " + std::to_string(send.outcomes) + " times");
  }
  for (const Callback& callback : callbacks_) {
    if (callback.runs == 1) continue;
    violated("the callback of " + callback.what + " ran " + std::to_string(callback.runs) + " times");
  }
  for (const auto& [where, queue] : queues_) {
    for (const auto& [offset, place] : queue.places) {
      const std::string name = nameOf(where, offset);
      if (place.is_acknowledged && !place.is_stored) {
        violated(name + " was acknowledged to " + place.acknowledged + " and is not stored");
      } else if (place.is_acknowledged && place.acknowledged != place.stored) {
        violated(name + " was acknowledged to " + place.acknowledged + " and holds " + place.stored);
      }
      if (place.is_delivered && !place.is_stored) {
        violated(name + " came as " + place.delivered + " and is not stored");
      } else if (place.is_delivered && place.delivered != place.stored) {
        violated(name + " came as " + place.delivered + " and holds " + place.stored);
      }
      if (place.is_stored && !place.is_delivered) {
        violated(name + " (" + place.stored + (place.is_acknowledged ? ", acknowledged" : "") + ") never came");
      } else if (place.is_stored && !place.is_finished) {
        violated(name + " (" + place.stored + (place.is_acknowledged ? ", acknowledged" : "") +
                 ") came and was never finished");
      }
    }
  }
  return violations_;
}

}  // namespace mqclient::simulation
