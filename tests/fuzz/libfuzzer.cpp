// What libFuzzer calls: the one target of the program.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mqclient::fuzz::Input input(std::as_bytes(std::span(data, size)));
  mqclient::fuzz::targets().front().run(input);
  return 0;
}
