#pragma once

namespace mqclient::testing {

/// The folder of the sources that these tests were built from, for what they read there.
const char* sourceDir() noexcept;

}  // namespace mqclient::testing
