#include "tests/support/source_dir.h"

namespace mqclient::testing {

const char* sourceDir() noexcept {
  return MQCLIENT_SOURCE_DIR;
}

}  // namespace mqclient::testing
