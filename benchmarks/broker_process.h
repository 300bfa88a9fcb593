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
  /// `conf`: KEY=VALUE lines above the defaults. `processors`: empty for all. `more`: further arguments.
  explicit BrokerProcess(const std::vector<std::string>& conf = {}, const std::vector<int>& processors = {},
                         const std::vector<std::string>& more = {});
  ~BrokerProcess();
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;

  const std::string& address() const { return address_; }
  double residentMiB() const;
  /// Processor time of all its threads, to the nanosecond.
  double cpuMillis() const;

 private:
  pid_t pid_{-1};
  std::string address_;
};

}  // namespace mqbench
