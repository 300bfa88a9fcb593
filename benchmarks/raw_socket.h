#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace mqbench {

/// A blocking socket to "ip:port" with one request under way at a time: what the protocol costs without a client.
class RawSocket {
 public:
  explicit RawSocket(const std::string& address);
  ~RawSocket();
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  int descriptor() const { return fd_; }
  /// Sends the frame and reads one: its length field and what that announces.
  const std::string& ask(const std::string& frame);
  /// Microseconds of `times` such exchanges.
  std::vector<double> exchange(const std::string& frame, int times);

 private:
  int fd_{-1};
  std::string answer_;
};

/// A process that answers each request of `request_bytes` with `answer` (a whole frame): the other end of a bare
/// ping-pong. Ends with this object.
class EchoProcess {
 public:
  EchoProcess(std::size_t request_bytes, const std::string& answer, const std::vector<int>& processors);
  ~EchoProcess();
  EchoProcess(const EchoProcess&) = delete;
  EchoProcess& operator=(const EchoProcess&) = delete;
  const std::string& address() const { return address_; }

 private:
  pid_t pid_{-1};
  std::string address_;
};

/// The SEND request that a DefaultMQProducer of group "bench" makes of a message with `body_bytes` bytes.
std::string sendFrame(const std::string& topic, const std::string& broker_name, std::size_t body_bytes);

}  // namespace mqbench
