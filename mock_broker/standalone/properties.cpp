#include "mock_broker/standalone/properties.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "protocol/hex.h"
#include "protocol/utf8.h"

namespace mqclient::standalone {
namespace {

bool isBlank(char c) {
  return c == ' ' || c == '\t' || c == '\f';
}
bool isEnd(char c) {
  return c == '\n' || c == '\r';
}

/// Joins UTF-16 halves; one without its partner becomes U+FFFD, as when Java writes it out.
class Utf16Text {
 public:
  void unit(std::uint32_t unit) {
    const bool low = unit >= 0xDC00 && unit <= 0xDFFF;
    if (high_ && low) {
      protocol::appendUtf8(text_, 0x10000 + ((*std::exchange(high_, std::nullopt) - 0xD800) << 10) + (unit - 0xDC00));
      return;
    }
    settle();
    if (unit >= 0xD800 && unit <= 0xDBFF) {
      high_ = unit;
    } else {
      protocol::appendUtf8(text_, low ? protocol::kReplacementChar : unit);
    }
  }
  std::string take() {
    settle();
    return std::exchange(text_, {});
  }

 private:
  void settle() {
    if (std::exchange(high_, std::nullopt)) protocol::appendUtf8(text_, protocol::kReplacementChar);
  }
  std::string text_;
  std::optional<std::uint32_t> high_;
};

/// A logical line with its escapes still in it, and the number of the line it begins at.
struct Line {
  std::string text;
  int number{0};
};

class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  /// The next line that holds a setting.
  std::optional<Line> next() {
    while (!rest_.empty()) {
      std::string_view natural = takeNatural();
      if (natural.empty() || natural.front() == '#' || natural.front() == '!') continue;
      Line line{.text = {}, .number = number_};
      while (continues(natural)) {
        line.text.append(natural.substr(0, natural.size() - 1));
        natural = rest_.empty() ? std::string_view() : takeNatural();
      }
      line.text.append(natural);
      return line;
    }
    return std::nullopt;
  }

 private:
  /// Without its end and the blanks before it.
  std::string_view takeNatural() {
    ++number_;
    std::size_t end = 0;
    while (end < rest_.size() && !isEnd(rest_[end])) ++end;
    std::string_view line = rest_.substr(0, end);
    const bool crlf = end + 1 < rest_.size() && rest_[end] == '\r' && rest_[end + 1] == '\n';
    rest_.remove_prefix(end == rest_.size() ? end : end + (crlf ? 2 : 1));
    while (!line.empty() && isBlank(line.front())) line.remove_prefix(1);
    return line;
  }
  static bool continues(std::string_view line) {
    std::size_t backslashes = 0;
    while (backslashes < line.size() && line[line.size() - 1 - backslashes] == '\\') ++backslashes;
    return backslashes % 2 == 1;
  }

  std::string_view rest_;
  int number_ = 0;
};

/// Where the key ends: at the first separator that is not escaped.
std::size_t endOfKey(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\') {
      ++i;
    } else if (line[i] == '=' || line[i] == ':' || isBlank(line[i])) {
      return i;
    }
  }
  return line.size();
}

Result<std::string> unescaped(std::string_view raw, const std::string& place) {
  Utf16Text out;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      out.unit(static_cast<unsigned char>(raw[i]));
      continue;
    }
    if (++i == raw.size()) break;
    switch (raw[i]) {
      case 't':
        out.unit('\t');
        break;
      case 'n':
        out.unit('\n');
        break;
      case 'r':
        out.unit('\r');
        break;
      case 'f':
        out.unit('\f');
        break;
      case 'u': {
        constexpr std::size_t kDigits = 4;
        std::uint32_t unit = 0;
        for (std::size_t d = 1; d <= kDigits; ++d) {
          const int digit = i + d < raw.size() ? protocol::hexValue(raw[i + d]) : -1;
          if (digit < 0) {
            return Error(ErrorCode::kInvalidArgument, place +
                                                          ": after \\u four hexadecimal digits are expected, found '" +
                                                          std::string(raw.substr(i + 1, kDigits)) + "'");
          }
          unit = unit << 4 | static_cast<std::uint32_t>(digit);
        }
        out.unit(unit);
        i += kDigits;
        break;
      }
      default:
        out.unit(static_cast<unsigned char>(raw[i]));
    }
  }
  return out.take();
}

}  // namespace

Result<std::vector<Property>> parseProperties(std::string_view name, std::string_view text) {
  std::vector<Property> properties;
  Lines lines(text);
  while (const std::optional<Line> line = lines.next()) {
    const std::string place = std::string(name) + ":" + std::to_string(line->number);
    if (line->text.find('\0') != std::string::npos) {
      return Error(ErrorCode::kInvalidArgument, place + ": a NUL byte; a text file with key=value lines is expected");
    }
    const std::string_view all = line->text;
    const std::size_t key_end = endOfKey(all);
    if (key_end == 0) {
      return Error(ErrorCode::kInvalidArgument,
                   place + ": there is no key before '" + std::string(all.substr(0, 1)) + "'; key=value is expected");
    }
    std::size_t value_begin = key_end;
    bool separated = false;
    for (; value_begin < all.size(); ++value_begin) {
      const char c = all[value_begin];
      if (isBlank(c)) continue;
      if (separated || (c != '=' && c != ':')) break;
      separated = true;
    }
    auto key = unescaped(all.substr(0, key_end), place);
    if (!key) return key.error();
    auto value = unescaped(all.substr(value_begin), place);
    if (!value) return value.error();
    properties.push_back({std::move(*key), std::move(*value), place});
  }
  return properties;
}

}  // namespace mqclient::standalone
