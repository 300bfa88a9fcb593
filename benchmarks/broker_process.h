#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace mqbench {

/// The path of a program that was built into the folder of this one.
std::string besideThis(const std::string& program);

/// Binds the calling thread, and what it starts later, to these processors. Ends the measurement if the system refuses.
void bindTo(const std::vector<int>& processors);

/// mqbroker on free ports; ends with this object.
class BrokerProcess {
 public:
  /// `conf`: KEY=VALUE lines above the defaults. `processors`: empty for all.
  explicit BrokerProcess(const std::vector<std::string>& conf = {}, const std::vector<int>& processors = {});
  /// Any program beside this one that tells the address in its first line, and ends in order on SIGTERM; `line`: its
  /// name and arguments.
  struct Program {
    std::vector<std::string> line;
  };
  explicit BrokerProcess(Program program);
  ~BrokerProcess();
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;

  const std::string& address() const { return address_; }
  double residentMiB() const;
  /// Processor time of all its threads, to the nanosecond.
  double cpuMillis() const;

 private:
  void begin(std::vector<std::string> line, const std::vector<int>& processors);

  pid_t pid_{-1};
  std::string address_;
};

}  // namespace mqbench
