#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace mqclient::protocol {

/// The properties of a message as one text: `name SOH value STX`, repeated. The last STX may be missing (Java 4.9.1 to
/// 5.1.x leave it out). No escaping: names and values must not contain SOH or STX.
///
/// Reading ignores what Java ignores: pieces of fewer than 3 characters, without SOH, without name, without value. Of
/// two equal names the last counts. Source   MessageDecoder.string2messageProperties
inline constexpr char kNameValueSeparator = 1;
inline constexpr char kPropertySeparator = 2;

/// A view that finds and walks without building anything. Valid as long as the text.
class PropertiesView {
 public:
  struct Entry {
    std::string_view name;
    std::string_view value;
  };

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    using pointer = const Entry*;
    using reference = const Entry&;

    Iterator() noexcept = default;
    explicit Iterator(std::string_view rest) noexcept : rest_(rest) { next(); }
    const Entry& operator*() const noexcept { return entry_; }
    const Entry* operator->() const noexcept { return &entry_; }
    Iterator& operator++() noexcept {
      next();
      return *this;
    }
    void operator++(int) noexcept { next(); }
    bool operator==(std::default_sentinel_t) const noexcept { return entry_.name.empty(); }

   private:
    void next() noexcept;
    std::string_view rest_;
    Entry entry_;
  };

  PropertiesView() noexcept = default;
  explicit PropertiesView(std::string_view text) noexcept : text_(text) {}

  std::optional<std::string_view> find(std::string_view name) const noexcept;
  Iterator begin() const noexcept { return Iterator(text_); }
  std::default_sentinel_t end() const noexcept { return {}; }
  std::string_view text() const noexcept { return text_; }

 private:
  std::string_view text_;
};

/// Whether a user's text can be a name or value: no SOH, no STX.
bool isPropertyText(std::string_view text) noexcept;

/// Appends one property, and first the STX that `to` may lack. An empty name or value appends nothing: readers would
/// drop it.
void appendProperty(std::string& to, std::string_view name, std::string_view value);
/// Appends the entries of another block.
void appendProperties(std::string& to, std::string_view block);
/// Takes every property of that name out.
void removeProperty(std::string& from, std::string_view name);
/// Replaces or appends.
void setProperty(std::string& in, std::string_view name, std::string_view value);
/// Bytes appendProperty adds to a block that ends with STX.
constexpr std::size_t propertySize(std::string_view name, std::string_view value) noexcept {
  return name.size() + value.size() + 2;
}

std::map<std::string, std::string> parseProperties(std::string_view text);
std::string formatProperties(const std::map<std::string, std::string>& properties);

/// Bytes of the optional whole-record CRC property.
inline constexpr std::size_t kCrcPropertySize = 20;
/// `__CRC32#` SOH, the ten decimal digits of `masked_crc` with the least significant first, STX.
std::string formatCrcProperty(std::uint32_t masked_crc);

}  // namespace mqclient::protocol
