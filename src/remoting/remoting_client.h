#pragma once

#include <chrono>
#include <cstddef>
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
  base::Millis connect_timeout{3000};       ///< NettyClientConfig.java connectTimeoutMillis
  base::Millis idle_close{120'000};         ///< no byte either way for this long: closed, reopened on next use
  std::size_t in_flight_max{65'535};        ///< requests of this client waiting for an answer; beyond: kQueueFull
  base::Millis reconnect_backoff_min{100};  ///< after a failed connect, doubling with jitter
  base::Millis reconnect_backoff_max{10'000};
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
                      base::Completion<protocol::RemotingCommand> done) = 0;
  /// Completes when the frame has its place in the output of an open connection (kept until `deadline` while
  /// connecting).
  virtual void invokeOneway(const std::string& address, base::Chain frame, base::SteadyTime deadline,
                            base::Completion<void> done) = 0;

  /// Answers what servers ask of this client (codes 39, 40, 220, ...). Set before the first invoke.
  virtual void setRequestHandler(base::Ref<RequestHandler> handler) = 0;
  /// Told outside strands' locks, inside the connection's strand: an address got a new connection, or lost it.
  struct Events : base::Object {
    virtual void onConnected(const std::string& address) noexcept = 0;
    virtual void onDisconnected(const std::string& address, const Error& why) noexcept = 0;
  };
  virtual void setEvents(base::Ref<Events> events) = 0;

  /// Closes the connection to an address that is in no route any more; what is pending there fails with
  /// kConnectionLost.
  virtual void forget(const std::string& address) = 0;
  /// Open connections now (tests, health).
  virtual std::size_t connections() const = 0;
  /// Refuses new requests, fails pending ones with kClosed, closes connections; completes when all have ended.
  /// Idempotent.
  virtual void close(base::Completion<void> done) = 0;
};

}  // namespace mqclient::remoting
