#include "mock_broker/control/answers.h"

#include <map>

#include "mqclient/codes.h"
#include "protocol/properties.h"

namespace mqclient::control {

namespace {

using protocol::JsonWriter;

void writeTexts(JsonWriter& json, const std::map<std::string, std::string>& texts) {
  AnswerObject object(json);
  for (const auto& [name, value] : texts) object.text(name, value);
}

/// How many bytes a character that begins so has; 0: none begins so.
int lengthBy(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  return first >= 0xF0 && first <= 0xF4 ? 4 : 0;
}

/// The second byte of a character is bound closer than the later ones: no overlong forms, no surrogates, no more than
/// U+10FFFF (RFC 3629, table 3-7 of Unicode).
bool isSecond(unsigned char first, unsigned char second) {
  const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  return second >= low && second <= high;
}

}  // namespace

bool isUtf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto at = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto length = static_cast<std::size_t>(lengthBy(at(0)));
    if (length == 0 || text.size() < length || (length > 1 && !isSecond(at(0), at(1)))) return false;
    for (std::size_t i = 2; i < length; ++i) {
      if ((at(i) & 0xC0) != 0x80) return false;
    }
    text.remove_prefix(length);
  }
  return true;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view part = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (i < part.size() ? static_cast<unsigned char>(part[i]) : 0u);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= part.size() ? kDigits[bits >> (18 - 6 * i) & 63] : '=';
    }
  }
  return text;
}

void AnswerObject::text(std::string_view name, std::string_view value) {
  if (!isUtf8(value)) return bytes(name, value);
  member(name).value(value);
}

void AnswerObject::bytes(std::string_view name, std::string_view value) {
  member(std::string(name) + "Base64").value(std::string_view(base64(value)));
}

void AnswerObject::number(std::string_view name, std::int64_t value) {
  member(name).value(value);
}

void AnswerObject::truth(std::string_view name, bool value) {
  member(name).value(value);
}

JsonWriter& AnswerObject::member(std::string_view name) {
  json_.key(isUtf8(name) ? name : std::string_view(base64(name)));
  return json_;
}

void write(JsonWriter& json, const Captured& frame, RawBytes raw) {
  AnswerObject object(json);
  object.number("code", static_cast<int>(frame.code));
  object.text("name", toString(frame.code));
  object.number("responseCode", frame.responseCode);
  object.text("direction", frame.direction == FrameDirection::kToNode ? "toNode" : "fromNode");
  object.text("role", frame.role == NodeRole::kBroker ? "broker" : "nameserver");
  object.text("node", frame.node);
  object.text("from", frame.from);
  object.text("to", frame.to);
  object.text("topic", frame.topic);
  object.text("group", frame.group);
  object.number("queueId", frame.queueId);
  object.text("clientId", frame.clientId);
  object.number("connection", static_cast<std::int64_t>(frame.connection));
  object.number("opaque", frame.opaque);
  object.truth("oneway", frame.oneway);
  object.number("atMs", frame.at.count());
  object.text("fault", frame.fault);
  object.text("remark", frame.remark);
  writeTexts(object.member("extFields"), frame.extFields);
  object.text("body", frame.body);
  if (raw == RawBytes::kShown) object.bytes("raw", frame.raw);
}

void write(JsonWriter& json, const broker::StoredMessage& message) {
  AnswerObject object(json);
  object.text("topic", message.topic);
  object.number("queueId", message.queueId);
  object.number("queueOffset", message.queueOffset);
  object.number("physicalOffset", message.physicalOffset);
  object.number("bornTimestamp", message.bornTimestamp);
  object.number("storeTimestamp", message.storeTimestamp);
  object.text("bornHost", message.bornHost);
  object.text("storeHost", message.storeHost);
  object.number("flag", message.flag);
  object.number("sysFlag", message.sysFlag);
  object.number("reconsumeTimes", message.reconsumeTimes);
  writeTexts(object.member("properties"), protocol::parseProperties(message.properties));
  object.text("body", message.body);
}

}  // namespace mqclient::control
