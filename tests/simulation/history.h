#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "mqclient/default_mq_producer.h"
#include "mqclient/message.h"
#include "mqclient/testing/history.h"

namespace mqclient::simulation {

/// What happened in one run, and whether it may have. Written by producers and listeners, judged when all has ended, by
/// the checkers that users have (mqclient/testing/history_checks.h). A message is known by its body.
/// Threads  one at a time: whoever holds the simulation's baton.
///
/// Promises A message that send() acknowledged lies where it said and is finished by some listener. Nothing stored is
///          passed over, and nothing comes that was not stored. Within a queue messages come for the first time in the
///          order of their offsets; afterwards they may come again. Who reads one tag is given every message with it
///          and no other. Every callback runs once.
class History {
 public:
  /// Some messages have it, and one reader reads those alone.
  static constexpr const char* kPickedTag = "picked";

  History(std::string topic, std::string group);

  // ---- sends: one entry per call; a batch's messages are consecutive
  std::size_t sendBegins(std::vector<std::string> bodies);
  void sendEnds(std::size_t send, const Result<SendResult>& result);
  std::size_t sends() const noexcept { return sends_.size(); }
  std::size_t acknowledged() const noexcept { return acknowledged_; }  ///< messages

  // ---- deliveries
  void delivered(const MessageExt& message);
  void finished(const MessageExt& message);
  /// To the reader of one tag, who takes what it is given.
  void picked(const MessageExt& message);
  std::size_t deliveries() const noexcept { return deliveries_; }
  std::size_t repeated() const noexcept { return repeated_; }

  // ---- other callbacks
  std::size_t callbackBegins(std::string what);
  void callbackRuns(std::size_t callback);

  void violated(std::string what);

  // ---- judging
  /// Everything the brokers hold now. Call when nobody sends any more.
  void stored(const std::vector<MessageExt>& messages);
  /// How many of those no listener has finished.
  std::size_t unfinished() const;
  /// How many of those with the picked tag its reader has not been given.
  std::size_t unpicked() const;
  /// The offset behind a queue's last stored message; 0: it holds none.
  std::int64_t end(const MessageQueue& queue) const;
  /// What is wrong, after judging everything. Call once.
  std::vector<std::string> violations();

 private:
  struct Queue {
    std::set<std::int64_t> delivered;
    std::set<std::int64_t> finished;
    std::set<std::int64_t> stored;
    std::set<std::int64_t> tagged;  // of those, with kPickedTag
    std::set<std::int64_t> picked;
  };

  const std::string topic_;
  const std::string group_;
  mqclient::History events_;
  std::vector<std::vector<std::string>> sends_;  // their bodies
  std::vector<std::string> callbacks_;           // what and which
  std::map<MessageQueue, Queue> queues_;         // what is asked for while the run goes on
  std::size_t acknowledged_ = 0;
  std::size_t deliveries_ = 0;
  std::size_t repeated_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace mqclient::simulation
