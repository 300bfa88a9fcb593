#include "history.h"

#include <algorithm>
#include <utility>

#include "mqclient/testing/history_checks.h"

namespace mqclient::simulation {
namespace {

/// A seed that breaks one promise often breaks it a hundred times.
constexpr std::size_t kViolationsKept = 20;

constexpr const char* kProducerClients = "producers";
constexpr const char* kConsumerClients = "consumers";

/// Numbers the events: they are told in their order.
mqclient::History::Clock numbers() {
  return [number = std::int64_t{0}]() mutable { return ++number; };
}

std::size_t missing(const std::set<std::int64_t>& wanted, const std::set<std::int64_t>& there) {
  return static_cast<std::size_t>(
      std::count_if(wanted.begin(), wanted.end(), [&](std::int64_t offset) { return !there.contains(offset); }));
}

}  // namespace

History::History(std::string topic, std::string group)
    : topic_(std::move(topic)), group_(std::move(group)), events_(numbers()) {}

void History::violated(std::string what) {
  if (violations_.size() < kViolationsKept) violations_.push_back(std::move(what));
}

std::size_t History::sendBegins(std::vector<std::string> bodies) {
  for (const std::string& body : bodies) events_.invoke(kProducerClients, topic_, body);
  sends_.push_back(std::move(bodies));
  return sends_.size() - 1;
}

void History::sendEnds(std::size_t send, const Result<SendResult>& result) {
  const std::vector<std::string>& bodies = sends_[send];
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    events_.sendEnded(kProducerClients, topic_, bodies[i], result, static_cast<std::int64_t>(i));
  }
  if (!result || result->sendStatus != SendStatus::SEND_OK) return;
  acknowledged_ += bodies.size();
  if (!result->messageQueue || result->queueOffset < 0) {
    violated("the send of " + bodies.front() + " was acknowledged without a place");
  }
}

void History::delivered(const MessageExt& message) {
  ++deliveries_;
  if (!queues_[message.messageQueue()].delivered.insert(message.queueOffset()).second) ++repeated_;
  events_.deliver(kConsumerClients, group_, message, std::string(message.body()));
}

void History::finished(const MessageExt& message) {
  queues_[message.messageQueue()].finished.insert(message.queueOffset());
  events_.finish(kConsumerClients, group_, message, std::string(message.body()));
}

void History::picked(const MessageExt& message) {
  queues_[message.messageQueue()].picked.insert(message.queueOffset());
  if (message.tags() != kPickedTag) violated("the reader of one tag was given " + std::string(message.body()));
}

std::size_t History::callbackBegins(std::string what) {
  callbacks_.push_back(std::move(what) + " (call " + std::to_string(callbacks_.size()) + ")");
  events_.invoke(kProducerClients, {}, callbacks_.back());
  return callbacks_.size() - 1;
}

void History::callbackRuns(std::size_t callback) {
  events_.callEnded(kProducerClients, callbacks_[callback]);
}

void History::stored(const std::vector<MessageExt>& messages) {
  for (const MessageExt& message : messages) {
    queues_[message.messageQueue()].stored.insert(message.queueOffset());
    if (message.tags() == kPickedTag) queues_[message.messageQueue()].tagged.insert(message.queueOffset());
    events_.stored(message, std::string(message.body()));
  }
}

std::size_t History::unfinished() const {
  std::size_t count = 0;
  for (const auto& entry : queues_) count += missing(entry.second.stored, entry.second.finished);
  return count;
}

std::size_t History::unpicked() const {
  std::size_t count = 0;
  for (const auto& entry : queues_) count += missing(entry.second.tagged, entry.second.picked);
  return count;
}

std::int64_t History::end(const MessageQueue& queue) const {
  const auto found = queues_.find(queue);
  if (found == queues_.end() || found->second.stored.empty()) return 0;
  return *found->second.stored.rbegin() + 1;
}

std::vector<std::string> History::violations() {
  const std::vector<HistoryEvent> events = events_.events();
  for (const CheckReport& report : checkHistory(events)) {
    for (const std::string& one : report.violations) violated(report.promise + ": " + one);
  }
  if (const std::size_t lost = unpicked(); lost > 0) {
    violated("the reader of one tag was not given " + std::to_string(lost) + " messages that have it");
  }
  return violations_;
}

}  // namespace mqclient::simulation
