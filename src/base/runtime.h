#pragma once

#include "base/engine.h"
#include "mqclient/client.h"

namespace mqclient {
inline namespace v1 {
namespace detail {

/// Between the public Runtime and the engine it is a handle to.
struct RuntimeAccess {
  /// The engine of a runtime; of the default one the process's shared engine, started now if nobody holds one.
  static Result<base::Ref<base::Engine>> engine(const Runtime& runtime);
  /// A handle to an engine made elsewhere (a simulation, a mock cluster with virtual time).
  static Runtime of(base::Ref<base::Engine> engine);
  /// Whether it is the process's shared one.
  static bool isDefault(const Runtime& runtime) noexcept { return !runtime.engine_; }
};

}  // namespace detail
}  // namespace v1
}  // namespace mqclient
