#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/completion.h"
#include "base/engine.h"
#include "base/ref.h"
#include "protocol/message_record.h"
#include "protocol/remoting_command.h"

namespace mqclient::remoting {

/// The other end of a request, as a handler sees it: where it came from, and how to send requests back on the same
/// connection. Identity of a client for broker tables. Any thread.
class Peer : public base::Object {
 public:
  virtual const std::string& address() const noexcept = 0;  ///< "ip:port" of the requester
  virtual const std::string& localAddress() const noexcept = 0;
  /// address() as records carry it; 0.0.0.0:0 if it is none.
  virtual protocol::RecordHost host() const {
    return protocol::RecordHost::parse(address()).value_or(protocol::RecordHost{});
  }
  virtual std::uint64_t id() const noexcept = 0;  ///< unique within the server
  /// Sends a one-way request (code 40 and the like) to this peer; dropped silently when it is gone.
  virtual void sendOneway(base::Chain frame) noexcept = 0;
  /// Asks this peer: `frame` is a request encoded with `opaque` (Engine::nextOpaque()). Errors as
  /// RemotingClient::invoke. On the peer of a client's own connection kUnsupported: there RemotingClient::invoke is the
  /// way.
  virtual void invoke(std::int32_t opaque, base::Chain frame, base::SteadyTime deadline,
                      base::Completion<protocol::RemotingCommand> done) noexcept;
  virtual bool open() const noexcept = 0;
  virtual void close(Error why) noexcept = 0;

  /// What the handler remembers from one request of this connection to the next. Inside the connection's strand only.
  base::Ref<base::Object> memo;
};

/// Why a request gets no answer although one could be given (C4).
enum class Discard { kOneway, kPeerGone, kUnknownTransactionState, kInjectedFault, kStopping };

/// Where responses go. Implemented by the connection.
class ResponseSink : public base::Object {
 public:
  /// Any thread; the frame has its place in the output before this returns.
  virtual void respond(base::Chain frame) noexcept = 0;
  /// The request waits for others' doing and counts no longer among those under way. False: as many wait as may.
  virtual bool requestHeld() noexcept = 0;
  struct End {
    bool dropped{false};  ///< the responder went unused
    bool held{false};     ///< requestHeld() was true for it
  };
  virtual void requestEnded(End how) noexcept = 0;
};

/// The right to answer one request: move-only, answers once. Dropped unused it answers SYSTEM_ERROR, counted, and that
/// count fails tests (of a one-way request nothing could have been answered: not counted). answer() encodes on the
/// calling thread, in the request's format; any thread. One-way requests have a responder too, whose answers go
/// nowhere.
class Responder {
 public:
  Responder() noexcept = default;
  Responder(base::Ref<ResponseSink> sink, std::int32_t opaque, protocol::SerializeType type, bool oneway) noexcept
      : sink_(std::move(sink)), opaque_(opaque), type_(type), oneway_(oneway) {}
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&& o) noexcept {
    if (this != &o) {
      drop();
      sink_ = std::move(o.sink_);
      opaque_ = o.opaque_;
      type_ = o.type_;
      oneway_ = o.oneway_;
      held_ = o.held_;
    }
    return *this;
  }
  ~Responder() {
    if (sink_) drop();
  }

  explicit operator bool() const noexcept { return static_cast<bool>(sink_); }
  bool oneway() const noexcept { return oneway_; }

  /// The request is put aside until others bring what it waits for, perhaps for long (a long poll): from here on it
  /// does not stop the reading of further requests of its connection. False: the connection has as many of these as it
  /// may; answer now.
  bool hold() noexcept {
    if (sink_ && !held_) held_ = sink_->requestHeld();
    return held_;
  }
  /// Touches nothing of itself once the answer is on its way: what follows from it may end or move this responder.
  template <class Header>
  void answer(ResponseCode code, std::string_view remark, const Header& header, base::Chain body = {}) && {
    const base::Ref<ResponseSink> sink = std::move(sink_);
    if (!sink) return;
    const ResponseSink::End end{.held = held_};
    if (!oneway_)
      sink->respond(
          protocol::encodeResponse(protocol::RequestIdentity{opaque_, type_}, code, remark, header, std::move(body)));
    sink->requestEnded(end);
  }
  void answer(ResponseCode code, std::string_view remark = {}) && {
    std::move(*this).answer(code, remark, protocol::NoHeader{});
  }
  void discard(Discard why) && {
    (void)why;
    if (const base::Ref<ResponseSink> sink = std::move(sink_)) sink->requestEnded({.held = held_});
  }

 private:
  void drop() noexcept;

  base::Ref<ResponseSink> sink_;
  std::int32_t opaque_ = 0;
  protocol::SerializeType type_{};
  bool oneway_ = false;
  bool held_ = false;
};

/// One request as it arrived. What outlives handle() must be copied or keep `command` (its body slices own their
/// bytes).
struct Request {
  protocol::RemotingCommand command;
  base::Ref<Peer> peer;
};

/// Answers requests, possibly later. handle() runs inside the connection's strand, in the order received: it decodes
/// and posts on, and takes no longer than a step (S6).
class RequestHandler : public base::Object {
 public:
  virtual void handle(Request&& request, Responder&& responder) noexcept = 0;
  /// A connection to this server ended (client tables are cleaned here). Inside the connection's strand.
  virtual void onPeerClosed(Peer& peer) noexcept { (void)peer; }
};

}  // namespace mqclient::remoting
