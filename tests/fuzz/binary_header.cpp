// A binary header, whole: 13 bytes of fixed fields, remark, ext fields.
#include "tests/fuzz/frame_checks.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {
namespace {

const Registration kTarget("binary_header", [](Input& input) { checkFrame(frameOf(1, input.rest(), "body"), 1); });

}  // namespace
}  // namespace mqclient::fuzz
