#include "tests/support/stranger.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <utility>

namespace mqclient::testing {
namespace {

constexpr int kBacklog = 64;
/// Between two bytes of one that drips. A pace, not a wait: the thread is in poll(2) and hears everything at once.
constexpr int kDripMillis = 20;

void check(bool ok) {
  if (!ok) std::abort();  // no descriptors, no loopback: there is nothing to test with
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(port);
  return at;
}

std::string textOf(int fd) {
  sockaddr_in at{};
  socklen_t size = sizeof at;
  check(getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  return "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
}

int boundSocket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in at = loopback(0);
  check(fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
  return fd;
}

int connectedTo(const std::string& address) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in to = loopback(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  check(fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  return fd;
}

int acceptedBy(int listener) {
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  const int on = 1;
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

bool writeAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void openAll(int& listener, int (&ended)[2], std::string& address) {
  listener = boundSocket();
  check(::listen(listener, kBacklog) == 0 && ::pipe2(ended, O_CLOEXEC) == 0);
  address = textOf(listener);
}

void endAll(std::thread& thread, int listener, int (&ended)[2]) {
  ::close(ended[1]);
  thread.join();
  ::close(ended[0]);
  ::close(listener);
}

}  // namespace

std::string closedAddress() {
  const int fd = boundSocket();
  std::string address = textOf(fd);
  ::close(fd);
  return address;
}

std::optional<std::string> answerAndEnd(const std::string& address, std::string_view bytes) {
  const int fd = connectedTo(address);
  const timeval most{30, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
  writeAll(fd, bytes);  // it may be closed before the last one
  std::string came;
  std::array<char, 1u << 12> some;
  ssize_t n;
  while ((n = ::recv(fd, some.data(), some.size(), 0)) > 0) came.append(some.data(), static_cast<std::size_t>(n));
  const bool ended = n == 0 || errno == ECONNRESET;
  ::close(fd);
  return ended ? std::optional(came) : std::nullopt;
}

// ---- Stranger

Stranger::Stranger(Manners manners) : manners_(std::move(manners)) {
  openAll(listener_, ended_, address_);
  thread_ = std::thread([this] { run(); });
}

Stranger::~Stranger() {
  endAll(thread_, listener_, ended_);
}

void Stranger::run() {
  for (;;) {
    std::vector<pollfd> watched{{ended_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const Guest& guest : guests_) watched.push_back({guest.fd, POLLIN, 0});
    ::poll(watched.data(), watched.size(), manners_.drips ? kDripMillis : -1);
    if (watched[0].revents != 0) break;
    std::vector<Guest> staying;
    for (std::size_t i = 0; i < guests_.size(); ++i) {
      Guest& guest = guests_[i];
      bool stays = watched[i + 2].revents == 0 || hear(guest);
      if (stays && !guest.to_say.empty()) {
        stays = writeAll(guest.fd, guest.to_say.substr(0, 1));
        guest.to_say.erase(0, 1);
      }
      if (stays) {
        staying.push_back(std::move(guest));
      } else {
        ::close(guest.fd);
      }
    }
    guests_ = std::move(staying);
    if (watched[1].revents != 0) welcome();
  }
  for (const Guest& guest : guests_) ::close(guest.fd);
}

void Stranger::welcome() {
  Guest guest{acceptedBy(listener_), {}};
  if (guest.fd < 0) return;
  accepted_.fetch_add(1);
  if (say(guest, manners_.greeting, manners_.after_greeting)) {
    guests_.push_back(std::move(guest));
  } else {
    ::close(guest.fd);
  }
}

bool Stranger::hear(Guest& guest) {
  std::array<char, 1u << 16> bytes;
  const ssize_t n = ::recv(guest.fd, bytes.data(), bytes.size(), 0);
  if (n <= 0) return false;
  if (!manners_.answer) return true;
  return say(guest, manners_.answer({bytes.data(), static_cast<std::size_t>(n)}), manners_.after_answer);
}

bool Stranger::say(Guest& guest, std::string_view bytes, Manners::Then then) {
  if (manners_.drips) {
    guest.to_say += bytes;
    return true;
  }
  return writeAll(guest.fd, bytes) && then == Manners::Then::kStays;
}

// ---- Relay

Relay::Relay(std::string to) : to_(std::move(to)) {
  openAll(listener_, ended_, address_);
  thread_ = std::thread([this] { run(); });
}

Relay::~Relay() {
  endAll(thread_, listener_, ended_);
}

void Relay::run() {
  std::vector<Pair> pairs;
  for (;;) {
    std::vector<pollfd> watched{{ended_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const Pair& pair : pairs) {
      watched.push_back({pair.client, POLLIN, 0});
      watched.push_back({pair.server, POLLIN, 0});
    }
    ::poll(watched.data(), watched.size(), -1);
    if (watched[0].revents != 0) break;
    std::vector<Pair> staying;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const Pair& pair = pairs[i];
      const bool asked = watched[2 * i + 2].revents != 0;
      const bool answered = watched[2 * i + 3].revents != 0;
      if ((!asked || carry(pair, pair.client, pair.server)) && (!answered || carry(pair, pair.server, pair.client))) {
        staying.push_back(pair);
      } else {
        ::close(pair.client);
        ::close(pair.server);
      }
    }
    pairs = std::move(staying);
    if (watched[1].revents != 0) {
      if (const int fd = acceptedBy(listener_); fd >= 0) {
        pairs.push_back({accepted_.fetch_add(1) + 1, fd, connectedTo(to_)});
      }
    }
  }
  for (const Pair& pair : pairs) {
    ::close(pair.client);
    ::close(pair.server);
  }
}

bool Relay::carry(const Pair& pair, int from, int to) const {
  std::array<char, 1u << 16> bytes;
  const ssize_t n = ::recv(from, bytes.data(), bytes.size(), 0);
  if (n <= 0) return false;
  if (pair.number <= swallowed_.load()) return true;
  return writeAll(to, {bytes.data(), static_cast<std::size_t>(n)});
}

}  // namespace mqclient::testing
