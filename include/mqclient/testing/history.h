#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <istream>
#include <mutex>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "mqclient/error.h"
#include "mqclient/message.h"
#include "mqclient/testing/history_event.h"

namespace mqclient {
inline namespace v1 {

/// What clients did, written down while it happens; the checkers of history_checks.h judge it afterwards. Needs no
/// GoogleTest: a program that kills brokers writes files, another one reads and judges them.
///
///   History history;
///   history.invoke("p1", "orders", id);
///   history.sendEnded("p1", "orders", id, producer.send(message));
///   // in the listener
///   for (const MessageExt& m : messages) history.deliver("c1", "billing", m);
///   // after everything has been drained
///   EXPECT_THAT(noMessageLost(history), Holds());
///
/// Threads  any.
class History {
 public:
  using Clock = std::function<std::int64_t()>;

  /// `clock` answers microseconds; none: the steady clock. A simulation gives its own.
  explicit History(Clock clock = {}) : clock_(std::move(clock)) {}
  /// Writes each event to `out`, too, and flushes it: what was told survives a kill. `out` must outlive the history.
  explicit History(std::ostream& out, Clock clock = {}) : clock_(std::move(clock)), out_(&out) {}

  /// A time of 0 is filled in.
  void add(HistoryEvent event) {
    const std::lock_guard lock(mutex_);
    if (event.time == 0) event.time = now();
    if (out_) *out_ << toLine(event) << std::endl;
    events_.push_back(std::move(event));
  }

  // ---- the usual events
  void invoke(std::string client, std::string topic, std::string id, std::int64_t sequence = -1) {
    add({.kind = HistoryEventKind::kInvoke,
         .client = std::move(client),
         .topic = std::move(topic),
         .id = std::move(id),
         .sequence = sequence});
  }
  /// `offset_in_batch` for the messages of a batch after its first.
  void sendEnded(std::string client, std::string topic, std::string id, const Result<SendResult>& result,
                 std::int64_t offset_in_batch = 0) {
    HistoryEvent event{.client = std::move(client), .topic = std::move(topic), .id = std::move(id)};
    if (!result) {
      event.kind = result.error().applied() == Applied::kNo ? HistoryEventKind::kFail : HistoryEventKind::kUnknown;
    } else {
      event.kind = result->sendStatus == SendStatus::SEND_OK ? HistoryEventKind::kOk : HistoryEventKind::kUnknown;
      if (result->messageQueue) {
        event.brokerName = result->messageQueue->brokerName();
        event.queueId = result->messageQueue->queueId();
        event.offset = result->queueOffset + offset_in_batch;
      }
    }
    add(std::move(event));
  }
  /// Any call that is no send ended; as often as its callback ran.
  void callEnded(std::string client, std::string id) {
    add({.kind = HistoryEventKind::kOk, .client = std::move(client), .id = std::move(id)});
  }
  /// `id`: as it was sent; none: the message's own.
  void deliver(std::string client, std::string group, const MessageExt& message, std::string id = {}) {
    addMessage(HistoryEventKind::kDeliver, std::move(client), std::move(group), message, std::move(id));
  }
  void finish(std::string client, std::string group, const MessageExt& message, std::string id = {}) {
    addMessage(HistoryEventKind::kFinish, std::move(client), std::move(group), message, std::move(id));
  }
  void stored(const MessageExt& message, std::string id = {}) {
    addMessage(HistoryEventKind::kStored, {}, {}, message, std::move(id));
  }
  /// kCommit or kReset with the offset; kOwn and kRelease without.
  void queueEvent(HistoryEventKind kind, std::string client, std::string group, const MessageQueue& queue,
                  std::int64_t offset = -1) {
    add(atQueue(kind, std::move(client), std::move(group), queue, offset));
  }

  // ---- reading
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return events_.size();
  }
  /// By time; equal times as they were told.
  std::vector<HistoryEvent> events() const {
    std::vector<HistoryEvent> all;
    {
      const std::lock_guard lock(mutex_);
      all = events_;
    }
    const auto earlier = [](const HistoryEvent& a, const HistoryEvent& b) { return a.time < b.time; };
    if (!std::is_sorted(all.begin(), all.end(), earlier)) std::stable_sort(all.begin(), all.end(), earlier);
    for (std::size_t i = 0; i < all.size(); ++i) all[i].line = i + 1;
    return all;
  }
  void write(std::ostream& out) const {
    for (const HistoryEvent& event : events()) out << toLine(event) << '\n';
  }
  /// Appends the lines of one client's file; empty lines are none, nor is a last one without its end: whoever
  /// wrote it was killed meanwhile. kInvalidArgument names the first bad line, and nothing of the file is kept.
  Result<void> read(std::istream& in) {
    std::vector<HistoryEvent> read;
    std::string line;
    for (std::size_t number = 1; std::getline(in, line); ++number) {
      if (in.eof()) break;  // without its end, or empty
      if (line.empty()) continue;
      Result<HistoryEvent> event = parseHistoryLine(line);
      if (!event) {
        return Error(ErrorCode::kInvalidArgument, "line " + std::to_string(number) + ": " + event.error().message());
      }
      read.push_back(*std::move(event));
    }
    for (HistoryEvent& event : read) add(std::move(event));
    return {};
  }

 private:
  std::int64_t now() const {
    if (clock_) return clock_();
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  static HistoryEvent atQueue(HistoryEventKind kind, std::string client, std::string group, const MessageQueue& queue,
                              std::int64_t offset) {
    return {.kind = kind,
            .client = std::move(client),
            .group = std::move(group),
            .topic = queue.topic(),
            .brokerName = queue.brokerName(),
            .queueId = queue.queueId(),
            .offset = offset};
  }
  void addMessage(HistoryEventKind kind, std::string client, std::string group, const MessageExt& message,
                  std::string id) {
    HistoryEvent event =
        atQueue(kind, std::move(client), std::move(group), message.messageQueue(), message.queueOffset());
    event.id = id.empty() ? std::string(message.msgId()) : std::move(id);
    event.crc = historyCrc(message.body());
    add(std::move(event));
  }

  const Clock clock_;
  std::ostream* const out_ = nullptr;
  mutable std::mutex mutex_;
  std::vector<HistoryEvent> events_;
};

}  // namespace v1
}  // namespace mqclient
