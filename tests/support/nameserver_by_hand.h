#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "protocol/body/route.h"
#include "protocol/remoting_command.h"
#include "tests/support/stranger.h"

namespace mqclient::testing {

/// The frame that answers `request`, one whole frame, with a body of any kind; `opaque_off` makes it another's answer.
inline std::string answerTo(std::string_view request, ResponseCode code, std::string body,
                            std::int32_t opaque_off = 0) {
  const auto command = protocol::decodeFrame(base::Chain(base::Slice::copyOf(request)));
  if (!command) return {};
  protocol::RequestIdentity identity = command->identity();
  identity.opaque += opaque_off;
  return protocol::encodeResponse(identity, code, "", protocol::NoHeader{}, base::Slice::of(std::move(body)))
      .toString();
}

/// The body of a route with one queue on each of the brokers, given by name and address.
inline std::string routeTo(const std::vector<std::pair<std::string, std::string>>& brokers) {
  protocol::TopicRouteData route;
  for (const auto& [name, address] : brokers) {
    protocol::QueueData queues;
    queues.brokerName = name;
    queues.readQueueNums = queues.writeQueueNums = 1;
    queues.perm = 6;
    route.queueDatas.push_back(queues);
    protocol::BrokerData data;
    data.cluster = "c";
    data.brokerName = name;
    data.brokerAddrs[0] = address;
    route.brokerDatas.push_back(data);
  }
  return route.encode();
}

/// A nameserver that answers whatever it is asked with `body`.
inline Manners nameserverThatSays(std::string body) {
  return {.answer = [body = std::move(body)](std::string_view request) {
    return answerTo(request, ResponseCode::SUCCESS, body);
  }};
}
/// A nameserver for which every topic has one queue on each of the brokers.
inline Manners nameserverByHand(const std::vector<std::pair<std::string, std::string>>& brokers) {
  return nameserverThatSays(routeTo(brokers));
}

}  // namespace mqclient::testing
