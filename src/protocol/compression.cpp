#include "protocol/compression.h"

#include <libdeflate.h>
#include <lz4frame.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string>

#include "base/free_by.h"
#include "protocol/names.h"

namespace mqclient::protocol {

namespace {

/// DefaultMQProducer.java; LZ4's fast compressor has no levels there.
constexpr int kLevel = 5;
/// First guess of the output, as a multiple of the input; then it grows by the same factor up to the bound.
constexpr std::size_t kGrowth = 4;
constexpr std::size_t kFirstGuess = 4096;
/// A size that a frame claims is believed up to this multiple of the input: real bodies come in one pass, and a lie
/// takes memory that the sender has paid for.
constexpr std::size_t kClaimRatioMax = 32;
/// No stream expands by more, whatever its blocks claim. Deflate: 1,032. LZ4: a byte adds 255. ZSTD: four bytes are a
/// block of 128 KiB, and there is one more that is not yet whole.
constexpr std::size_t kDeflateRatioMax = 1033;
constexpr std::size_t kLz4RatioMax = 256;
constexpr std::size_t kZstdRatioMax = ZSTD_BLOCKSIZE_MAX / 4;

using base::FreeBy;
using Inflater = std::unique_ptr<libdeflate_decompressor, FreeBy<libdeflate_free_decompressor>>;
using Deflater = std::unique_ptr<libdeflate_compressor, FreeBy<libdeflate_free_compressor>>;
using Lz4Reader = std::unique_ptr<LZ4F_dctx, FreeBy<LZ4F_freeDecompressionContext>>;
using ZstdReader = std::unique_ptr<ZSTD_DCtx, FreeBy<ZSTD_freeDCtx>>;
using ZstdWriter = std::unique_ptr<ZSTD_CCtx, FreeBy<ZSTD_freeCCtx>>;

/// How one pass over the whole input ended.
enum class Pass { kDone, kNoRoom, kDamaged };
/// What it may write, and has written.
struct Output {
  std::byte* data;
  std::size_t room;
  std::size_t size = 0;

  std::byte* end() const noexcept { return data + size; }
  std::size_t left() const noexcept { return room - size; }
};

/// Inflates `in` by passes into ever larger blocks. `ratio_max` bounds the memory as well as max_size does: a short
/// bomb cannot ask for max_size. `claimed` is what the input says of its size; 0: nothing.
template <class OnePass>
Result<base::Slice> inflate(const char* codec, std::span<const std::byte> in, std::size_t ratio_max,
                            std::uint64_t claimed, std::size_t max_size, OnePass one_pass) {
  const auto corrupt = [&](const std::string& what) {
    return Error(ErrorCode::kCorrupt, std::string(codec) + ": " + what);
  };
  const auto too_large = [&] {
    return corrupt("the stream inflates to more than the " + std::to_string(max_size) + " bytes allowed");
  };
  if (claimed > max_size) return too_large();
  const std::size_t possible = in.size() >= max_size / ratio_max ? max_size : (in.size() + 1) * ratio_max;
  const bool believed = claimed != 0 && claimed <= in.size() * kClaimRatioMax;
  std::size_t room = believed ? static_cast<std::size_t>(claimed) : std::max(kFirstGuess, in.size() * kGrowth);
  for (room = std::min(room, possible);; room = room > possible / kGrowth ? possible : room * kGrowth) {
    base::BlockWriter block(std::max<std::size_t>(room, 1));
    Output out{block.data(), room};
    switch (one_pass(in, out)) {
      case Pass::kDone:
        return std::move(block).freeze(out.size);
      case Pass::kDamaged:
        return corrupt("the stream of " + std::to_string(in.size()) + " bytes is cut short or damaged");
      case Pass::kNoRoom:
        if (room == possible) return too_large();
    }
  }
}

// ---- LZ4

/// What the first frame says of its size; 0: nothing.
std::uint64_t lz4Claim(LZ4F_dctx* reader, std::span<const std::byte> in) {
  LZ4F_frameInfo_t info{};
  std::size_t size = in.size();
  const bool told =
      LZ4F_isError(LZ4F_getFrameInfo(reader, &info, in.data(), &size)) == 0 && info.frameType == LZ4F_frame;
  return told ? info.contentSize : 0;
}

Pass lz4Pass(LZ4F_dctx* reader, std::span<const std::byte> in, Output& out) {
  LZ4F_resetDecompressionContext(reader);
  bool between_frames = false;
  while (!in.empty()) {
    std::size_t written = out.left();
    std::size_t read = in.size();
    const std::size_t hint = LZ4F_decompress(reader, out.end(), &written, in.data(), &read, nullptr);
    if (LZ4F_isError(hint) != 0) return Pass::kDamaged;
    out.size += written;
    in = in.subspan(read);
    between_frames = hint == 0;
    if (written == 0 && read == 0) return out.left() == 0 ? Pass::kNoRoom : Pass::kDamaged;
  }
  if (between_frames) return Pass::kDone;
  return out.left() == 0 ? Pass::kNoRoom : Pass::kDamaged;  // all read, but not all written
}

Result<base::Slice> inflateLz4(std::span<const std::byte> in, std::size_t max_size) {
  LZ4F_dctx* made = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&made, LZ4F_VERSION)) != 0) throw std::bad_alloc();
  const Lz4Reader reader(made);
  return inflate("LZ4", in, kLz4RatioMax, lz4Claim(made, in), max_size,
                 [&](std::span<const std::byte> all, Output& out) { return lz4Pass(made, all, out); });
}

/// Java's reader takes independent blocks only. Of a smaller body the library names the smaller block that holds it.
LZ4F_preferences_t lz4Preferences() {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max4MB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  return preferences;
}

/// The room that the library asks for, though it seldom needs it.
std::size_t lz4Bound(std::size_t size) {
  const LZ4F_preferences_t preferences = lz4Preferences();
  return LZ4F_compressFrameBound(size, &preferences);
}

std::size_t compressLz4(std::span<const std::byte> body, base::BlockWriter& to) {
  const LZ4F_preferences_t preferences = lz4Preferences();
  const std::size_t size = LZ4F_compressFrame(to.data(), to.capacity(), body.data(), body.size(), &preferences);
  return LZ4F_isError(size) != 0 ? 0 : size;
}

// ---- ZSTD

/// The library reads formats from before 1.0 as well, by code that nobody has tried to break for years.
bool isZstdFrame(std::span<const std::byte> in) {
  if (in.size() < sizeof(std::uint32_t)) return false;
  const std::uint32_t magic = __builtin_bswap32(base::getBe32(in.data()));
  return magic == ZSTD_MAGICNUMBER || (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

std::uint64_t zstdClaim(std::span<const std::byte> in) {
  const unsigned long long size = isZstdFrame(in) ? ZSTD_getFrameContentSize(in.data(), in.size()) : 0;
  return size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ? 0 : size;
}

/// Whole frames straight into the output. The streaming reader would first take the window that a frame asks for.
Pass zstdPass(ZSTD_DCtx* reader, std::span<const std::byte> in, Output& out) {
  if (in.empty()) return Pass::kDamaged;
  while (!in.empty()) {
    if (!isZstdFrame(in)) return Pass::kDamaged;
    const std::size_t frame = ZSTD_findFrameCompressedSize(in.data(), in.size());
    if (ZSTD_isError(frame) != 0) return Pass::kDamaged;
    const std::size_t written = ZSTD_decompressDCtx(reader, out.end(), out.left(), in.data(), frame);
    if (ZSTD_isError(written) != 0) {
      return ZSTD_getErrorCode(written) == ZSTD_error_dstSize_tooSmall ? Pass::kNoRoom : Pass::kDamaged;
    }
    out.size += written;
    in = in.subspan(frame);
  }
  return Pass::kDone;
}

Result<base::Slice> inflateZstd(std::span<const std::byte> in, std::size_t max_size) {
  const ZstdReader reader(ZSTD_createDCtx());
  if (!reader) throw std::bad_alloc();
  return inflate("ZSTD", in, kZstdRatioMax, zstdClaim(in), max_size,
                 [&](std::span<const std::byte> all, Output& out) { return zstdPass(reader.get(), all, out); });
}

std::size_t compressZstd(std::span<const std::byte> body, base::BlockWriter& to) {
  const ZstdWriter writer(ZSTD_createCCtx());
  if (!writer) return 0;
  const std::size_t size = ZSTD_compressCCtx(writer.get(), to.data(), to.capacity(), body.data(), body.size(), kLevel);
  return ZSTD_isError(size) != 0 ? 0 : size;
}

// ---- zlib

std::size_t compressZlib(std::span<const std::byte> body, base::BlockWriter& to, int level) {
  const Deflater deflater(libdeflate_alloc_compressor(level));
  if (!deflater) return 0;
  return libdeflate_zlib_compress(deflater.get(), body.data(), body.size(), to.data(), to.capacity());
}

/// Bytes written; 0: they do not fit, or there is no memory.
std::size_t compress(std::int32_t type, std::span<const std::byte> body, base::BlockWriter& to) {
  switch (type) {
    case kCompressionLz4:
      return compressLz4(body, to);
    case kCompressionZstd:
      return compressZstd(body, to);
    default:
      return compressZlib(body, to, kLevel);
  }
}

}  // namespace

Result<base::Slice> inflateZlib(std::span<const std::byte> zlib, std::size_t max_size) {
  const Inflater inflater(libdeflate_alloc_decompressor());
  if (!inflater) throw std::bad_alloc();
  return inflate("zlib", zlib, kDeflateRatioMax, 0, max_size, [&](std::span<const std::byte> in, Output& out) {
    switch (libdeflate_zlib_decompress(inflater.get(), in.data(), in.size(), out.data, out.room, &out.size)) {
      case LIBDEFLATE_SUCCESS:
        return Pass::kDone;
      case LIBDEFLATE_INSUFFICIENT_SPACE:
        return Pass::kNoRoom;
      default:
        return Pass::kDamaged;
    }
  });
}

base::Slice deflateZlib(std::span<const std::byte> bytes, int level) {
  base::BlockWriter block(libdeflate_zlib_compress_bound(nullptr, bytes.size()));
  const std::size_t size = compressZlib(bytes, block, level);
  if (size == 0) throw std::bad_alloc();
  return std::move(block).freeze(size);
}

Result<base::Slice> decompressBody(std::int32_t sys_flag, std::span<const std::byte> body, std::size_t max_size) {
  switch (sys_flag & kCompressionMask) {
    case 0:  // from before there was a choice
    case kCompressionZlib:
      return inflateZlib(body, max_size);
    case kCompressionLz4:
      return inflateLz4(body, max_size);
    case kCompressionZstd:
      return inflateZstd(body, max_size);
    default:
      return Error(ErrorCode::kCorrupt, "unknown compression type " +
                                            std::to_string((sys_flag & kCompressionMask) >> kCompressionShift) +
                                            " in sysFlag " + std::to_string(sys_flag));
  }
}

std::optional<base::Slice> compressBody(std::int32_t type, std::span<const std::byte> body) {
  if (body.empty()) return std::nullopt;
  try {
    // All but LZ4 stop at the first byte that would not be saved.
    base::BlockWriter block(type == kCompressionLz4 ? lz4Bound(body.size()) : body.size());
    const std::size_t size = compress(type, body, block);
    if (size == 0 || size >= body.size()) return std::nullopt;
    return std::move(block).freeze(size);
  } catch (const std::bad_alloc&) {
    return std::nullopt;
  }
}

}  // namespace mqclient::protocol
