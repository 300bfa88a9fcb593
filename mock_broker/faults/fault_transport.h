#pragma once

#include "mock_broker/faults/fault_plan.h"
#include "remoting/transport.h"

namespace mqclient::faults {

/// `inner`, with the faults of `plan` on whatever is accepted at an address that listens through it. Connects of the
/// node itself go straight through: what they meet is what their peer's serving end does.
base::Ref<remoting::Transport> makeFaultTransport(base::Ref<remoting::Transport> inner, base::Ref<FaultPlan> plan,
                                                  Node node);

}  // namespace mqclient::faults
