#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace mqclient::scripted {

/// A server on 127.0.0.1 that reads one HTTP request a connection and does with the connection what a script says. One
/// thread, one connection after the other.
class HttpServer {
 public:
  /// `request` is the text up to the blank line. The connection is closed when the script returns, unless it kept it.
  using Script = std::function<void(HttpServer& server, int connection, const std::string& request)>;

  explicit HttpServer(Script script);
  ~HttpServer();

  /// Answers status 200 with this body.
  static Script answering(std::string body);
  /// Sends these bytes and closes.
  static Script sending(std::string bytes);
  /// Sends `first`, then `again` for ever: until the client has had enough.
  static Script endless(std::string first, std::string again);
  /// Reads the request and never answers.
  static Script hanging();
  static Script closing();

  /// From the next request on.
  void setScript(Script script);
  std::string url(std::string_view path = "/rocketmq/nsaddr") const;
  /// Texts of the requests so far.
  std::vector<std::string> requests() const;
  /// False: there were fewer requests for half a minute.
  bool waitForRequests(std::size_t count);

 private:
  void serve();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Script script_;
  std::vector<std::string> requests_;
  std::vector<int> kept_;  // connections of hanging scripts, until the end
  int current_ = -1;
  bool stopping_ = false;
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace mqclient::scripted
