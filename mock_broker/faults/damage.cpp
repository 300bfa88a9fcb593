#include "mock_broker/faults/damage.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/random.h"
#include "protocol/hash.h"
#include "protocol/message_record.h"
#include "protocol/remoting_command.h"

namespace mqclient::faults {

using base::BlockWriter;
using base::Chain;
using base::Slice;

namespace {

constexpr std::size_t kLengthSize = 4;
/// Length field, type byte, and three bytes of header length.
constexpr std::size_t kFramingSize = 8;
constexpr std::uint32_t kTwoGiBLessOne = 0x7fff'ffff;
/// No opaque of any client comes near it: they count from 1.
constexpr int kNobodysOpaque = 0x5a5a'5a5a;
/// The compressed flag, and no type beside it, which is zlib. MessageSysFlag.java
constexpr std::int32_t kCompressedFlag = 0x1;
constexpr std::int32_t kCompressionTypeBits = 0x7 << 8;
constexpr int kBitsOfAByte = 8;

BlockWriter copyOf(const Chain& frame) {
  BlockWriter copy(frame.size());
  std::byte* to = copy.data();
  for (std::size_t i = 0; i < frame.count(); ++i) {
    std::memcpy(to, frame[i].data(), frame[i].size());
    to += frame[i].size();
  }
  return copy;
}

Chain frozen(BlockWriter block) {
  const std::size_t size = block.capacity();
  return Chain(std::move(block).freeze(size));
}

std::optional<Chain> withFlippedBits(const Chain& frame, std::int64_t count, base::Engine& engine) {
  if (frame.size() <= kLengthSize) return std::nullopt;
  BlockWriter copy = copyOf(frame);
  const std::size_t bits = (frame.size() - kLengthSize) * kBitsOfAByte;
  for (std::int64_t n = 0; n < count; ++n) {
    const std::size_t bit = base::Xoshiro256::boundedBy(engine.random(), bits);
    copy.data()[kLengthSize + bit / kBitsOfAByte] ^= std::byte{1} << (bit % kBitsOfAByte);
  }
  return frozen(std::move(copy));
}

/// A JSON header of the frame's size that is no JSON: it can be cut out of a stream, and then not be read.
Chain garbageLike(const Chain& frame, base::Engine& engine) {
  BlockWriter block(std::max(frame.size(), kFramingSize + 1));
  std::byte* const bytes = block.data();
  base::putBe32(bytes, static_cast<std::uint32_t>(block.capacity() - kLengthSize));
  base::putBe32(bytes + kLengthSize, static_cast<std::uint32_t>(block.capacity() - kFramingSize));
  for (std::size_t i = kFramingSize; i < block.capacity(); ++i) bytes[i] = static_cast<std::byte>(engine.random());
  bytes[kFramingSize] = std::byte{0xff};
  return frozen(std::move(block));
}

Chain announcingTooMuch(const Chain& frame) {
  BlockWriter copy = copyOf(frame);
  if (copy.capacity() >= kLengthSize) base::putBe32(copy.data(), kTwoGiBLessOne);
  return frozen(std::move(copy));
}

/// The frame of `frame`'s command after `change`; nothing if it cannot be read or change() answers false.
template <class F>
std::optional<Chain> changed(const Chain& frame, F change) {
  Result<protocol::RemotingCommand> command = protocol::decodeFrame(frame);
  if (!command || !change(*command)) return std::nullopt;
  return protocol::encode(*command);
}

bool spoilChecksums(protocol::RemotingCommand& reply) {
  BlockWriter body = copyOf(reply.body);
  protocol::RecordIterator records({body.data(), body.capacity()});
  bool any = false;
  while (const auto record = records.next()) {
    if (!*record) continue;
    const std::size_t at = static_cast<std::size_t>(records.current().data() - body.data());
    body.data()[at + protocol::record_offset::kBodyCrc + 3] ^= std::byte{1};
    any = true;
  }
  if (any) reply.body = frozen(std::move(body));
  return any;
}

bool plantBomb(protocol::RemotingCommand& reply, const Slice& bomb) {
  const Slice body = reply.body.flatten();
  const Result<protocol::RecordFields> first = protocol::decodeRecord(body.bytes());
  if (!first) return false;
  protocol::RecordFields fields = *first;
  fields.body = bomb.bytes();
  fields.bodyCRC = protocol::crc32Masked(fields.body);
  fields.sysFlag = (fields.sysFlag & ~kCompressionTypeBits) | kCompressedFlag;
  BlockWriter record(protocol::recordSize(fields));
  protocol::encodeRecord(record.data(), fields);
  reply.body = frozen(std::move(record));
  reply.body.append(body.sub(first->totalSize, body.size() - first->totalSize));
  return true;
}

}  // namespace

bool damages(FaultVerb verb) noexcept {
  switch (verb) {
    case FaultVerb::kFlipBits:
    case FaultVerb::kGarbage:
    case FaultVerb::kOversize:
    case FaultVerb::kWrongOpaque:
    case FaultVerb::kWrongCrc:
    case FaultVerb::kDecompressionBomb:
      return true;
    default:
      return false;
  }
}

std::optional<Chain> damaged(const Rule& rule, const Chain& frame, base::Engine& engine) {
  switch (rule.action().verb()) {
    case FaultVerb::kFlipBits:
      return withFlippedBits(frame, rule.action().amount(), engine);
    case FaultVerb::kGarbage:
      return garbageLike(frame, engine);
    case FaultVerb::kOversize:
      return announcingTooMuch(frame);
    case FaultVerb::kWrongOpaque:
      return changed(frame, [](protocol::RemotingCommand& c) {
        c.opaque = kNobodysOpaque;
        return true;
      });
    case FaultVerb::kWrongCrc:
      return changed(frame, spoilChecksums);
    case FaultVerb::kDecompressionBomb:
      return changed(frame, [&](protocol::RemotingCommand& c) { return plantBomb(c, rule.bomb()); });
    default:
      return std::nullopt;
  }
}

}  // namespace mqclient::faults
