#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/completion.h"
#include "base/engine.h"
#include "base/log.h"
#include "protocol/remoting_command.h"
#include "remoting/responder.h"
#include "remoting/transport.h"

namespace mqclient::remoting {

struct RemotingClientOptions {
  base::Millis connect_timeout{3000};         ///< NettyClientConfig.java connectTimeoutMillis
  base::Millis idle_close{120'000};           ///< no byte either way for this long: closed, reopened on next use
  std::size_t in_flight_max{65'535};          ///< requests of this client waiting for an answer; beyond: kQueueFull
  std::size_t served_in_flight_max{1'024};    ///< requests of one server that this client has not answered: SYSTEM_BUSY
  base::Millis reconnect_backoff_min{100};    ///< after a failed connect, doubling, a quarter of jitter either way
  base::Millis reconnect_backoff_max{3'000};  ///< so at most 32 attempts in any minute
  /// Requests time out for this long and not a byte comes meanwhile, nor has a frame since they were sent: the
  /// connection is taken for half open and closed. Twice a send's timeout finds it before the next heartbeat would.
  base::Millis half_open_close{1'000};
};

/// What becomes of a request that finds the output of its connection full (N5).
enum class WhenOutputFull : std::uint8_t {
  kRefuse,  ///< it ends at once, with kQueueFull
  kWait,    ///< it waits for room, up to its deadline
};

/// What a client counts. Relaxed: read them when it is quiet.
struct RemotingClientCounters {
  std::atomic<std::uint64_t> connect_attempts{0}, connect_failures{0};
  std::atomic<std::uint64_t> unknown_answers{0};  ///< to requests that had ended before, or never were
  std::atomic<std::uint64_t> timeouts{0}, corrupt_closed{0}, half_open_closed{0}, idle_closed{0};
  std::atomic<std::uint64_t> responders_dropped{0}, busy_refused{0};
};

/// Requests to any number of addresses over one connection each: connects on first use, matches answers by opaque,
/// fails what is pending when a connection ends. Owns no thread.
///
/// Errors  kTimeout (no answer by the deadline), kUnreachable (no connection; Applied::kNo), kConnectionLost,
/// kQueueFull
///         (our bound), kCorrupt (the peer's bytes; the connection is closed), kClosed. Applied::kUnknown exactly when
///         the frame may have left (N4).
/// Threads any; completions run inside the connection's strand.
class RemotingClient : public base::Object {
 public:
  static base::Ref<RemotingClient> make(base::Ref<base::Engine> engine, base::Ref<Transport> transport,
                                        base::Ref<base::Log> log, RemotingClientOptions options = {});

  /// Sends `frame`, a request encoded with `opaque` (Engine::nextOpaque()), and completes with the answer whatever its
  /// code.
  virtual void invoke(const std::string& address, std::int32_t opaque, base::Chain frame, base::SteadyTime deadline,
                      base::Completion<protocol::RemotingCommand> done,
                      WhenOutputFull when_full = WhenOutputFull::kRefuse) = 0;
  /// Completes when the frame has its place in the output of an open connection (kept until `deadline` while
  /// connecting).
  virtual void invokeOneway(const std::string& address, base::Chain frame, base::SteadyTime deadline,
                            base::Completion<void> done, WhenOutputFull when_full = WhenOutputFull::kRefuse) = 0;

  /// Answers what servers ask of this client (codes 39, 40, 220, ...). Set before the first invoke; let
  /// go when close() completes, so it may be the owner of the client if that one calls close().
  virtual void setRequestHandler(base::Ref<RequestHandler> handler) = 0;
  /// Told outside strands' locks, inside the connection's strand: an address got a new connection, or lost it.
  struct Events : base::Object {
    virtual void onConnected(const std::string& address) noexcept = 0;
    virtual void onDisconnected(const std::string& address, const Error& why) noexcept = 0;
  };
  virtual void setEvents(base::Ref<Events> events) = 0;

  /// Closes the connection to an address that nobody needs any more; what is pending there fails with
  /// kConnectionLost.
  virtual void forget(const std::string& address) = 0;
  /// Open connections now (tests, health).
  virtual std::size_t connections() const = 0;
  virtual const RemotingClientCounters& counters() const noexcept = 0;
  /// Refuses new requests, fails pending ones with kClosed, closes connections; completes when all have ended.
  /// Idempotent.
  virtual void close(base::Completion<void> done) = 0;
};

}  // namespace mqclient::remoting
