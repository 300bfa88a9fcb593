#include "protocol/header_codec.h"

#include <cassert>
#include <limits>

#include "protocol/json.h"

namespace mqclient::protocol {

namespace {

constexpr std::string_view kLanguageNames[] = {"JAVA",  "CPP",  "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY",
                                               "OTHER", "HTTP", "GO",     "PHP",    "OMS",    "RUST",   "NODE_JS"};
/// code i16, language u8, version i16, opaque i32, flag i32, remarkLen i32.
constexpr std::size_t kFixedBinary = 17;
constexpr std::size_t kExtLength = 4;
constexpr std::size_t kHeaderMax = 0xFFFFFF;
constexpr std::size_t kFoundTextMax = 64;

/// The frame's first 8 bytes, when header and body are known.
void putPrefix(char* frame, SerializeType type, std::size_t header_size, std::size_t body_size) noexcept {
  assert(header_size <= kHeaderMax);
  base::putBe32(frame, static_cast<std::uint32_t>(kFramePrefix - 4 + header_size + body_size));
  base::putBe32(frame + 4, (static_cast<std::uint32_t>(type) << 24) | static_cast<std::uint32_t>(header_size));
}

template <class N>
bool parseAnyNumber(std::string_view text, N& to) noexcept {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
  return error == std::errc() && end == text.data() + text.size();
}

/// Most names on the hot path have one letter: not worth a call.
bool sameName(std::string_view row, std::string_view key) noexcept {
  return row.size() == key.size() && row.front() == key.front() &&
         (row.size() == 1 || std::memcmp(row.data(), key.data(), row.size()) == 0);
}

}  // namespace

std::string_view toString(LanguageCode code) noexcept {
  const auto i = static_cast<std::size_t>(code);
  return i < std::size(kLanguageNames) ? kLanguageNames[i] : std::string_view("UNKNOWN");
}

namespace detail {

bool fitsBinary(const FixedPart& fixed) noexcept {
  using Short = std::numeric_limits<std::int16_t>;
  return fixed.code >= Short::min() && fixed.code <= Short::max() && fixed.version >= Short::min() &&
         fixed.version <= Short::max();
}

BinaryHeaderWriter::BinaryHeaderWriter(const FixedPart& fixed, std::size_t fields_bound)
    : block_(kFramePrefix + kFixedBinary + fixed.remark.size() + kExtLength + fields_bound) {
  char* p = reinterpret_cast<char*>(block_.data());
  p[4] = static_cast<char>(SerializeType::ROCKETMQ);
  p += kFramePrefix;
  base::putBe16(p, static_cast<std::uint16_t>(fixed.code));
  p[2] = static_cast<char>(fixed.language == LanguageCode::UNKNOWN ? LanguageCode::OTHER : fixed.language);
  base::putBe16(p + 3, static_cast<std::uint16_t>(fixed.version));
  base::putBe32(p + 5, static_cast<std::uint32_t>(fixed.opaque));
  base::putBe32(p + 9, static_cast<std::uint32_t>(fixed.flag));
  base::putBe32(p + 13, static_cast<std::uint32_t>(fixed.remark.size()));
  p += kFixedBinary;
  if (!fixed.remark.empty()) std::memcpy(p, fixed.remark.data(), fixed.remark.size());
  ext_ = p + fixed.remark.size();
  at_ = ext_ + kExtLength;
}

void BinaryHeaderWriter::addBlock(std::string_view entries) noexcept {
  if (entries.empty()) return;
  std::memcpy(at_, entries.data(), entries.size());
  at_ += entries.size();
}

base::Chain BinaryHeaderWriter::finish(base::Chain body) && {
  char* frame = reinterpret_cast<char*>(block_.data());
  const auto size = static_cast<std::size_t>(at_ - frame);
  assert(size <= block_.capacity());
  base::putBe32(ext_, static_cast<std::uint32_t>(at_ - ext_ - static_cast<std::ptrdiff_t>(kExtLength)));
  putPrefix(frame, SerializeType::ROCKETMQ, size - kFramePrefix, body.size());
  base::Chain out(std::move(block_).freeze(size));
  out.append(std::move(body));
  return out;
}

JsonHeaderWriter::JsonHeaderWriter(const FixedPart& fixed, bool with_ext_fields)
    : fixed_(fixed), with_ext_fields_(with_ext_fields) {
  text_.assign(kFramePrefix, '\0');
  text_ += "{\"code\":";
  text_ += std::to_string(fixed.code);
  if (with_ext_fields) text_ += ",\"extFields\":{";
}

void JsonHeaderWriter::add(std::string_view key, std::string_view value) {
  if (!first_) text_.push_back(',');
  first_ = false;
  JsonWriter::quote(text_, key);
  text_.push_back(':');
  JsonWriter::quote(text_, value);
}

void JsonHeaderWriter::add(std::string_view key, std::int64_t value) {
  char digits[BinaryHeaderWriter::kNumberMax];
  const char* end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  add(key, std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

base::Chain JsonHeaderWriter::finish(base::Chain body) && {
  if (with_ext_fields_) text_.push_back('}');
  text_ += ",\"flag\":" + std::to_string(fixed_.flag);
  if (fixed_.language != LanguageCode::UNKNOWN) {
    text_ += ",\"language\":\"";
    text_ += toString(fixed_.language);
    text_.push_back('"');
  }
  text_ += ",\"opaque\":" + std::to_string(fixed_.opaque);
  if (!fixed_.remark.empty()) {
    text_ += ",\"remark\":";
    JsonWriter::quote(text_, fixed_.remark);
  }
  text_ += ",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":" + std::to_string(fixed_.version) + "}";
  putPrefix(text_.data(), SerializeType::JSON, text_.size() - kFramePrefix, body.size());
  base::Chain out(base::Slice::of(std::move(text_)));
  out.append(std::move(body));
  return out;
}

bool parseNumber(std::string_view text, std::int32_t& to) noexcept {
  return parseAnyNumber(text, to);
}
bool parseNumber(std::string_view text, std::int64_t& to) noexcept {
  return parseAnyNumber(text, to);
}

bool parseValue(std::string_view text, bool& to) noexcept {
  constexpr std::string_view kTrue = "true";
  to = text.size() == kTrue.size();
  for (std::size_t i = 0; to && i < kTrue.size(); ++i) to = (text[i] | 0x20) == kTrue[i];
  return true;
}

std::optional<Error> fillHeader(std::string_view header_name, std::span<const FieldRow> rows, const ExtFields& ext,
                                void* header) {
  assert(rows.size() <= kFieldRowsMax);
  std::uint64_t seen = 0;
  std::size_t expected = 0;  // peers mostly keep the order of the list
  const std::string_view block = ext.block();
  const char* const end = block.data() + block.size();
  for (const char* at = block.data(); at != end;) {
    const ExtFields::Entry e = *ExtFields::Iterator(at);
    at = e.value.data() + e.value.size();
    std::size_t i = expected;
    std::size_t tried = 0;
    for (; tried < rows.size() && !sameName(rows[i].name, e.key); ++tried) i = i + 1 == rows.size() ? 0 : i + 1;
    if (tried == rows.size()) continue;  // not ours
    expected = i + 1 == rows.size() ? 0 : i + 1;
    const FieldRow& row = rows[i];
    if (row.number && e.value.empty()) continue;  // Java's null
    if (!row.set(header, e.value)) {
      std::string what(header_name);
      what.append(": field '").append(row.name).append("' is not ").append(row.kind).append(": '");
      for (const char c : e.value.substr(0, kFoundTextMax)) what.push_back(c >= 0x20 && c < 0x7F ? c : '?');
      what.append(e.value.size() > kFoundTextMax ? "...'" : "'");
      return Error(ErrorCode::kInvalidArgument, std::move(what));
    }
    seen |= std::uint64_t{1} << i;
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].required || (seen >> i & 1) != 0) continue;
    std::string what(header_name);
    what.append(": required field '").append(rows[i].name).append("' is missing");
    return Error(ErrorCode::kInvalidArgument, std::move(what));
  }
  return std::nullopt;
}

}  // namespace detail

}  // namespace mqclient::protocol
