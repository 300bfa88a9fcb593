#include "protocol/json.h"

#include <charconv>
#include <cmath>

#include "protocol/hex.h"
#include "protocol/utf8.h"

namespace mqclient::protocol {

namespace {

bool isBare(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
         c == '$' || c == '.' || c == '+' || c == '@' || c == '%' || static_cast<unsigned char>(c) >= 0x80;
}

constexpr std::size_t kShownMax = 24;

std::string shown(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, kShownMax)) out.push_back(c >= 0x20 && c < 0x7F ? c : '?');
  return out + (text.size() > kShownMax ? "...'" : "'");
}

}  // namespace

bool JsonReader::fail(std::string what) {
  if (!failed_) {
    failed_ = true;
    failed_at_ = at_;
    what_ = std::move(what);
  }
  return false;
}

Error JsonReader::error(std::string_view subject) const {
  std::string text(subject);
  const char* where = failed_ ? failed_at_ : at_;
  text.append(": ").append(failed_ ? what_ : "something follows the value");
  return Error(ErrorCode::kCorrupt, text + " at byte " + std::to_string(where - begin_));
}

JsonReader::Kind JsonReader::peek() noexcept {
  space();
  if (at_ == end_) return Kind::kEnd;
  switch (*at_) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
    case '\'':
      return Kind::kString;
    case 't':
    case 'f':
      return Kind::kBool;
    case 'n':
      return Kind::kNull;
    default:
      return (*at_ >= '0' && *at_ <= '9') || *at_ == '-' || *at_ == '+' ? Kind::kNumber : Kind::kOther;
  }
}

bool JsonReader::enter(char open) {
  if (failed_) return false;
  space();
  if (at_ == end_ || *at_ != open) {
    return fail(std::string("'") + open + "' expected, found " +
                (at_ == end_ ? std::string("the end") : shown({at_, static_cast<std::size_t>(end_ - at_)})));
  }
  if (depth_left_ == 0) return fail("nested too deeply");
  --depth_left_;
  ++at_;
  return true;
}

bool JsonReader::leave(char close, bool first) {
  if (failed_) return false;  // the caller looks at failed_ first thing
  space();
  if (at_ != end_ && *at_ == close) {
    ++at_;
    ++depth_left_;
    return true;
  }
  if (first) return false;
  if (at_ == end_ || *at_ != ',') {
    fail(std::string("',' or '") + close + "' expected");
    return false;
  }
  ++at_;
  return false;
}

bool JsonReader::quoted(std::string_view& to, std::string& scratch) {
  const char quote = *at_++;
  const char* start = at_;
  while (at_ != end_ && *at_ != quote && *at_ != '\\') ++at_;
  if (at_ == end_) return fail("a string without end");
  if (*at_ == quote) {
    to = {start, static_cast<std::size_t>(at_ - start)};
    ++at_;
    return true;
  }
  scratch.assign(start, at_);
  while (at_ != end_ && *at_ != quote) {
    if (*at_ == '\\') {
      if (!unescape(scratch)) return false;
      continue;
    }
    const char* run = at_;
    while (at_ != end_ && *at_ != quote && *at_ != '\\') ++at_;
    scratch.append(run, at_);
  }
  if (at_ == end_) return fail("a string without end");
  ++at_;
  to = scratch;
  return true;
}

bool JsonReader::unescape(std::string& to) {
  const auto hex = [&](int digits, std::uint32_t& value) {
    value = 0;
    if (end_ - at_ < digits) return false;
    for (int i = 0; i < digits; ++i) {
      const int v = hexValue(at_[i]);
      if (v < 0) return false;
      value = value << 4 | static_cast<std::uint32_t>(v);
    }
    at_ += digits;
    return true;
  };
  if (end_ - at_ < 2) return fail("a string without end");
  const char c = at_[1];
  at_ += 2;
  std::uint32_t cp = 0;
  switch (c) {
    case '"':
    case '\'':
    case '\\':
    case '/':
      to.push_back(c);
      return true;
    case 'b':
      to.push_back('\b');
      return true;
    case 'f':
      to.push_back('\f');
      return true;
    case 'n':
      to.push_back('\n');
      return true;
    case 'r':
      to.push_back('\r');
      return true;
    case 't':
      to.push_back('\t');
      return true;
    case 'v':
      to.push_back('\v');
      return true;
    case 'x':
      if (!hex(2, cp)) return fail("\\x without two hex digits");
      appendUtf8(to, cp);
      return true;
    case 'u':
      break;
    default:
      return fail(std::string("unknown escape \\") + c);
  }
  if (!hex(4, cp)) return fail("\\u without four hex digits");
  if (cp >= 0xD800 && cp < 0xDC00 && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
    const char* before = at_;
    at_ += 2;
    std::uint32_t low = 0;
    if (!hex(4, low)) return fail("\\u without four hex digits");
    if (low >= 0xDC00 && low < 0xE000) {
      cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
    } else {
      at_ = before;
    }
  }
  if (cp >= 0xD800 && cp < 0xE000) cp = kReplacementChar;
  appendUtf8(to, cp);
  return true;
}

bool JsonReader::readKey(Key& key, std::string& scratch) {
  space();
  if (at_ == end_) return fail("an object without end");
  if (*at_ == '{') {
    key.is_object = true;
    if (!raw(key.text)) return false;
  } else if (*at_ == '"' || *at_ == '\'') {
    if (!quoted(key.text, scratch)) return false;
  } else {
    const char* start = at_;
    while (at_ != end_ && isBare(*at_)) ++at_;
    key.text = {start, static_cast<std::size_t>(at_ - start)};
    if (key.text.empty()) return fail("a key expected, found " + shown({at_, static_cast<std::size_t>(end_ - at_)}));
  }
  space();
  if (at_ == end_ || *at_ != ':') return fail("':' expected");
  ++at_;
  return true;
}

bool JsonReader::readString(std::string& to) {
  if (failed_) return false;
  if (peek() != Kind::kString) return fail("a string expected");
  std::string_view found;
  std::string scratch;
  if (!quoted(found, scratch)) return false;
  to.assign(found);
  return true;
}

bool JsonReader::number(std::string_view& token, std::string& scratch) {
  if (failed_) return false;
  switch (peek()) {
    case Kind::kString:
      return quoted(token, scratch);
    case Kind::kNumber:
      break;
    default:
      return fail("a number expected");
  }
  const char* start = at_;
  while (at_ != end_ &&
         ((*at_ >= '0' && *at_ <= '9') || *at_ == '-' || *at_ == '+' || *at_ == '.' || *at_ == 'e' || *at_ == 'E')) {
    ++at_;
  }
  token = {start, static_cast<std::size_t>(at_ - start)};
  return true;
}

bool JsonReader::readInt64(std::int64_t& to) {
  std::string_view token;
  std::string scratch;
  if (!number(token, scratch)) return false;
  std::string_view digits = token;
  if (!digits.empty() && digits.front() == '+') digits.remove_prefix(1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), to);
  if (error == std::errc::result_out_of_range) return fail("the number " + shown(token) + " does not fit 64 bits");
  if (error != std::errc() || end != digits.data() + digits.size()) return fail(shown(token) + " is not an integer");
  return true;
}

bool JsonReader::readInt32(std::int32_t& to) {
  std::int64_t wide = 0;
  if (!readInt64(wide)) return false;
  to = static_cast<std::int32_t>(wide);
  if (to != wide) return fail("the number " + std::to_string(wide) + " does not fit 32 bits");
  return true;
}

bool JsonReader::readDouble(double& to) {
  std::string_view token;
  std::string scratch;
  if (!number(token, scratch)) return false;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), to);
  if (error != std::errc() || end != token.data() + token.size()) return fail(shown(token) + " is not a number");
  return true;
}

bool JsonReader::literal(std::string_view word) noexcept {
  if (static_cast<std::size_t>(end_ - at_) < word.size() || std::string_view(at_, word.size()) != word) return false;
  if (at_ + word.size() != end_ && isBare(at_[word.size()])) return false;
  at_ += word.size();
  return true;
}

bool JsonReader::readBool(bool& to) {
  if (failed_) return false;
  switch (peek()) {
    case Kind::kBool:
      if (literal("true")) {
        to = true;
        return true;
      }
      if (literal("false")) {
        to = false;
        return true;
      }
      return fail("true or false expected");
    case Kind::kString: {
      std::string_view text;
      std::string scratch;
      if (!quoted(text, scratch)) return false;
      if (text != "true" && text != "false") return fail(shown(text) + " is neither true nor false");
      to = text == "true";
      return true;
    }
    case Kind::kNumber: {
      std::int64_t n = 0;
      if (!readInt64(n)) return false;
      if (n != 0 && n != 1) return fail(std::to_string(n) + " is neither true nor false");
      to = n == 1;
      return true;
    }
    default:
      return fail("true or false expected");
  }
}

bool JsonReader::readText(std::string& to) {
  if (failed_) return false;
  if (peek() == Kind::kString) return readString(to);
  std::string_view text;
  if (!raw(text)) return false;
  to.assign(text);
  return true;
}

bool JsonReader::takeNull() noexcept {
  space();
  return !failed_ && literal("null");
}

bool JsonReader::skip() {
  if (failed_) return false;
  switch (peek()) {
    case Kind::kObject:
      return object([&](const Key&) { return skip(); });
    case Kind::kArray:
      return array([&] { return skip(); });
    case Kind::kString:
      for (const char quote = *at_++; at_ != end_; ++at_) {
        if (*at_ == quote) {
          ++at_;
          return true;
        }
        if (*at_ == '\\' && ++at_ == end_) break;
      }
      return fail("a string without end");
    case Kind::kNumber: {
      std::string_view token;
      std::string scratch;
      return number(token, scratch);
    }
    case Kind::kBool:
      if (literal("true") || literal("false")) return true;
      break;
    case Kind::kNull:
      if (literal("null")) return true;
      break;
    case Kind::kEnd:
      return fail("a value expected, found the end");
    case Kind::kOther:
      break;
  }
  return fail("a value expected, found " + shown({at_, static_cast<std::size_t>(end_ - at_)}));
}

bool JsonReader::raw(std::string_view& to) {
  space();
  const char* start = at_;
  if (!skip()) return false;
  to = {start, static_cast<std::size_t>(at_ - start)};
  return true;
}

bool JsonReader::atEnd() noexcept {
  space();
  return !failed_ && at_ == end_;
}

void JsonWriter::quote(std::string& to, std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  to.push_back('"');
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    to.append(text, done, i - done);
    done = i + 1;
    to.push_back('\\');
    switch (c) {
      case '"':
        to.push_back('"');
        break;
      case '\\':
        to.push_back('\\');
        break;
      case '\b':
        to.push_back('b');
        break;
      case '\f':
        to.push_back('f');
        break;
      case '\n':
        to.push_back('n');
        break;
      case '\r':
        to.push_back('r');
        break;
      case '\t':
        to.push_back('t');
        break;
      default:
        to.append("u00");
        to.push_back(kHex[c >> 4]);
        to.push_back(kHex[c & 15]);
    }
  }
  to.append(text, done);
  to.push_back('"');
}

void JsonWriter::key(std::string_view name) {
  separate();
  quote(to_, name);
  to_.push_back(':');
  comma_ = false;
}

void JsonWriter::key(std::int64_t number) {
  separate();
  const bool quoted = dialect_ == JsonDialect::kStandard;
  if (quoted) to_.push_back('"');
  to_ += std::to_string(number);
  if (quoted) to_.push_back('"');
  to_.push_back(':');
  comma_ = false;
}

void JsonWriter::beginObjectKey() {
  separate();
  comma_ = false;
}

void JsonWriter::endObjectKey() {
  to_.push_back(':');
  comma_ = false;
}

void JsonWriter::value(std::string_view text) {
  separate();
  quote(to_, text);
}

void JsonWriter::value(std::int64_t number) {
  separate();
  to_ += std::to_string(number);
}

void JsonWriter::value(double number) {
  separate();
  if (!std::isfinite(number)) {
    to_ += "null";
    return;
  }
  char digits[32];
  std::string_view text(digits,
                        static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, number).ptr - digits));
  to_ += text;
  if (text.find_first_of(".e") == std::string_view::npos) to_ += ".0";
}

void JsonWriter::value(bool truth) {
  separate();
  to_ += truth ? "true" : "false";
}

void JsonWriter::raw(std::string_view json) {
  separate();
  to_ += json;
}

}  // namespace mqclient::protocol
