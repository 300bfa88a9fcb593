#pragma once

#include <cstddef>

#include "remoting/transport.h"

namespace mqclient::remoting {

/// Bytes in the outputs of one runtime, beyond the first 256 KiB of each connection (N5).
inline constexpr std::size_t kRuntimeOutputMax = 256u << 20;

/// How a TCP transport treats its sockets. The defaults are what runs; tests make buffers small and times short.
struct TcpOptions {
  /// On an accepted connection: a frame that has begun is whole after this time and one second more for each
  /// frame_bytes_per_second that have come. A peer that sends a byte now and then is closed (R17).
  base::Millis frame_deadline{10'000};
  std::size_t frame_bytes_per_second{64u << 10};
  /// The peer takes no byte of what waits for it for this long: closed (N5).
  base::Millis stall_close{30'000};
  std::size_t bytes_per_write{256u << 10};  ///< given to one sendmsg(2)
  int send_buffer{0};                       ///< SO_SNDBUF; 0: the kernel's own, which grows
  int receive_buffer{0};                    ///< SO_RCVBUF, likewise
};

/// TCP (N1-N5) over IPv4 and IPv6. Addresses are "host:port", "[ipv6]:port"; a listening one names an IP.
///
/// Names    resolved on lane `net` only; every address of a name is tried in turn within the deadline.
/// Errors   connect: kUnreachable with what the system said of each address, kTimeout; an engine with virtual time has
///          no sockets: kUnsupported, from listen() too.
/// Threads  owns none: connections live on the engine's reactors. Any number of engines may use one transport.
base::Ref<Transport> makeTcpTransport(TcpOptions options = {});

}  // namespace mqclient::remoting
