#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "mock_broker/nameserver/route_info.h"
#include "protocol/body/route.h"

namespace mqclient::nameserver {

/// What a nameserver is told to say instead of what it knows: it stands between the tables and the answers to
/// GET_ROUTEINFO_BY_TOPIC, and decides whether the tables may change at all. Empty it changes nothing.
///
/// Order    a queued answer first, then the standing one, then the tables without the hidden brokers.
/// Guarded by the nameserver's strand.
class RouteScript {
 public:
  /// Nullopt: TOPIC_NOT_EXIST.
  using Answer = std::optional<protocol::TopicRouteData>;

  /// Frozen: the tables stand still. Registrations are answered as usual and not taken, nobody is removed.
  enum class View { kFollows, kFrozen };
  void setView(View view) noexcept { view_ = view; }
  bool frozen() const noexcept { return view_ == View::kFrozen; }

  /// A hidden broker registers as ever and stands in no route that comes from the tables.
  void hide(std::string broker_name) { hidden_.insert(std::move(broker_name)); }
  void show(const std::string& broker_name) { hidden_.erase(broker_name); }

  /// The answer for a topic until clear().
  void set(std::string topic, Answer answer) { standing_.insert_or_assign(std::move(topic), std::move(answer)); }
  /// The answers to the next questions for a topic, one each, behind those queued already.
  void queue(const std::string& topic, std::vector<Answer> answers);
  /// Forgets standing and queued answers of every topic.
  void clear() noexcept;

  /// What is said now; takes the first of the queued answers.
  Answer next(const std::string& topic, const RouteInfo& tables);

 private:
  View view_ = View::kFollows;
  std::set<std::string, std::less<>> hidden_;
  std::map<std::string, Answer> standing_;
  std::map<std::string, std::deque<Answer>> queued_;
};

}  // namespace mqclient::nameserver
