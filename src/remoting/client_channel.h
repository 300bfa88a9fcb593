#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/block_pool.h"
#include "base/cache_line.h"
#include "base/io.h"
#include "base/timer.h"
#include "remoting/connection_peer.h"
#include "remoting/pending_requests.h"
#include "remoting/remoting_client.h"

namespace mqclient::remoting {

/// What the channels of a client share. Fields without a lock are set before the first channel is made.
struct ClientShared : base::Object {
  base::Ref<base::Engine> engine;
  base::Ref<Transport> transport;
  base::Ref<base::Log> log;
  RemotingClientOptions options;
  base::Ref<RequestHandler> handler;
  base::Ref<RemotingClient::Events> events;
  RemotingClientCounters counters;
  std::atomic<std::size_t> open{0};  // connections
  // Ended requests that a channel may leave in in_flight while others are under way there.
  std::size_t counted_late{0};
  // Requests accepted and not yet completed; apart, as two threads change it all the time.
  alignas(base::kCacheLine) std::atomic<std::size_t> in_flight{0};
  char after_in_flight[base::kCacheLine - sizeof(std::size_t)];

  /// A channel reached kEnded.
  virtual void onChannelEnded() noexcept = 0;
};

class ClientChannel;

/// One invocation: task of the channel's strand, entry of its tables, owner of frame and completion.
struct Invocation final : base::Task, PendingRequest, base::Pooled {
  Invocation(ClientChannel& c, std::int32_t number, base::Chain&& f, base::SteadyTime until,
             base::Completion<protocol::RemotingCommand>&& d, WhenOutputFull full) noexcept
      : PendingRequest(number, until, std::move(d)), channel(c), frame(std::move(f)), when_full(full) {}
  Invocation(ClientChannel& c, base::Chain&& f, base::SteadyTime until, base::Completion<void>&& d,
             WhenOutputFull full) noexcept
      : PendingRequest(0, until, {}),
        channel(c),
        frame(std::move(f)),
        placed(std::move(d)),
        when_full(full),
        oneway(true) {}
  base::Next run() noexcept override;

  ClientChannel& channel;
  base::Chain frame;                // until it was sent
  base::Completion<void> placed;    // of a one-way request
  std::uint64_t received_before{};  // frames the channel had received when this one was sent
  bool perhaps_sent{false};         // what to say when it fails with its connection
  const WhenOutputFull when_full;
  const bool oneway{false};
};

/// The way to one address: at most one connection at a time, everything that waits for it or for answers on it.
///
/// States   kIdle        no connection; perhaps in back-off until retry_at_
///          kConnecting  one connect under way; requests wait in waiting_
///          kOpen        requests go out at once and wait in sent_; those that wait for room in the output stay in
///          waiting_
///          kClosing     close() was called, onClosed is on its way; new requests wait for the next connection
///          kEnded       the address was forgotten or the client closed (a connect still under way is closed when it
///          arrives)
/// Guard    everything below strand_ is touched inside it only.
class ClientChannel final : public ConnectionHandler {
 public:
  ClientChannel(base::Ref<ClientShared> shared, std::string address);

  base::Strand& strand() noexcept override { return strand_; }
  const std::string& address() const noexcept { return address_; }
  /// Any thread. Who waits for the answer runs what is to be done; what nobody waits for gathers on the reactor of the
  /// connection, as long as something else of the client is under way: all it touches is in that core's cache.
  enum class Pace { kAtOnce, kGather };
  static void invoke(base::Ref<ClientChannel> to, Invocation& i, Pace pace) noexcept;
  /// Any thread; `why` is what pending and later requests hear. Idempotent.
  void end(Error why);

 private:
  friend struct Invocation;
  static constexpr std::uint32_t kNothingAnswered = UINT32_MAX;
  enum class State : std::uint8_t { kIdle, kConnecting, kOpen, kClosing, kEnded };
  struct HomeTurn final : base::Task {
    explicit HomeTurn(ClientChannel& c) noexcept : channel(c) {}
    base::Next run() noexcept override {
      channel.strand_.resume();
      return base::Next::kDone;
    }
    ClientChannel& channel;
  };
  struct ChannelTimer final : base::Timer {
    ChannelTimer(ClientChannel& c, void (ClientChannel::*f)()) noexcept : Timer(c.strand_), channel(c), call(f) {}
    void onTimer() noexcept override { (channel.*call)(); }
    ClientChannel& channel;
    void (ClientChannel::*call)();
  };

  void onFrame(base::Chain&& frame) noexcept override;
  void onDropped(std::uint64_t tag, FrameFate fate) noexcept override;
  void onClosed(const Error& why) noexcept override;
  bool moreUnderWay() const noexcept override { return sent_.size() > 1; }  // the one being sent is in it
  std::uint32_t takeLeastOvertaken() noexcept override {
    const std::uint32_t least = least_overtaken_.exchange(kNothingAnswered, std::memory_order_relaxed);
    return least == kNothingAnswered ? 0 : least;
  }
  void onRest(bool rests) noexcept override { rests_.store(rests, std::memory_order_relaxed); }

  void become(State to, std::string_view why);
  void start(Invocation& i);
  void wait(Invocation& i);
  /// There is no room for it in the output, and it waits until there is some.
  bool mustWaitForRoom(const Invocation& i) const noexcept;
  void transmit(Invocation& i);
  void connect();
  void onConnect(Result<base::Ref<Connection>> result);
  void closeConnection(Error why);
  void noteCorrupt(const Error& why);
  void serve(protocol::RemotingCommand&& request);

  void onDeadlines();
  void armDeadlines(base::SteadyTime due);
  void onIdleCheck();
  void noteFailure(const Error& why);
  /// Sends what waits, in order, in steps; what comes meanwhile waits behind it.
  void flushWaiting();
  /// Fail everything that waits for a connection, or was sent on it; in steps.
  void failWaiting(const Error& why);
  void failSent(const Error& why);
  void doom(RequestList& list, Error why);
  base::Next failDoomed(int at_most);

  void stopWaiting(Invocation& i) noexcept;
  /// The first of waiting_ that does not wait for room.
  Invocation* firstUnwilling() const noexcept;
  /// The end of an unlinked invocation: what is left is to tell the caller.
  struct Settlers {
    base::Completion<protocol::RemotingCommand> done;
    base::Completion<void> placed;
  };
  Settlers letGo(Invocation& i) noexcept;
  /// Takes what was let go off the client's count: some at a time, for those who send change it too.
  void uncount() noexcept;
  void finish(Invocation& i, Result<protocol::RemotingCommand>&& result) noexcept;

  const base::Ref<ClientShared> shared_;
  const std::string address_;
  std::atomic<base::IoReactor*> home_{nullptr};  // of the open connection; lives as long as the engine
  HomeTurn home_turn_;                           // of whoever found the strand idle
  std::atomic<bool> rests_{false};               // the open connection does
  std::atomic<std::uint32_t> least_overtaken_{kNothingAnswered};
  base::Strand strand_;

  State state_ = State::kIdle;
  base::Ref<Connection> connection_;  // kOpen, kClosing
  base::Ref<ConnectionSink> sink_;    // made with the first request of the server
  base::Ref<ConnectionPeer> peer_;
  std::optional<Error> end_why_;    // the channel is to end, or has ended
  std::optional<Error> close_why_;  // we closed the connection ourselves
  std::uint64_t connections_made_ = 0;

  OpaqueTable sent_;
  RequestList unsent_;         // dropped by the connection, which is about to end
  RequestList waiting_;        // in order
  std::size_t unwilling_ = 0;  // of them, those that do not wait for room
  DeadlineHeap waiting_deadlines_;
  std::size_t let_go_ = 0;  // of shared_->in_flight, and still counted there
  RequestList doomed_;      // failed with doom_, not all told yet
  std::optional<Error> doom_;
  ChannelTimer deadline_timer_;  // armed for the earliest deadline there was when it was armed, or earlier
  ChannelTimer room_timer_;      // armed while the first of waiting_ waits for room

  ChannelTimer idle_timer_;
  base::SteadyTime quiet_since_{};                // the last byte while nothing is pending
  std::uint64_t received_ = 0;                    // frames on this connection
  std::optional<base::SteadyTime> silent_since_;  // first timeout after the last byte
  std::uint64_t silent_bytes_ = 0;                // that had come then

  int failures_ = 0;  // connects in a row that brought nothing
  base::SteadyTime retry_at_{};
  std::string last_failure_;
};

}  // namespace mqclient::remoting
