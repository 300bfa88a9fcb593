#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace mqclient::standalone {

/// The class of Apache RocketMQ that takes `key` from broker.conf or namesrv.conf; empty when none of 4.9 or 5.x does.
std::string_view apacheClassOf(std::string_view key);

/// Half a sentence on why a key of Apache's changes nothing here.
std::string_view whyWithoutEffect(std::string_view key);

/// The candidate that somebody most likely meant by `name`, capitals aside; empty when none is near.
std::string_view nearestOf(std::string_view name, std::span<const std::string_view> candidates);

/// Every key of Apache's.
std::vector<std::string_view> apacheKeys();

}  // namespace mqclient::standalone
