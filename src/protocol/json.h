#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "mqclient/error.h"
#include "protocol/limits.h"

namespace mqclient::protocol {

/// How maps with numeric keys are written.
enum class JsonDialect {
  kStandard,          ///< {"0":..}: every peer reads it
  kFastjsonBareKeys,  ///< {0:..}: what stock servers write for requesters below 4.9.4
};

/// A JSON value that is carried but not looked into.
struct RawJson {
  std::string text{"null"};
  bool operator==(const RawJson&) const = default;
};

/// Reads the JSON that RocketMQ's peers write: RFC 8259 plus what fastjson adds (single quotes, bare keys, bare numeric
/// keys, objects as keys). A cursor over the text, no tree: a body's size bounds the memory it can cost.
///
/// Bounds   nesting of kJsonDepthMax; time linear in the text; numbers checked against the type they are read into.
/// Errors   sticky: after the first, every call answers false and error() says what was found at which byte.
/// Defined  of two equal keys the last counts; unknown members are skipped; control characters in strings are taken.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text, int depth_max = kJsonDepthMax) noexcept
      : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()), depth_left_(depth_max) {}
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;

  enum class Kind { kObject, kArray, kString, kNumber, kBool, kNull, kEnd, kOther };
  /// What the next value is, by its first character.
  Kind peek() noexcept;

  /// A key as it stands: text (quoted or bare), or the raw text of an object.
  struct Key {
    std::string_view text;
    bool is_object = false;
  };

  /// Calls onMember(key) for each member; it reads exactly one value (or skip()s it) and answers false to stop on
  /// error. The key's text is valid until onMember returns.
  template <class F>
  bool object(F&& on_member) {
    if (!enter('{')) return false;
    std::string scratch;
    for (bool first = true; !leave('}', first); first = false) {
      Key key;
      if (failed_ || !readKey(key, scratch) || !on_member(key) || failed_) return false;
    }
    return !failed_;
  }
  /// Calls onElement() for each element of an array.
  template <class F>
  bool array(F&& on_element) {
    if (!enter('[')) return false;
    for (bool first = true; !leave(']', first); first = false) {
      if (failed_ || !on_element() || failed_) return false;
    }
    return !failed_;
  }

  bool readString(std::string& to);
  /// Numbers, also as text ("123").
  bool readInt32(std::int32_t& to);
  bool readInt64(std::int64_t& to);
  bool readDouble(double& to);
  bool readBool(bool& to);
  /// Any scalar as its text; arrays and objects as they stand. `null`: false is not an error then, see isNull().
  bool readText(std::string& to);
  /// True, and past it, when the next value is null.
  bool takeNull() noexcept;
  /// Past one value of any kind.
  bool skip();
  /// The text of one value.
  bool raw(std::string_view& to);
  /// Nothing but white space is left.
  bool atEnd() noexcept;

  bool fail(std::string what);
  bool failed() const noexcept { return failed_; }
  /// kCorrupt: "<what> at byte N".
  Error error(std::string_view subject) const;
  /// Levels that may still be entered here, for a reader over a part of this text.
  int depthLeft() const noexcept { return depth_left_; }

 private:
  void space() noexcept {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool enter(char open);
  /// At the end of the container (past it), or failed. Else past the comma.
  bool leave(char close, bool first);
  bool readKey(Key& key, std::string& scratch);
  /// A quoted string: a view when it has no escapes, else unescaped into `scratch`.
  bool quoted(std::string_view& to, std::string& scratch);
  bool unescape(std::string& to);
  bool number(std::string_view& token, std::string& scratch);
  bool literal(std::string_view word) noexcept;

  const char* begin_;
  const char* at_;
  const char* end_;
  int depth_left_;
  bool failed_ = false;
  const char* failed_at_ = nullptr;
  std::string what_;
};

/// Writes compact JSON behind a string.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& to, JsonDialect dialect = JsonDialect::kStandard) noexcept
      : to_(to), dialect_(dialect) {}

  void beginObject() { open('{'); }
  void endObject() { close('}'); }
  void beginArray() { open('['); }
  void endArray() { close(']'); }
  void key(std::string_view name);
  void key(std::int64_t number);
  /// The next value written stands as a key; call endObjectKey after it.
  void beginObjectKey();
  void endObjectKey();
  void value(std::string_view text);
  void value(std::int64_t number);
  void value(double number);
  void value(bool truth);
  void raw(std::string_view json);

  /// `text` quoted and escaped, behind `to`. Control characters become \uXXXX, the rest stays UTF-8.
  static void quote(std::string& to, std::string_view text);

 private:
  void open(char c) {
    separate();
    to_.push_back(c);
    comma_ = false;
  }
  void close(char c) {
    to_.push_back(c);
    comma_ = true;
  }
  void separate() {
    if (comma_) to_.push_back(',');
    comma_ = true;
  }

  std::string& to_;
  JsonDialect dialect_;
  bool comma_ = false;
};

}  // namespace mqclient::protocol
