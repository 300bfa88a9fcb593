#include "mock_broker/control/fields.h"

#include <algorithm>
#include <utility>

namespace mqclient::control {

using Kind = protocol::JsonReader::Kind;

Result<void> FieldReader::read(Fields fields) {
  if (object(fields) && json_.atEnd()) return {};
  const std::string where = path_.empty() ? "the body" : path_;
  if (!complaint_.empty()) return Error(ErrorCode::kInvalidArgument, where + " " + complaint_);
  return Error(ErrorCode::kInvalidArgument, json_.error(where).message());
}

bool FieldReader::wrong(std::string_view expected) {
  if (complaint_.empty()) complaint_ = "is wrong: expected " + std::string(expected);
  return false;
}

bool FieldReader::object(Fields fields) {
  if (json_.peek() != Kind::kObject) return wrong("an object");
  const std::size_t outer = path_.size();
  const auto enter = [&](std::string_view name) {
    path_.resize(outer);
    (path_ += outer == 0 ? "" : ".") += name;
  };
  std::uint64_t seen = 0;
  const bool read = json_.object([&](const protocol::JsonReader::Key& key) {
    enter(key.text);
    const auto* const field = std::ranges::find(fields, key.text, &Field::name);
    if (field != fields.end()) {
      seen |= std::uint64_t{1} << (field - fields.begin());
      return field->take(*this);
    }
    std::string names;
    for (const Field& one : fields) (names += names.empty() ? "" : ", ") += one.name;
    complaint_ = "is not known here; there are: " + names;
    return false;
  });
  if (!read) return false;
  path_.resize(outer);
  for (const Field& field : fields) {
    if (field.need == Need::kOptional || (seen >> (&field - fields.begin()) & 1) != 0) continue;
    enter(field.name);
    complaint_ = "is missing";
    return false;
  }
  return true;
}

bool FieldReader::text(std::string& to) {
  return json_.peek() == Kind::kString ? json_.readString(to) : wrong("text");
}

bool FieldReader::number(std::int64_t& to, std::int64_t min, std::int64_t max) {
  const bool read = json_.peek() == Kind::kNumber && json_.readInt64(to) && to >= min && to <= max;
  return read || wrong("a number from " + std::to_string(min) + " to " + std::to_string(max));
}

bool FieldReader::fraction(double& to) {
  return (json_.peek() == Kind::kNumber && json_.readDouble(to)) || wrong("a number");
}

bool FieldReader::truth(bool& to) {
  return (json_.peek() == Kind::kBool && json_.readBool(to)) || wrong("true or false");
}

Field textField(std::string_view name, std::string& to, Need need) {
  return {name, [&to](FieldReader& reader) { return reader.text(to); }, need};
}

}  // namespace mqclient::control
