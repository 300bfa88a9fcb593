#include "tests/support/slack.h"

#include <algorithm>
#include <cstdlib>

namespace mqclient::testing {

std::int64_t slack() {
  const char* const text = std::getenv("MQCLIENT_TEST_SLACK");
  return text ? std::max<std::int64_t>(1, std::strtoll(text, nullptr, 10)) : 1;
}

}  // namespace mqclient::testing
