#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "mqclient/error.h"
#include "protocol/field.h"
#include "protocol/json.h"

/// JSON of everything that has a field list. Included by the .cpp files of body/ only.
///
/// Reading   members in any order, unknown ones skipped, null and absent keep the initializer, of equal ones the last
///           counts; enums by name or ordinal; numbers also as text; of map keys too.
/// Writing   fastjson's order (the lists are alphabetical), null members omitted, enums by name.
namespace mqclient::protocol::json {

template <class T>
concept Listed = requires {
  T::fields();
};
template <class T>
concept Named = std::is_enum_v<T>;

/// Enumerator names by ordinal, one specialization an enum.
template <Named E>
struct EnumNames;

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class K, class V>
struct IsMap<std::map<K, V>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class T>
bool read(JsonReader& from, T& to);

template <Named E>
bool readEnum(JsonReader& from, E& to) {
  std::string text;
  if (!from.readText(text)) return false;
  for (std::size_t i = 0; i < EnumNames<E>::kNames.size(); ++i) {
    if (text == EnumNames<E>::kNames[i] || text == std::to_string(i)) {
      to = static_cast<E>(i);
      return true;
    }
  }
  return true;  // a name of a later version: fastjson reads null, the initializer stays
}

template <Listed T>
bool readObject(JsonReader& from, T& to) {
  return from.object([&](const JsonReader::Key& key) {
    bool ok = true;
    const bool known = std::apply(
        [&](const auto&... field) {
          return ((!key.is_object && key.text == field.name && ((ok = read(from, to.*field.member)), true)) || ...);
        },
        T::fields());
    return known ? ok : from.skip();
  });
}

/// A map's key: text, a number, or an object (bare, or as text that holds JSON).
template <class K>
bool readKey(JsonReader& from, const JsonReader::Key& key, K& to) {
  if constexpr (std::is_same_v<K, std::string>) {
    to.assign(key.text);
    return true;
  } else if constexpr (std::integral<K>) {
    const auto [end, error] = std::from_chars(key.text.data(), key.text.data() + key.text.size(), to);
    if (error == std::errc() && end == key.text.data() + key.text.size() && !key.text.empty()) return true;
    return from.fail("a key that is not a number of its size");
  } else {
    JsonReader inner(key.text, from.depthLeft());
    if (readObject(inner, to) && inner.atEnd()) return true;
    return from.fail("a key that is not the object expected");
  }
}

template <class T>
bool read(JsonReader& from, T& to) {
  if (from.takeNull()) return true;
  if constexpr (IsOptional<T>::value) {
    return read(from, to.emplace());
  } else if constexpr (std::is_same_v<T, std::string>) {
    return from.readText(to);
  } else if constexpr (std::is_same_v<T, bool>) {
    return from.readBool(to);
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return from.readInt32(to);
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return from.readInt64(to);
  } else if constexpr (std::is_same_v<T, double>) {
    return from.readDouble(to);
  } else if constexpr (std::is_same_v<T, RawJson>) {
    std::string_view text;
    if (!from.raw(text)) return false;
    to.text.assign(text);
    return true;
  } else if constexpr (Named<T>) {
    return readEnum(from, to);
  } else if constexpr (IsVector<T>::value) {
    to.clear();
    return from.array([&] { return read(from, to.emplace_back()); });
  } else if constexpr (IsMap<T>::value) {
    to.clear();
    return from.object([&](const JsonReader::Key& key) {
      typename T::key_type k{};
      if (!readKey(from, key, k)) return false;
      typename T::mapped_type value{};
      if (!read(from, value)) return false;
      to.insert_or_assign(std::move(k), std::move(value));
      return true;
    });
  } else {
    return readObject(from, to);
  }
}

template <class T>
void write(JsonWriter& to, const T& value);

template <class K>
void writeKey(JsonWriter& to, const K& key) {
  if constexpr (std::is_same_v<K, std::string>) {
    to.key(std::string_view(key));
  } else if constexpr (std::integral<K>) {
    to.key(std::int64_t{key});
  } else {
    to.beginObjectKey();
    write(to, key);
    to.endObjectKey();
  }
}

template <class T>
void write(JsonWriter& to, const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    to.value(std::string_view(value));
  } else if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, double>) {
    to.value(value);
  } else if constexpr (std::integral<T>) {
    to.value(std::int64_t{value});
  } else if constexpr (std::is_same_v<T, RawJson>) {
    to.raw(value.text);
  } else if constexpr (Named<T>) {
    to.value(EnumNames<T>::kNames[static_cast<std::size_t>(value)]);
  } else if constexpr (IsVector<T>::value) {
    to.beginArray();
    for (const auto& element : value) write(to, element);
    to.endArray();
  } else if constexpr (IsMap<T>::value) {
    to.beginObject();
    for (const auto& [k, v] : value) {
      writeKey(to, k);
      write(to, v);
    }
    to.endObject();
  } else {
    to.beginObject();
    const auto member = [&](std::string_view name, const auto& v) {
      if constexpr (IsOptional<std::remove_cvref_t<decltype(v)>>::value) {
        if (!v) return;
        to.key(name);
        write(to, *v);
      } else {
        to.key(name);
        write(to, v);
      }
    };
    std::apply([&](const auto&... field) { (member(field.name, value.*field.member), ...); }, T::fields());
    to.endObject();
  }
}

template <class T>
std::string encode(const T& value, JsonDialect dialect = JsonDialect::kStandard) {
  std::string out;
  JsonWriter to(out, dialect);
  write(to, value);
  return out;
}

template <class T>
Result<T> decode(std::string_view text, std::string_view subject) {
  JsonReader from(text);
  T value{};
  if (!read(from, value) || !from.atEnd()) return from.error(subject);
  return value;
}

}  // namespace mqclient::protocol::json
