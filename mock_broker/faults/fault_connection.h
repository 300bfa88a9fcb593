#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/timer.h"
#include "mock_broker/faults/captured_frame.h"
#include "mock_broker/faults/fault_plan.h"
#include "remoting/transport.h"

namespace mqclient::faults {

/// The serving end of one connection, between the transport and the node's session.
///
/// Shape    while the plan does not watch, frames go straight through. From then on each passes meet(), in the
///          session's strand in both directions, and there either passes on, is changed, waits, or ends.
/// Guard    everything below timer_ is touched in the session's strand only.
/// Lifetime the session refers to it until onClosed, and it to the session; the transport refers to both through the
///          handler in front (fault_transport.cpp).
class FaultConnection final : public remoting::Connection {
 public:
  FaultConnection(base::Ref<remoting::Connection> inner, base::Ref<FaultPlan> plan, std::shared_ptr<const Node> node);

  // ---- what the session sees
  bool hasRoom(std::size_t bytes) const noexcept override { return inner_->hasRoom(bytes); }
  void send(base::Chain frame, std::uint64_t tag, base::SteadyTime useful_until) noexcept override;
  void close(Error why) noexcept override { inner_->close(std::move(why)); }
  void framesWanted() noexcept override { inner_->framesWanted(); }
  std::uint64_t bytesReceived() const noexcept override { return inner_->bytesReceived(); }
  bool sameProcess() const noexcept override { return inner_->sameProcess(); }
  const std::string& peerAddress() const noexcept override { return inner_->peerAddress(); }
  const std::string& localAddress() const noexcept override { return inner_->localAddress(); }

  // ---- what comes from the transport
  /// Once, before frames come.
  void attach(base::Ref<remoting::ConnectionHandler> session);
  bool watched() const noexcept { return plan_->watching(); }
  /// In the session's strand, as are the following.
  void onFrame(base::Chain&& frame);
  /// The last call: nothing waits here any more.
  void onClosed();

 private:
  /// A frame on its way.
  struct Passing {
    std::uint64_t tag{0};
    base::Chain frame{};
    ReadFrame read{};
    std::shared_ptr<Rule> on_reply{};  ///< of a request: acts when its reply passes
  };
  /// A request whose reply has not passed.
  struct Owed {
    RequestCode code{};
    std::string topic{};
    std::string group{};
    int queueId{-1};
    std::shared_ptr<Rule> rule{};
  };

  void meet(FrameDirection direction, base::Chain frame, std::uint64_t tag);
  /// Completes what a reply says with what its request said; answers the rule that waits for it, or null.
  std::shared_ptr<Rule> takeOwed(Captured& reply);
  /// `rule` and the frame have met.
  void apply(Passing passing, const std::shared_ptr<Rule>& rule);
  void act(Passing passing, const std::shared_ptr<Rule>& rule);
  void hold(Passing passing, const std::shared_ptr<Rule>& rule);
  void resume(Passing passing, const std::shared_ptr<Rule>& next);
  /// On to the node, or to the client.
  void pass(Passing passing);
  void answer(const Passing& request, const FaultAction& action);
  void emit(base::Chain frame, std::uint64_t tag);
  void emitCut(const base::Chain& frame, std::int64_t bytes, FaultVerb verb);
  void emitSlices(const base::Chain& frame, std::uint64_t tag, std::int64_t bytes);
  void keepForReorder(Passing passing);
  void passReordered(FrameDirection direction);
  enum class How { kClose, kReset };
  void end(How how, FaultVerb verb);
  void record(Captured seen, const char* fault);

  bool over() const noexcept { return closing_ || ended_; }
  void after(base::Nanos delay, UniqueFunction<void()> what);
  void at(base::SteadyTime due, UniqueFunction<void()> what);
  void wake();

  const base::Ref<remoting::Connection> inner_;
  const base::Ref<FaultPlan> plan_;
  const std::shared_ptr<const Node> node_;
  const std::uint64_t number_;
  base::Ref<remoting::ConnectionHandler> session_;  // set by attach
  std::optional<base::FunctionTimer> timer_;

  std::string client_id_;
  std::array<std::unordered_multimap<int, Owed>, 2> owed_;  // by opaque; by the direction of the request
  std::array<std::optional<Passing>, 2> reordered_;         // by direction
  std::multimap<base::SteadyTime, UniqueFunction<void()>> waiting_;
  std::shared_ptr<Rule> throttle_;
  base::SteadyTime output_free_{};  // when what was sent slowly will have left
  bool half_open_ = false;
  bool closing_ = false;  // a fault ended the connection: the node sees nothing more of it
  bool ended_ = false;
};

}  // namespace mqclient::faults
