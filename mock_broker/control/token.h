#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "mqclient/error.h"

namespace mqclient::control {

inline constexpr std::size_t kTokenBytesMin = 16;
inline constexpr std::size_t kTokenBytesMax = 1'024;

/// The token in a file: one line of kTokenBytesMin to kTokenBytesMax printable characters without a blank.
/// Errors   kInvalidArgument: the file cannot be read, is no plain file, is another user's, may be read by others than
///          its owner, holds no such line. The text never shows what is in it.
Result<std::string> readTokenFile(const std::string& path);

/// Whether an Authorization field carries the token: "Bearer TOKEN". Its time depends on the field's length alone.
bool carriesToken(std::string_view authorization, std::string_view token) noexcept;

}  // namespace mqclient::control
