#include "protocol/ext_fields.h"

#include <cassert>
#include <cstdint>
#include <limits>

namespace mqclient::protocol {

std::optional<std::string_view> ExtFields::find(std::string_view key) const noexcept {
  std::optional<std::string_view> found;
  for (const Entry& e : *this) {
    if (e.key == key) found = e.value;
  }
  return found;
}

void ExtFields::appendEntry(std::string& to, std::string_view key, std::string_view value) {
  assert(key.size() <= static_cast<std::size_t>(std::numeric_limits<std::int16_t>::max()));
  const std::size_t at = to.size();
  to.resize(at + kKeyLength);
  base::putBe16(to.data() + at, static_cast<std::uint16_t>(key.size()));
  to.append(key);
  const std::size_t value_at = to.size();
  to.resize(value_at + kValueLength);
  base::putBe32(to.data() + value_at, static_cast<std::uint32_t>(value.size()));
  to.append(value);
}

void ExtFields::add(std::string_view key, std::string_view value) {
  if (own_.empty() && !block_.empty()) {
    own_.assign(block_.text());
    block_ = {};
  }
  appendEntry(own_, key, value);
  ++count_;
}

void ExtFields::set(std::string_view key, std::string_view value) {
  if (find(key)) {
    std::string rest;
    std::size_t count = 0;
    for (const Entry& e : *this) {
      if (e.key == key) continue;
      appendEntry(rest, e.key, e.value);
      ++count;
    }
    block_ = {};
    own_ = std::move(rest);
    count_ = count;
  }
  add(key, value);
}

}  // namespace mqclient::protocol
