#include "protocol/json_header.h"

#include "protocol/json.h"
#include "protocol/remoting_command.h"

namespace mqclient::protocol {

namespace {

constexpr std::size_t kKeyMax = 32767;  // what the binary form of ext fields can hold

LanguageCode languageOf(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(LanguageCode::NODE_JS); ++i) {
    const auto code = static_cast<LanguageCode>(i);
    if (name == toString(code) || name == std::to_string(i)) return code;
  }
  return LanguageCode::UNKNOWN;
}

struct ExtReader {
  std::string block{};
  std::size_t count = 0;
  std::size_t longest = 0;

  bool read(JsonReader& json, const FrameLimits& limits) {
    if (json.takeNull()) return true;
    std::string value;
    return json.object([&](const JsonReader::Key& key) {
      if (json.takeNull()) return true;
      if (key.text.size() > kKeyMax) return json.fail("an ext field's key of over 32767 bytes");
      if (count == limits.headerFields) return json.fail("over " + std::to_string(limits.headerFields) + " ext fields");
      if (!json.readText(value)) return false;
      ExtFields::appendEntry(block, key.text, value);
      longest = std::max(longest, value.size());
      ++count;
      return true;
    });
  }
};

}  // namespace

std::optional<Error> decodeJsonHeader(std::string_view text, const FrameLimits& limits, RemotingCommand& to) {
  JsonReader json(text);
  ExtReader ext;
  to.version = 0;
  to.language = LanguageCode::JAVA;
  std::string scratch;
  const bool read = json.object([&](const JsonReader::Key& key) {
    if (json.takeNull()) return true;
    if (key.text == "code") return json.readInt32(to.code);
    if (key.text == "flag") return json.readInt32(to.flag);
    if (key.text == "opaque") return json.readInt32(to.opaque);
    if (key.text == "version") return json.readInt32(to.version);
    if (key.text == "language") {
      scratch.clear();
      if (!json.readText(scratch)) return false;
      to.language = languageOf(scratch);
      return true;
    }
    if (key.text == "remark") {
      scratch.clear();
      if (!json.readText(scratch)) return false;
      to.setRemark(scratch);
      return true;
    }
    if (key.text == "extFields") {
      ext = {};
      return ext.read(json, limits);
    }
    return json.skip();
  });
  if (!read || !json.atEnd()) return json.error("JSON header");
  const std::size_t value_limit = to.isResponse() ? limits.headerBytes : limits.fieldValueBytes;
  if (ext.longest > value_limit) {
    return Error(ErrorCode::kCorrupt, "the header has a value length of " + std::to_string(ext.longest) +
                                          ", the limit is " + std::to_string(value_limit));
  }
  to.ext = ExtFields(std::move(ext.block), ext.count);
  return std::nullopt;
}

}  // namespace mqclient::protocol
