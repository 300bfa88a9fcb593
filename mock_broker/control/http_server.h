#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/engine.h"
#include "base/mutex.h"
#include "base/thread_set.h"
#include "mock_broker/control/http.h"
#include "mqclient/error.h"
#include "remoting/tcp_socket.h"

namespace mqclient::control {

/// Answers HTTP requests at 127.0.0.1, one request a connection. Those for another host are refused (403): what a
/// browser was led here for by a name of somebody else's.
///
/// Threads  one that accepts, and one for each connection: an answer may take its time. Idle it costs nothing.
class HttpServer {
 public:
  struct Options {
    int port{0};                            ///< 0: any free one
    std::size_t connections_max{16};        ///< at a time; others wait in the system's backlog
    base::Millis request_deadline{10'000};  ///< for a request to arrive, and for an answer to leave
  };

  /// Called in the server's threads, several at a time; may wait.
  using Handler = std::function<HttpAnswer(const HttpRequest&)>;

  /// kUnreachable: the port is taken.
  static Result<std::unique_ptr<HttpServer>> start(base::Ref<base::Engine> engine, Options options, Handler handler);
  /// stop()
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// "127.0.0.1:port"
  const std::string& address() const noexcept { return address_; }
  /// Ends every connection and waits for the handlers that run. Idempotent; not from a handler.
  void stop();

 private:
  HttpServer(base::Ref<base::Engine> engine, Options options, remoting::Descriptor listener, Handler handler);
  void accept();
  /// False: the server has stopped.
  bool awaitRoom();
  bool startServing(int fd);
  void serve(int fd);
  HttpAnswer answer(const HttpRequest& request) const;
  /// Waits until `fd` may be read or written. False: too late, or the server has stopped.
  bool ready(int fd, short events, base::SteadyTime deadline) const;
  bool say(int fd, std::string_view bytes, base::SteadyTime deadline) const;
  void linger(int fd) const;

  const base::Ref<base::Engine> engine_;
  const Options options_;
  const remoting::Descriptor listener_;
  const std::string address_;
  const Handler handler_;

  base::Mutex mutex_;
  base::CondVar room_;
  std::set<int> connections_ MQ_GUARDED_BY(mutex_);  // descriptors of living connections, closed by their threads
  bool stopped_ MQ_GUARDED_BY(mutex_) = false;
  base::ThreadSet threads_;
};

}  // namespace mqclient::control
