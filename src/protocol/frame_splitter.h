#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "mqclient/error.h"
#include "protocol/limits.h"

namespace mqclient::protocol {

/// Cuts a stream of bytes, however it is chopped, into frames. Frames share the chunks' bytes; a frame of very many
/// pieces is gathered in one block that grows with what has come, never with what the length field claims.
///
/// Use      after each feed(), call next() until it answers nothing.
/// Bound    one frame and one chunk.
/// Errors   kCorrupt as early as the bytes allow, and from then on for ever: a length that is negative, below 4 or over
///          the limit (4 bytes), a type other than 0 and 1 (5), a header longer than frame or limit (8). When the first
///          bytes are those of another protocol (TLS, HTTP, HTTP/2, Redis, Kafka, SSH, PROXY) the message says which.
class FrameSplitter {
 public:
  explicit FrameSplitter(const FrameLimits& limits = {}) noexcept : limits_(limits) {}

  void feed(base::Slice chunk);
  /// A whole frame with its length field, or nothing yet.
  Result<std::optional<base::Chain>> next();
  /// Bytes of a frame that is not complete: at the end of a stream they were lost.
  std::size_t buffered() const noexcept { return gathered_ + piece_bytes_; }

 private:
  static constexpr std::size_t kPeek = 8;
  static constexpr std::size_t kPiecesMax = 16;

  /// The size of the frame that `piece` begins with: a whole one whose first bytes leave nothing to say. Else 0.
  std::size_t plainFrame(const base::Slice& piece) const noexcept;
  std::size_t peek(std::byte (&to)[kPeek]) noexcept;
  std::optional<Error> check(std::size_t have, const std::byte (&head)[kPeek]);
  base::Chain take(std::size_t size);
  void gather();

  FrameLimits limits_;
  std::vector<base::Slice> pieces_;  // what has come and was not handed out, behind gather_
  std::size_t piece_bytes_ = 0;
  std::size_t checked_ = 0;  // bytes of the current head that were checked
  std::size_t frame_size_ = 0;
  std::optional<base::BlockWriter> gather_;  // start of a frame of too many pieces
  std::size_t gathered_ = 0;
  std::optional<Error> broken_;
};

/// What the first bytes of a stream look like when they are not a frame's: "a TLS client hello", or nothing. At least 4
/// bytes; more tell more.
std::optional<std::string> foreignProtocol(std::span<const std::byte> first_bytes);

}  // namespace mqclient::protocol
