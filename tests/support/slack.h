#pragma once

#include <cstdint>

namespace mqclient::testing {

/// How much wider than written a bound on processor time or memory is: 1, or what MQCLIENT_TEST_SLACK says.
/// Instrumented builds cost a multiple of both, and the library's code must not know that they are.
std::int64_t slack();

}  // namespace mqclient::testing
