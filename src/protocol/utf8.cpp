#include "protocol/utf8.h"

namespace mqclient::protocol {

void appendUtf8(std::string& to, std::uint32_t cp) {
  if (cp < 0x80) {
    to.push_back(static_cast<char>(cp));
  } else if (cp < 0x800) {
    to.push_back(static_cast<char>(0xC0 | (cp >> 6)));
    to.push_back(static_cast<char>(0x80 | (cp & 0x3F)));
  } else if (cp < 0x10000) {
    to.push_back(static_cast<char>(0xE0 | (cp >> 12)));
    to.push_back(static_cast<char>(0x80 | ((cp >> 6) & 0x3F)));
    to.push_back(static_cast<char>(0x80 | (cp & 0x3F)));
  } else {
    to.push_back(static_cast<char>(0xF0 | (cp >> 18)));
    to.push_back(static_cast<char>(0x80 | ((cp >> 12) & 0x3F)));
    to.push_back(static_cast<char>(0x80 | ((cp >> 6) & 0x3F)));
    to.push_back(static_cast<char>(0x80 | (cp & 0x3F)));
  }
}

}  // namespace mqclient::protocol
