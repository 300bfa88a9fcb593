#include "tests/fuzz/naive.h"

#include <charconv>
#include <limits>

#include "protocol/frame_splitter.h"
#include "protocol/names.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz::naive {

using protocol::BatchElement;
using protocol::RecordFields;
using protocol::RecordHost;

namespace {

constexpr int kDepthMax = 40;  // below kJsonDepthMax: deeper is left unsaid

/// Numbers and texts from the front, until something is missing.
struct Bytes {
  std::string_view left;
  bool missing = false;

  std::uint64_t number(std::size_t width) {
    std::uint64_t value = 0;
    for (const char c : take(width)) value = value * 256 + static_cast<unsigned char>(c);
    return value;
  }
  std::int64_t i16() { return static_cast<std::int16_t>(number(2)); }
  std::int64_t i32() { return static_cast<std::int32_t>(number(4)); }
  std::int64_t i64() { return static_cast<std::int64_t>(number(8)); }
  std::string_view take(std::int64_t size) {
    if (size < 0 || static_cast<std::uint64_t>(size) > left.size()) {
      missing = true;
      return {};
    }
    return take(static_cast<std::size_t>(size));
  }
  std::string_view take(std::size_t size) {
    if (size > left.size()) {
      missing = true;
      return {};
    }
    const std::string_view taken = left.substr(0, size);
    left.remove_prefix(size);
    return taken;
  }
};

bool readBinary(std::string_view header, Command& to) {
  Bytes from{header};
  to.code = static_cast<int>(from.i16());
  from.take(std::size_t{1});  // language
  to.version = static_cast<int>(from.i16());
  to.opaque = static_cast<int>(from.i32());
  to.flag = static_cast<int>(from.i32());
  to.remark = from.take(from.i32());
  Bytes ext{from.take(from.i32())};
  if (from.missing || !from.left.empty()) return false;
  const protocol::FrameLimits limits;
  while (!ext.left.empty()) {
    std::string key(ext.take(ext.i16()));
    std::string value(ext.take(ext.i32()));
    if (ext.missing || to.ext.size() == limits.headerFields) return false;
    if (value.size() > ((to.flag & 1) != 0 ? limits.headerBytes : limits.fieldValueBytes)) return false;
    to.ext.emplace_back(std::move(key), std::move(value));
  }
  return true;
}

/// RFC 8259 without its corners: no lone surrogates, no deep nesting. What it reads, every reader reads.
class Json {
 public:
  struct Value {
    enum class Kind { kNull, kText, kNumber, kOther } kind = Kind::kNull;
    std::string text{};  // of a string its characters, else as it stands
    std::vector<std::pair<std::string, Value>> members{};
  };

  explicit Json(std::string_view text) : text_(text) {}

  std::optional<Value> document() {
    auto value = read(0);
    space();
    return value && at_ == text_.size() ? value : std::nullopt;
  }

 private:
  bool more() const { return at_ < text_.size(); }
  bool is(char c) const { return more() && text_[at_] == c; }
  bool takeIf(char c) {
    if (!is(c)) return false;
    ++at_;
    return true;
  }
  void space() {
    while (is(' ') || is('\t') || is('\n') || is('\r')) ++at_;
  }
  bool word(std::string_view w) {
    if (text_.substr(at_, w.size()) != w) return false;
    at_ += w.size();
    return true;
  }

  std::optional<Value> read(int depth) {
    space();
    if (depth > kDepthMax || !more()) return std::nullopt;
    const std::size_t from = at_;
    Value value;
    bool ok = false;
    if (is('"')) {
      value.kind = Value::Kind::kText;
      const auto text = string();
      if (text) value.text = *text;
      return text ? std::optional(value) : std::nullopt;
    }
    if (is('{')) {
      value.kind = Value::Kind::kOther;
      ok = object(depth, value);
    } else if (is('[')) {
      value.kind = Value::Kind::kOther;
      ok = array(depth);
    } else if (word("true") || word("false")) {
      value.kind = Value::Kind::kOther;
      ok = true;
    } else if (word("null")) {
      ok = true;
    } else {
      value.kind = Value::Kind::kNumber;
      ok = number();
    }
    if (!ok) return std::nullopt;
    value.text = text_.substr(from, at_ - from);
    return value;
  }

  bool object(int depth, Value& to) {
    ++at_;
    space();
    if (takeIf('}')) return true;
    do {
      space();
      auto key = is('"') ? string() : std::nullopt;
      space();
      if (!key || !takeIf(':')) return false;
      auto value = read(depth + 1);
      if (!value) return false;
      to.members.emplace_back(*std::move(key), *std::move(value));
      space();
    } while (takeIf(','));
    return takeIf('}');
  }

  bool array(int depth) {
    ++at_;
    space();
    if (takeIf(']')) return true;
    do {
      if (!read(depth + 1)) return false;
      space();
    } while (takeIf(','));
    return takeIf(']');
  }

  bool digits() {
    const std::size_t from = at_;
    while (more() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > from;
  }
  bool number() {
    takeIf('-');
    if (!takeIf('0') && !digits()) return false;
    if (takeIf('.') && !digits()) return false;
    if (takeIf('e') || takeIf('E')) {
      if (!takeIf('+')) takeIf('-');
      return digits();
    }
    return true;
  }

  std::optional<std::string> string() {
    ++at_;
    std::string out;
    while (more() && !is('"')) {
      const char c = text_[at_++];
      if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
      if (c != '\\') {
        out.push_back(c);
        continue;
      }
      if (!more() || !escape(text_[at_++], out)) return std::nullopt;
    }
    return takeIf('"') ? std::optional(out) : std::nullopt;
  }
  bool escape(char c, std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    if (const std::size_t at = kNames.find(c); at != std::string_view::npos) {
      out.push_back(kMeant[at]);
      return true;
    }
    unsigned code = 0;
    const std::string_view hex = text_.substr(at_, 4);
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    if (c != 'u' || hex.size() != 4 || error != std::errc() || end != hex.data() + 4) return false;
    if (hex[0] == '-' || (code >= 0xD800 && code <= 0xDFFF)) return false;
    at_ += 4;
    if (code < 0x80) {
      out.push_back(static_cast<char>(code));
    } else if (code < 0x800) {
      out.push_back(static_cast<char>(0xC0 | code >> 6));
      out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
    } else {
      out.push_back(static_cast<char>(0xE0 | code >> 12));
      out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3F)));
      out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// A number of 32 bits, written as such.
bool toInt(const Json::Value& value, int& to) {
  if (value.kind != Json::Value::Kind::kNumber || value.text.starts_with("-0")) return false;
  const char* const end = value.text.data() + value.text.size();
  const auto read = std::from_chars(value.text.data(), end, to);
  return read.ec == std::errc() && read.ptr == end;
}

bool readJson(std::string_view header, Command& to) {
  const auto document = Json(header).document();
  if (!document || document->kind == Json::Value::Kind::kText || document->text[0] != '{') return false;
  for (const auto& [key, value] : document->members) {
    if (value.kind == Json::Value::Kind::kNull) continue;
    int* const number = key == "code"      ? &to.code
                        : key == "flag"    ? &to.flag
                        : key == "opaque"  ? &to.opaque
                        : key == "version" ? &to.version
                                           : nullptr;
    if (number) {
      if (!toInt(value, *number)) return false;
    } else if (key == "remark") {
      if (value.kind != Json::Value::Kind::kText) return false;
      to.remark = value.text;
    } else if (key == "language") {
      if (value.kind != Json::Value::Kind::kText) return false;
    } else if (key == "extFields") {
      if (value.text[0] != '{' || value.kind == Json::Value::Kind::kText) return false;
      to.ext.clear();
      for (const auto& [name, field] : value.members) {
        if (field.kind == Json::Value::Kind::kNull) continue;
        if (field.kind == Json::Value::Kind::kOther) return false;
        to.ext.emplace_back(name, field.text);
      }
    }
  }
  return true;
}

RecordHost host(Bytes& from, bool v6) {
  RecordHost out;
  out.v6 = v6;
  const std::string_view ip = from.take(std::size_t{v6 ? 16u : 4u});
  for (std::size_t i = 0; i < ip.size(); ++i) out.ip[i] = static_cast<std::byte>(ip[i]);
  out.port = static_cast<std::int32_t>(from.i32());
  return out;
}

}  // namespace

Frames cut(std::string_view stream, const protocol::FrameLimits& limits) {
  Frames out;
  while (stream.size() >= 4) {
    Bytes head{stream};
    const std::int64_t length = head.i32();
    out.broken = length < 4 || length + 4 > static_cast<std::int64_t>(limits.frameBytes);
    if (stream.size() >= 5 && head.left[0] != 0 && head.left[0] != 1) out.broken = true;
    if (stream.size() >= 8) {
      head.take(std::size_t{1});
      const auto header = static_cast<std::int64_t>(head.number(3));
      if (header > length - 4 || header > static_cast<std::int64_t>(limits.headerBytes)) out.broken = true;
      if (header == 0 && protocol::foreignProtocol(asBytes(stream.substr(0, 8)))) out.broken = true;
    }
    const auto size = static_cast<std::size_t>(length) + 4;
    if (out.broken || stream.size() < size) break;
    out.whole.emplace_back(stream.substr(0, size));
    stream.remove_prefix(size);
  }
  return out;
}

Command of(const protocol::RemotingCommand& command) {
  Command out{command.code, command.version, command.opaque, command.flag, std::string(command.remark())};
  for (const auto& e : command.ext) out.ext.emplace_back(e.key, e.value);
  out.body = command.body.toString();
  return out;
}

Read frame(std::string_view bytes) {
  Read out;
  Bytes from{bytes};
  const std::int64_t length = from.i32();
  const std::uint64_t type = from.number(1);
  const std::uint64_t header_size = from.number(3);
  const protocol::FrameLimits limits;
  const std::string_view header = from.take(static_cast<std::size_t>(header_size));
  if (from.missing || length + 4 != static_cast<std::int64_t>(bytes.size()) || type > 1) return out;
  if (bytes.size() > limits.frameBytes || header_size > limits.headerBytes) return out;
  out.command.body = from.left;
  const bool read = type == 1 ? readBinary(header, out.command) : readJson(header, out.command);
  out.verdict = read ? Verdict::kRead : type == 1 ? Verdict::kRefused : Verdict::kUnsaid;
  return out;
}

std::optional<RecordFields> record(std::string_view bytes) {
  RecordFields out;
  const std::int64_t size = Bytes{bytes}.i32();
  if (size < 0 || static_cast<std::size_t>(size) > bytes.size()) return std::nullopt;
  Bytes from{bytes.substr(0, static_cast<std::size_t>(size))};
  out.totalSize = static_cast<std::uint32_t>(from.i32());
  out.magic = static_cast<std::uint32_t>(from.i32());
  if (out.magic != protocol::kMessageMagicV1 && out.magic != protocol::kMessageMagicV2) return std::nullopt;
  out.bodyCRC = static_cast<std::uint32_t>(from.i32());
  out.queueId = static_cast<std::int32_t>(from.i32());
  out.flag = static_cast<std::int32_t>(from.i32());
  out.queueOffset = from.i64();
  out.physicalOffset = from.i64();
  out.sysFlag = static_cast<std::int32_t>(from.i32());
  out.bornTimestamp = from.i64();
  out.bornHost = host(from, (out.sysFlag & protocol::kBornHostV6Flag) != 0);
  out.storeTimestamp = from.i64();
  out.storeHost = host(from, (out.sysFlag & protocol::kStoreHostV6Flag) != 0);
  out.reconsumeTimes = static_cast<std::int32_t>(from.i32());
  out.preparedTransactionOffset = from.i64();
  out.body = asBytes(from.take(from.i32()));
  const std::uint64_t topic = from.number(out.magic == protocol::kMessageMagicV2 ? 2 : 1);
  out.topic = from.take(static_cast<std::size_t>(topic));
  const std::int64_t properties = from.i16();
  out.properties = from.take(properties < 0 ? 0 : properties);
  return from.missing || !from.left.empty() ? std::nullopt : std::optional(out);
}

std::pair<std::vector<BatchElement>, bool> batch(std::string_view bytes) {
  std::vector<BatchElement> out;
  Bytes all{bytes};
  while (!all.left.empty()) {
    if (out.size() == protocol::kMaxBatchMessages) return {std::move(out), true};
    const std::int64_t size = Bytes{all.left}.i32();
    Bytes one{all.take(size)};
    one.take(std::size_t{12});  // size, magic, CRC
    BatchElement e;
    e.flag = static_cast<std::int32_t>(one.i32());
    e.body = asBytes(one.take(one.i32()));
    e.properties = one.take(one.i16());
    if (all.missing || one.missing || !one.left.empty()) return {std::move(out), true};
    out.push_back(e);
  }
  return {std::move(out), false};
}

std::map<std::string, std::string> properties(std::string_view text) {
  std::map<std::string, std::string> out;
  std::string name;
  std::string value;
  bool in_value = false;
  const auto end = [&] {
    if (in_value && !name.empty() && !value.empty()) out[name] = value;
    name.clear();
    value.clear();
    in_value = false;
  };
  for (const char c : text) {
    if (c == protocol::kPropertySeparator) {
      end();
    } else if (c == protocol::kNameValueSeparator && !in_value) {
      in_value = true;
    } else {
      (in_value ? value : name).push_back(c);
    }
  }
  end();
  return out;
}

bool isName(std::string_view name, std::size_t longest) {
  if (name.empty() || name.size() > longest) return false;
  return name.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ%|-_") ==
         std::string_view::npos;
}

}  // namespace mqclient::fuzz::naive
