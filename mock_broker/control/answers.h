#pragma once

#include <string>
#include <string_view>

#include "mock_broker/broker/broker.h"
#include "mqclient/mock_faults.h"
#include "protocol/json.h"

namespace mqclient::control {

/// An object of an answer. Bytes that are no UTF-8 cannot stand in JSON: such a member is called NAMEBase64.
class AnswerObject {
 public:
  explicit AnswerObject(protocol::JsonWriter& json) : json_(json) { json_.beginObject(); }
  ~AnswerObject() { json_.endObject(); }
  AnswerObject(const AnswerObject&) = delete;
  AnswerObject& operator=(const AnswerObject&) = delete;

  void text(std::string_view name, std::string_view value);
  void bytes(std::string_view name, std::string_view value);  ///< base64 whatever they are
  void number(std::string_view name, std::int64_t value);
  void truth(std::string_view name, bool value);
  /// The next value is written by the caller.
  protocol::JsonWriter& member(std::string_view name);

 private:
  protocol::JsonWriter& json_;
};

enum class RawBytes { kLeftOut, kShown };

void write(protocol::JsonWriter& json, const Captured& frame, RawBytes raw = RawBytes::kLeftOut);
void write(protocol::JsonWriter& json, const broker::StoredMessage& message);

bool isUtf8(std::string_view text) noexcept;
std::string base64(std::string_view bytes);

}  // namespace mqclient::control
