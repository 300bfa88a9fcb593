#include "tests/support/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <utility>

namespace mqclient::scripted {
namespace {

bool sendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string readRequest(int fd) {
  std::string text;
  char buffer[4096];
  while (text.find("\r\n\r\n") == std::string::npos) {
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text[0] < 'A' || text[0] > 'Z') break;  // no HTTP: a hello of TLS has no blank line
  }
  return text;
}

}  // namespace

HttpServer::HttpServer(Script script) : script_(std::move(script)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_, 64) != 0 || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();  // no port on loopback: no test
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

HttpServer::~HttpServer() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    if (current_ >= 0) ::shutdown(current_, SHUT_RDWR);
  }
  thread_.join();
  for (const int fd : kept_) ::close(fd);
  ::close(listener_);
}

void HttpServer::serve() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    {
      const std::scoped_lock lock(mutex_);
      current_ = fd;
      if (stopping_) ::shutdown(fd, SHUT_RDWR);
    }
    std::string request = readRequest(fd);
    Script script;
    {
      const std::scoped_lock lock(mutex_);
      requests_.push_back(request);
      script = script_;
    }
    changed_.notify_all();
    script(*this, fd, request);
    const std::scoped_lock lock(mutex_);
    current_ = -1;
    if (kept_.empty() || kept_.back() != fd) ::close(fd);
  }
}

HttpServer::Script HttpServer::answering(std::string body) {
  return sending("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                 "\r\nContent-Type: text/plain\r\n\r\n" + body);
}

HttpServer::Script HttpServer::sending(std::string bytes) {
  return [bytes = std::move(bytes)](HttpServer&, int fd, const std::string&) { sendAll(fd, bytes); };
}

HttpServer::Script HttpServer::endless(std::string first, std::string again) {
  return [first = std::move(first), again = std::move(again)](HttpServer&, int fd, const std::string&) {
    for (bool heard = sendAll(fd, first); heard;) heard = sendAll(fd, again);
  };
}

HttpServer::Script HttpServer::hanging() {
  return [](HttpServer& server, int fd, const std::string&) {
    const std::scoped_lock lock(server.mutex_);
    server.kept_.push_back(fd);
  };
}

HttpServer::Script HttpServer::closing() {
  return [](HttpServer&, int, const std::string&) {};
}

void HttpServer::setScript(Script script) {
  const std::scoped_lock lock(mutex_);
  script_ = std::move(script);
}

std::string HttpServer::url(std::string_view path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
}

std::vector<std::string> HttpServer::requests() const {
  const std::scoped_lock lock(mutex_);
  return requests_;
}

bool HttpServer::waitForRequests(std::size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return requests_.size() >= count; });
}

}  // namespace mqclient::scripted
