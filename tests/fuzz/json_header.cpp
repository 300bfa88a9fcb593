// A JSON header, whole: no byte is spent on lengths.
#include "tests/fuzz/frame_checks.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {
namespace {

const Registration kTarget("json_header", [](Input& input) { checkFrame(frameOf(0, input.rest(), "body"), 1); });

}  // namespace
}  // namespace mqclient::fuzz
