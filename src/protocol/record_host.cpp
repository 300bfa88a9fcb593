#include <algorithm>
#include <array>
#include <charconv>

#include "base/buffer.h"
#include "protocol/limits.h"
#include "protocol/message_record.h"

namespace mqclient::protocol {

namespace {

constexpr int kGroups = 8;

template <class N>
std::optional<N> wholeNumber(std::string_view text, int base, std::size_t digits_max) {
  N value{};
  if (text.empty() || text.size() > digits_max || text.front() == '-') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool parseV4(std::string_view text, std::byte* to) {
  for (int i = 0; i < 4; ++i) {
    const std::size_t dot = text.find('.');
    if ((dot == std::string_view::npos) != (i == 3)) return false;
    const auto octet = wholeNumber<unsigned>(text.substr(0, dot), 10, 3);
    if (!octet || *octet > 255) return false;
    to[i] = static_cast<std::byte>(*octet);
    text = dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
  }
  return true;
}

/// Groups of four hex digits between colons, the last of which may be an IPv4 address; how many bytes were written.
std::optional<std::size_t> parseGroups(std::string_view text, std::byte* to, std::size_t room) {
  std::size_t used = 0;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && group.find('.') != std::string_view::npos) {
      if (used + 4 > room || !parseV4(group, to + used)) return std::nullopt;
      return used + 4;
    }
    const auto value = wholeNumber<unsigned>(group, 16, 4);
    if (!value || used + 2 > room) return std::nullopt;
    base::putBe16(to + used, static_cast<std::uint16_t>(*value));
    used += 2;
    if (colon == std::string_view::npos) break;
    text = text.substr(colon + 1);
    if (text.empty()) return std::nullopt;  // a colon at the end
  }
  return used;
}

bool parseV6(std::string_view text, std::array<std::byte, 16>& to) {
  to = {};
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) return parseGroups(text, to.data(), to.size()) == to.size();
  std::array<std::byte, 16> back{};
  const auto head = parseGroups(text.substr(0, gap), to.data(), to.size());
  if (!head) return false;
  const auto tail = parseGroups(text.substr(gap + 2), back.data(), back.size());
  if (!tail || *head + *tail > to.size() - 2) return false;  // "::" stands for at least one group
  std::copy_n(back.begin(), *tail, to.end() - static_cast<std::ptrdiff_t>(*tail));
  return true;
}

}  // namespace

RecordHost RecordHost::v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::int32_t port) noexcept {
  RecordHost host;
  host.ip[0] = std::byte{a};
  host.ip[1] = std::byte{b};
  host.ip[2] = std::byte{c};
  host.ip[3] = std::byte{d};
  host.port = port;
  return host;
}

std::optional<RecordHost> RecordHost::parse(std::string_view text) {
  RecordHost host;
  std::string_view address;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || text.size() < close + 2 || text[close + 1] != ':') return std::nullopt;
    address = text.substr(1, close - 1);
    text.remove_prefix(close + 2);
    host.v6 = true;
    if (!parseV6(address, host.ip)) return std::nullopt;
  } else {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || !parseV4(text.substr(0, colon), host.ip.data())) return std::nullopt;
    text.remove_prefix(colon + 1);
  }
  const auto port = wholeNumber<std::int32_t>(text, 10, 5);
  if (!port || *port > kPortMax) return std::nullopt;
  host.port = *port;
  return host;
}

std::string RecordHost::ipToString() const {
  std::string out;
  if (!v6) {
    for (std::size_t i = 0; i < 4; ++i) {
      if (i != 0) out.push_back('.');
      out += std::to_string(std::to_integer<unsigned>(ip[i]));
    }
    return out;
  }
  // RFC 5952: the first longest run of at least two zero groups becomes "::".
  int best = -1;
  int best_size = 1;
  const auto group = [&](int i) { return base::getBe16(ip.data() + static_cast<std::ptrdiff_t>(i) * 2); };
  for (int i = 0; i < kGroups;) {
    int end = i;
    while (end < kGroups && group(end) == 0) ++end;
    if (end - i > best_size) {
      best = i;
      best_size = end - i;
    }
    i = end + 1;
  }
  for (int i = 0; i < kGroups; ++i) {
    if (i == best) {
      out += "::";
      i += best_size - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out.push_back(':');
    char digits[4];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, group(i), 16).ptr);
  }
  return out;
}

std::string RecordHost::toString() const {
  return hostAndPort(ipToString(), port);
}

std::string hostAndPort(const std::string& ip, std::int32_t port) {
  return (ip.find(':') == std::string::npos ? ip : "[" + ip + "]") + ":" + std::to_string(port);
}

}  // namespace mqclient::protocol
