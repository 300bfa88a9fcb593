#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mqclient::fuzz {

/// `header` as a frame: length, `type`, length of the header.
std::string frameOf(int type, std::string_view header, std::string_view body = {});

/// Reads one frame, in slices that `sizes` cuts (chop), and demands what holds for every frame: what the naive reader
/// read or refused, whatever the slices; what was read is written in both formats and reads the same again.
void checkFrame(std::string_view bytes, std::uint8_t sizes);

}  // namespace mqclient::fuzz
