#pragma once

#include <memory>
#include <utility>

#include "mock_broker/faults/fault_plan.h"
#include "mqclient/mock_faults.h"

namespace mqclient {

namespace faults {

/// What the two handles have in common. They may outlive their cluster: then there is nothing left to act on.
struct RuleHandle {
  RuleHandle(base::Ref<FaultPlan> its_plan, std::shared_ptr<Rule> its_rule) noexcept
      : plan(std::move(its_plan)), rule(std::move(its_rule)) {}
  ~RuleHandle() { plan->clear(rule); }
  RuleHandle(const RuleHandle&) = delete;
  RuleHandle& operator=(const RuleHandle&) = delete;

  const base::Ref<FaultPlan> plan;
  const std::shared_ptr<Rule> rule;
};

}  // namespace faults

inline namespace v1 {

struct Fault::Impl : faults::RuleHandle {
  using RuleHandle::RuleHandle;
};

struct Held::Impl : faults::RuleHandle {
  using RuleHandle::RuleHandle;
};

}  // namespace v1
}  // namespace mqclient
