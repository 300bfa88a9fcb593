#include "mqclient/testing/at_once.h"

#include "base/engine.h"

namespace mqclient {
inline namespace v1 {
namespace detail {
namespace {

class CallbacksAtOnce final : public base::CallbackTarget {
 public:
  void submit(base::Job& job) noexcept override { job.run(); }
  base::Ref<base::Engine> engine() noexcept override { return {}; }  // who waits parks, unless on a runtime's thread
};

}  // namespace

std::shared_ptr<void> callbacksAtOnce() {
  static CallbacksAtOnce all;  // without state or end: a future may outlive main
  base::CallbackTarget* const target = &all;
  return {std::shared_ptr<void>(), target};
}

}  // namespace detail
}  // namespace v1
}  // namespace mqclient
