#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "base/buffer.h"

namespace mqclient::protocol {

/// The ext fields of a command: a flat list of (key, value) texts in the order they came or were added.
///
/// Shape    the entries lie one after another as the binary header has them (keyLen i16, key, valueLen i32, value),
///          either in a slice of the received frame or in a buffer of their own; no field has a string of its own.
/// Lifetime views are valid as long as this object (or a copy that shares its slice) lives and nothing is added to it.
class ExtFields {
 public:
  struct Entry {
    std::string_view key;
    std::string_view value;
  };

  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    using pointer = const Entry*;
    using reference = Entry;

    Iterator() noexcept = default;
    explicit Iterator(const char* at) noexcept : at_(at) {}
    Entry operator*() const noexcept {
      const std::size_t key_size = base::getBe16(at_);
      const char* value = at_ + kKeyLength + key_size;
      return {{at_ + kKeyLength, key_size}, {value + kValueLength, base::getBe32(value)}};
    }
    Iterator& operator++() noexcept {
      const Entry e = **this;
      at_ = e.value.data() + e.value.size();
      return *this;
    }
    Iterator operator++(int) noexcept {
      Iterator old = *this;
      ++*this;
      return old;
    }
    bool operator==(const Iterator&) const noexcept = default;

   private:
    const char* at_ = nullptr;
  };

  /// Bytes of the two length fields.
  static constexpr std::size_t kKeyLength = 2;
  static constexpr std::size_t kValueLength = 4;

  ExtFields() = default;
  /// Entries that were checked before: `block` is a whole number of them, `count`.
  ExtFields(base::Slice block, std::size_t count) noexcept : block_(std::move(block)), count_(count) {}
  /// The same from a buffer written by appendEntry.
  ExtFields(std::string&& block, std::size_t count) noexcept : own_(std::move(block)), count_(count) {}

  /// The value under `key`; of several the last, as in Java's map.
  std::optional<std::string_view> find(std::string_view key) const noexcept;
  /// Appends a field. `key` is not there yet (use set otherwise) and at most 32,767 bytes.
  void add(std::string_view key, std::string_view value);
  /// Appends a field or replaces the value of the one that is there.
  void set(std::string_view key, std::string_view value);

  std::size_t size() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }
  Iterator begin() const noexcept { return Iterator(block().data()); }
  Iterator end() const noexcept { return Iterator(block().data() + block().size()); }

  /// All entries as the binary header carries them.
  std::string_view block() const noexcept { return own_.empty() ? block_.text() : std::string_view(own_); }
  /// Writes one entry behind `to`.
  static void appendEntry(std::string& to, std::string_view key, std::string_view value);

 private:
  base::Slice block_;
  std::string own_;  // used once something was added; then block_ is empty
  std::size_t count_ = 0;
};

}  // namespace mqclient::protocol
