#pragma once

#include <string>
#include <vector>

#include "base/completion.h"
#include "base/engine.h"
#include "base/log.h"
#include "remoting/remoting_client.h"
#include "route/route_table.h"

namespace mqclient::route {

/// A nameserver's answer and who gave it.
struct RouteAnswer {
  RoutePtr route;  ///< usable()
  std::string nameserver;
};

/// Asks the nameservers one after the other (GET_ROUTEINFO_BY_TOPIC) until one has a usable route; each gets an equal
/// share of what is left of the time, so that a silent one cannot eat it. One whose connection ends before its answer
/// is asked once more. A nameserver that does not know the topic is not the last word: views may differ for a while.
///
/// Errors   kNoRoute (17): those that answered do not know the topic. kNoNameServer: none answered, or none in a way
///          that can be understood; the message lists each address with its reason.
/// Threads  any; `done` runs inside a connection's strand, or at once.
void askNameservers(const base::Ref<base::Engine>& engine, const base::Ref<base::Log>& log,
                    const base::Ref<remoting::RemotingClient>& remoting, std::vector<std::string> in_order,
                    std::string topic, base::SteadyTime deadline, base::Completion<RouteAnswer> done);

}  // namespace mqclient::route
