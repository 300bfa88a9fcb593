#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/answer_source.h"
#include "base/block_pool.h"
#include "base/io.h"
#include "base/mutex.h"
#include "base/timer.h"
#include "protocol/frame_splitter.h"
#include "remoting/output_bytes.h"
#include "remoting/tcp_socket.h"
#include "remoting/transport.h"

namespace mqclient::remoting {

/// One end of a TCP connection.
///
/// Home      one reactor for life (N1): it reads, arms, closes.
/// Output    word_ is a strand's word: idle, owned, the newest waiting frame, or closed. Who pushes to an idle output
///           owns it until it is empty, and either writes outside strands after the current activation (which gathers
///           the answers of that activation; docs/decisions/0017-one-write-a-reading.md) or hands it to the home
///           reactor, as does every owner that meets a full kernel buffer, its turn's bound, an error or the close
///           (N2). Owners never wait. While the connection rests nobody owns it: output_rests_ says so, and who takes
///           that back does.
/// Close     only the home reactor closes the descriptor, and only as the output's owner: no writer can hold it (N3).
/// Input     the home reactor cuts frames and posts them to the handler's strand in batches. An accepted end whose
///           output is beyond its bound, whose handler takes no more, or whose strand does not come to its frames, is
///           read no further (N5). Reading is lent to a thread that waits for the answer to the only request under way:
///           it receives and cuts, while the poller does not ask for bytes (docs/decisions/0009-who-reads.md).
/// Rest      a client's end that has many requests under way, and reads few answers at a time, lets both directions
///           gather for a part of what an answer takes (docs/decisions/0014-rests.md).
/// Lifetime  keeps itself from start() until the descriptor is closed; handler and connection hold each other until
///           onClosed.
class TcpConnection final : public Connection, public base::AnswerSource, private base::IoHandler {
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
  void send(base::Chain frame, std::uint64_t tag, base::SteadyTime useful_until) noexcept override;
  void dropExpired() noexcept override;
  void close(Error why) noexcept override;
  void abort(Error why) noexcept override;
  void framesWanted() noexcept override;
  base::IoReactor* home() const noexcept override { return &home_; }
  std::uint64_t bytesReceived() const noexcept override { return bytes_read_.load(std::memory_order_relaxed); }
  const std::string& peerAddress() const noexcept override { return peer_; }
  const std::string& localAddress() const noexcept override { return local_; }

 private:
  /// A frame in the output, linked by itself.
  struct OutFrame : base::Pooled {
    OutFrame() noexcept = default;
    OutFrame(base::Chain frame, std::uint64_t number, base::SteadyTime until) noexcept
        : bytes(std::move(frame)), tag(number), useful_until(until) {}
    OutFrame* next = nullptr;
    base::Chain bytes;
    std::uint64_t tag = 0;
    base::SteadyTime useful_until{};
  };
  struct FrameBatch;
  struct EndTask;
  struct OutputTask final : base::Task {
    explicit OutputTask(TcpConnection& c) noexcept : connection(c) {}
    base::Next run() noexcept override {
      connection.writeOrPutOff();
      return base::Next::kDone;
    }
    TcpConnection& connection;
    int put_off = 0;  // in a row
  };
  struct CloseTask final : base::Task {
    explicit CloseTask(TcpConnection& c) noexcept : connection(c) {}
    base::Next run() noexcept override {
      connection.closeAtHome();
      return base::Next::kDone;
    }
    TcpConnection& connection;
  };
  struct RestAlarm final : base::IoAlarm {
    explicit RestAlarm(TcpConnection& c) noexcept : connection(c) {}
    void onAlarm() noexcept override { connection.goOnAfterRest(); }
    TcpConnection& connection;
  };
  struct WatchTimer final : base::Timer {
    WatchTimer(TcpConnection& c, base::Strand& strand) noexcept : Timer(strand), connection(c) {}
    void onTimer() noexcept override;
    TcpConnection& connection;
  };
  // The output's word; anything above is the newest frame pushed.
  static constexpr std::uintptr_t kIdle = 0;
  static constexpr std::uintptr_t kOwned = 1;
  static constexpr std::uintptr_t kClosed = 2;
  static constexpr std::size_t kBytesPerTurn = 1u << 20;  // written before others come
  enum class Push { kQueued, kOwner, kClosed };
  enum class Wrote { kSome, kBlocked, kFailed };

  base::Strand& strand() const noexcept { return handler_->strand(); }

  // ---- output: any thread
  /// kOwner: the output was idle and is the caller's now.
  Push push(OutFrame& frame) noexcept;
  void outputShrank(std::size_t bytes) noexcept;
  void reportDropped(std::uint64_t tag) noexcept;
  /// The output, which is the caller's, waits for others.
  void gather() noexcept;
  /// True: it waited, and is the caller's again.
  bool takeGathered() noexcept { return output_rests_.load() && output_rests_.exchange(false); }
  // ---- output: its owner, outside strands
  void writeOrPutOff() noexcept;
  void writeTurn() noexcept;
  /// Takes what was pushed since; `leave` is what the word becomes.
  void takePushed(std::uintptr_t leave) noexcept;
  /// One sendmsg(2); `total` grows by what it took.
  Wrote writeSome(std::size_t& total) noexcept;
  void wrote(std::size_t bytes) noexcept;
  void continueAtHome() noexcept;

  // ---- input: who has the reading, the home reactor or the thread it is lent to
  void receiveUntil(base::WaitSlot& slot, base::WaitSeat& seat, base::SteadyTime deadline) noexcept override;
  bool borrowReading(base::WaitSeat& seat) noexcept;
  void giveReadingBack() noexcept;
  enum class Got { kAll, kMore, kEnd };
  /// One recv(2). kEnd: the connection is over, `why` says how.
  Got receive(base::ReadBuffer& buffer, std::string& why) noexcept;
  void cut(base::Slice chunk) noexcept;
  void lost(Error why) noexcept;

  // ---- the home reactor
  void onIo(base::IoEvents events) noexcept override;
  void read() noexcept;
  /// After a reading: reads and writes no more for a while, if it pays.
  void considerRest() noexcept;
  void stopResting() noexcept;
  void endRest() noexcept;
  void writeGathered() noexcept;
  void goOnAfterRest() noexcept;
  void waitForRoom() noexcept;
  void dropExpiredAtHome() noexcept;
  void writeFailed() noexcept;
  void setReading(bool reading) noexcept;
  void resumeReading() noexcept;
  void armWriting(bool armed) noexcept;
  void setInterest() noexcept MQ_REQUIRES(reading_mutex_);
  void pauseReading() noexcept;
  void closeAtHome() noexcept;
  void finishClose() noexcept;
  void watch(base::SteadyTime due) noexcept;
  void onWatch() noexcept;
  base::SteadyTime frameDue() const noexcept;

  // ---- inside the handler's strand
  /// Bytes handed on: none if the frame has to wait.
  std::size_t arrived(base::Slice&& frame) noexcept;
  std::size_t handOn(base::Slice&& frame) noexcept;
  void handled(std::size_t bytes) noexcept;
  bool mustHold() noexcept { return output_.overBound() || !handler_->takesFrames(); }
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
  OutputBytes output_;
  std::atomic<bool> closing_{false};       // close_why_ is set, or being set by who set this
  std::atomic<bool> closed_here_{false};   // close() was called on this end: nothing is handed on any more
  std::atomic<bool> aborted_{false};       // by abort(): the peer hears a reset
  std::atomic<std::size_t> unhandled_{0};  // bytes cut and not yet handed on
  std::atomic<bool> read_paused_{false};   // somebody must resume reading once unhandled_ has shrunk
  std::atomic<bool> held_back_{false};     // frames are held: whoever makes room resumes
  std::atomic<bool> resting_{false};       // written by the home reactor
  std::atomic<bool> output_rests_{false};  // the output is owned by who takes this back
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
  bool waiting_ = false;       // owns the output, until the kernel has room
  bool write_failed_ = false;
  base::SteadyTime waiting_since_{};
  base::SteadyTime frame_begun_{};  // of the frame that is not whole
  base::SteadyTime watch_due_ = base::SteadyTime::max();
  CloseTask close_task_;
  OutFrame close_node_;
  RestAlarm rest_alarm_;
  std::size_t frames_known_ = 0;     // of frames_cut_, when a rest was last considered
  std::size_t frames_measured_ = 0;  // of frames_cut_, when their rate was last measured
  base::SteadyTime measured_at_{};   // the same
  std::int64_t nanos_a_frame_ = 0;   // what was measured then

  // Who may read. Written by the home reactor under the lock, which only others need for reading them.
  base::Mutex reading_mutex_;
  bool registered_ = false;
  bool reading_ = true;
  bool write_armed_ = false;
  enum class Reader : std::uint8_t { kNobody, kHome, kLent } reader_ MQ_GUARDED_BY(reading_mutex_) = Reader::kNobody;
  base::WaitSeat* borrower_ MQ_GUARDED_BY(reading_mutex_) = nullptr;  // while lent
  bool close_waits_ MQ_GUARDED_BY(reading_mutex_) = false;            // for the reading to come back
  protocol::FrameSplitter splitter_;                                  // of whoever has the reading
  std::atomic<std::size_t> frames_cut_{0};                            // by the same
  std::atomic<std::uint64_t> bytes_read_{0};                          // by the same

  // The handler's strand
  std::deque<base::Slice> held_;
  bool ended_ = false;  // onClosed was called
  std::optional<WatchTimer> watch_timer_;
};

}  // namespace mqclient::remoting
