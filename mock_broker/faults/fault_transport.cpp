#include "mock_broker/faults/fault_transport.h"

#include <utility>

#include "mock_broker/faults/fault_connection.h"

namespace mqclient::faults {

using base::Chain;
using base::Ref;
using remoting::Acceptor;
using remoting::Connection;
using remoting::ConnectionHandler;

namespace {

/// What the transport hands frames to. It lets go of the connection in onClosed, as handlers do.
class FaultHandler final : public ConnectionHandler {
 public:
  FaultHandler(Ref<FaultConnection> connection, Ref<ConnectionHandler> session) noexcept
      : connection_(std::move(connection)), session_(std::move(session)) {}

  base::Strand& strand() noexcept override { return session_->strand(); }
  void onFrame(Chain&& frame) noexcept override {
    if (!connection_->watched()) return session_->onFrame(std::move(frame));
    connection_->onFrame(std::move(frame));
  }
  void onDropped(std::uint64_t tag, remoting::FrameFate fate) noexcept override { session_->onDropped(tag, fate); }
  void onClosed(const Error& why) noexcept override {
    connection_->onClosed();
    session_->onClosed(why);
    connection_.reset();
  }
  bool moreUnderWay() const noexcept override { return session_->moreUnderWay(); }
  bool takesFrames() noexcept override { return session_->takesFrames(); }

 private:
  Ref<FaultConnection> connection_;
  const Ref<ConnectionHandler> session_;
};

class FaultAcceptor final : public Acceptor {
 public:
  FaultAcceptor(Ref<Acceptor> node, Ref<FaultPlan> plan, std::shared_ptr<const Node> name) noexcept
      : node_(std::move(node)), plan_(std::move(plan)), name_(std::move(name)) {}

  Ref<ConnectionHandler> onAccept(Ref<Connection> inner) noexcept override {
    if (plan_->watching() && plan_->refuses(*name_, inner->peerAddress())) return nullptr;
    Ref<FaultConnection> connection = base::makeRef<FaultConnection>(std::move(inner), plan_, name_);
    Ref<ConnectionHandler> session = node_->onAccept(connection);
    if (!session) return nullptr;
    connection->attach(session);
    return base::makeRef<FaultHandler>(std::move(connection), std::move(session));
  }
  void onAcceptFailed(const Error& why) noexcept override { node_->onAcceptFailed(why); }

 private:
  const Ref<Acceptor> node_;
  const Ref<FaultPlan> plan_;
  const std::shared_ptr<const Node> name_;
};

class FaultTransport final : public remoting::Transport {
 public:
  FaultTransport(Ref<remoting::Transport> inner, Ref<FaultPlan> plan, Node node)
      : inner_(std::move(inner)), plan_(std::move(plan)), node_(std::make_shared<const Node>(std::move(node))) {
    plan_->addNode(*node_);
  }
  void connect(base::Engine& engine, std::string address, Ref<ConnectionHandler> handler, base::SteadyTime deadline,
               base::Completion<Ref<Connection>> done) override {
    inner_->connect(engine, std::move(address), std::move(handler), deadline, std::move(done));
  }
  Result<Ref<remoting::ListenSocket>> listen(base::Engine& engine, std::string address,
                                             Ref<Acceptor> acceptor) override {
    return inner_->listen(engine, std::move(address), base::makeRef<FaultAcceptor>(std::move(acceptor), plan_, node_));
  }

 private:
  const Ref<remoting::Transport> inner_;
  const Ref<FaultPlan> plan_;
  const std::shared_ptr<const Node> node_;
};

}  // namespace

Ref<remoting::Transport> makeFaultTransport(Ref<remoting::Transport> inner, Ref<FaultPlan> plan, Node node) {
  return base::makeRef<FaultTransport>(std::move(inner), std::move(plan), std::move(node));
}

}  // namespace mqclient::faults
