// Binds mock:// addresses to clusters inside this process. An object file of its own, because a static archive drops a
// registration that nobody refers to; it stands above both the client and the broker.
#include <charconv>
#include <string>

#include "client/home.h"
#include "mock_broker/cluster/cluster.h"

namespace mqclient::cluster {
namespace {

Result<client::Home> resolve(const client::SchemeAddress& address, const base::Ref<base::Engine>& engine) {
  if (auto known = client::checkParameters(address, {"nameservers", "brokers", "queues"}); !known) return known.error();
  Registry::Wanted wanted;
  wanted.name = address.name;
  for (const auto& [key, text] : address.parameters) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      return Error(ErrorCode::kInvalidArgument,
                   address.text + ": " + key + "=" + text + " is not a number; for example " + key + "=2");
    }
    if (key == "nameservers") {
      wanted.options.nameservers = value;
      wanted.nameservers_given = true;
    } else if (key == "brokers") {
      wanted.options.brokers = value;
      wanted.brokers_given = true;
    } else {
      wanted.options.defaultTopicQueueNums = value;
      wanted.queues_given = true;
    }
  }
  auto cluster = Registry::instance().named(wanted);
  if (!cluster) return cluster.error();
  client::Home home;
  // A cluster with virtual time brings its engine: its clients live in its time.
  home.engine = (*cluster)->engine()->isVirtualTime() ? (*cluster)->engine() : engine;
  home.transport = (*cluster)->transport();
  home.nameservers = (*cluster)->nameserverAddresses();
  home.identity = "mock://" + address.name;
  return home;
}

[[maybe_unused]] const bool kRegistered = [] {
  client::registerScheme("mock", resolve);
  return true;
}();

}  // namespace
}  // namespace mqclient::cluster
