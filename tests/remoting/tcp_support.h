#pragma once

// What the tests over real sockets share: an engine on real time, ends that record what they hear and can be waited
// for, and bare sockets for the other side. Nothing here waits for time, only for events, with a bound that only a lost
// event reaches.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "remoting/tcp.h"
#include "tests/base/helpers.h"
#include "tests/remoting/remoting_support.h"
#include "tests/support/process_threads.h"

namespace mqclient::remoting {

using base::testing::Count;

/// A blocking socket of the test's own.
class Peer4 {
 public:
  Peer4() = default;
  explicit Peer4(int fd) : fd_(fd) { bound(); }
  Peer4(Peer4&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Peer4& operator=(Peer4&& o) noexcept {
    close();
    fd_ = std::exchange(o.fd_, -1);
    return *this;
  }
  ~Peer4() { close(); }

  static Peer4 make(int receive_buffer = 0) {
    Peer4 p(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer > 0) setsockopt(p.fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    return p;
  }
  static Peer4 connectedTo(const std::string& address, int receive_buffer = 0) {
    Peer4 p = make(receive_buffer);
    EXPECT_TRUE(p.connect(address));
    return p;
  }
  bool connect(const std::string& address) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    return ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  bool write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  /// What comes next, at most `n` bytes; empty: the end.
  std::string readSome(std::size_t n) {
    std::string bytes(n, '\0');
    const ssize_t got = ::recv(fd_, bytes.data(), n, 0);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }
  /// Exactly `n` bytes, in pieces of at most `step`; fewer: the end came.
  std::string read(std::size_t n, std::size_t step = 1u << 16) {
    std::string all;
    while (all.size() < n) {
      const std::string more = readSome(std::min(step, n - all.size()));
      if (more.empty()) break;
      all += more;
    }
    return all;
  }
  /// One frame, its length field included; empty: the end came.
  std::string readFrame(std::size_t step = 1u << 16) {
    const std::string length = read(4, step);
    if (length.size() < 4) return {};
    return length + read(base::getBe32(length.data()), step);
  }
  std::string readToEnd() {
    std::string all;
    for (std::string more = readSome(1u << 16); !more.empty(); more = readSome(1u << 16)) all += more;
    return all;
  }
  int descriptor() const { return fd_; }
  void finishWriting() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  /// Ends with a reset, whatever waits.
  void reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }

 private:
  friend class Listener4;
  /// Only a lost event waits this long.
  void bound() const {
    const timeval most{30, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  int fd_ = -1;
};

/// A listening socket of the test's own.
class Listener4 {
 public:
  explicit Listener4(int receive_buffer = 0) : socket_(Peer4::make(receive_buffer)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket_.fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::listen(socket_.fd_, 64), 0);
    socklen_t size = sizeof at;
    getsockname(socket_.fd_, reinterpret_cast<sockaddr*>(&at), &size);
    address_ = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
  }
  const std::string& address() const { return address_; }
  Peer4 accept() { return Peer4(::accept4(socket_.fd_, nullptr, nullptr, SOCK_CLOEXEC)); }
  void close() { socket_.close(); }

 private:
  Peer4 socket_;
  std::string address_;
};

/// An end that records what it hears, from whichever thread.
struct TcpEnd final : ConnectionHandler {
  explicit TcpEnd(base::Engine& engine) : strand_(engine) {}
  base::Strand& strand() noexcept override { return strand_; }
  void onFrame(Chain&& frame) noexcept override {
    if (on_frame) on_frame(*this, frame);
    const std::lock_guard lock(mutex);
    bytes += frame.size();
    if (keep_frames) frames.push_back(frame.toString());
    heard.add();
  }
  void onDropped(std::uint64_t tag, FrameFate fate) noexcept override {
    const std::lock_guard lock(mutex);
    EXPECT_FALSE(why) << "onClosed is the last call";
    dropped.emplace_back(tag, fate);
  }
  void onClosed(const Error& error) noexcept override {
    Ref<Connection> last;
    const std::lock_guard lock(mutex);
    EXPECT_FALSE(why) << "exactly once";
    why = error;
    last = std::move(connection);
    closed.add();
  }
  bool moreUnderWay() const noexcept override { return more_under_way; }
  std::uint32_t takeLeastOvertaken() noexcept override { return overtaken; }
  void onRest(bool rests) noexcept override {
    if (rests) began_rest.add();
    if (!rests) ended_rest.add();
  }
  Ref<Connection> link() {
    const std::lock_guard lock(mutex);
    return connection;
  }
  void send(Chain frame, std::uint64_t tag = 0) {
    if (const Ref<Connection> to = link()) to->send(std::move(frame), tag);
  }
  void close(const char* text = "the test ends") {
    if (const Ref<Connection> c = link()) c->close(Error(ErrorCode::kClosed, text));
  }

  base::Strand strand_;
  mutable std::mutex mutex;
  Ref<Connection> connection;
  std::vector<std::string> frames;
  std::size_t bytes = 0;
  std::vector<std::pair<std::uint64_t, FrameFate>> dropped;
  std::optional<Error> why;
  Count connected, heard, closed, began_rest, ended_rest;
  std::atomic<bool> more_under_way{false};
  std::atomic<std::uint32_t> overtaken{0};
  std::function<void(TcpEnd&, const Chain&)> on_frame;  // set before the connection
  bool keep_frames = true;
};

struct TcpAcceptor final : Acceptor {
  explicit TcpAcceptor(base::Engine& e) : engine(e) {}
  Ref<ConnectionHandler> onAccept(Ref<Connection> connection) noexcept override {
    const Ref<TcpEnd> end = base::makeRef<TcpEnd>(engine);
    end->on_frame = on_frame;
    end->keep_frames = keep_frames;
    end->connection = std::move(connection);
    {
      const std::lock_guard lock(mutex);
      ends.push_back(end);
    }
    accepted.add();
    return end;
  }
  void onAcceptFailed(const Error&) noexcept override { failed.add(); }
  Ref<TcpEnd> end(std::size_t i) {
    const std::lock_guard lock(mutex);
    return ends.at(i);
  }
  base::Engine& engine;
  std::mutex mutex;
  std::vector<Ref<TcpEnd>> ends;
  Count accepted, failed;
  std::function<void(TcpEnd&, const Chain&)> on_frame;
  bool keep_frames = true;
};

/// Answers everything at once, and counts the connections that ended.
struct SuccessHandler final : RequestHandler {
  void handle(Request&&, Responder&& responder) noexcept override {
    std::move(responder).answer(ResponseCode::SUCCESS);
  }
  void onPeerClosed(Peer&) noexcept override { closed.add(); }
  Count closed;
};

class TcpTest : public ::testing::Test {
 protected:
  explicit TcpTest(int reactors = 2)
      : descriptors_(mqclient::testing::openDescriptors()),
        engine_(base::testing::threadedEngine({.io_threads = reactors})) {}

  Ref<Transport> transport(TcpOptions options = {}) { return makeTcpTransport(options); }

  /// The accepting side played by TcpEnds.
  std::string listen(TcpOptions options = {}) {
    socket_ = *transport(options)->listen(*engine_, "127.0.0.1:0", acceptor_);
    return socket_->address();
  }
  Ref<TcpEnd> acceptedEnd(std::size_t i = 0) {
    EXPECT_TRUE(acceptor_->accepted.reaches(static_cast<int>(i) + 1));
    return acceptor_->end(i);
  }
  /// The connecting side played by a TcpEnd; its `connected` counts the answer, an error is in connect_error_.
  Ref<TcpEnd> beginConnect(const std::string& address, TcpOptions options = {}, base::Nanos wait = 20s,
                           std::function<void(TcpEnd&, const Chain&)> on_frame = {}) {
    const Ref<TcpEnd> end = base::makeRef<TcpEnd>(*engine_);
    end->on_frame = std::move(on_frame);
    transport(options)->connect(*engine_, address, end, engine_->now() + wait,
                                Completion<Ref<Connection>>::of([end, this](Result<Ref<Connection>>&& r) {
                                  if (r) {
                                    if (on_connected_) on_connected_(**r);
                                    const std::lock_guard lock(end->mutex);
                                    end->connection = *std::move(r);
                                  } else {
                                    const std::lock_guard lock(error_mutex_);
                                    connect_error_ = r.error();
                                  }
                                  end->connected.add();
                                }));
    clients_.push_back(end);
    return end;
  }
  Ref<TcpEnd> connect(const std::string& address, TcpOptions options = {}) {
    Ref<TcpEnd> end = beginConnect(address, options);
    EXPECT_TRUE(end->connected.reaches(1));
    EXPECT_TRUE(end->link()) << *connect_error_;
    return end;
  }
  static void endOf(const Ref<TcpEnd>& end) {
    end->close();
    EXPECT_TRUE(end->closed.reaches(1));
  }

  void TearDown() override {
    if (socket_) socket_->close();
    for (const Ref<TcpEnd>& end : clients_) {
      if (end->connected.get() == 0 || (!end->link() && end->closed.get() == 0)) continue;
      endOf(end);
    }
    for (const Ref<TcpEnd>& end : acceptor_->ends) endOf(end);
    clients_.clear();
    acceptor_.reset();
    socket_.reset();
    engine_.reset();
    // A reactor that has told the last end may still be about to let go of the engine.
    const auto bound = std::chrono::steady_clock::now() + 30s;
    while (mqclient::testing::openDescriptors() != descriptors_ && std::chrono::steady_clock::now() < bound) {
      std::this_thread::yield();
      EXPECT_TRUE(base::quiesceEngines(base::Millis(30'000)));
    }
    EXPECT_EQ(mqclient::testing::openDescriptors(), descriptors_) << "every descriptor was closed";
  }

  const int descriptors_;
  Ref<base::Engine> engine_;
  Ref<TcpAcceptor> acceptor_ = base::makeRef<TcpAcceptor>(*engine_);
  Ref<ListenSocket> socket_;
  std::vector<Ref<TcpEnd>> clients_;
  std::mutex error_mutex_;
  std::optional<Error> connect_error_;             // of the last one that failed
  std::function<void(Connection&)> on_connected_;  // called in the end's strand, by the reactor that connected
};

}  // namespace mqclient::remoting
