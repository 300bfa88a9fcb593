#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/completion.h"
#include "base/engine.h"
#include "base/log.h"
#include "remoting/responder.h"
#include "remoting/transport.h"

namespace mqclient::remoting {

/// Limits on what strangers may ask of us; see docs/promises.md. Each is tested at limit - 1, limit, limit + 1.
struct RemotingServerOptions {
  std::size_t connections_max{10'000};
  std::size_t connections_per_address_max{256};     ///< by IP; not applied to in-process peers
  std::size_t in_flight_per_connection_max{1'024};  ///< beyond: read no further until half are answered
  std::size_t held_per_connection_max{10'000};      ///< long polls, not among those in flight: Responder::hold()
  base::Millis idle_close{120'000};
};

/// What a server counts. Relaxed: read them when it is quiet.
struct RemotingServerCounters {
  std::atomic<std::uint64_t> responders_dropped{0}, corrupt_closed{0}, connections_refused{0}, idle_closed{0},
      unknown_answers{0};
};

/// Listens on one address and hands requests to a handler; one strand a connection, requests in the order received.
/// Without a handler every request is answered "not supported". One-way requests are never answered, whatever happens.
/// Bytes that are no frame end their connection and nothing else. Dropping the last reference closes it.
class RemotingServer : public base::Object {
 public:
  static Result<base::Ref<RemotingServer>> start(base::Ref<base::Engine> engine, base::Ref<Transport> transport,
                                                 std::string address, base::Ref<RequestHandler> handler,
                                                 base::Ref<base::Log> log, RemotingServerOptions options = {});
  /// The first half of start(): the address is taken and known, and every connection refused until serve(). For a
  /// server whose handler must know the address.
  static Result<base::Ref<RemotingServer>> bind(base::Ref<base::Engine> engine, base::Ref<Transport> transport,
                                                std::string address, base::Ref<base::Log> log,
                                                RemotingServerOptions options = {});
  /// Once, after bind().
  virtual void serve(base::Ref<RequestHandler> handler) = 0;
  virtual const std::string& address() const noexcept = 0;
  virtual std::size_t connections() const noexcept = 0;
  /// Requests that have come, of all connections there ever were.
  virtual std::uint64_t requests() const noexcept = 0;
  virtual const RemotingServerCounters& counters() const noexcept = 0;
  /// Stops accepting, closes connections; completes when all have ended. Idempotent.
  virtual void close(base::Completion<void> done) = 0;
};

}  // namespace mqclient::remoting
