#pragma once

#include <string>

#include "base/wait.h"
#include "client/mq_client_instance.h"

namespace mqclient::client {

/// A destructor's wait for code of the user's: until `gone` is settled, however long it takes, since returning would
/// free what that code captured. Every ten seconds from `since` a warning says so: the user's own log hook hears it
/// also after the client was closed, and has returned when this returns.
///
/// `who`   "the producer of group g"; `what()` what it waits for, in the words of the moment.
/// Threads  those that may wait.
void awaitUserCode(MQClientInstance& instance, base::WaitSlot& gone, base::SteadyTime since, const std::string& who,
                   UniqueFunction<std::string()> what);

}  // namespace mqclient::client
