#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "mqclient/error.h"
#include "protocol/json.h"

namespace mqclient::control {

class FieldReader;

enum class Need { kOptional, kRequired };

/// One member that an object may have, and what takes its value.
struct Field {
  std::string_view name;
  std::function<bool(FieldReader&)> take;
  Need need{Need::kOptional};
};
using Fields = std::initializer_list<Field>;

/// Reads an object of which every member is known. What is wrong is named by its place: "match.node".
///
/// Strict   members that nobody knows are errors, so that a misspelt condition does not fit every frame.
class FieldReader {
 public:
  /// An empty text counts as {}.
  explicit FieldReader(std::string_view text) : json_(text.empty() ? "{}" : text) {}

  /// The whole text. kInvalidArgument.
  Result<void> read(Fields fields);

  // ---- for Field::take: at the value
  bool object(Fields fields);
  bool text(std::string& to);
  bool number(std::int64_t& to, std::int64_t min, std::int64_t max);
  bool fraction(double& to);
  bool truth(bool& to);
  protocol::JsonReader::Kind peek() noexcept { return json_.peek(); }
  /// False: the value at hand is wrong.
  bool wrong(std::string_view expected);

 private:
  protocol::JsonReader json_;
  std::string path_;
  std::string complaint_;
};

// ---- what most members are
Field textField(std::string_view name, std::string& to, Need need = Need::kOptional);
template <class Number>
Field numberField(std::string_view name, Number& to, std::int64_t min, std::int64_t max, Need need = Need::kOptional) {
  return {name,
          [&to, min, max](FieldReader& reader) {
            std::int64_t value = 0;
            if (!reader.number(value, min, max)) return false;
            to = static_cast<Number>(value);
            return true;
          },
          need};
}

}  // namespace mqclient::control
