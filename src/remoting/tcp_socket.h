#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mqclient/error.h"
#include "remoting/tcp.h"

namespace mqclient::remoting {

/// A descriptor and the duty to close it.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& o) noexcept {
    if (this != &o) {
      reset();
      fd_ = std::exchange(o.fd_, -1);
    }
    return *this;
  }
  ~Descriptor() { reset(); }
  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

/// An IPv4 or IPv6 address with its port.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size{0};

  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const noexcept { return storage.ss_family; }
  /// "127.0.0.1:10911", "[::1]:10911"
  std::string text() const;
  /// The two ends of a socket; empty when it has none.
  static SocketAddress localOf(int fd) noexcept;
  static SocketAddress peerOf(int fd) noexcept;
};

struct HostPort {
  std::string host;  ///< without brackets
  std::string port;
};
/// kInvalidArgument when `address` is not "host:port" with a port of 0 to 65535.
Result<HostPort> splitAddress(std::string_view address);

enum class Names {
  kNumericOnly,  ///< never blocks; a name is kInvalidArgument
  kResolve,      ///< may block for long: on lane `net`
};
/// Every address of a host. kUnreachable with what the resolver said.
Result<std::vector<SocketAddress>> addressesOf(const HostPort& where, Names names);

/// A socket of ours: TCP, non-blocking, closed on exec, no delay, buffers by `options`. Empty: errno.
Descriptor openSocket(int family, const TcpOptions& options) noexcept;
/// The same for one that accept(2) made.
void prepareAccepted(int fd, const TcpOptions& options) noexcept;

/// What the system calls an errno.
std::string systemText(int error);

}  // namespace mqclient::remoting
