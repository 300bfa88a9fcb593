#include "protocol/compression.h"

#include <libdeflate.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string>

#include "protocol/names.h"

namespace mqclient::protocol {

namespace {

/// First guess of the output, as a multiple of the input; then it grows by the same factor up to the bound.
constexpr std::size_t kGrowth = 4;
constexpr std::size_t kFirstGuess = 4096;
/// No deflate stream expands by more (the format's bound is 1,032).
constexpr std::size_t kDeflateRatioMax = 1033;

Error corrupt(std::string what) {
  return Error(ErrorCode::kCorrupt, "zlib: " + std::move(what));
}

struct FreeDecompressor {
  void operator()(libdeflate_decompressor* p) const noexcept { libdeflate_free_decompressor(p); }
};
struct FreeCompressor {
  void operator()(libdeflate_compressor* p) const noexcept { libdeflate_free_compressor(p); }
};

}  // namespace

Result<base::Slice> inflateZlib(std::span<const std::byte> zlib, std::size_t max_size) {
  std::unique_ptr<libdeflate_decompressor, FreeDecompressor> inflater(libdeflate_alloc_decompressor());
  if (!inflater) throw std::bad_alloc();
  // What this input can expand to at all bounds the memory as well: a short bomb cannot ask for max_size.
  const std::size_t possible =
      zlib.size() > max_size / kDeflateRatioMax ? max_size : std::min(max_size, zlib.size() * kDeflateRatioMax);
  std::size_t room = std::min(possible, std::max(kFirstGuess, zlib.size() * kGrowth));
  for (;;) {
    base::BlockWriter block(std::max<std::size_t>(room, 1));
    std::size_t out = 0;
    switch (libdeflate_zlib_decompress(inflater.get(), zlib.data(), zlib.size(), block.data(), room, &out)) {
      case LIBDEFLATE_SUCCESS:
        return std::move(block).freeze(out);
      case LIBDEFLATE_INSUFFICIENT_SPACE:
        if (room == possible) {
          return corrupt("the stream inflates to more than the " + std::to_string(max_size) + " bytes allowed");
        }
        room = room > possible / kGrowth ? possible : room * kGrowth;
        break;
      default:
        return corrupt("the stream of " + std::to_string(zlib.size()) + " bytes is cut short or damaged");
    }
  }
}

base::Slice deflateZlib(std::span<const std::byte> bytes, int level) {
  std::unique_ptr<libdeflate_compressor, FreeCompressor> deflater(libdeflate_alloc_compressor(level));
  if (!deflater) throw std::bad_alloc();
  base::BlockWriter block(libdeflate_zlib_compress_bound(deflater.get(), bytes.size()));
  const std::size_t out =
      libdeflate_zlib_compress(deflater.get(), bytes.data(), bytes.size(), block.data(), block.capacity());
  return std::move(block).freeze(out);
}

Result<base::Slice> decompressBody(std::int32_t sys_flag, std::span<const std::byte> body, std::size_t max_size) {
  switch (sys_flag & kCompressionMask) {
    case 0:  // from before there was a choice
    case kCompressionZlib:
      return inflateZlib(body, max_size);
    case kCompressionLz4:
      return Error(ErrorCode::kUnsupported, "the body is compressed with LZ4, which this build cannot read");
    case kCompressionZstd:
      return Error(ErrorCode::kUnsupported, "the body is compressed with ZSTD, which this build cannot read");
    default:
      return Error(ErrorCode::kCorrupt, "unknown compression type " +
                                            std::to_string((sys_flag & kCompressionMask) >> 8) + " in sysFlag " +
                                            std::to_string(sys_flag));
  }
}

}  // namespace mqclient::protocol
