#pragma once

#include <cstdint>

namespace mqclient::testing {

/// Segments with data that the socket has received: over loopback, what one write of some KiB brings is one.
std::uint32_t segmentsReceived(int descriptor);

}  // namespace mqclient::testing
