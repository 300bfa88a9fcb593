#include "remoting/tcp_socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <system_error>

#include "protocol/limits.h"

namespace mqclient::remoting {

namespace {

/// Addresses of one name that are tried.
constexpr std::size_t kAddressesMax = 16;

void setOption(int fd, int level, int name, int value) noexcept {
  setsockopt(fd, level, name, &value, sizeof value);
}

void prepare(int fd, const TcpOptions& options) noexcept {
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.send_buffer > 0) setOption(fd, SOL_SOCKET, SO_SNDBUF, options.send_buffer);
  if (options.receive_buffer > 0) setOption(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
}

}  // namespace

void Descriptor::reset() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::string SocketAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> ip{};
  if (family() == AF_INET) {
    sockaddr_in a;
    std::memcpy(&a, &storage, sizeof a);
    inet_ntop(AF_INET, &a.sin_addr, ip.data(), ip.size());
    return std::string(ip.data()) + ":" + std::to_string(ntohs(a.sin_port));
  }
  if (family() == AF_INET6) {
    sockaddr_in6 a;
    std::memcpy(&a, &storage, sizeof a);
    inet_ntop(AF_INET6, &a.sin6_addr, ip.data(), ip.size());
    return std::string("[") + ip.data() + "]:" + std::to_string(ntohs(a.sin6_port));
  }
  return "unknown:0";
}

SocketAddress SocketAddress::localOf(int fd) noexcept {
  SocketAddress a;
  a.size = sizeof a.storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&a.storage), &a.size) != 0) return {};
  return a;
}

SocketAddress SocketAddress::peerOf(int fd) noexcept {
  SocketAddress a;
  a.size = sizeof a.storage;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&a.storage), &a.size) != 0) return {};
  return a;
}

Result<HostPort> splitAddress(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon != std::string_view::npos && colon > 0) {
    std::string_view host = address.substr(0, colon);
    const std::string_view port = address.substr(colon + 1);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    int number = -1;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error == std::errc() && end == port.data() + port.size() && number >= 0 && number <= protocol::kPortMax) {
      return HostPort{std::string(host), std::string(port)};
    }
  }
  return Error(ErrorCode::kInvalidArgument, "an address is written host:port, found '" + std::string(address) + "'");
}

Result<std::vector<SocketAddress>> addressesOf(const HostPort& where, Names names) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV | (names == Names::kNumericOnly ? AI_NUMERICHOST : 0);
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(where.host.c_str(), where.port.c_str(), &wanted, &found);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, [](addrinfo* a) {
    if (a) freeaddrinfo(a);
  });
  if (failed != 0) {
    return Error(names == Names::kNumericOnly ? ErrorCode::kInvalidArgument : ErrorCode::kUnreachable,
                 "the host '" + where.host + "' cannot be resolved: " + gai_strerror(failed));
  }
  std::vector<SocketAddress> all;
  for (const addrinfo* a = found; a && all.size() < kAddressesMax; a = a->ai_next) {
    if (a->ai_family != AF_INET && a->ai_family != AF_INET6) continue;
    SocketAddress one;
    std::memcpy(&one.storage, a->ai_addr, a->ai_addrlen);
    one.size = a->ai_addrlen;
    all.push_back(one);
  }
  if (all.empty()) return Error(ErrorCode::kUnreachable, "the host '" + where.host + "' has no IP address");
  return all;
}

Descriptor openSocket(int family, const TcpOptions& options) noexcept {
  Descriptor socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket) prepare(socket.get(), options);
  return socket;
}

void prepareAccepted(int fd, const TcpOptions& options) noexcept {
  prepare(fd, options);
}

std::string systemText(int error) {
  return std::generic_category().message(error);
}

}  // namespace mqclient::remoting
