#include "mock_broker/cluster/mock_faults.h"

#include "base/strand.h"
#include "mock_broker/cluster/wait_until.h"

namespace mqclient {
inline namespace v1 {

// ---- Fault

Fault::Fault(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Fault::Fault(Fault&&) noexcept = default;
Fault& Fault::operator=(Fault&&) noexcept = default;
Fault::~Fault() = default;

int Fault::fired() const {
  return impl_->rule->fired();
}

void Fault::optional() {
  impl_->rule->makeOptional();
}

void Fault::clear() {
  impl_->plan->clear(impl_->rule);
}

// ---- Held

Held::Held(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Held::Held(Held&&) noexcept = default;
Held& Held::operator=(Held&&) noexcept = default;
Held::~Held() = default;

Result<Captured> Held::wait(std::chrono::milliseconds at_most) {
  if (!base::Activation::ofThisThread().mayAwait()) {
    return Error(ErrorCode::kWouldBlock, "Held::wait was called where nothing may wait");
  }
  const faults::Rule& rule = *impl_->rule;
  cluster::waitUntil(
      impl_->plan->engine(), [&rule] { return rule.fired() > 0; }, at_most);
  if (std::optional<Captured> first = rule.firstHeld()) return *std::move(first);
  return Error(ErrorCode::kTimeout, "nothing to hold came within " + std::to_string(at_most.count()) + " ms (" +
                                        rule.toString() + "); MockCluster::trace() shows what did");
}

void Held::release() {
  impl_->plan->clear(impl_->rule);
}

void Held::optional() {
  impl_->rule->makeOptional();
}

Result<void> Held::releaseWith(FaultAction action) {
  auto next = impl_->plan->onceReleased(std::move(action));
  if (!next) return next.error();
  impl_->plan->clear(impl_->rule, *next);
  return {};
}

}  // namespace v1
}  // namespace mqclient
