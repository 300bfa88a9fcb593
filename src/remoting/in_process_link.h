#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "base/timer.h"
#include "remoting/in_process.h"

namespace mqclient::remoting {

class Link;

/// One end of an in-process connection.
///
/// Lifetime  both ends lie inside their Link; a reference to an end keeps the link, and so both handlers, alive. The
///           handlers let go of their end in onClosed, which ends the circle.
/// Threads   send, close, hasRoom: any. Everything that touches held_ or ended_ runs in the handler's strand.
class LinkEnd final : public Connection {
 public:
  LinkEnd(Link& link, bool serves) noexcept;
  ~LinkEnd() override;

  bool hasRoom(std::size_t bytes) const noexcept override;
  void send(base::Chain frame, std::uint64_t tag, base::SteadyTime useful_until) noexcept override;
  void close(Error why) noexcept override;
  void framesWanted() noexcept override;
  const std::string& peerAddress() const noexcept override;
  const std::string& localAddress() const noexcept override;
  bool sameProcess() const noexcept override { return true; }

 private:
  friend class Link;
  struct FrameTask;
  struct DropTask;
  struct ResumeTask;
  struct Output;
  struct CloseTask final : base::Task {
    explicit CloseTask(LinkEnd& e) noexcept : end(e) {}
    base::Next run() noexcept override;
    LinkEnd& end;
    Error why{ErrorCode::kConnectionLost, {}};
  };

  void lastReferenceGone() noexcept override;
  LinkEnd& other() const noexcept;
  base::Strand& strand() const noexcept { return handler_->strand(); }
  /// Posts the frame to the other end's strand: its bytes count as output until that strand hands them on.
  void forward(base::Chain&& frame) noexcept;
  /// Tells the handler, inside its strand, that the frame with this tag never left.
  void reportDropped(std::uint64_t tag) noexcept;
  void arrived(base::Chain&& frame) noexcept;
  void handOn(base::Chain&& frame) noexcept;
  bool overOutputBound() const noexcept;
  bool mustHold() noexcept { return overOutputBound() || !handler_->takesFrames(); }
  void outputShrank(std::size_t bytes) noexcept;
  base::Next resume() noexcept;

  Link& link_;
  const bool serves_;                     // the accepted end: its answers are never refused, it stops reading instead
  base::Ref<ConnectionHandler> handler_;  // set before the first frame, kept until the link dies
  std::unique_ptr<Output> output_;        // only under a LinkPolicy
  std::atomic<std::size_t> output_bytes_{0};  // sent here, not yet handed on over there
  std::atomic<bool> paused_{false};           // frames are held back: whoever makes room resumes
  std::atomic<bool> closed_here_{false};      // close() was called on this end: nothing is handed on any more
  bool ended_ = false;                        // onClosed was called
  std::deque<base::Chain> held_;              // arrived while mustHold()
  CloseTask close_task_;
};

/// A connection inside the process: two ends, one order of frames each way (N7).
class Link final : public base::Object {
 public:
  /// `open` counts links that were established and not yet closed.
  Link(std::uint64_t number, std::string client, std::string server, std::shared_ptr<LinkPolicy> policy,
       std::shared_ptr<std::atomic<std::size_t>> open);

  /// The ends as the link was made: each is asked for once.
  base::Ref<Connection> takeEnd(bool server) noexcept;
  /// Frames may travel from here on, but nobody hears of a close before activate(): the client must first hear that it
  /// is connected, and the server may have thought better of it meanwhile.
  void establish(base::Ref<ConnectionHandler> client, base::Ref<ConnectionHandler> server);
  void activate() noexcept;

  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }
  const std::string& clientAddress() const noexcept { return client_address_; }
  const std::string& serverAddress() const noexcept { return server_address_; }

 private:
  friend class LinkEnd;
  enum class Phase : std::uint8_t { kNew, kActive, kCloseWanted };
  /// The first call counts: `why` for the end that closes, "closed by peer" for the other one.
  void close(LinkEnd& from, Error why, Error other_hears) noexcept;
  void postCloses() noexcept;

  const std::uint64_t number_;
  const std::string client_address_;
  const std::string server_address_;
  const std::shared_ptr<LinkPolicy> policy_;
  const std::shared_ptr<std::atomic<std::size_t>> open_;
  std::atomic<bool> closed_{false};
  std::atomic<Phase> phase_{Phase::kNew};
  LinkEnd client_;
  LinkEnd server_;
};

}  // namespace mqclient::remoting
