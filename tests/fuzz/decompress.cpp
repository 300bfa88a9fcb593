// Compressed bodies: one byte for type and bound, then the stream.
#include <algorithm>
#include <array>

#include "protocol/compression.h"
#include "protocol/names.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {
namespace {

constexpr std::array kTypes{0, protocol::kCompressionLz4, protocol::kCompressionZstd, protocol::kCompressionZlib};
constexpr std::size_t kBounds = 23;  // powers of two, up to 4 MiB

std::int32_t flagsOf(std::int32_t type) {
  return protocol::kCompressedFlag | type;
}

void checkBounds(std::int32_t flags, std::span<const std::byte> stream, const base::Slice& inflated,
                 std::size_t bound) {
  demand(inflated.size() <= bound, "no more comes out than may");
  const auto exact = protocol::decompressBody(flags, stream, inflated.size());
  demand(exact && std::ranges::equal(exact->bytes(), inflated.bytes()), "the bound itself is enough");
  if (inflated.empty()) return;
  demand(!protocol::decompressBody(flags, stream, inflated.size() - 1), "one byte less is not");
}

void run(Input& input) {
  const std::uint8_t how = input.byte();
  const std::int32_t type = kTypes[how % kTypes.size()];
  const std::size_t bound = std::size_t{1} << (how / kTypes.size() % kBounds);
  const std::span<const std::byte> bytes = asBytes(input.rest());
  const std::int32_t flags = flagsOf(type);
  if (const auto inflated = protocol::decompressBody(flags, bytes, bound)) {
    checkBounds(flags, bytes, *inflated, bound);
  } else {
    demand(inflated.error().code() == ErrorCode::kCorrupt, "what cannot be inflated is corrupt");
  }
  if (type == 0) return;
  const auto compressed = protocol::compressBody(type, bytes);
  if (!compressed) return;
  demand(compressed->size() < bytes.size(), "compressing makes smaller or is left out");
  const auto again = protocol::decompressBody(flags, compressed->bytes(), bytes.size());
  demand(again && std::ranges::equal(again->bytes(), bytes), "a body is the same once compressed");
}

const Registration kTarget("decompress", run);

}  // namespace
}  // namespace mqclient::fuzz
