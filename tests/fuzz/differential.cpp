// One whole frame of either kind: one byte of slicing, then the frame.
#include "tests/fuzz/frame_checks.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {
namespace {

const Registration kTarget("differential", [](Input& input) {
  const std::uint8_t sizes = input.byte();
  checkFrame(input.rest(), sizes);
});

}  // namespace
}  // namespace mqclient::fuzz
