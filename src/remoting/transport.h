#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/buffer.h"
#include "base/completion.h"
#include "base/engine.h"
#include "base/ref.h"
#include "base/strand.h"

namespace mqclient::remoting {

/// Bytes in one connection's output, sent and not yet out: more requests are refused, more answers stop its reading
/// (N5).
inline constexpr std::size_t kOutputBytesMax = 32u << 20;

/// What became of a frame that was not answered (N4).
enum class FrameFate {
  kNotSent,  ///< the transport has no byte of it: a retry cannot duplicate
  kUnknown,  ///< some or all of it left
};

/// Hears what happens on one connection. Everything is called inside strand(), in order.
class ConnectionHandler : public base::Object {
 public:
  /// The strand that owns this end: receiving, pending requests, closing.
  virtual base::Strand& strand() noexcept = 0;
  /// One whole frame, length field included, as the peer sent it. Not yet decoded or checked beyond its framing.
  virtual void onFrame(base::Chain&& frame) noexcept = 0;
  /// A frame given to send() was dropped by the close of the connection. `tag` is what send() was given. May be called
  /// by send() itself where that runs inside strand(). A frame that was sent and not reported here before onClosed may
  /// have reached the peer.
  virtual void onDropped(std::uint64_t tag, FrameFate fate) noexcept = 0;
  /// The last call, exactly once: nobody sends or receives here any more.
  virtual void onClosed(const Error& why) noexcept = 0;
  /// Asked by send() inside strand(): more is under way here than the frame just given, so the transport may let frames
  /// gather instead of writing this one at once (N2).
  virtual bool moreUnderWay() const noexcept { return false; }
  /// The fewest other frames that came between a request and its answer, of the answers since the last time it was
  /// asked: how much is under way here, for whom it would be least. 0: nothing can be said. Any thread.
  virtual std::uint32_t takeLeastOvertaken() noexcept { return 0; }
  /// The connection rests: what is sent meanwhile, beside others, gathers in its output. Any thread.
  virtual void onRest(bool /*rests*/) noexcept {}
  /// Asked of an accepted end inside strand() before each frame: false, and this frame and those behind it wait in the
  /// transport, which soon reads no further, until Connection::framesWanted().
  virtual bool takesFrames() noexcept { return true; }
};

/// Ordered bytes in both directions under the remoting framer (N1-N7). Owned by its handler; dies after onClosed.
class Connection : public base::Object {
 public:
  /// Room in the output for `bytes` more (N5): false asks the caller to refuse or to wait. A response is never refused.
  virtual bool hasRoom(std::size_t bytes) const noexcept = 0;
  /// Any thread, strands included; never blocks. The frame has its place in the output before this returns. After the
  /// close it goes to onDropped(tag, kNotSent). See dropExpired() for `useful_until`.
  virtual void send(base::Chain frame, std::uint64_t tag,
                    base::SteadyTime useful_until = base::SteadyTime::max()) noexcept = 0;
  /// Some frames' useful_until has passed and their senders were told. Those at the head of an output that waits for
  /// its peer may be dropped, unless a part has left: unreported, they would only take memory. Any thread.
  virtual void dropExpired() noexcept {}
  /// Any thread, idempotent. onClosed(why) follows on this end; the peer hears "connection closed by peer".
  virtual void close(Error why) noexcept = 0;
  /// close() without a farewell: nothing that still waits here leaves, and over TCP the peer hears a reset.
  virtual void abort(Error why) noexcept { close(std::move(why)); }
  /// The handler's takesFrames() is true again. Any thread; nothing happens if no frame waits.
  virtual void framesWanted() noexcept {}
  /// How many bytes have come from the peer, of frames that are not whole too. Any thread. Where frames come whole, 0.
  virtual std::uint64_t bytesReceived() const noexcept { return 0; }
  /// The reactor that its socket lives on; null: it has none.
  virtual base::IoReactor* home() const noexcept { return nullptr; }
  /// True when both ends are in this process: limits on strangers do not apply.
  virtual bool sameProcess() const noexcept { return false; }
  /// "ip:port" of the two ends.
  virtual const std::string& peerAddress() const noexcept = 0;
  virtual const std::string& localAddress() const noexcept = 0;
};

/// Hears new connections of a listening address. onAccept is called outside strands or in one of the transport's own;
/// it returns the handler of the new connection, or null to refuse (the connection is closed at once). It does not send
/// or close before it has returned.
class Acceptor : public base::Object {
 public:
  virtual base::Ref<ConnectionHandler> onAccept(base::Ref<Connection> connection) noexcept = 0;
  /// Connections wait that cannot be accepted now (no descriptor is left); they are refused, and accepting pauses.
  virtual void onAcceptFailed(const Error& why) noexcept { (void)why; }
};

/// A listening address; ends with close() or the last reference.
class ListenSocket : public base::Object {
 public:
  virtual const std::string& address() const noexcept = 0;  ///< with the real port
  virtual void close() noexcept = 0;
};

/// The seam: in-process link, TCP, either of them under faults.
class Transport : public base::Object {
 public:
  /// Ends with a connection whose events go to `handler`, or kUnreachable / kTimeout. Starts no thread; any thread.
  /// `done` is settled inside handler->strand(), before the handler hears anything else.
  virtual void connect(base::Engine& engine, std::string address, base::Ref<ConnectionHandler> handler,
                       base::SteadyTime deadline, base::Completion<base::Ref<Connection>> done) = 0;
  /// Port 0 picks a free one. kInvalidArgument, or kUnreachable when the address is taken.
  virtual Result<base::Ref<ListenSocket>> listen(base::Engine& engine, std::string address,
                                                 base::Ref<Acceptor> acceptor) = 0;
};

}  // namespace mqclient::remoting
