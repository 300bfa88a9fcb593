#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/buffer.h"
#include "mqclient/error.h"

namespace mqclient::protocol {

/// The inflated bytes of a zlib stream (RFC 1950). Memory grows with what really comes out, never beyond `max_size`
/// (and its reserve), whatever the stream claims.
/// Errors   kCorrupt: not a zlib stream, cut short, wrong checksum, or more than max_size bytes.
Result<base::Slice> inflateZlib(std::span<const std::byte> zlib, std::size_t max_size);

/// One zlib stream; level 1 to 9 (Java's default for messages is 5).
base::Slice deflateZlib(std::span<const std::byte> bytes, int level = 5);

/// The body of a message whose sysFlag has kCompressedFlag, inflated by the type that sysFlag names: a zlib stream, or
/// LZ4 or ZSTD frames one after the other, skippable ones among them, up to the last byte.
/// Memory   as inflateZlib; besides it a context of up to 160 KiB. LZ4 reserves two blocks as large as its frame says
///          (4 MiB at most), and touches of them what it writes.
/// Errors   kCorrupt: as inflateZlib, a frame that needs a dictionary, or an unknown type.
/// Source   MessageSysFlag.java, CompressorFactory.java
Result<base::Slice> decompressBody(std::int32_t sys_flag, std::span<const std::byte> body, std::size_t max_size);

/// `body` compressed by `type` (kCompressionZlib, kCompressionLz4 or kCompressionZstd) at Java's default level: one
/// stream or frame without checksums beyond zlib's own. Nothing: it would not be smaller, or there is no memory for it;
/// then the body goes as it is.
/// Source   ZlibCompressor.java, Lz4Compressor.java (which reads independent blocks only), ZstdCompressor.java
std::optional<base::Slice> compressBody(std::int32_t type, std::span<const std::byte> body);

}  // namespace mqclient::protocol
