#pragma once

#include <string>
#include <utility>

#include "base/completion.h"
#include "base/engine.h"
#include "base/strand.h"

namespace mqclient::cluster {

/// Waits for `start(completion)` where waiting is allowed; else only starts it.
template <class F>
Result<void> waitFor(base::Engine& engine, F start) {
  auto operation = base::makeOperation<void>(engine.callbackTarget());
  start(std::move(operation.completion));
  if (!base::Activation::ofThisThread().mayAwait()) {
    std::move(operation.future).detach();
    return {};
  }
  return std::move(operation.future).get();
}

/// For verbs of several steps, each of which must have ended before the next. kWouldBlock.
inline Result<void> mayWaitFor(const char* verb) {
  if (base::Activation::ofThisThread().mayAwait()) return {};
  return Error(ErrorCode::kWouldBlock, std::string(verb) + " waits, which is not allowed on this thread");
}

}  // namespace mqclient::cluster
