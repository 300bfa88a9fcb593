#include "mock_broker/nameserver/route_script.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mqclient::nameserver {

void RouteScript::queue(const std::string& topic, std::vector<Answer> answers) {
  std::ranges::move(answers, std::back_inserter(queued_[topic]));
}

void RouteScript::clear() noexcept {
  standing_.clear();
  queued_.clear();
}

RouteScript::Answer RouteScript::next(const std::string& topic, const RouteInfo& tables) {
  if (const auto queued = queued_.find(topic); queued != queued_.end() && !queued->second.empty()) {
    Answer answer = std::move(queued->second.front());
    queued->second.pop_front();
    return answer;
  }
  if (const auto standing = standing_.find(topic); standing != standing_.end()) return standing->second;
  Answer route = tables.route(topic);
  if (!route || hidden_.empty()) return route;
  const auto is_hidden = [this](const auto& data) { return hidden_.contains(data.brokerName); };
  std::erase_if(route->queueDatas, is_hidden);
  std::erase_if(route->brokerDatas, is_hidden);
  if (route->brokerDatas.empty()) return std::nullopt;
  return route;
}

}  // namespace mqclient::nameserver
