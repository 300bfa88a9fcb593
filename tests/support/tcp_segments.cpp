// Apart from the rest: <linux/tcp.h>, which knows the counter, and <netinet/tcp.h> exclude each other.
#include "tests/support/tcp_segments.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace mqclient::testing {

std::uint32_t segmentsReceived(int descriptor) {
  tcp_info info{};
  socklen_t size = sizeof info;
  return getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_data_segs_in : 0;
}

}  // namespace mqclient::testing
