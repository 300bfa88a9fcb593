#pragma once

#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "base/buffer.h"
#include "mqclient/error.h"
#include "protocol/ext_fields.h"
#include "protocol/field.h"

namespace mqclient::protocol {

enum class SerializeType : std::uint8_t { JSON = 0, ROCKETMQ = 1 };

/// Who speaks. LanguageCode.java; a name or number it does not have reads as UNKNOWN.
enum class LanguageCode : std::uint8_t {
  JAVA = 0,
  CPP = 1,
  DOTNET = 2,
  PYTHON = 3,
  DELPHI = 4,
  ERLANG = 5,
  RUBY = 6,
  OTHER = 7,
  HTTP = 8,
  GO = 9,
  PHP = 10,
  OMS = 11,
  RUST = 12,
  NODE_JS = 13,
  UNKNOWN = 255,
};
std::string_view toString(LanguageCode) noexcept;

/// Ordinals of MQVersion.java that behaviour is keyed on.
namespace version {
inline constexpr int V3_0_7_SNAPSHOT = 28;
inline constexpr int V3_0_11 = 37;
inline constexpr int V3_1_8_SNAPSHOT = 62;
inline constexpr int V3_4_9 = 121;
inline constexpr int V4_1_0_SNAPSHOT = 232;
inline constexpr int V4_5_2 = 317;
inline constexpr int V4_6_0 = 333;
inline constexpr int V4_9_3 = 399;
inline constexpr int V4_9_4 = 401;
inline constexpr int V4_9_8 = 409;
inline constexpr int V5_0_0 = 413;
inline constexpr int V5_3_1 = 475;
inline constexpr int V5_3_3 = 479;
inline constexpr int HIGHER_VERSION = 612;
}  // namespace version

/// What we say we are: new enough for strict JSON routes (401), and not so new that a closing broker answers GO_AWAY
/// (above 475), which would oblige us to reconnect and repeat.
inline constexpr int kVersion = version::V5_3_1;

inline constexpr int kResponseFlag = 0x1;
inline constexpr int kOnewayFlag = 0x2;
/// Bytes before the header: length i32, type u8, headerLen u24.
inline constexpr std::size_t kFramePrefix = 8;

struct NoHeader;

namespace detail {

struct FixedPart {
  int code;
  LanguageCode language;
  int version;
  int opaque;
  int flag;
  std::string_view remark;
  SerializeType type;
};

/// Whether code and version fit the binary header's 16 bits.
bool fitsBinary(const FixedPart& fixed) noexcept;

/// Writes length, type and binary header into one block. `fields_bound` is at least what the fields will take.
class BinaryHeaderWriter {
 public:
  BinaryHeaderWriter(const FixedPart& fixed, std::size_t fields_bound);

  /// Java reads an empty value as null: there is no point in sending one.
  [[gnu::always_inline]] void add(std::string_view key, std::string_view value) noexcept {
    if (value.empty()) return;
    char* value_at = key_(key);
    std::memcpy(value_at, value.data(), value.size());
    end_(value_at, value_at + value.size());
  }
  [[gnu::always_inline]] void add(std::string_view key, std::int32_t value) noexcept { number_(key, value); }
  [[gnu::always_inline]] void add(std::string_view key, std::int64_t value) noexcept { number_(key, value); }
  [[gnu::always_inline]] void add(std::string_view key, bool value) noexcept {
    add(key, value ? std::string_view("true") : std::string_view("false"));
  }
  void addBlock(std::string_view entries) noexcept;
  base::Chain finish(base::Chain body) &&;

  static constexpr std::size_t kNumberMax = 20;

 private:
  [[gnu::always_inline]] char* key_(std::string_view key) noexcept {
    base::putBe16(at_, static_cast<std::uint16_t>(key.size()));
    std::memcpy(at_ + ExtFields::kKeyLength, key.data(), key.size());
    return at_ + ExtFields::kKeyLength + key.size() + ExtFields::kValueLength;
  }
  void end_(char* value, char* end) noexcept {
    base::putBe32(value - ExtFields::kValueLength, static_cast<std::uint32_t>(end - value));
    at_ = end;
  }
  template <class N>
  [[gnu::always_inline]] void number_(std::string_view key, N value) noexcept {
    char* value_at = key_(key);
    if (value >= 0 && value <= 9) {  // most are
      *value_at = static_cast<char>('0' + value);
      return end_(value_at, value_at + 1);
    }
    end_(value_at, std::to_chars(value_at, value_at + kNumberMax, value).ptr);
  }

  base::BlockWriter block_;
  char* ext_;  // where extLen stands
  char* at_;
};

/// The same frame with a JSON header: compact, keys in fastjson's order, every ext value a JSON string.
class JsonHeaderWriter {
 public:
  JsonHeaderWriter(const FixedPart& fixed, bool with_ext_fields);
  void add(std::string_view key, std::string_view value);
  void add(std::string_view key, std::int32_t value) { add(key, static_cast<std::int64_t>(value)); }
  void add(std::string_view key, std::int64_t value);
  void add(std::string_view key, bool value) { add(key, value ? std::string_view("true") : std::string_view("false")); }
  base::Chain finish(base::Chain body) &&;

 private:
  std::string text_;
  FixedPart fixed_;
  bool with_ext_fields_;
  bool first_ = true;
};

template <class Header>
inline constexpr std::size_t kFieldCount = std::tuple_size_v<decltype(Header::fields())>;

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

/// Bytes an entry of this value takes at most, its key apart.
template <class T>
std::size_t valueBound(const T& value) noexcept {
  if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
    return value.size();
  } else if constexpr (IsOptional<T>::value) {
    return value ? valueBound(*value) : 0;
  } else {
    static_assert(std::is_same_v<T, std::int32_t> || std::is_same_v<T, std::int64_t> || std::is_same_v<T, bool>);
    return BinaryHeaderWriter::kNumberMax;
  }
}

template <class Header>
std::size_t fieldsBound(const Header& header) noexcept {
  constexpr auto list = Header::fields();
  return std::apply(
      [&](const auto&... field) {
        return (
            std::size_t{0} + ... +
            (ExtFields::kKeyLength + ExtFields::kValueLength + field.name.size() + valueBound(header.*field.member)));
      },
      list);
}

/// I: the field's place in the list, so that its name's length is known when this is compiled: keys of one to a dozen
/// bytes are then stores, not calls.
template <std::size_t I, class Writer, class Header>
void writeField(Writer& to, const Header& header) {
  constexpr auto field = std::get<I>(Header::fields());
  const auto& value = header.*field.member;
  using T = std::remove_cvref_t<decltype(value)>;
  if constexpr (IsOptional<T>::value) {
    if (value) to.add(field.name, *value);
  } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
    if (field.need == Need::kRequired || !value.empty()) to.add(field.name, std::string_view(value));
  } else {
    to.add(field.name, value);
  }
}

template <class Writer, class Header>
void writeFields(Writer& to, const Header& header) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (writeField<I>(to, header), ...);
  }
  (std::make_index_sequence<kFieldCount<Header>>{});
}

template <class Header>
base::Chain encodeFrame(const FixedPart& fixed, const Header& header, base::Chain body) {
  if (fixed.type == SerializeType::ROCKETMQ && fitsBinary(fixed)) [[likely]] {
    BinaryHeaderWriter to(fixed, fieldsBound(header));
    writeFields(to, header);
    return std::move(to).finish(std::move(body));
  }
  JsonHeaderWriter to(fixed, !std::is_same_v<Header, NoHeader>);
  writeFields(to, header);
  return std::move(to).finish(std::move(body));
}

/// Text to value. False: the text is not of that type. An empty text for a number means "not there", as Java's null
/// does.
bool parseNumber(std::string_view text, std::int32_t& to) noexcept;
bool parseNumber(std::string_view text, std::int64_t& to) noexcept;
/// Eight digits at once. False: they are not all digits.
inline bool parseEightDigits(const char* at, std::uint64_t& to) noexcept {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::uint64_t kHighHalves = 0xF0F0F0F0F0F0F0F0;
  std::uint64_t x;
  std::memcpy(&x, at, sizeof x);
  const std::uint64_t beyond_nine = x + 0x0606060606060606;  // carries into the high half what is no digit
  if (((x & kHighHalves) | (beyond_nine & kHighHalves) >> 4) != 0x3333333333333333) return false;
  x = (x & 0x0F0F0F0F0F0F0F0F) * (10 * 256 + 1) >> 8;  // neighbours joined: of two digits, of four, of eight
  x = (x & 0x00FF00FF00FF00FF) * (100 * 65'536 + 1) >> 16;
  to = (x & 0x0000FFFF0000FFFF) * (10'000 * 4'294'967'296 + 1) >> 32;
  return true;
}
/// Most numbers are short and have no sign: not worth a call.
template <class N>
requires(std::is_same_v<N, std::int32_t> || std::is_same_v<N, std::int64_t>) bool parseValue(std::string_view text,
                                                                                             N& to) noexcept {
  if (text.empty() || text.size() > std::numeric_limits<N>::digits10) return parseNumber(text, to);
  std::uint64_t value = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  if (end - at >= 8) {
    if (!parseEightDigits(at, value)) return parseNumber(text, to);
    at += 8;
  }
  for (; at != end; ++at) {
    const unsigned digit = static_cast<unsigned char>(*at) - unsigned{'0'};
    if (digit > 9) return parseNumber(text, to);
    value = value * 10 + digit;
  }
  to = static_cast<N>(value);
  return true;
}
inline bool parseValue(std::string_view text, std::string_view& to) noexcept {
  to = text;
  return true;
}
inline bool parseValue(std::string_view text, std::string& to) {
  to.assign(text);
  return true;
}
/// Boolean.parseBoolean: "true" in any case, everything else is false.
bool parseValue(std::string_view text, bool& to) noexcept;
template <class T>
bool parseValue(std::string_view text, std::optional<T>& to) {
  return parseValue(text, to.emplace());
}

template <class T>
constexpr const char* kindOf() {
  if constexpr (IsOptional<T>::value) {
    return kindOf<typename T::value_type>();
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return "a 32-bit integer";
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return "a 64-bit integer";
  } else if constexpr (std::is_same_v<T, bool>) {
    return "a boolean";
  } else {
    return "text";
  }
}

template <class T>
constexpr bool isNumber() {
  if constexpr (IsOptional<T>::value) {
    return isNumber<typename T::value_type>();
  } else {
    return std::is_same_v<T, std::int32_t> || std::is_same_v<T, std::int64_t>;
  }
}

/// One field of a header with its type erased, so that reading a header is one compiled function over a table.
struct FieldRow {
  std::string_view name;
  bool required;
  bool number;
  const char* kind;
  bool (*set)(void* header, std::string_view text);
};

template <class Header, class To, std::size_t I>
bool setField(void* to, std::string_view text) {
  constexpr auto field = std::get<I>(Header::fields());
  return parseValue(text, static_cast<To*>(to)->*field.member);
}

template <class Header, class To, std::size_t... I>
constexpr std::array<FieldRow, sizeof...(I)> makeRows(std::index_sequence<I...>) {
  constexpr auto row = []<std::size_t K>(std::integral_constant<std::size_t, K>) {
    constexpr auto field = std::get<K>(Header::fields());
    using T = std::remove_cvref_t<decltype(std::declval<Header&>().*field.member)>;
    return FieldRow{field.name, field.need == Need::kRequired, isNumber<T>(), kindOf<T>(), &setField<Header, To, K>};
  };
  return {row(std::integral_constant<std::size_t, I>{})...};
}

/// Of a header that is read into a `To`.
template <class Header, class To = Header>
inline constexpr auto kFieldRows = makeRows<Header, To>(std::make_index_sequence<kFieldCount<Header>>{});

/// Rows a header may have: what is seen is kept in one word.
inline constexpr std::size_t kFieldRowsMax = 64;

/// Fills the members while the entries come in the order of the list, of which any may be left out, and answers which
/// did. False: there was something else, or a value is not of its type: fillHeader() can tell.
template <class Header, class To>
bool fillInOrder(const ExtFields& ext, To& header, std::uint64_t& seen) {
  const std::string_view block = ext.block();
  const char* at = block.data();
  const char* const end = at + block.size();
  const auto take = [&]<std::size_t I>(std::integral_constant<std::size_t, I>) {
    constexpr auto field = std::get<I>(Header::fields());
    if (at == end) return true;
    // By the length that the name should have: where the value lies is known before the key was read.
    constexpr std::size_t kName = field.name.size();
    if (base::getBe16(at) != kName || std::memcmp(at + ExtFields::kKeyLength, field.name.data(), kName) != 0) {
      return true;
    }
    constexpr std::size_t kValueAt = ExtFields::kKeyLength + kName;
    const std::string_view value(at + kValueAt + ExtFields::kValueLength, base::getBe32(at + kValueAt));
    at = value.data() + value.size();
    using T = std::remove_cvref_t<decltype(header.*field.member)>;
    if (isNumber<T>() && value.empty()) return true;  // Java's null
    seen |= std::uint64_t{1} << I;
    return parseValue(value, header.*field.member);
  };
  const bool read = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return (take(std::integral_constant<std::size_t, I>{}) && ...);
  }
  (std::make_index_sequence<kFieldCount<Header>>{});
  return read && at == end;
}

/// The rows that must be there, a bit each.
template <class Header>
constexpr std::uint64_t requiredFields() {
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < kFieldRows<Header>.size(); ++i) {
    if (kFieldRows<Header>[i].required) mask |= std::uint64_t{1} << i;
  }
  return mask;
}

std::optional<Error> fillHeader(std::string_view header_name, std::span<const FieldRow> rows, const ExtFields& ext,
                                void* header);

}  // namespace detail

}  // namespace mqclient::protocol
