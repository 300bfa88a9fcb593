#include "protocol/frame_splitter.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "protocol/header_codec.h"

namespace mqclient::protocol {

namespace {

/// First block of a frame that is gathered; it doubles from there.
constexpr std::size_t kGatherFirst = 64u << 10;
/// ApiVersions is what every Kafka client says first; versions so far.
constexpr std::uint16_t kKafkaApiVersions = 18;
constexpr std::uint16_t kKafkaVersionMax = 15;
/// SETTINGS, the first frame of every HTTP/2 server: length u24, type 4, no flags, stream 0; 6 bytes a setting.
constexpr unsigned kHttp2Settings = 4;
constexpr std::uint32_t kHttp2Setting = 6;
constexpr std::uint32_t kHttp2SettingsMax = 64 * kHttp2Setting;
/// No Kafka hello is longer.
constexpr std::uint32_t kKafkaHelloMax = 4096;

std::string hexOf(const std::byte* bytes, std::size_t n) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < n; ++i) {
    const auto b = std::to_integer<unsigned>(bytes[i]);
    out.push_back(kHex[b >> 4]);
    out.push_back(kHex[b & 15]);
  }
  return out;
}

}  // namespace

std::optional<std::string> foreignProtocol(std::span<const std::byte> first_bytes) {
  const std::string_view text(reinterpret_cast<const char*>(first_bytes.data()), first_bytes.size());
  if (text.size() < kLengthField) return std::nullopt;
  if (text[0] == 0x16 && text[1] == 0x03) {
    return "a TLS handshake: the peer speaks TLS on a plain connection";
  }
  if (text[0] == 0x15 && text[1] == 0x03) return "a TLS alert: the peer expects TLS or refuses ours";
  if (text.starts_with("PRI ")) return "the HTTP/2 preface: a gRPC or HTTP/2 client on the remoting port";
  for (const std::string_view verb : {"GET ", "POST", "PUT ", "HEAD", "DELE", "OPTI", "CONN", "TRAC", "PATC"}) {
    if (text.starts_with(verb)) return "an HTTP request";
  }
  if (text.starts_with("HTTP")) return "an HTTP reply: the address belongs to a web server";
  if (text.starts_with("SSH-")) return "an SSH banner";
  if (text.starts_with("PROX") || text.starts_with("\r\n\r\n"))
    return "a PROXY protocol header, which is not accepted here";
  if (text.starts_with("PING") || (text[0] == '*' && text[1] >= '0' && text[1] <= '9')) {
    return "a Redis command";
  }
  if (text.starts_with("-ERR") || text.starts_with("+PON") || text.starts_with("+OK\r")) return "a Redis reply";
  if (first_bytes.size() >= kFramePrefix) {
    const std::uint32_t size = base::getBe32(first_bytes.data());
    const std::uint16_t api = base::getBe16(first_bytes.data() + kLengthField);
    const std::uint16_t version = base::getBe16(first_bytes.data() + kLengthField + 2);
    const std::uint32_t settings = size >> 8;
    if ((size & 0xFF) == kHttp2Settings && api == 0 && version == 0 && settings >= kHttp2Setting &&
        settings <= kHttp2SettingsMax && settings % kHttp2Setting == 0) {
      return "HTTP/2 settings: the address belongs to a gRPC or HTTP/2 server, such as a proxy's port for 5.x clients";
    }
    if (api == kKafkaApiVersions && version <= kKafkaVersionMax && size <= kKafkaHelloMax) {
      return "a Kafka ApiVersions request";
    }
  }
  return std::nullopt;
}

void FrameSplitter::feed(base::Slice chunk) {
  if (chunk.empty() || broken_) return;
  piece_bytes_ += chunk.size();
  pieces_.push_back(std::move(chunk));
  if (pieces_.size() > kPiecesMax) gather();
}

std::size_t FrameSplitter::peek(std::byte (&to)[kPeek]) noexcept {
  std::size_t have = std::min(gathered_, kPeek);
  if (have != 0) std::memcpy(to, gather_->data(), have);
  for (const base::Slice& s : pieces_) {
    if (have == kPeek) break;
    const std::size_t n = std::min(kPeek - have, s.size());
    std::memcpy(to + have, s.data(), n);
    have += n;
  }
  return have;
}

std::optional<Error> FrameSplitter::check(std::size_t have, const std::byte (&head)[kPeek]) {
  const auto corrupt = [&](std::string what) -> Error {
    if (const auto other = foreignProtocol(std::span(head, have))) {
      return Error(ErrorCode::kCorrupt, "the first bytes (" + hexOf(head, have) + ") are " + *other);
    }
    return Error(ErrorCode::kCorrupt, std::move(what) + "; the frame begins with " + hexOf(head, have));
  };
  if (have < kLengthField) return std::nullopt;
  const auto length = static_cast<std::int32_t>(base::getBe32(head));
  const std::size_t longest = limits_.frameBytes - kLengthField;
  if (length < 0 || static_cast<std::size_t>(length) > longest) {
    return corrupt("a frame length of " + std::to_string(length) + ", the limit is " + std::to_string(longest));
  }
  if (static_cast<std::size_t>(length) < kLengthField) {
    return corrupt("a frame length of " + std::to_string(length) + ", the shortest is 4");
  }
  frame_size_ = static_cast<std::size_t>(length) + kLengthField;
  if (have == kLengthField) return std::nullopt;
  const auto type = std::to_integer<unsigned>(head[kLengthField]);
  if (type > static_cast<unsigned>(SerializeType::ROCKETMQ)) {
    return corrupt("a header type of " + std::to_string(type) + "; 0 (JSON) and 1 (binary) are known");
  }
  if (have < kPeek) return std::nullopt;
  const std::size_t header = base::getBe32(head + kLengthField) & 0xFFFFFFu;
  if (header > frame_size_ - kFramePrefix) {
    return corrupt("a header of " + std::to_string(header) + " bytes in a frame that has room for " +
                   std::to_string(frame_size_ - kFramePrefix));
  }
  // No frame of ours begins so, and whoever waits for the rest of it waits in vain.
  if (header == 0 && foreignProtocol(std::span(head, have))) return corrupt("a frame without a header");
  if (header > limits_.headerBytes) {
    return corrupt("a header of " + std::to_string(header) + " bytes, the limit is " +
                   std::to_string(limits_.headerBytes));
  }
  return std::nullopt;
}

void FrameSplitter::gather() {
  // Without a length there are at most 7 bytes: pieces of one byte each stay below kPiecesMax until it is known.
  if (checked_ < kLengthField) {
    std::byte head[kPeek];
    const std::size_t have = peek(head);
    if (have < kLengthField || check(have, head)) return;  // next() will say what is wrong
  }
  if (buffered() >= frame_size_) return;
  const std::size_t need = buffered();
  if (!gather_ || gather_->capacity() < need) {
    const std::size_t wanted = std::max({kGatherFirst, need, gather_ ? gather_->capacity() * 2 : 0});
    base::BlockWriter bigger(std::min(frame_size_, wanted));
    if (gathered_ != 0) std::memcpy(bigger.data(), gather_->data(), gathered_);
    gather_.emplace(std::move(bigger));
  }
  for (const base::Slice& s : pieces_) {
    std::memcpy(gather_->data() + gathered_, s.data(), s.size());
    gathered_ += s.size();
  }
  pieces_.clear();
  piece_bytes_ = 0;
}

base::Chain FrameSplitter::take(std::size_t size) {
  base::Chain frame;
  if (gathered_ != 0) {
    const std::size_t n = gathered_;
    frame.append(std::move(*gather_).freeze(n));
    gather_.reset();
    gathered_ = 0;
    size -= n;
  }
  std::size_t used = 0;
  while (size != 0) {
    base::Slice& s = pieces_[used];
    if (s.size() > size) {
      frame.append(s.sub(0, size));
      s.dropFront(size);
      piece_bytes_ -= size;
      break;
    }
    size -= s.size();
    piece_bytes_ -= s.size();
    frame.append(std::move(s));
    ++used;
  }
  pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(used));
  return frame;
}

std::size_t FrameSplitter::plainFrame(const base::Slice& piece) const noexcept {
  if (piece.size() < kFramePrefix) return 0;
  const std::size_t size = std::size_t{base::getBe32(piece.data())} + kLengthField;
  const std::uint32_t word = base::getBe32(piece.data() + kLengthField);
  const std::size_t header = word & 0xFFFFFFu;
  if (size > piece.size() || size > limits_.frameBytes || size < kFramePrefix) return 0;
  if (word >> 24 > static_cast<unsigned>(SerializeType::ROCKETMQ)) return 0;
  return header > 0 && header <= size - kFramePrefix && header <= limits_.headerBytes ? size : 0;
}

Result<std::optional<base::Chain>> FrameSplitter::next() {
  using Frame = std::optional<base::Chain>;
  if (pieces_.size() == 1 && gathered_ == 0 && checked_ == 0) {
    const std::size_t size = plainFrame(pieces_.front());
    if (size != 0) return Result<Frame>(std::in_place, take(size));
  }
  if (broken_) return *broken_;
  const std::size_t there = buffered();
  if (checked_ < kPeek && there > checked_) {
    std::byte head[kPeek];
    const std::size_t have = peek(head);
    broken_ = check(have, head);
    if (broken_) {
      pieces_.clear();
      gather_.reset();
      piece_bytes_ = gathered_ = 0;
      return *broken_;
    }
    checked_ = have;
  }
  if (checked_ < kPeek || there < frame_size_) return Frame();
  checked_ = 0;
  return Frame(take(frame_size_));
}

}  // namespace mqclient::protocol
