#pragma once

namespace mqclient {
inline namespace v1 {

/// How much a log hook hears; a level includes those before it.
enum class LogLevel { kError, kWarn, kInfo, kDebug };

}  // namespace v1
}  // namespace mqclient
