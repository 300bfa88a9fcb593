#include "base/runtime.h"

#include <string>

namespace mqclient {
inline namespace v1 {
namespace {

constexpr int kIoThreadsMax = 32;
constexpr int kBlockingThreadsMax = 1024;

/// A shared_ptr whose last share drops the one reference it stands for.
std::shared_ptr<void> shareOf(base::Ref<base::Engine> engine) {
  return {static_cast<void*>(engine.leak()), [](void* e) { static_cast<base::Engine*>(e)->release(); }};
}

}  // namespace

Result<Runtime> Runtime::create(RuntimeOptions options) {
  std::string complaints;
  if (options.ioThreads < 0 || options.ioThreads > kIoThreadsMax) {
    complaints += "ioThreads is " + std::to_string(options.ioThreads) + ", allowed are 0 to " +
                  std::to_string(kIoThreadsMax) + "; ";
  }
  if (options.blockingThreads < 1 || options.blockingThreads > kBlockingThreadsMax) {
    complaints += "blockingThreads is " + std::to_string(options.blockingThreads) + ", allowed are 1 to " +
                  std::to_string(kBlockingThreadsMax) + "; ";
  }
  if (!complaints.empty()) {
    complaints.resize(complaints.size() - 2);
    return Error(ErrorCode::kInvalidArgument, "runtime not created: " + complaints);
  }
  Result<base::Ref<base::Engine>> engine = base::makeThreadedEngine({.io_threads = options.ioThreads,
                                                                     .blocking_threads = options.blockingThreads,
                                                                     .callback_executor = options.callbackExecutor});
  if (!engine) return std::move(engine).error();
  return detail::RuntimeAccess::of(*std::move(engine));
}

bool Runtime::quiesce(Millis wait) {
  return base::quiesceEngines(wait);
}

namespace detail {

Result<base::Ref<base::Engine>> RuntimeAccess::engine(const Runtime& runtime) {
  if (!runtime.engine_) return base::defaultEngine();
  return base::Ref<base::Engine>(static_cast<base::Engine*>(runtime.engine_.get()));
}

Runtime RuntimeAccess::of(base::Ref<base::Engine> engine) {
  Runtime runtime;
  if (engine) runtime.engine_ = shareOf(std::move(engine));
  return runtime;
}

}  // namespace detail
}  // namespace v1
}  // namespace mqclient
