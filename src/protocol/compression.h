#pragma once

#include <cstddef>
#include <cstdint>
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

/// The body of a message whose sysFlag has kCompressedFlag, inflated by the type that sysFlag names.
/// Errors   kCorrupt as above or for an unknown type; kUnsupported, naming it, for LZ4 and ZSTD.
Result<base::Slice> decompressBody(std::int32_t sys_flag, std::span<const std::byte> body, std::size_t max_size);

}  // namespace mqclient::protocol
