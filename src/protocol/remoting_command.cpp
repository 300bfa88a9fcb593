#include "protocol/remoting_command.h"

#include <algorithm>
#include <cstring>

#include "protocol/headers/send.h"
#include "protocol/json_header.h"

namespace mqclient::protocol {

namespace {

constexpr std::size_t kBinaryHeaderMin = 21;
constexpr std::size_t kNegativeKey = 0x8000;
constexpr const char* kBadKey = "a key's length is negative or leaves the ext fields";
constexpr const char* kBadValue = "a value's length is negative or leaves the ext fields";
constexpr std::size_t kLogFieldMax = 48;
constexpr std::size_t kLogTextMax = 512;

Error corruptHeader(std::string what) {
  return Error(ErrorCode::kCorrupt, std::move(what));
}

std::string tooMany(std::string_view what, std::size_t found, std::size_t limit) {
  return "the header has " + std::string(what) + " of " + std::to_string(found) + ", the limit is " +
         std::to_string(limit);
}

/// A cursor over the header's bytes; every length is checked against what is left, as a signed number.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) noexcept : rest_(bytes) {}
  std::size_t left() const noexcept { return rest_.size(); }
  bool has(std::size_t n) const noexcept { return rest_.size() >= n; }
  /// A text behind its length, or nothing when the length is cut, negative or beyond what is left behind it.
  std::optional<std::string_view> text32() noexcept {
    constexpr std::size_t kWidth = 4;
    if (!has(kWidth)) return std::nullopt;
    const auto length = static_cast<std::int32_t>(base::getBe32(rest_.data()));
    if (length < 0 || static_cast<std::size_t>(length) > rest_.size() - kWidth) return std::nullopt;
    const std::string_view found = rest_.substr(kWidth, static_cast<std::size_t>(length));
    rest_.remove_prefix(kWidth + found.size());
    return found;
  }
  const char* bytes(std::size_t n) noexcept {
    const char* at = rest_.data();
    rest_.remove_prefix(n);
    return at;
  }

 private:
  std::string_view rest_;
};

/// `header` lies in `source`, which keeps it alive.
std::optional<Error> decodeBinaryHeader(base::Slice source, std::string_view header, const FrameLimits& limits,
                                        RemotingCommand& to) {
  const auto place = [&](std::string_view part) {
    return static_cast<std::size_t>(part.data() - source.text().data());
  };
  if (header.size() < kBinaryHeaderMin) {
    return corruptHeader("a binary header of " + std::to_string(header.size()) + " bytes; the shortest has 21");
  }
  Cursor at(header);
  const char* fixed = at.bytes(13);
  to.code = static_cast<std::int16_t>(base::getBe16(fixed));
  const auto language = static_cast<std::uint8_t>(fixed[2]);
  to.language = language <= static_cast<std::uint8_t>(LanguageCode::NODE_JS) ? static_cast<LanguageCode>(language)
                                                                             : LanguageCode::UNKNOWN;
  to.version = static_cast<std::int16_t>(base::getBe16(fixed + 3));
  to.opaque = static_cast<std::int32_t>(base::getBe32(fixed + 5));
  to.flag = static_cast<std::int32_t>(base::getBe32(fixed + 9));
  const auto remark = at.text32();
  if (!remark) return corruptHeader("the remark's length is negative or leaves the header");
  if (!remark->empty()) to.setRemark(source.sub(place(*remark), remark->size()));
  const auto ext = at.text32();
  if (!ext) return corruptHeader("the length of the ext fields is negative or leaves the header");
  if (at.left() != 0) return corruptHeader(std::to_string(at.left()) + " bytes of the header follow its ext fields");
  if (ext->empty()) return std::nullopt;

  const std::size_t value_limit = to.isResponse() ? limits.headerBytes : limits.fieldValueBytes;
  std::size_t count = 0;
  std::size_t longest = 0;
  const char* field = ext->data();
  for (std::size_t left = ext->size(); left != 0; ++count) {
    if (count == limits.headerFields)
      return corruptHeader(tooMany("a number of fields", count + 1, limits.headerFields));
    // Lengths are compared with what is left, never added to a pointer before that. Read as unsigned numbers, negative
    // ones are larger than any header.
    constexpr std::size_t kLengths = ExtFields::kKeyLength + ExtFields::kValueLength;
    const auto pass = [&](std::size_t key) {
      const std::size_t value = base::getBe32(field + ExtFields::kKeyLength + key);
      if (value > left - kLengths - key) return false;
      longest = std::max(longest, value);
      field += kLengths + key + value;
      left -= kLengths + key + value;
      return true;
    };
    // Keys of one letter, which a send has: where their values' lengths lie need not be read first.
    if (left > kLengths && base::getBe16(field) == 1) {
      if (!pass(1)) return corruptHeader(kBadValue);
      continue;
    }
    const std::size_t key = left < ExtFields::kKeyLength ? kNegativeKey : base::getBe16(field);
    if (key >= kNegativeKey || key > left - ExtFields::kKeyLength) return corruptHeader(kBadKey);
    if (left < kLengths + key) return corruptHeader(kBadValue);
    if (!pass(key)) return corruptHeader(kBadValue);
  }
  if (longest > value_limit) return corruptHeader(tooMany("a value length", longest, value_limit));
  const std::size_t ext_at = place(*ext);
  to.ext = ExtFields(std::move(source).sub(ext_at, ext->size()), count);
  return std::nullopt;
}

/// The bytes of `frame` from `from` on.
base::Chain tail(base::Chain&& frame, std::size_t from) {
  while (!frame.empty() && from >= frame[0].size()) from -= frame.takeFront().size();
  if (from == 0 || frame.empty()) return std::move(frame);
  base::Slice first = frame.takeFront();
  const std::size_t rest = first.size() - from;
  base::Chain out(std::move(first).sub(from, rest));
  out.append(std::move(frame));
  return out;
}

/// A copy of the first `size` bytes: the transport cut the header.
base::Slice gatherFront(const base::Chain& frame, std::size_t size) {
  base::BlockWriter block(size);
  std::size_t have = 0;
  for (std::size_t i = 0; have < size; ++i) {
    const std::size_t n = std::min(size - have, frame[i].size());
    std::memcpy(block.data() + have, frame[i].data(), n);
    have += n;
  }
  return std::move(block).freeze(size);
}

/// Fills `command` in place: it is a large value to move about on the hot path.
std::optional<Error> decodeInto(RemotingCommand& command, base::Chain&& frame, const FrameLimits& limits) {
  if (frame.size() < kFramePrefix) {
    return corruptHeader("a frame of " + std::to_string(frame.size()) + " bytes; the shortest has 8");
  }
  if (frame.size() > limits.frameBytes) {
    return corruptHeader("a frame of " + std::to_string(frame.size()) + " bytes; the limit is " +
                         std::to_string(limits.frameBytes));
  }
  base::Slice gathered;
  const base::Slice* head = &frame[0];
  const auto need = [&](std::size_t size) {
    if (head->size() >= size) return;
    gathered = gatherFront(frame, size);
    head = &gathered;
  };
  need(kFramePrefix);
  const auto length = static_cast<std::int32_t>(base::getBe32(head->data()));
  if (length < 0 || static_cast<std::size_t>(length) != frame.size() - kLengthField) {
    return corruptHeader("the length field says " + std::to_string(length) + ", the frame has " +
                         std::to_string(frame.size() - kLengthField) + " bytes behind it");
  }
  const std::uint32_t word = base::getBe32(head->data() + kLengthField);
  const auto type = static_cast<std::uint8_t>(word >> 24);
  const std::size_t header_size = word & 0xFFFFFFu;
  if (type > static_cast<std::uint8_t>(SerializeType::ROCKETMQ)) {
    return corruptHeader("the header's type is " + std::to_string(type) + "; 0 (JSON) and 1 (binary) are known");
  }
  if (header_size > frame.size() - kFramePrefix) {
    return corruptHeader("the header claims " + std::to_string(header_size) + " bytes, the frame has " +
                         std::to_string(frame.size() - kFramePrefix) + " behind its prefix");
  }
  if (header_size > limits.headerBytes) {
    return corruptHeader("a header of " + std::to_string(header_size) + " bytes; the limit is " +
                         std::to_string(limits.headerBytes));
  }

  command.serializeType = static_cast<SerializeType>(type);
  const std::size_t body_at = kFramePrefix + header_size;
  need(body_at);
  const std::string_view header = head->text().substr(kFramePrefix, header_size);
  if (command.serializeType == SerializeType::JSON) {
    if (auto error = decodeJsonHeader(header, limits, command)) return error;
    command.body = tail(std::move(frame), body_at);
    return std::nullopt;
  }
  const bool header_alone = head == &frame[0] && head->size() == body_at;
  if (header_alone) {  // as frames are made here: the fields take its share over
    base::Slice own = frame.takeFront();
    command.body = std::move(frame);
    return decodeBinaryHeader(std::move(own), header, limits, command);
  }
  if (auto error = decodeBinaryHeader(*head, header, limits, command)) return error;
  command.body = tail(std::move(frame), body_at);
  return std::nullopt;
}

}  // namespace

Result<RemotingCommand> decodeFrame(base::Chain&& frame, const FrameLimits& limits) {
  Result<RemotingCommand> out(std::in_place);
  if (auto error = decodeInto(*out, std::move(frame), limits)) out = Result<RemotingCommand>(*std::move(error));
  return out;
}

base::Chain encode(const RemotingCommand& command) {
  const detail::FixedPart fixed{command.code, command.language, command.version,      command.opaque,
                                command.flag, command.remark(), command.serializeType};
  if (fixed.type == SerializeType::ROCKETMQ && detail::fitsBinary(fixed)) {
    detail::BinaryHeaderWriter to(fixed, command.ext.block().size());
    to.addBlock(command.ext.block());
    return std::move(to).finish(command.body);
  }
  detail::JsonHeaderWriter to(fixed, !command.ext.empty());
  for (const ExtFields::Entry& e : command.ext) to.add(e.key, e.value);
  return std::move(to).finish(command.body);
}

std::string RemotingCommand::toString() const {
  std::string out(isResponse() ? mqclient::toString(responseCode()) : mqclient::toString(requestCode()));
  out += "(" + std::to_string(code) + ") opaque=" + std::to_string(opaque);
  if (isResponse()) out += " response";
  if (isOneway()) out += " oneway";
  out += serializeType == SerializeType::JSON ? " json" : " binary";
  if (!remark().empty()) {
    out.append(" remark='").append(remark().substr(0, kLogFieldMax)).append("'");
  }
  out += " ext={";
  for (const ExtFields::Entry& e : ext) {
    if (out.size() > kLogTextMax) {
      out += "...";
      break;
    }
    out.append(e.key.substr(0, kLogFieldMax)).append("=").append(e.value.substr(0, kLogFieldMax)).append(" ");
  }
  if (out.back() == ' ') out.pop_back();
  return out + "} body=" + std::to_string(body.size());
}

Result<SendMessageView> decodeSendHeader(const RemotingCommand& command) {
  const RequestCode code = command.requestCode();
  const bool long_names = code == RequestCode::SEND_MESSAGE || code == RequestCode::SEND_REPLY_MESSAGE;
  Result<SendMessageView> out(std::in_place);
  auto error = long_names ? decodeHeaderInto<SendMessageRequestHeaderView>(command.ext, *out)
                          : decodeHeaderInto<SendMessageRequestHeaderV2View>(command.ext, *out);
  if (error) out = Result<SendMessageView>(*std::move(error));
  return out;
}

}  // namespace mqclient::protocol
