#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "mqclient/error.h"

namespace mqclient {
inline namespace v1 {

enum class HistoryEventKind {
  kInvoke,   ///< a send, or any other asynchronous call, begins
  kOk,       ///< it was acknowledged: SEND_OK. Of a message with its place
  kFail,     ///< it failed and the broker did not act
  kUnknown,  ///< it ended otherwise: the message may be stored, or not
  kDeliver,  ///< a listener of a group was given the message
  kFinish,   ///< and is done with it
  kCommit,   ///< the group's offset of a queue was confirmed: every message below `offset` is done
  kReset,    ///< somebody set that offset on purpose: it may go back
  kOwn,      ///< from now on the client works on the queue for its group,
  kRelease,  ///< until now
  kStored,   ///< the broker holds this message, as seen after the end
};

/// One line of a history. What an event does not have stays as it is here.
struct HistoryEvent {
  HistoryEventKind kind{};
  std::int64_t time{};  ///< microseconds since any moment that all clients of the history share
  std::string client{};
  std::string group{};  ///< of consumers
  std::string topic{};  ///< none: a call that is no send
  std::string brokerName{};
  int queueId{-1};
  std::int64_t offset{-1};
  std::string id{};           ///< of the message, unique in the history; or of the call
  std::int64_t sequence{-1};  ///< numbers what one client sends to one queue, or to one key
  std::uint32_t crc{};        ///< CRC-32 of the body; 0: not taken
  std::uint64_t line{};       ///< set by History::events(): the place among them, from 1

  bool operator==(const HistoryEvent&) const = default;
};

/// "120 deliver client=c1 group=billing topic=orders broker=broker-a queue=0 offset=7 id=7F01 seq=3 crc=9ae0daaf":
/// time, kind, and what the event has. Blanks, %, = and control characters in names are written %20 and so on.
std::string toLine(const HistoryEvent& event);
/// kInvalidArgument says what is wrong with the line.
Result<HistoryEvent> parseHistoryLine(std::string_view line);
/// CRC-32 as zlib and java.util.zip.CRC32 have it.
std::uint32_t historyCrc(std::string_view bytes) noexcept;

namespace detail {

inline constexpr std::array<std::string_view, 11> kHistoryKinds{
    "invoke", "ok", "fail", "unknown", "deliver", "finish", "commit", "reset", "own", "release", "stored"};

inline std::string historyEscaped(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && c != '%' && c != '=') {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

template <class Number>
bool historyNumber(std::string_view text, Number& number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size();
}

inline bool historyUnescaped(std::string_view text, std::string& out) {
  out.clear();
  for (; !text.empty(); text.remove_prefix(1)) {
    if (text.front() != '%') {
      out += text.front();
      continue;
    }
    unsigned char byte = 0;
    if (text.size() < 3 || !historyNumber(text.substr(1, 2), byte, 16)) return false;
    out += static_cast<char>(byte);
    text.remove_prefix(2);
  }
  return true;
}

/// The first word, taken off `rest`.
inline std::string_view historyWord(std::string_view& rest) {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(word.size() < rest.size() ? word.size() + 1 : word.size());
  return word;
}

inline bool setHistoryField(HistoryEvent& event, std::string_view name, std::string_view value) {
  if (name == "client") return historyUnescaped(value, event.client);
  if (name == "group") return historyUnescaped(value, event.group);
  if (name == "topic") return historyUnescaped(value, event.topic);
  if (name == "broker") return historyUnescaped(value, event.brokerName);
  if (name == "queue") return historyNumber(value, event.queueId);
  if (name == "offset") return historyNumber(value, event.offset);
  if (name == "id") return historyUnescaped(value, event.id);
  if (name == "seq") return historyNumber(value, event.sequence);
  if (name == "crc") return historyNumber(value, event.crc, 16);
  return false;
}

}  // namespace detail

inline std::string toLine(const HistoryEvent& event) {
  std::string line = std::to_string(event.time) + ' ';
  line += detail::kHistoryKinds[static_cast<std::size_t>(event.kind)];
  const auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) line += std::string(" ") + name + '=' + detail::historyEscaped(value);
  };
  const auto number = [&](const char* name, std::int64_t value) {
    if (value >= 0) line += std::string(" ") + name + '=' + std::to_string(value);
  };
  text("client", event.client);
  text("group", event.group);
  text("topic", event.topic);
  text("broker", event.brokerName);
  number("queue", event.queueId);
  number("offset", event.offset);
  text("id", event.id);
  number("seq", event.sequence);
  if (event.crc != 0) {
    std::array<char, 8> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), event.crc, 16).ptr;
    line += " crc=" + std::string(digits.data(), end);
  }
  return line;
}

inline Result<HistoryEvent> parseHistoryLine(std::string_view line) {
  const auto bad = [&](const char* why, std::string_view what) {
    return Error(ErrorCode::kInvalidArgument,
                 std::string(why) + " '" + std::string(what) + "' in: " + std::string(line));
  };
  HistoryEvent event;
  std::string_view rest = line;
  if (const std::string_view time = detail::historyWord(rest); !detail::historyNumber(time, event.time)) {
    return bad("no time", time);
  }
  const std::string_view kind = detail::historyWord(rest);
  std::size_t known = 0;
  while (known < detail::kHistoryKinds.size() && detail::kHistoryKinds[known] != kind) ++known;
  if (known == detail::kHistoryKinds.size()) return bad("no event", kind);
  event.kind = static_cast<HistoryEventKind>(known);
  while (!rest.empty()) {
    const std::string_view field = detail::historyWord(rest);
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos ||
        !detail::setHistoryField(event, field.substr(0, equals), field.substr(equals + 1))) {
      return bad("no field", field);
    }
  }
  return event;
}

namespace detail {
constexpr std::array<std::uint32_t, 256> makeCrcTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320u : 0u);
    table[i] = value;
  }
  return table;
}
}  // namespace detail

inline std::uint32_t historyCrc(std::string_view bytes) noexcept {
  static constexpr std::array<std::uint32_t, 256> kTable = detail::makeCrcTable();
  std::uint32_t crc = ~0u;
  for (const char c : bytes) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

}  // namespace v1
}  // namespace mqclient
