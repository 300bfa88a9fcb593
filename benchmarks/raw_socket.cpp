#include "raw_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>

#include "broker_process.h"
#include "protocol/headers/send.h"
#include "protocol/names.h"
#include "protocol/properties.h"
#include "protocol/remoting_command.h"
#include "report.h"

namespace mqbench {

namespace {

sockaddr_in loopback(int port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  return to;
}

void noDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void readAll(int fd, char* to, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t n = ::recv(fd, to, bytes, 0);
    if (n <= 0) fail("a bare socket was closed");
    to += n;
    bytes -= static_cast<std::size_t>(n);
  }
}

void writeAll(int fd, const std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::send(fd, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (n <= 0) fail("a bare socket was closed");
    done += static_cast<std::size_t>(n);
  }
}

}  // namespace

RawSocket::RawSocket(const std::string& address) {
  const sockaddr_in to = loopback(std::stoi(address.substr(address.rfind(':') + 1)));
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0 || ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail("connect " + address);
  noDelay(fd_);
}

RawSocket::~RawSocket() {
  ::close(fd_);
}

const std::string& RawSocket::ask(const std::string& frame) {
  writeAll(fd_, frame);
  // As a rule one call brings all of an answer.
  answer_.resize(4096);
  std::size_t have = 0;
  std::size_t whole = 4;
  while (have < whole) {
    const ssize_t n = ::recv(fd_, answer_.data() + have, answer_.size() - have, 0);
    if (n <= 0) fail("a bare socket was closed");
    have += static_cast<std::size_t>(n);
    if (whole == 4 && have >= 4) {
      std::uint32_t announced = 0;
      for (int i = 0; i < 4; ++i)
        announced = announced << 8 | static_cast<unsigned char>(answer_[static_cast<std::size_t>(i)]);
      whole = 4 + announced;
      if (whole > answer_.size()) answer_.resize(whole);
    }
  }
  answer_.resize(whole);
  return answer_;
}

std::vector<double> RawSocket::exchange(const std::string& frame, int times) {
  std::vector<double> micros;
  micros.reserve(static_cast<std::size_t>(times));
  for (int i = 0; i < times; ++i) {
    const auto began = Clock::now();
    ask(frame);
    micros.push_back(microsSince(began));
  }
  return micros;
}

EchoProcess::EchoProcess(std::size_t request_bytes, const std::string& answer, const std::vector<int>& processors) {
  const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at = loopback(0);
  socklen_t size = sizeof at;
  if (listening < 0 || ::bind(listening, reinterpret_cast<const sockaddr*>(&at), size) != 0 ||
      ::listen(listening, 1) != 0 || ::getsockname(listening, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    fail("no socket for a bare ping-pong");
  }
  address_ = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
  pid_ = fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!processors.empty()) bindTo(processors);
    const int fd = ::accept(listening, nullptr, nullptr);
    if (fd < 0) _exit(3);
    noDelay(fd);
    ::close(STDERR_FILENO);  // its peer's end is its own, and no complaint
    std::string request(request_bytes, '\0');
    for (;;) {
      readAll(fd, request.data(), request.size());
      writeAll(fd, answer);
    }
  }
  ::close(listening);
}

EchoProcess::~EchoProcess() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string sendFrame(const std::string& topic, const std::string& broker_name, std::size_t body_bytes) {
  namespace protocol = mqclient::protocol;
  std::string properties;
  protocol::appendProperty(properties, protocol::kPropertyUniqClientMessageIdKeyIdx, std::string(32, 'A'));
  protocol::appendProperty(properties, protocol::kPropertyWaitStoreMsgOk, "true");
  protocol::SendMessageRequestHeaderV2View header;
  header.producerGroup = "bench";
  header.topic = topic;
  header.defaultTopic = "TBW102";
  header.defaultTopicQueueNums = 4;
  header.queueId = 0;
  header.bornTimestamp = 1'700'000'000'000;
  header.properties = properties;
  header.reconsumeTimes = 0;
  header.bname = broker_name;
  const mqclient::base::Chain frame =
      protocol::encodeRequest(protocol::RequestHead{.code = mqclient::RequestCode::SEND_MESSAGE_V2, .opaque = 1'000},
                              header, mqclient::base::Slice::copyOf(std::string(body_bytes, 'x')));
  return std::string(frame.flatten().text());
}

}  // namespace mqbench
