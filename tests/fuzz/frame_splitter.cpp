// A stream in chunks of any size: one byte of slicing, then the stream. The limits are small, so that they are met.
#include "protocol/frame_splitter.h"
#include "tests/fuzz/naive.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {
namespace {

constexpr protocol::FrameLimits kLimits{.frameBytes = 2'048, .headerBytes = 256};

void run(Input& input) {
  const std::uint8_t sizes = input.byte();
  const std::string_view stream = input.rest();
  const naive::Frames expected = naive::cut(stream, kLimits);
  const base::Chain chunks = chop(stream, sizes);
  protocol::FrameSplitter splitter(kLimits);
  std::size_t frames = 0;
  std::size_t taken = 0;
  std::size_t fed = 0;
  bool broken = false;
  for (std::size_t i = 0; i < chunks.count() && !broken; ++i) {
    splitter.feed(chunks[i]);
    fed += chunks[i].size();
    while (true) {
      const auto next = splitter.next();
      if (!next) {
        demand(next.error().code() == ErrorCode::kCorrupt, "a stream that is none is corrupt");
        demand(!splitter.next(), "and stays so");
        broken = true;
        break;
      }
      if (!*next) break;
      demand(frames < expected.whole.size(), "no frame comes that is none");
      demand((*next)->toString() == expected.whole[frames], "frames come whole and in order");
      taken += expected.whole[frames].size();
      ++frames;
    }
    demand(broken || splitter.buffered() == fed - taken, "what was fed and not taken is buffered");
  }
  demand(frames == expected.whole.size(), "every whole frame comes");
  demand(broken == expected.broken, "what can be no frame is said as soon as its bytes are there");
}

const Registration kTarget("frame_splitter", run);

}  // namespace
}  // namespace mqclient::fuzz
