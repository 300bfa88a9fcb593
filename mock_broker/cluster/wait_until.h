#pragma once

#include "base/engine.h"
#include "mqclient/function.h"

namespace mqclient::cluster {

/// Looks at `condition` until it is true, at most for `wait`: in virtual time before and after each event, else each
/// millisecond. Where waiting is possible.
bool waitUntil(base::Engine& engine, UniqueFunction<bool()> condition, base::Millis wait);

}  // namespace mqclient::cluster
