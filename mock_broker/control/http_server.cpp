#include "mock_broker/control/http_server.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/wait.h"

namespace mqclient::control {

namespace {

constexpr int kBacklog = 64;
/// How long nothing is accepted once the system has nothing left for it.
constexpr base::Millis kPauseAfterFailure{100};
constexpr std::size_t kBytesPerRead = 16u << 10;
/// What a peer still sends when it has its answer is read away for so long and so far: closed over unread bytes, a
/// connection is reset, and the answer with it.
constexpr base::Millis kLingerFor{1'000};
constexpr std::size_t kLingerBytes = 1u << 20;

int millisUntil(base::SteadyTime deadline, base::SteadyTime now) {
  const auto left = std::chrono::ceil<base::Millis>(deadline - now);
  return static_cast<int>(std::max(left, base::Millis{0}).count());
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(base::Ref<base::Engine> engine, Options options,
                                                      Handler handler) {
  const std::string address = "127.0.0.1:" + std::to_string(options.port);
  const auto failed = [&address] {
    return Error(ErrorCode::kUnreachable, "cannot listen at " + address + ": " + remoting::systemText(errno));
  };
  const auto where = remoting::splitAddress(address);
  if (!where) return where.error();
  const auto at = remoting::addressesOf(*where, remoting::Names::kNumericOnly);
  if (!at) return at.error();
  remoting::Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!listener || setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(listener.get(), at->front().get(), at->front().size) != 0 || ::listen(listener.get(), kBacklog) != 0) {
    return failed();
  }
  std::unique_ptr<HttpServer> server(
      new HttpServer(std::move(engine), options, std::move(listener), std::move(handler)));
  auto started =
      server->threads_.start("mq-control", base::Role::kForeign, nullptr, [s = server.get()] { s->accept(); });
  if (!started) return started.error();
  return server;
}

HttpServer::HttpServer(base::Ref<base::Engine> engine, Options options, remoting::Descriptor listener, Handler handler)
    : engine_(std::move(engine)),
      options_(options),
      listener_(std::move(listener)),
      address_(remoting::SocketAddress::localOf(listener_.get()).text()),
      handler_(std::move(handler)) {}

HttpServer::~HttpServer() {
  stop();
}

void HttpServer::stop() {
  {
    base::MutexLock lock(mutex_);
    stopped_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    for (const int fd : connections_) ::shutdown(fd, SHUT_RDWR);
    room_.notifyAll();
  }
  threads_.joinAll();
}

void HttpServer::accept() {
  const auto never = base::makeRef<base::WaitSlot>();
  while (awaitRoom()) {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      if (!startServing(fd)) return;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      engine_->waitFor(*never, engine_->now() + kPauseAfterFailure);
    }
  }
}

bool HttpServer::awaitRoom() {
  base::MutexLock lock(mutex_);
  while (!stopped_ && connections_.size() >= options_.connections_max) room_.wait(mutex_);
  return !stopped_;
}

bool HttpServer::startServing(int fd) {
  {
    base::MutexLock lock(mutex_);
    if (stopped_) {
      remoting::Descriptor ends(fd);
      return false;
    }
    connections_.insert(fd);
  }
  const auto over = [this, fd] {
    base::MutexLock lock(mutex_);
    connections_.erase(fd);
    remoting::Descriptor ends(fd);
    room_.notifyOne();
  };
  const auto started = threads_.start("mq-control", base::Role::kForeign, nullptr, [this, fd, over] {
    serve(fd);
    over();
  });
  if (!started) over();
  return true;
}

void HttpServer::serve(int fd) {
  HttpReader reader;
  const base::SteadyTime deadline = engine_->now() + options_.request_deadline;
  HttpReader::State state = HttpReader::State::kMore;
  std::array<char, kBytesPerRead> part;
  while (state == HttpReader::State::kMore) {
    if (!ready(fd, POLLIN, deadline)) return;
    const ssize_t got = ::recv(fd, part.data(), part.size(), 0);
    if (got <= 0) return;
    state = reader.take({part.data(), static_cast<std::size_t>(got)});
    if (reader.takeContinue() && !say(fd, "HTTP/1.1 100 Continue\r\n\r\n", deadline)) return;
  }
  const std::string bytes = encoded(state == HttpReader::State::kRefused ? reader.refused() : answer(reader.request()));
  if (say(fd, bytes, engine_->now() + options_.request_deadline)) linger(fd);
}

HttpAnswer HttpServer::answer(const HttpRequest& request) const {
  const std::string local = "localhost" + address_.substr(address_.rfind(':'));
  if (request.host == address_ || request.host == local) return handler_(request);
  return refusal(403, "this is " + address_ + "; Host names another");
}

bool HttpServer::ready(int fd, short events, base::SteadyTime deadline) const {
  pollfd one{fd, events, 0};
  int found = 0;
  do {
    found = ::poll(&one, 1, millisUntil(deadline, engine_->now()));
  } while (found < 0 && errno == EINTR);
  return found == 1;
}

bool HttpServer::say(int fd, std::string_view bytes, base::SteadyTime deadline) const {
  while (!bytes.empty()) {
    if (!ready(fd, POLLOUT, deadline)) return false;
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void HttpServer::linger(int fd) const {
  ::shutdown(fd, SHUT_WR);
  const base::SteadyTime deadline = engine_->now() + kLingerFor;
  std::array<char, kBytesPerRead> part;
  for (std::size_t seen = 0; seen < kLingerBytes;) {
    if (!ready(fd, POLLIN, deadline)) return;
    const ssize_t got = ::recv(fd, part.data(), part.size(), 0);
    if (got <= 0) return;
    seen += static_cast<std::size_t>(got);
  }
}

}  // namespace mqclient::control
