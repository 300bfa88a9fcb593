#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <ostream>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "mqclient/testing/history.h"

namespace mqclient {
inline namespace v1 {

/// The events of a history to be judged, by time. Of a History a copy; a vector of events is only looked at and must
/// stay.
class HistoryEvents {
 public:
  HistoryEvents(const History& history) : own_(history.events()), events_(own_) {}
  HistoryEvents(const std::vector<HistoryEvent>& events) : events_(events) {}
  HistoryEvents(const HistoryEvents&) = delete;
  HistoryEvents& operator=(const HistoryEvents&) = delete;

  auto begin() const noexcept { return events_.begin(); }
  auto end() const noexcept { return events_.end(); }

 private:
  std::vector<HistoryEvent> own_;
  std::span<const HistoryEvent> events_;
};

/// What a checker found. Figures carry OpenChaos's names where it has them.
struct CheckReport {
  /// So many offending events are told, the first ones.
  static constexpr std::size_t kTold = 20;

  std::string promise{};
  std::vector<std::pair<std::string, std::uint64_t>> counts{};
  std::vector<std::string> violations{};  ///< "why: the event's line"
  std::uint64_t violationCount{};         ///< all of them

  explicit operator bool() const noexcept { return violationCount == 0; }
  /// Of a count of that name; 0: there is none.
  std::uint64_t count(std::string_view name) const {
    for (const auto& [known, value] : counts) {
      if (known == name) return value;
    }
    return 0;
  }
  void violated(const std::string& why, const HistoryEvent& event) { violated(why + ": " + toLine(event)); }
  void violated(std::string why) {
    if (++violationCount <= kTold) violations.push_back(std::move(why));
  }
  /// One line of figures, then one a violation.
  std::string toString() const {
    std::string text = promise + (violationCount == 0 ? ": kept" : ": VIOLATED");
    for (const auto& [name, value] : counts) text += ' ' + name + '=' + std::to_string(value);
    for (const std::string& one : violations) text += "\n  " + one;
    if (violationCount > violations.size()) {
      text += "\n  ... and " + std::to_string(violationCount - violations.size()) + " more";
    }
    return text;
  }
  friend std::ostream& operator<<(std::ostream& out, const CheckReport& report) { return out << report.toString(); }
};

namespace detail {

using HistoryQueue = std::tuple<std::string_view, std::string_view, int>;  // topic, broker, queue id
using HistoryGroupQueue = std::pair<std::string_view, HistoryQueue>;

inline HistoryQueue queueOf(const HistoryEvent& e) {
  return {e.topic, e.brokerName, e.queueId};
}
inline HistoryGroupQueue groupQueueOf(const HistoryEvent& e) {
  return {e.group, queueOf(e)};
}
inline bool isSendEnd(const HistoryEvent& e) {
  return e.kind == HistoryEventKind::kOk || e.kind == HistoryEventKind::kFail || e.kind == HistoryEventKind::kUnknown;
}
inline bool hasPlace(const HistoryEvent& e) {
  return !e.topic.empty() && e.queueId >= 0 && e.offset >= 0;
}
/// It says that a message lies at its place.
inline bool showsAMessage(const HistoryEvent& e) {
  using enum HistoryEventKind;
  return hasPlace(e) && (e.kind == kOk || e.kind == kStored || e.kind == kDeliver || e.kind == kFinish);
}

/// The groups that were given anything of a topic; of a topic without any, the one that got nothing.
class GroupsOfTopics {
 public:
  explicit GroupsOfTopics(const HistoryEvents& events) {
    for (const HistoryEvent& e : events) {
      if (e.kind == HistoryEventKind::kDeliver) groups_[e.topic].insert(e.group);
    }
  }
  const std::set<std::string_view>& operator[](std::string_view topic) const {
    static const std::set<std::string_view> kNobody{std::string_view()};
    const auto known = groups_.find(topic);
    return known == groups_.end() ? kNobody : known->second;
  }

 private:
  std::map<std::string_view, std::set<std::string_view>> groups_;
};

/// Where the messages of each queue lie, as far as the history knows: offset -> an event that shows it.
using KnownPlaces = std::map<HistoryQueue, std::map<std::int64_t, const HistoryEvent*>>;
inline KnownPlaces placesOf(const HistoryEvents& events) {
  KnownPlaces places;
  for (const HistoryEvent& e : events) {
    if (showsAMessage(e)) places[queueOf(e)].emplace(e.offset, &e);
  }
  return places;
}

/// The messages of a queue from offset `from` on and before `until` that are not among `done`, in order.
template <class Tell>
void forEachMissing(const KnownPlaces::mapped_type& queue, std::int64_t from, std::int64_t until,
                    const std::set<std::int64_t>& done, const Tell& tell) {
  for (auto place = queue.lower_bound(from); place != queue.end() && place->first < until; ++place) {
    if (!done.contains(place->first)) tell(*place->second);
  }
}

inline std::string toGroup(std::string_view group) {
  return group.empty() ? std::string() : " to group " + std::string(group);
}

}  // namespace detail

/// R1: whatever was acknowledged, or is stored, was delivered to every group that has anything of its topic. To be
/// asked when everything was drained. Sends with an unknown end may be delivered or not, and are counted apart.
inline CheckReport noMessageLost(const HistoryEvents& events) {
  using enum HistoryEventKind;
  CheckReport report{.promise = "no message lost"};
  const detail::GroupsOfTopics groups(events);
  std::set<std::pair<std::string_view, std::string_view>> delivered;  // group, id
  std::uint64_t invoked = 0, acknowledged = 0, failed = 0, unknown = 0, deliveries = 0, lost = 0;
  for (const HistoryEvent& e : events) {
    if (e.topic.empty()) continue;
    invoked += e.kind == kInvoke ? 1 : 0;
    acknowledged += e.kind == kOk ? 1 : 0;
    failed += e.kind == kFail ? 1 : 0;
    unknown += e.kind == kUnknown ? 1 : 0;
    if (e.kind != kDeliver) continue;
    ++deliveries;
    delivered.emplace(e.group, e.id);
  }
  std::set<std::pair<std::string_view, std::string_view>> told;
  for (const HistoryEvent& e : events) {
    if (e.topic.empty() || (e.kind != kOk && e.kind != kStored)) continue;
    for (const std::string_view group : groups[e.topic]) {
      if (delivered.contains({group, e.id}) || !told.emplace(group, e.id).second) continue;
      ++lost;
      report.violated(
          (e.kind == kOk ? "acknowledged, never delivered" : "stored, never delivered") + detail::toGroup(group), e);
    }
  }
  report.counts = {{"enqueueInvokeCount", invoked},
                   {"enqueueSuccessCount", acknowledged},
                   {"enqueueFailureCount", failed},
                   {"enqueueUnknownCount", unknown},
                   {"dequeueSuccessCount", deliveries},
                   {"lostMessageCount", lost},
                   {"duplicateMessageCount", deliveries - delivered.size()}};
  return report;
}

/// R5: a group's first deliveries of a queue come in the order of their offsets, of one sending client in the order of
/// its sequence numbers, and none is passed over. Later deliveries of the same message may come at any time. A reset
/// begins anew at its offset.
inline CheckReport orderPerQueue(const HistoryEvents& events) {
  using enum HistoryEventKind;
  struct Progress {
    std::set<std::int64_t> delivered;
    std::int64_t newest = -1;
    bool was_reset = false;
    std::map<std::string_view, const HistoryEvent*> newest_of_sender;
  };
  CheckReport report{.promise = "order per queue"};
  std::map<std::string_view, const HistoryEvent*> sent;  // id -> its first invoke
  std::map<detail::HistoryGroupQueue, Progress> queues;
  std::uint64_t first = 0, out_of_order = 0, passed_over = 0;
  for (const HistoryEvent& e : events) {
    if (e.kind == kInvoke && !e.topic.empty() && e.sequence >= 0) sent.emplace(e.id, &e);
    if (e.kind == kReset) {
      Progress& queue = queues[detail::groupQueueOf(e)];
      queue.newest = e.offset - 1;
      queue.was_reset = true;
      queue.newest_of_sender.clear();
    }
    if (e.kind != kDeliver || !detail::hasPlace(e)) continue;
    Progress& queue = queues[detail::groupQueueOf(e)];
    if (!queue.delivered.insert(e.offset).second) continue;
    ++first;
    if (e.offset < queue.newest) {
      ++out_of_order;
      report.violated("delivered for the first time after offset " + std::to_string(queue.newest), e);
    }
    queue.newest = std::max(queue.newest, e.offset);
    const auto origin = sent.find(e.id);
    if (origin == sent.end()) continue;
    const HistoryEvent*& before = queue.newest_of_sender[origin->second->client];
    if (before != nullptr && origin->second->sequence < before->sequence) {
      ++out_of_order;
      report.violated("sent as number " + std::to_string(origin->second->sequence) + " by " + origin->second->client +
                          ", delivered after its number " + std::to_string(before->sequence),
                      e);
    } else {
      before = origin->second;
    }
  }
  const detail::KnownPlaces places = detail::placesOf(events);
  for (const auto& [where, queue] : queues) {
    const auto known = places.find(where.second);
    if (queue.was_reset || queue.delivered.empty() || known == places.end()) continue;
    detail::forEachMissing(known->second, *queue.delivered.begin(), queue.newest, queue.delivered,
                           [&, &group = where.first](const HistoryEvent& message) {
                             ++passed_over;
                             report.violated("passed over" + detail::toGroup(group), message);
                           });
  }
  report.counts = {{"dequeueSuccessCount", first},
                   {"outOfOrderMessageCount", out_of_order},
                   {"passedOverMessageCount", passed_over}};
  return report;
}

/// A committed offset passes only what the group has finished (delivered, if it tells no finishes), and in the end
/// everything is finished. What lies before a group's first delivery, or what it was reset past, is not asked for.
inline CheckReport atLeastOnce(const HistoryEvents& events) {
  using enum HistoryEventKind;
  struct Progress {
    std::int64_t begins = -1;  // lowest offset that was delivered
    std::int64_t passed = 0;   // below, commits were looked at
    std::set<std::int64_t> done;
  };
  CheckReport report{.promise = "at least once"};
  std::set<std::string_view> tells_finishes;
  std::map<detail::HistoryGroupQueue, Progress> queues;
  for (const HistoryEvent& e : events) {
    if (e.kind == kFinish) tells_finishes.insert(e.group);
    if (e.kind != kDeliver || !detail::hasPlace(e)) continue;
    std::int64_t& begins = queues[detail::groupQueueOf(e)].begins;
    begins = begins < 0 ? e.offset : std::min(begins, e.offset);
  }
  const detail::KnownPlaces places = detail::placesOf(events);
  const auto pass = [&](Progress& queue, const detail::HistoryQueue& where, std::int64_t offset, const auto& tell) {
    const auto known = places.find(where);
    if (known == places.end() || queue.begins < 0) return;
    detail::forEachMissing(known->second, std::max(queue.begins, queue.passed), offset, queue.done, tell);
    queue.passed = std::max(queue.passed, offset);
  };
  std::uint64_t commits = 0, passed_unfinished = 0, never_finished = 0;
  for (const HistoryEvent& e : events) {
    if (e.kind == kFinish || (e.kind == kDeliver && !tells_finishes.contains(e.group))) {
      queues[detail::groupQueueOf(e)].done.insert(e.offset);
    } else if (e.kind == kReset) {
      Progress& queue = queues[detail::groupQueueOf(e)];
      queue.passed = std::max(e.offset, queue.passed);
    } else if (e.kind == kCommit) {
      ++commits;
      pass(queues[detail::groupQueueOf(e)], detail::queueOf(e), e.offset, [&](const HistoryEvent& message) {
        ++passed_unfinished;
        report.violated("offset " + std::to_string(e.offset) + " of group " + e.group + " was committed in event " +
                            std::to_string(e.line) + " before this was finished",
                        message);
      });
    }
  }
  for (auto& entry : queues) {
    const detail::HistoryGroupQueue& where = entry.first;
    pass(entry.second, where.second, std::numeric_limits<std::int64_t>::max(), [&](const HistoryEvent& message) {
      ++never_finished;
      report.violated("never finished by group " + std::string(where.first), message);
    });
  }
  report.counts = {{"commitCount", commits},
                   {"committedUnfinishedCount", passed_unfinished},
                   {"unfinishedMessageCount", never_finished}};
  return report;
}

/// R7: a group's committed offset of a queue goes back only after a reset.
inline CheckReport offsetsNeverRegress(const HistoryEvents& events) {
  using enum HistoryEventKind;
  CheckReport report{.promise = "offsets never regress"};
  std::map<detail::HistoryGroupQueue, const HistoryEvent*> newest;
  std::uint64_t commits = 0, regressions = 0;
  for (const HistoryEvent& e : events) {
    if (e.kind == kReset) newest[detail::groupQueueOf(e)] = &e;
    if (e.kind != kCommit) continue;
    ++commits;
    const HistoryEvent*& before = newest[detail::groupQueueOf(e)];
    if (before != nullptr && e.offset < before->offset) {
      ++regressions;
      report.violated("went back from " + std::to_string(before->offset), e);
    }
    before = &e;
  }
  report.counts = {{"commitCount", commits}, {"regressionCount", regressions}};
  return report;
}

/// R9: every call that began ended once: ok, failed or unknown.
inline CheckReport callbacksExactlyOnce(const HistoryEvents& events) {
  using enum HistoryEventKind;
  struct Call {
    std::uint64_t began = 0;
    std::uint64_t ended = 0;
    const HistoryEvent* last = nullptr;
  };
  CheckReport report{.promise = "each callback exactly once"};
  std::map<std::pair<std::string_view, std::string_view>, Call> calls;  // client, id
  std::uint64_t invoked = 0, called_back = 0, missing = 0, doubled = 0;
  for (const HistoryEvent& e : events) {
    if (e.kind != kInvoke && !detail::isSendEnd(e)) continue;
    Call& call = calls[{e.client, e.id}];
    ++(e.kind == kInvoke ? call.began : call.ended);
    ++(e.kind == kInvoke ? invoked : called_back);
    call.last = &e;
  }
  for (const auto& [whose, call] : calls) {
    if (call.began == call.ended) continue;
    missing += call.ended < call.began ? call.began - call.ended : 0;
    doubled += call.ended > call.began ? call.ended - call.began : 0;
    report.violated(
        "began " + std::to_string(call.began) + " times, called back " + std::to_string(call.ended) + " times",
        *call.last);
  }
  report.counts = {{"invokeCount", invoked},
                   {"callbackCount", called_back},
                   {"missingCallbackCount", missing},
                   {"doubleCallbackCount", doubled}};
  return report;
}

/// R5, R6: of the members of a group at most one works on a queue at a time. Whoever kills a member tells its release
/// when its lock is over.
inline CheckReport ownersNeverOverlap(const HistoryEvents& events) {
  using enum HistoryEventKind;
  CheckReport report{.promise = "owners never overlap"};
  std::map<detail::HistoryGroupQueue, std::vector<const HistoryEvent*>> owners;
  std::uint64_t periods = 0, overlaps = 0;
  for (const HistoryEvent& e : events) {
    if (e.kind != kOwn && e.kind != kRelease) continue;
    std::vector<const HistoryEvent*>& now = owners[detail::groupQueueOf(e)];
    if (e.kind == kRelease) {
      const auto its = std::find_if(now.begin(), now.end(), [&](const auto* own) { return own->client == e.client; });
      if (its == now.end()) {
        report.violated("released what it did not own", e);
      } else {
        now.erase(its);
      }
      continue;
    }
    ++periods;
    if (!now.empty()) {
      ++overlaps;
      report.violated(
          "began while " + now.front()->client + " owned it since event " + std::to_string(now.front()->line), e);
    }
    now.push_back(&e);
  }
  report.counts = {{"ownershipCount", periods}, {"overlapCount", overlaps}};
  return report;
}

/// R4: an offset of a queue holds one message for ever: whoever saw it saw the same id and the same body. Where the
/// history tells what the brokers hold in the end, nothing else was acknowledged or delivered.
inline CheckReport identityPerPlace(const HistoryEvents& events) {
  using enum HistoryEventKind;
  struct Identity {
    const HistoryEvent* first = nullptr;
    const HistoryEvent* with_body = nullptr;
    bool stored = false;
  };
  CheckReport report{.promise = "one identity per topic, queue and offset"};
  std::map<std::pair<detail::HistoryQueue, std::int64_t>, Identity> places;
  std::set<std::string_view> told_topics;
  std::uint64_t wrong = 0;
  const auto violated = [&](const std::string& why, const HistoryEvent& e) {
    ++wrong;
    report.violated(why, e);
  };
  for (const HistoryEvent& e : events) {
    if (!detail::showsAMessage(e)) continue;
    Identity& place = places[{detail::queueOf(e), e.offset}];
    if (place.first == nullptr) {
      place.first = &e;
    } else if (place.first->id != e.id) {
      violated("was " + place.first->id + " in event " + std::to_string(place.first->line), e);
    } else if (e.crc != 0 && place.with_body != nullptr && place.with_body->crc != e.crc) {
      violated("had another body in event " + std::to_string(place.with_body->line), e);
    }
    if (e.crc != 0 && place.with_body == nullptr) place.with_body = &e;
    if (e.kind == kStored) {
      place.stored = true;
      told_topics.insert(e.topic);
    }
  }
  for (const auto& [where, place] : places) {
    if (!place.stored && told_topics.contains(std::get<0>(where.first))) {
      violated("is not what the brokers hold", *place.first);
    }
  }
  report.counts = {{"placeCount", places.size()}, {"identityViolationCount", wrong}};
  return report;
}

/// Every checker, in the order of this file.
inline std::vector<CheckReport> checkHistory(const HistoryEvents& events) {
  return {noMessageLost(events),       orderPerQueue(events),        atLeastOnce(events),
          offsetsNeverRegress(events), callbacksExactlyOnce(events), ownersNeverOverlap(events),
          identityPerPlace(events)};
}

}  // namespace v1
}  // namespace mqclient
