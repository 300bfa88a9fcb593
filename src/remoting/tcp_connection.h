#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/io.h"
#include "base/timer.h"
#include "protocol/frame_splitter.h"
#include "remoting/tcp_socket.h"
#include "remoting/transport.h"

namespace mqclient::remoting {

/// One end of a TCP connection.
///
/// Home      one reactor for life (N1): it reads, arms, closes.
/// Output    word_ is a strand's word: idle, owned, the newest waiting frame, or closed. Who pushes to an idle output
///           owns it until it is empty, and either writes outside strands after the current activation (which gathers
///           the answers of that activation) or hands it to the home reactor, as does every owner that meets a full
///           kernel buffer, its turn's bound, an error or the close (N2). Owners never wait.
/// Close     only the home reactor closes the descriptor, and only as the output's owner: no writer can hold it (N3).
/// Input     the home reactor cuts frames and posts them to the handler's strand in batches. An accepted end whose
///           output is beyond its bound, or whose strand does not come to its frames, is read no further (N5).
/// Lifetime  keeps itself from start() until the descriptor is closed; handler and connection hold each other until
///           onClosed.
class TcpConnection final : public Connection, private base::IoHandler {
 public:
  enum class Side { kClient, kServer };
  /// `home` was joined; the connection leaves it.
  TcpConnection(base::Ref<base::Engine> engine, base::IoReactor& home, Descriptor socket, Side side,
                const TcpOptions& options);
  ~TcpConnection() override;

  /// Before anything else.
  void attach(base::Ref<ConnectionHandler> handler);
  /// Reading begins. Once, from any thread.
  void start();

  bool hasRoom(std::size_t bytes) const noexcept override;
  void send(base::Chain frame, std::uint64_t tag) noexcept override;
  void close(Error why) noexcept override;
  const std::string& peerAddress() const noexcept override { return peer_; }
  const std::string& localAddress() const noexcept override { return local_; }

 private:
  /// A frame in the output, linked by itself.
  struct OutFrame {
    OutFrame* next = nullptr;
    base::Chain bytes;
    std::uint64_t tag = 0;
  };
  struct FrameBatch;
  struct EndTask;
  struct OutputTask final : base::Task {
    explicit OutputTask(TcpConnection& c) noexcept : connection(c) {}
    base::Next run() noexcept override {
      connection.writeTurn();
      return base::Next::kDone;
    }
    TcpConnection& connection;
  };
  struct CloseTask final : base::Task {
    explicit CloseTask(TcpConnection& c) noexcept : connection(c) {}
    base::Next run() noexcept override {
      connection.closeAtHome();
      return base::Next::kDone;
    }
    TcpConnection& connection;
  };
  struct WatchTimer final : base::Timer {
    WatchTimer(TcpConnection& c, base::Strand& strand) noexcept : Timer(strand), connection(c) {}
    void onTimer() noexcept override;
    TcpConnection& connection;
  };
  enum class Push { kQueued, kOwner, kClosed };
  enum class Wrote { kSome, kBlocked, kFailed };

  base::Strand& strand() const noexcept { return handler_->strand(); }

  // ---- output: any thread
  /// kOwner: the output was idle and is the caller's now.
  Push push(OutFrame& frame) noexcept;
  void addOutput(std::size_t bytes) noexcept;
  std::size_t removeOutput(std::size_t bytes) noexcept;
  void outputShrank(std::size_t bytes) noexcept;
  bool overOutputBound() const noexcept;
  void reportDropped(std::uint64_t tag) noexcept;
  // ---- output: its owner, outside strands
  void writeTurn() noexcept;
  /// Takes what was pushed since; `leave` is what the word becomes.
  void takePushed(std::uintptr_t leave) noexcept;
  /// One sendmsg(2); `total` grows by what it took.
  Wrote writeSome(std::size_t& total) noexcept;
  void wrote(std::size_t bytes) noexcept;
  void continueAtHome() noexcept;

  // ---- the home reactor
  void onIo(base::IoEvents events) noexcept override;
  void read() noexcept;
  void cut(base::Slice chunk) noexcept;
  void waitForRoom() noexcept;
  void writeFailed() noexcept;
  void setInterest() noexcept;
  void pauseReading() noexcept;
  void resumeReading() noexcept;
  void lost(Error why) noexcept;
  void closeAtHome() noexcept;
  void finishClose() noexcept;
  void watch(base::SteadyTime due) noexcept;
  void onWatch() noexcept;
  base::SteadyTime frameDue() const noexcept;

  // ---- inside the handler's strand
  void arrived(base::Chain frame) noexcept;
  void handOn(base::Chain frame) noexcept;
  base::Next resumeHeld() noexcept;
  void postResumeHeld() noexcept;

  const base::Ref<base::Engine> engine_;
  base::IoReactor& home_;
  const TcpOptions options_;
  const bool serves_;
  const std::string local_;
  const std::string peer_;
  base::Ref<ConnectionHandler> handler_;

  std::atomic<std::uintptr_t> word_{0};
  std::atomic<std::size_t> output_bytes_{0};
  std::atomic<bool> closing_{false};       // close_why_ is set, or being set by who set this
  std::atomic<bool> closed_here_{false};   // close() was called on this end: nothing is handed on any more
  std::atomic<std::size_t> unhandled_{0};  // bytes cut and not yet handed on
  std::atomic<bool> read_paused_{false};   // somebody must resume reading once unhandled_ has shrunk
  std::atomic<bool> held_back_{false};     // frames are held: somebody must resume once the output has shrunk
  Error close_why_{ErrorCode::kConnectionLost, {}};

  // The output's owner, whichever thread that is
  OutFrame* first_ = nullptr;  // taken, not yet wholly written
  OutFrame* last_ = nullptr;
  std::size_t written_ = 0;  // of first_
  bool close_seen_ = false;  // the home reactor wants the output, to close
  OutputTask output_task_;

  // The home reactor
  Descriptor socket_;  // read by owners of the output
  base::Ref<base::Object> self_;
  bool started_ = false;
  bool close_wanted_ = false;  // before it was started
  bool registered_ = false;
  bool reading_ = true;
  bool waiting_ = false;  // owns the output, until the kernel has room
  bool write_armed_ = false;
  bool write_failed_ = false;
  base::SteadyTime waiting_since_{};
  protocol::FrameSplitter splitter_;
  base::SteadyTime frame_begun_{};  // of the frame that is not whole
  base::SteadyTime watch_due_ = base::SteadyTime::max();
  CloseTask close_task_;
  OutFrame close_node_;

  // The handler's strand
  std::deque<base::Chain> held_;
  bool ended_ = false;  // onClosed was called
  std::optional<WatchTimer> watch_timer_;
};

}  // namespace mqclient::remoting
