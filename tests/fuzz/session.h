#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/frame_splitter.h"
#include "protocol/remoting_command.h"
#include "remoting/in_process.h"
#include "sim/sim_engine.h"

/// What the targets share in which a whole broker, nameserver or client meets a stranger's bytes.
namespace mqclient::fuzz {

/// One end of a connection that is played by the input: what it says is any stream of bytes, cut into frames as the TCP
/// transport cuts it; what it hears are frames that must be whole, one answer a request at most.
class Stranger final : public remoting::ConnectionHandler {
 public:
  explicit Stranger(base::Engine& engine) : strand_(engine) {}

  /// More of the stream. What can be no frame ends the connection, as it does over TCP.
  void say(const base::Chain& chunks);
  void say(std::string_view bytes) { say(base::Chain(base::Slice::copyOf(bytes))); }
  void close(std::string why);
  bool open() const noexcept { return static_cast<bool>(connection); }

  struct Asked {
    int requests = 0;  ///< that want an answer
    int answers = 0;
    bool may_wait = false;  ///< a pull is among them: its answer may be long in coming
  };
  /// By opaque.
  const std::map<std::int32_t, Asked>& asked() const noexcept { return asked_; }
  /// The newest answer to `opaque`.
  const protocol::RemotingCommand* answerTo(std::int32_t opaque) const;

  base::Strand& strand() noexcept override { return strand_; }
  void onFrame(base::Chain&& frame) noexcept override;
  void onDropped(std::uint64_t, remoting::FrameFate) noexcept override {}
  void onClosed(const Error&) noexcept override { connection.reset(); }

  base::Ref<remoting::Connection> connection;
  /// A request came from the other end.
  std::function<void(Stranger&, const protocol::RemotingCommand&)> on_request;

 private:
  void note(const base::Chain& frame);

  base::Strand strand_;
  protocol::FrameSplitter splitter_;
  std::map<std::int32_t, Asked> asked_;
  std::map<std::int32_t, protocol::RemotingCommand> answers_;
};

/// An address at which strangers answer.
class StrangerAcceptor final : public remoting::Acceptor {
 public:
  explicit StrangerAcceptor(base::Engine& engine) : engine_(engine) {}
  base::Ref<remoting::ConnectionHandler> onAccept(base::Ref<remoting::Connection> connection) noexcept override;
  void closeAll();

  std::function<void(Stranger&, const protocol::RemotingCommand&)> on_request;

 private:
  base::Engine& engine_;
  std::vector<base::Ref<Stranger>> ends_;
};

/// A network inside the process and a clock moved by hand, or by whoever waits.
class Session {
 public:
  explicit Session(sim::SimOptions::Time time = sim::SimOptions::Time::kByHand);

  base::Ref<Stranger> connect(const std::string& address);
  /// Runs `begin` with a completion and moves time until it has been called; demands that within `limit`.
  void complete(const std::function<void(base::Completion<void>)>& begin, base::Nanos limit);
  /// Demands that nothing is left once everybody has closed: no connection, no timer.
  void checkNothingIsLeft();

  /// Says the input's stream to `address`: a byte of tenths of a second that pass with each chunk, a byte of chunking,
  /// the stream. The demands on its answers hold at the end.
  base::Ref<Stranger> speak(std::string_view address, std::uint8_t pause, const base::Chain& chunks);

  const base::Ref<sim::SimEngine> engine;
  sim::SimEngine::Enter inside;
  const base::Ref<remoting::InProcessNetwork> network = remoting::InProcessNetwork::make();
};

/// One answer a request at most; exactly one while the connection stands, but for pulls.
void checkAnswers(const Stranger& stranger);

}  // namespace mqclient::fuzz
