#include "route/route_fetch.h"

#include <algorithm>
#include <utility>

#include "mqclient/codes.h"
#include "protocol/body/route.h"
#include "protocol/headers/namesrv.h"
#include "protocol/remoting_command.h"

namespace mqclient::route {
namespace {

using protocol::RemotingCommand;

/// A nameserver is never given less time than this, or the caller's deadline would decide which one was asked at all.
constexpr base::Millis kOneTryMin{100};

/// One fetch under way: asks, hears, asks the next. Steps follow one another, so no state needs a lock; each step's
/// answer comes after the step's own last touch.
class RouteFetch final : public base::Receiver<RemotingCommand> {
 public:
  RouteFetch(base::Ref<base::Engine> engine, base::Ref<base::Log> log, base::Ref<remoting::RemotingClient> remoting,
             std::vector<std::string> in_order, std::string topic, base::SteadyTime deadline,
             base::Completion<RouteAnswer> done)
      : engine_(std::move(engine)),
        log_(std::move(log)),
        remoting_(std::move(remoting)),
        in_order_(std::move(in_order)),
        topic_(std::move(topic)),
        deadline_(deadline),
        done_(std::move(done)) {}

  void ask() {
    const base::SteadyTime now = engine_->now();
    if (at_ == in_order_.size() || (now >= deadline_ && at_ > 0)) return giveUp();
    const auto share =
        std::max<base::Nanos>((deadline_ - now) / static_cast<std::int64_t>(in_order_.size() - at_), kOneTryMin);
    const std::int32_t opaque = engine_->nextOpaque();
    protocol::GetRouteInfoRequestHeader header;
    header.topic = topic_;
    header.acceptStandardJsonOnly = true;
    // The answer may come, and end this object, before invoke returns: the client is held by a name of our own.
    const base::Ref<remoting::RemotingClient> remoting = remoting_;
    remoting->invoke(in_order_[at_], opaque,
                     protocol::encodeRequest(
                         protocol::RequestHead{.code = RequestCode::GET_ROUTEINFO_BY_TOPIC, .opaque = opaque}, header),
                     std::min(deadline_, now + share), base::Completion<RemotingCommand>(*this));
  }

  void onResult(Result<RemotingCommand>&& answer) noexcept override {
    const std::string& address = in_order_[at_];
    if (!answer) {
      closed_ = closed_ || answer.error().code() == ErrorCode::kClosed;
      if (closed_) return finish(std::move(answer).error());
      // A connection that ended under the question says nothing about the nameserver: once more over a new one.
      if (answer.error().code() == ErrorCode::kConnectionLost && !std::exchange(asked_twice_, true)) return ask();
      complain(address, "did not answer: " + answer.error().message());
      return next();
    }
    if (answer->code == static_cast<int>(ResponseCode::SUCCESS)) {
      Result<protocol::TopicRouteData> route = protocol::TopicRouteData::decode(answer->body.flatten().text());
      if (!route) {
        complain(address, "sent a route that cannot be read: " + route.error().message());
        return next();
      }
      if (usable(*route)) {
        return finish(RouteAnswer{std::make_shared<const protocol::TopicRouteData>(*std::move(route)), address});
      }
      note(address + " knows the topic but no queue or broker of it");
    } else if (answer->code == static_cast<int>(ResponseCode::REQUEST_CODE_NOT_SUPPORTED)) {
      complain(address, "is no nameserver, perhaps a broker: it does not support requests for routes");
      return next();
    } else if (answer->code == static_cast<int>(ResponseCode::TOPIC_NOT_EXIST)) {
      note(address + " does not know the topic");
    } else {
      note(address + " answered " + std::to_string(answer->code) + " " + std::string(answer->remark()));
    }
    answered_ = true;
    next();
  }

 private:
  ~RouteFetch() = default;

  void next() {
    ++at_;
    asked_twice_ = false;
    ask();
  }
  /// This one is no nameserver to count on.
  void complain(const std::string& address, const std::string& what) {
    log_->writeLimited(LogLevel::kWarn, "route", address, base::kLogPeriod, "nameserver " + address + " " + what);
    note(address + " " + what);
  }
  void note(std::string what) {
    if (!tried_.empty()) tried_ += "; ";
    tried_ += what;
  }
  void giveUp() {
    if (answered_) {
      return finish(Error(ErrorCode::kNoRoute, "no nameserver has a route for topic '" + topic_ + "' (" + tried_ + ")",
                          static_cast<int>(ResponseCode::TOPIC_NOT_EXIST)));
    }
    finish(Error(ErrorCode::kNoNameServer,
                 "no nameserver answers as one (" + tried_ + "): check namesrvAddr and whether it is up"));
  }
  void finish(Result<RouteAnswer> result) {
    base::Completion<RouteAnswer> done = std::move(done_);
    delete this;
    std::move(done)(std::move(result));
  }

  const base::Ref<base::Engine> engine_;
  const base::Ref<base::Log> log_;
  const base::Ref<remoting::RemotingClient> remoting_;
  const std::vector<std::string> in_order_;
  const std::string topic_;
  const base::SteadyTime deadline_;
  base::Completion<RouteAnswer> done_;
  std::size_t at_ = 0;
  bool asked_twice_ = false;  // the one at at_
  bool answered_ = false;
  bool closed_ = false;
  std::string tried_;
};

}  // namespace

void askNameservers(const base::Ref<base::Engine>& engine, const base::Ref<base::Log>& log,
                    const base::Ref<remoting::RemotingClient>& remoting, std::vector<std::string> in_order,
                    std::string topic, base::SteadyTime deadline, base::Completion<RouteAnswer> done) {
  if (in_order.empty()) {
    return std::move(done)(Error(ErrorCode::kNoNameServer, "no nameserver address is configured"));
  }
  auto* fetch = new RouteFetch(engine, log, remoting, std::move(in_order), std::move(topic), deadline, std::move(done));
  fetch->ask();
}

}  // namespace mqclient::route
