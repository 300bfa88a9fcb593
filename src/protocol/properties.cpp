#include "protocol/properties.h"

#include <cstring>

namespace mqclient::protocol {

namespace {
/// A piece shorter than this is no property. MessageDecoder.java
constexpr std::size_t kPieceMin = 3;
constexpr int kCrcDigits = 10;
}  // namespace

void PropertiesView::Iterator::next() noexcept {
  while (!rest_.empty()) {
    const std::size_t stop = rest_.find(kPropertySeparator);
    const std::string_view piece = rest_.substr(0, stop);
    rest_ = stop == std::string_view::npos ? std::string_view() : rest_.substr(stop + 1);
    if (piece.size() < kPieceMin) continue;
    const std::size_t middle = piece.find(kNameValueSeparator);
    if (middle == std::string_view::npos || middle == 0 || middle + 1 == piece.size()) continue;
    entry_ = {piece.substr(0, middle), piece.substr(middle + 1)};
    return;
  }
  entry_ = {};
}

std::optional<std::string_view> PropertiesView::find(std::string_view name) const noexcept {
  std::optional<std::string_view> found;
  for (const Entry& e : *this) {
    if (e.name == name) found = e.value;
  }
  return found;
}

bool isPropertyText(std::string_view text) noexcept {
  return text.find(kNameValueSeparator) == std::string_view::npos &&
         text.find(kPropertySeparator) == std::string_view::npos;
}

void appendProperty(std::string& to, std::string_view name, std::string_view value) {
  if (name.empty() || value.empty()) return;
  if (!to.empty() && to.back() != kPropertySeparator) to.push_back(kPropertySeparator);
  to.append(name).push_back(kNameValueSeparator);
  to.append(value).push_back(kPropertySeparator);
}

void appendProperties(std::string& to, std::string_view block) {
  if (block.empty()) return;
  if (!to.empty() && to.back() != kPropertySeparator) to.push_back(kPropertySeparator);
  to.append(block);
}

void removeProperty(std::string& from, std::string_view name) {
  if (!PropertiesView(from).find(name)) return;
  std::string kept;
  kept.reserve(from.size());
  for (const PropertiesView::Entry& e : PropertiesView(from)) {
    if (e.name != name) appendProperty(kept, e.name, e.value);
  }
  from = std::move(kept);
}

void setProperty(std::string& in, std::string_view name, std::string_view value) {
  removeProperty(in, name);
  appendProperty(in, name, value);
}

std::map<std::string, std::string> parseProperties(std::string_view text) {
  std::map<std::string, std::string> out;
  for (const PropertiesView::Entry& e : PropertiesView(text)) out.insert_or_assign(std::string(e.name), e.value);
  return out;
}

std::string formatProperties(const std::map<std::string, std::string>& properties) {
  std::size_t size = 0;
  for (const auto& [name, value] : properties) size += propertySize(name, value);
  std::string out;
  out.reserve(size);
  for (const auto& [name, value] : properties) appendProperty(out, name, value);
  return out;
}

std::string formatCrcProperty(std::uint32_t masked_crc) {
  std::string out("__CRC32#");
  out.push_back(kNameValueSeparator);
  for (int i = 0; i < kCrcDigits; ++i, masked_crc /= 10) out.push_back(static_cast<char>('0' + masked_crc % 10));
  out.push_back(kPropertySeparator);
  return out;
}

}  // namespace mqclient::protocol
