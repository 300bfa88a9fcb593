#pragma once

namespace mqclient {

/// Exit status of mqbroker: it could not do what it was asked for; it was not asked rightly.
inline constexpr int kFailed = 1;
inline constexpr int kWrong = 2;

}  // namespace mqclient
