#pragma once

#include <string>
#include <vector>

#include "broker_process.h"
#include "mqclient/client.h"
#include "report.h"
#include "tests/support/process_threads.h"
#include "tests/support/program.h"

namespace mqsoak {

/// mqbroker on free ports, to be stopped, continued and ended as a row likes; killed with this object.
class MqbrokerProcess {
 public:
  /// `conf`: KEY=VALUE lines above the defaults.
  explicit MqbrokerProcess(const std::vector<std::string>& conf = {})
      : program_(mqbench::besideThis("mqbroker"), arguments(conf)) {
    const auto line = program_.readLine();
    if (!line) mqbench::fail("mqbroker did not start; build the target mqbroker");
    address_ = *line;
  }

  /// Of its nameserver.
  const std::string& address() const { return address_; }
  double residentMiB() const {
    return static_cast<double>(mqclient::testing::residentBytes(program_.pid())) / (1u << 20);
  }
  void signal(int number) const { program_.signal(number); }
  /// Signals it and waits: its exit status, -1 if it did not end in time.
  int end(int number, mqclient::Millis within) {
    program_.signal(number);
    return program_.wait(within).status;
  }

 private:
  static std::vector<std::string> arguments(const std::vector<std::string>& conf) {
    std::vector<std::string> line{"--listen-port", "0", "--namesrv-port", "0"};
    for (const std::string& one : conf) line.insert(line.end(), {"--conf", one});
    return line;
  }

  mqclient::testing::Program program_;
  std::string address_;
};

}  // namespace mqsoak
