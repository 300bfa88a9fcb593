#include "route/route_fetch.h"

#include <algorithm>
#include <utility>

#include "mqclient/codes.h"
#include "protocol/body/route.h"
#include "protocol/headers/namesrv.h"

namespace mqclient::route {

namespace {

/// One round over the nameservers: each step begins where the last one ended, so nothing here runs twice at a time.
class Round final : public base::Object {
 public:
  Round(base::Ref<base::Engine> engine, base::Ref<remoting::RemotingClient> remoting, std::vector<std::string> in_order,
        std::string topic, base::SteadyTime deadline, base::Completion<RouteAnswer> done)
      : engine_(std::move(engine)),
        remoting_(std::move(remoting)),
        in_order_(std::move(in_order)),
        topic_(std::move(topic)),
        deadline_(deadline),
        done_(std::move(done)) {}

  void next() {
    const base::SteadyTime now = engine_->now();
    if (at_ == in_order_.size() || (now >= deadline_ && at_ > 0)) return fail();
    const auto left = static_cast<std::int64_t>(in_order_.size() - at_);
    const base::SteadyTime share = now + std::max(base::Nanos(0), deadline_ - now) / left;
    const std::int32_t opaque = engine_->nextOpaque();
    const protocol::GetRouteInfoRequestHeader header{.topic = topic_, .acceptStandardJsonOnly = true};
    base::Ref<Round> self(this);
    remoting_->invoke(
        in_order_[at_], opaque,
        protocol::encodeRequest({.code = RequestCode::GET_ROUTEINFO_BY_TOPIC, .opaque = opaque}, header), share,
        base::Completion<protocol::RemotingCommand>::of(
            [self = std::move(self)](Result<protocol::RemotingCommand>&& r) { self->answered(std::move(r)); }));
  }

 private:
  void answered(Result<protocol::RemotingCommand> response) {
    const std::string& address = in_order_[at_];
    if (!response) {
      complain(address, response.error().message());
    } else if (response->responseCode() == ResponseCode::SUCCESS) {
      auto route = protocol::TopicRouteData::decode(response->body.flatten().text());
      if (route && usable(*route)) {
        return std::move(done_)(
            RouteAnswer{std::make_shared<const protocol::TopicRouteData>(std::move(*route)), address});
      }
      complain(address, route ? "answered a route without brokers" : route.error().message());
    } else if (response->responseCode() == ResponseCode::TOPIC_NOT_EXIST) {
      unknown_ = true;
    } else {
      complain(address, "answered code " + std::to_string(response->code) + ": " + std::string(response->remark()));
    }
    ++at_;
    next();
  }
  void complain(const std::string& address, std::string_view what) {
    if (!complaints_.empty()) complaints_ += "; ";
    complaints_ += address + ": " + std::string(what);
  }
  void fail() {
    if (unknown_) {
      return std::move(done_)(Error(ErrorCode::kNoRoute,
                                    "no nameserver knows a route for topic " + topic_ +
                                        (complaints_.empty() ? "" : " (" + complaints_ + ")") +
                                        "; create the topic, or check its name",
                                    static_cast<int>(ResponseCode::TOPIC_NOT_EXIST)));
    }
    std::move(done_)(Error(ErrorCode::kNoNameServer, "no nameserver answered for topic " + topic_ + ": " +
                                                         (complaints_.empty() ? "there is none" : complaints_)));
  }

  const base::Ref<base::Engine> engine_;
  const base::Ref<remoting::RemotingClient> remoting_;
  const std::vector<std::string> in_order_;
  const std::string topic_;
  const base::SteadyTime deadline_;
  base::Completion<RouteAnswer> done_;
  std::size_t at_ = 0;
  bool unknown_ = false;
  std::string complaints_;
};

}  // namespace

void askNameservers(const base::Ref<base::Engine>& engine, const base::Ref<base::Log>&,
                    const base::Ref<remoting::RemotingClient>& remoting, std::vector<std::string> in_order,
                    std::string topic, base::SteadyTime deadline, base::Completion<RouteAnswer> done) {
  base::makeRef<Round>(engine, remoting, std::move(in_order), std::move(topic), deadline, std::move(done))->next();
}

}  // namespace mqclient::route
