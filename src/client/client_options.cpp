#include "client/client_options.h"

#include <string_view>

namespace mqclient::client {

void complain(std::string& all, const std::string& one) {
  if (!all.empty()) all += "; ";
  all += one;
}

namespace {

/// Part of a client id: brokers cut ids at blanks in their logs and tools at '@' in their tables.
bool isNamePart(std::string_view text) {
  for (const char c : text) {
    if (c <= ' ' || c == 127) return false;
  }
  return true;
}

void checkInterval(std::string& all, const char* name, Millis value) {
  if (value.count() <= 0) {
    complain(all, std::string(name) + " is " + std::to_string(value.count()) + " ms and must be at least 1 ms");
  }
}

}  // namespace

std::string complaintsAbout(const ClientOptions& options) {
  constexpr std::size_t kNameMax = 255;
  std::string all;
  if (!isNamePart(options.instanceName) || options.instanceName.size() > kNameMax) {
    complain(all, "instanceName '" + options.instanceName + "' must have at most 255 bytes and no blanks");
  }
  if (!isNamePart(options.unitName) || options.unitName.size() > kNameMax) {
    complain(all, "unitName '" + options.unitName + "' must have at most 255 bytes and no blanks");
  }
  if (options.startTimeout.count() < 0) {
    complain(all, "startTimeout is " + std::to_string(options.startTimeout.count()) +
                      " ms and must not be negative; 0 starts without a nameserver");
  }
  checkInterval(all, "pollNameServerInterval", options.pollNameServerInterval);
  checkInterval(all, "heartbeatBrokerInterval", options.heartbeatBrokerInterval);
  checkInterval(all, "mqClientApiTimeout", options.mqClientApiTimeout);
  return all;
}

}  // namespace mqclient::client
